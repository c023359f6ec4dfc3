"""Checks for users' own policies: the contract of `rtbench.policy.base`, probed before a long run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import Convention
from rtbench.core.action import convention as convention_named
from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Observation
from rtbench.core.errors import PolicyError, RtbenchError
from rtbench.core.fault import Fault
from rtbench.core.seeding import generator
from rtbench.policy.base import Policy
from rtbench.policy.card import check_shape
from rtbench.policy.check import check_tokens
from rtbench.policy.thread import PolicyThread

INSTRUCTION = "pick coke can"
OTHER = "open top drawer"
STEPS = 4
"""Steps of a probe: enough for a history to show."""
SEED, OTHER_SEED = 11, 12


def check_policy(policy: Any, convention: str | None = None) -> list[str]:
    """Probe a policy with made-up observations; gives the probes that it passed, in words.

    The policy is called in a thread of its own, as in a run. Give its class, and it is also made
    there, as in a run of `package.module:Class`.

    Args:
        policy: The policy, or what makes it without arguments; what it has learnt of its slots is lost.
        convention: The action convention that it is expected to declare; None: any.

    Raises:
        PolicyError: the first thing that is missing, or all probes that failed, each with what was seen.
    """
    thread = PolicyThread()
    try:
        return _probe(_made(policy, thread), convention, thread)
    finally:
        thread.close()


def _made(policy: Any, thread: PolicyThread) -> Any:
    if isinstance(policy, type):
        return thread.call(policy)
    thread.adopt()
    return policy


def _probe(policy: Any, convention: str | None, thread: PolicyThread) -> list[str]:
    checked = check_shape(policy, type(policy).__name__)
    if checked.needs.privileged:
        raise PolicyError("check_policy has no simulator for a privileged policy; try it with `rtbench run`.")
    declared = checked.needs.convention
    if convention is not None and declared != convention:
        raise PolicyError(f"the policy declares convention {declared!r}; expected {convention!r}.")
    probe = _Probe(checked, convention_named(declared))
    passed, failed = [], []
    for words, test in PROBES.items():
        try:
            thread.call(partial(test, probe))
        except _FailedError as failure:
            failed.append(f"{words}: {failure}")
        except RtbenchError as error:
            failed.append(f"{words}: {error}")
        except Exception as error:  # noqa: BLE001 - a user's policy may raise anything
            failed.append(f"{words}: it raised {type(error).__name__}: {error}")
        else:
            passed.append(words)
    if failed:
        raise PolicyError("the policy breaks its contract:\n" + "\n".join(f"- {line}" for line in failed))
    return passed


class _FailedError(Exception):
    """A probe found something."""


@dataclass(frozen=True)
class _Probe:
    """A policy and how to talk to it."""

    policy: Policy
    spec: Convention

    def observation(self, step: int, stream: str = "a", text: str = INSTRUCTION) -> Observation:
        """A made-up observation, the same for the same arguments."""
        rng = generator("check_policy", stream, step)
        shape = (IMAGE_HEIGHT, IMAGE_WIDTH, 3)
        cameras = self.policy.needs.cameras
        images = {camera: rng.integers(0, 256, shape, dtype=np.uint8) for camera in cameras}
        return Observation(images, text, rng.uniform(-1, 1, 15).astype(np.float32), step)

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Checked tokens int64[len(slots), 11]."""
        rows = check_tokens(self.policy.act(observations, slots), len(slots), self.spec)
        if isinstance(rows, Fault):
            raise _FailedError(rows.message)
        for row in rows:
            if isinstance(row, Fault):
                raise _FailedError(row.message)
        return np.array(rows)

    def episode(self, slot: int, seed: int = SEED, stream: str = "a") -> NDArray[np.int64]:
        """Tokens int64[STEPS, 11] of an episode played alone."""
        self.policy.reset(slot, INSTRUCTION, seed)
        return np.concatenate([self.act([self.observation(i, stream)], [slot]) for i in range(STEPS)])


def _answers(probe: _Probe) -> None:
    for count in (1, 3):
        slots = list(range(count))
        for slot in slots:
            probe.policy.reset(slot, INSTRUCTION, SEED + slot)
        probe.act([probe.observation(0)] * count, slots)


def _takes_any_image(probe: _Probe) -> None:
    for value in (0, 255):
        made = probe.observation(0)
        images = {camera: np.full_like(image, value) for camera, image in made.images.items()}
        probe.policy.reset(0, "", SEED)
        probe.act([Observation(images, "", made.proprio, 0)], [0])


def _repeats(probe: _Probe) -> None:
    first = probe.episode(0)
    probe.episode(0, OTHER_SEED, "b")
    _same(first, probe.episode(0), "the same seed and observations gave other tokens after a reset")


def _ignores_slot_number(probe: _Probe) -> None:
    _same(probe.episode(0), probe.episode(5), "slot 5 gave other tokens than slot 0 in the same episode")


def _keeps_slots_apart(probe: _Probe) -> None:
    expected = {1: probe.episode(1, SEED, "a"), 2: probe.episode(2, OTHER_SEED, "b")}
    probe.policy.reset(1, INSTRUCTION, SEED)
    probe.policy.reset(2, INSTRUCTION, OTHER_SEED)
    rows: dict[int, list[NDArray[np.int64]]] = {1: [], 2: []}
    for step in range(STEPS):
        # The order changes: a policy that goes by place in the batch, not by slot, shows here.
        slots = (1, 2) if step % 2 == 0 else (2, 1)
        seen = [probe.observation(step, "a" if slot == 1 else "b") for slot in slots]
        for slot, row in zip(slots, probe.act(seen, slots), strict=True):
            rows[slot].append(row)
        if step == 1:
            probe.policy.reset(3, OTHER, SEED)
    for slot, tokens in expected.items():
        _same(tokens, np.array(rows[slot]), f"slot {slot} acted otherwise beside another slot than alone")


def _leaves_observations_alone(probe: _Probe) -> None:
    made = probe.observation(0)
    before = copy.deepcopy(made)
    probe.policy.reset(0, INSTRUCTION, SEED)
    probe.act([made], [0])
    for camera, image in before.images.items():
        _same(image, made.images[camera], f"the image of camera {camera!r} was changed in place")
    _same(before.proprio, made.proprio, "the proprioception was changed in place")


def _same(expected: NDArray[Any], found: NDArray[Any], complaint: str) -> None:
    if not np.array_equal(expected, found):
        raise _FailedError(complaint)


PROBES: dict[str, Callable[[_Probe], None]] = {
    "gives valid tokens int64[slots, 11], alone and in a batch": _answers,
    "takes black and white images and an empty instruction": _takes_any_image,
    "repeats itself with the same seed, whatever came before": _repeats,
    "does not depend on the number of its slot": _ignores_slot_number,
    "keeps the slots of a batch apart": _keeps_slots_apart,
    "leaves observations unchanged": _leaves_observations_alone,
}
"""What is checked, in words."""
