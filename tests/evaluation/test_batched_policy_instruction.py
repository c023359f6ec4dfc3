"""A policy whose instruction changes in the middle of an episode begins anew in that slot alone."""

import numpy as np
import pytest

from rtbench.core.action import RTBENCH, idle
from rtbench.core.episode import Observation
from rtbench.evaluation.batched_policy import BatchedPolicy
from rtbench.policy.base import Needs


class Listener:
    def __init__(self):
        self.needs = Needs()
        self.told = []

    def reset(self, slot, instruction, seed):
        self.told.append((slot, instruction, seed))

    def act(self, observations, slots):
        return np.stack([RTBENCH.encode(idle()) for _ in slots])


@pytest.fixture
def batched():
    listener = Listener()
    batched = BatchedPolicy(listener, RTBENCH, limit_s=30)
    yield listener, batched
    batched.close()


def seen(instruction):
    return Observation({}, instruction, np.zeros(15, np.float32), 0)


def test_a_changed_instruction_begins_anew(batched):
    listener, policy = batched
    policy.reset(0, "place apple", 7)
    policy.reset(1, "pick can", 8)
    for first in ("open drawer", "open drawer", "place apple"):
        policy.act([seen(first), seen("pick can")], [0, 1])
    assert listener.told == [
        (0, "place apple", 7), (1, "pick can", 8), (0, "open drawer", 7), (0, "place apple", 7),
    ]  # fmt: skip


def test_an_environment_that_says_no_instruction_changes_none(batched):
    listener, policy = batched
    policy.reset(0, "pick can", 7)
    policy.act([seen("")], [0])
    assert listener.told == [(0, "pick can", 7)]
