"""Pictures for films: both cameras, and moments between control steps that change nothing."""

from dataclasses import replace
from itertools import pairwise

import imageio.v2 as imageio
import numpy as np
import pytest

from rtbench.core.action import RTBENCH, Mode, idle
from rtbench.core.episode import Trace
from rtbench.core.errors import RunError
from rtbench.core.importing import load_object
from rtbench.evaluation.film import film_again, filmed, side_by_side
from rtbench.evaluation.latency import Latency, Pace
from rtbench.evaluation.rollout import HOLD_STEPS, replayed, rollout
from rtbench.result.video import FPS
from tests.helpers.paths import HELPERS

TASK = "pick/coke_can-v0"


class Kept:
    """A film that only remembers."""

    def __init__(self):
        self.frames, self.steps = [], []

    def add(self, frame, step, times=1):
        self.frames += [frame] * times
        self.steps += [step] * times


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
    with filmed(env, film, pace.period) as shown:
        again = rollout(shown, episode, replayed(tokens), pace=pace, trace=trace)
    assert trace.hashes == plain.trace.hashes
    assert (again.final_hash, again.outcome) == (plain.final_hash, plain.outcome)
    assert len(film.frames) == int(again.simulated_s * FPS) + 1
    assert sorted(film.steps) == film.steps
    assert (film.steps[0], film.steps[-1]) == (0, len(tokens))
    assert {frame.shape for frame in film.frames} == {(256, 640, 3)}
    assert rollout(env, episode, replayed(tokens), pace=pace).final_hash == plain.final_hash
    assert len(film.frames) == int(again.simulated_s * FPS) + 1, "an episode after the film is in it"
    # The arm moves within a control step: frames in between are moments of their own.
    first = film.frames[1 : FPS // 3] if not ms else film.frames[2 : FPS // 3]
    assert all((a != b).any() for a, b in pairwise(first))


def test_both_cameras_stand_side_by_side(kitchen, episode_of):
    kitchen.begin(episode_of(TASK))
    both = side_by_side(kitchen)
    assert np.array_equal(both[:, :320], kitchen.frame("head"))
    assert np.array_equal(both[:, 320:], kitchen.frame("wrist"))


FAKE = HELPERS / "fake_env.py"


def fake_episode(pace):
    """An episode of the toy environment, and what came of it."""
    episode = load_object(f"{FAKE}:episode")(horizon=8, instruction="push the cart " * 12)
    rows = np.tile([228, *[128] * 5, 0, 128, 128, 128, 0], (32, 1))
    env = load_object(f"{FAKE}:FakeEnv")()
    return env, episode, rollout(env, episode, replayed(rows), pace=pace)


@pytest.mark.parametrize("ms", [(), (400.0,)])
def test_a_film_is_in_real_time_with_the_outcome_for_its_last_second(tmp_path, ms):
    pace = Pace(Latency(ms))
    env, episode, result = fake_episode(pace)
    steps = []
    path = tmp_path / "videos" / "film.mp4"
    film_again(env, episode, result, path, pace=pace, on_step=lambda: steps.append(1))
    assert len(steps) == result.outcome.steps
    assert list(path.parent.iterdir()) == [path]
    with imageio.get_reader(path) as reader:
        assert reader.get_meta_data()["fps"] == FPS >= 15
        frames = list(reader.iter_data())
    held = HOLD_STEPS * FPS // 3 if result.outcome.end else 0
    assert len(frames) == round(result.simulated_s * FPS) + 1 + held + FPS
    assert {frame.shape for frame in frames} == {(304, 640, 3)}
    assert frames[0][256:].max() > 150, "the caption is blank"
    env.begin(episode)
    assert np.abs(frames[0][:256].astype(int) - side_by_side(env)).mean() < 8
    verdicts = [frame[288:, 500:].max() > 100 for frame in frames]
    assert verdicts == [False] * (len(frames) - FPS) + [True] * FPS


def test_without_a_controller_each_picture_is_shown_for_its_control_step():
    env, episode, result = fake_episode(Pace())
    film = Kept()
    with filmed(env, film, Pace().period) as shown:
        rollout(shown, episode, replayed(np.array(result.trace.tokens)))
    moved = [k for k in range(1, len(film.frames)) if (film.frames[k] != film.frames[k - 1]).any()]
    assert moved[: result.outcome.steps] == [FPS // 3 * step for step in range(1, result.outcome.steps + 1)]


def test_an_episode_that_ends_otherwise_when_simulated_again_gets_no_film(tmp_path):
    env, episode, result = fake_episode(Pace())
    with pytest.raises(RunError, match="another state"):
        film_again(env, episode, replace(result, final_hash="0"), tmp_path / "film.mp4", pace=Pace())
    assert list(tmp_path.iterdir()) == []
