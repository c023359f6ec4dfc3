"""Pictures for films: both cameras, and moments between control steps that change nothing."""

from itertools import pairwise

import numpy as np
import pytest

from rtbench.core.action import RTBENCH, Mode, idle
from rtbench.core.episode import Trace
from rtbench.evaluation.film import BothCameras, Filmed, side_by_side
from rtbench.evaluation.latency import Latency, Pace
from rtbench.evaluation.rollout import replayed, rollout
from rtbench.result.video import FPS

TASK = "pick/coke_can-v0"


class Kept:
    """A film that only remembers."""

    def __init__(self):
        self.frames, self.steps = [], []

    def add(self, frame, step):
        self.frames.append(frame)
        self.steps.append(step)


def script():
    """Tokens int64[6, 11] of the arm, the base, and the end."""
    rows = []
    for mode in (Mode.ARM, Mode.ARM, Mode.BASE, Mode.ARM, Mode.BASE, Mode.TERMINATE):
        vector = idle()
        vector[:3], vector[7:9], vector[10] = 0.04, -0.05, mode
        rows.append(RTBENCH.encode(vector))
    return np.stack(rows)


@pytest.mark.parametrize(("ms", "hz"), [((), 3), ((30.0, 170.0), 3), ((), 10)])
def test_a_filmed_episode_is_the_same_to_the_last_bit(kitchen, episode_of, ms, hz):
    from rtbench.env.kitchen import Kitchen

    pace, tokens, episode = Pace(Latency(ms), hz), script(), episode_of(TASK)
    env = kitchen if hz == 3 else Kitchen(cameras=(), control_hz=hz)
    plain = rollout(env, episode, replayed(tokens), pace=pace)
    film, trace = Kept(), Trace()
    again = rollout(
        Filmed(Kitchen(cameras=(), control_hz=hz), film), episode, replayed(tokens), pace=pace, trace=trace
    )
    assert trace.hashes == plain.trace.hashes
    assert (again.final_hash, again.outcome) == (plain.final_hash, plain.outcome)
    assert len(film.frames) == int(again.simulated_s * FPS) + 1
    assert sorted(film.steps) == film.steps
    assert (film.steps[0], film.steps[-1]) == (0, len(tokens))
    assert {frame.shape for frame in film.frames} == {(256, 640, 3)}
    # The arm moves within a control step: frames in between are moments of their own.
    first = film.frames[1 : FPS // 3] if not ms else film.frames[2 : FPS // 3]
    assert all((a != b).any() for a, b in pairwise(first))


def test_both_cameras_stand_side_by_side(kitchen, episode_of):
    kitchen.begin(episode_of(TASK))
    both = BothCameras(kitchen)
    assert np.array_equal(both.frame(), side_by_side(kitchen))
    assert np.array_equal(both.frame()[:, :320], kitchen.frame("head"))
    assert np.array_equal(both.frame()[:, 320:], kitchen.frame("wrist"))
    assert np.array_equal(both.frame("wrist"), kitchen.frame("wrist"))
    assert both.state_hash() == kitchen.state_hash()
