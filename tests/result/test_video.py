"""Films of episodes: a caption, the outcome, and no file of a film that broke off."""

from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Trace
from rtbench.core.importing import load_object
from rtbench.evaluation.rollout import replayed, rollout
from rtbench.result import fonts
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


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("kald\N{LATIN SMALL LETTER DOTLESS I}r", "kaldr"),
        ("подними банку", "       "),
        ("włóż jabłko", "wlóz jablko"),
        ("拿起", "  "),
    ],
)
def test_letters_that_pillows_own_font_lacks_are_written(text, other, monkeypatch):
    """They were boxes, one as another; where no font has them, the caption says so."""

    def strip(instruction):
        return captioned(FRAME, replace(episode, instruction=instruction), "")[IMAGE_HEIGHT:]

    signs = [sign for sign in text if not sign.isascii()]
    if fonts.font(text, 11) is not None:
        written = {strip(sign).tobytes() for sign in signs}
        assert len(written) == len(set(signs)), "each looks like no other"
    assert (strip(text) != strip(other)).any()
    monkeypatch.setattr(fonts, "font", lambda *_, **__: None)
    assert (
        strip(text) == strip(f"[{episode.language}: no font of this machine writes it] {episode.task}")
    ).all()


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
