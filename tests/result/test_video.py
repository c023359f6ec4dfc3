"""Films of episodes: frames in real time, a caption, and the outcome at the end."""

from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest

from rtbench.core.episode import Trace
from rtbench.core.importing import load_object
from rtbench.evaluation.film import BothCameras
from rtbench.evaluation.latency import Latency, Pace
from rtbench.evaluation.rollout import replayed, rollout
from rtbench.result.video import FPS, captioned, film, write_video
from tests.helpers.paths import HELPERS

FAKE = HELPERS / "fake_env.py"
make_episode = load_object(f"{FAKE}:episode")
FakeEnv = load_object(f"{FAKE}:FakeEnv")
STEPS = 4


def played(pace):
    episode = make_episode(horizon=STEPS * 2, instruction="push the cart " * 12)
    rows = np.tile([228, *[128] * 5, 0, 128, 128, 128, 0], (STEPS * 8, 1))
    trace = Trace(keep_frames=True)
    return episode, rollout(BothCameras(FakeEnv()), episode, replayed(rows), pace=pace, trace=trace)


@pytest.mark.parametrize("ms", [(), (400.0,)])
def test_a_film_is_in_real_time_with_the_outcome_for_its_last_second(tmp_path, ms):
    episode, result = played(Pace(Latency(ms)))
    path = write_video(tmp_path / "videos", episode, result)
    assert path.name == f"{episode.key}.mp4"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with imageio.get_reader(path) as reader:
        assert reader.get_meta_data()["fps"] == FPS >= 15
        frames = list(reader.iter_data())
    assert len(frames) == round(result.simulated_s * FPS) + 1 + FPS
    assert {frame.shape for frame in frames} == {(304, 640, 3)}
    assert frames[0][256:].max() > 150, "the caption is blank"
    assert np.abs(frames[0][:256].astype(int) - result.trace.frames[0]).mean() < 8
    verdicts = [frame[288:, 500:].max() > 100 for frame in frames]
    assert verdicts == [False] * (len(frames) - FPS) + [True] * FPS


def test_each_picture_is_shown_for_its_control_step(tmp_path):
    episode, result = played(Pace())
    with imageio.get_reader(write_video(tmp_path, episode, result)) as reader:
        frames = [frame[:256].astype(int) for frame in reader.iter_data()]
    # The cart goes on by a step's length where a step ends: with every eighth frame.
    moved = [k for k in range(1, len(frames)) if np.abs(frames[k] - frames[k - 1]).mean() > 1]
    assert moved == [FPS // 3 * step for step in range(1, result.outcome.steps + 1)]


def test_outcomes_look_different():
    episode, result = played(Pace())
    frame = result.trace.frames[0]
    good, bad = (captioned(frame, episode, "", replace(result.outcome, end=end)) for end in (True, False))
    assert (good != bad).any()


@pytest.mark.parametrize("shown", [0, 1])
def test_a_film_that_breaks_off_leaves_no_file(tmp_path, shown):
    episode, result = played(Pace())

    def broken():
        with film(tmp_path / "film.mp4", episode) as made:
            assert made.empty
            for frame in result.trace.frames[:shown]:
                made.add(frame, 0)
            raise RuntimeError("made up")

    with pytest.raises(RuntimeError, match="made up"):
        broken()
    assert list(tmp_path.iterdir()) == []
