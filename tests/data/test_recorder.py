"""The policy that records: what it acts, and what it keeps."""

from __future__ import annotations

import numpy as np

from rtbench.core.action import MODE, Mode, convention
from rtbench.data.recorder import Acting, Labelled, Recorder
from rtbench.policy.seed import policy_seed
from tests.helpers import synthetic_runs

LABEL = np.full(11, 128)
LABEL[10] = 0


def seen(*, lost=False) -> Labelled:
    return Labelled(
        images={"head": np.zeros((256, 320, 3), np.uint8)}, instruction="pick apple", step=0,
        proprio=np.zeros(15, np.float32), state=np.zeros(22), label=LABEL,
        points=np.zeros((4, 2), np.float32), grip=np.zeros(4, np.float32), lost=lost,
    )  # fmt: skip


def test_an_episode_ends_where_an_object_is_lost_and_nothing_of_it_is_kept():
    recorder = Recorder(Acting(), (128, 160))
    recorder.reset(0, "pick apple", 5)
    assert (recorder.act([seen()], [0]) == LABEL).all()
    last = recorder.act([seen(lost=True)], [0])[0]
    spec = convention("rtbench")
    assert spec.modes[last[spec.order.index(MODE)]] is Mode.TERMINATE
    kept = recorder._trajectories[5]
    assert [len(steps) for steps in (kept.tokens, kept.labels, kept.images, kept.states)] == [1] * 4


def test_no_more_hashes_are_kept_than_steps():
    episode = synthetic_runs.episode(3)
    recorder = Recorder(Acting(), (128, 160))
    recorder.reset(0, episode.instruction, policy_seed(episode))
    recorder.act([seen()], [0])
    recorder.act([seen(lost=True)], [0])
    demo = recorder.take(synthetic_runs.record(episode, success=False, steps=2))
    assert demo is not None
    assert len(demo) == len(demo.hashes) == 1
