"""Films of episodes: a caption, the outcome, and no file of a film that broke off."""

from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Trace
from rtbench.core.importing import load_object
from rtbench.evaluation.rollout import replayed, rollout
from rtbench.result.video import captioned, film
from tests.helpers.paths import HELPERS

FAKE = HELPERS / "fake_env.py"
FRAME = np.zeros((IMAGE_HEIGHT, 2 * IMAGE_WIDTH, 3), dtype=np.uint8)
episode = load_object(f"{FAKE}:episode")()


def test_outcomes_look_different():
    rows = np.tile([228, *[128] * 5, 0, 128, 128, 128, 0], (30, 1))
    result = rollout(load_object(f"{FAKE}:FakeEnv")(), episode, replayed(rows), trace=Trace())
    good, bad = (captioned(FRAME, episode, "", replace(result.outcome, end=end)) for end in (True, False))
    assert (good != bad).any()


@pytest.mark.parametrize("shown", [0, 1])
def test_a_film_that_breaks_off_leaves_no_file(tmp_path, shown):
    def broken():
        with film(tmp_path / "film.mp4", episode) as made:
            assert made.empty
            for step in range(shown):
                made.add(FRAME, step)
            raise RuntimeError("made up")

    with pytest.raises(RuntimeError, match="made up"):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_ffmpeg_could_not_write_whole_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"before")

    def truncated(beside, **settings):
        writer = get_writer(beside, **settings)
        close = writer.close

        def cut():
            close()
            beside.write_bytes(beside.read_bytes()[:-200])  # as on a full disk: the index comes last

        writer.close = cut
        return writer

    get_writer = imageio.get_writer
    monkeypatch.setattr(imageio, "get_writer", truncated)
    with pytest.raises(OSError, match="not whole"), film(path, episode) as made:
        made.add(FRAME, 0, times=5)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
