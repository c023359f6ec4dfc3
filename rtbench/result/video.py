"""A video of an episode: what head and wrist camera saw, side by side, with a caption under it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rtbench.core.atomic_write import atomic_write
from rtbench.core.episode import Episode, Outcome

CAPTION_HEIGHT = 48
"""Pixels under the picture; 256 + 48 is a multiple of 16, which the codec wants."""
FPS = 24
"""Frames a second, in real time: the rate at which the robot's targets move."""
LINGER = FPS
"""Times that the last frame, which has the outcome, is shown: for a second."""
_FONT_SIZE, _LINE, _MARGIN = 11, 14, 4
_COLOURS = {True: (120, 220, 120), False: (240, 130, 120)}


class Film:
    """A video that is being written; see `film`."""

    def __init__(self, writer: Any, episode: Episode) -> None:
        self._writer, self._episode = writer, episode
        self._last: NDArray[np.uint8] | None = None
        self._frames = 0

    @property
    def empty(self) -> bool:
        """Whether it has no frame yet."""
        return self._last is None

    def add(self, frame: NDArray[np.uint8], step: int, times: int = 1) -> None:
        """Show a picture uint8[h, w, 3] of that control step for `times` frames."""
        picture = captioned(frame, self._episode, f"step {step}, {self._frames / FPS:.1f} s")
        for _ in range(times):
            self._writer.append_data(picture)
        self._frames += times
        self._last = frame

    def end(self, outcome: Outcome) -> None:
        """Show the last picture for another second, with the outcome."""
        if self._last is None:
            return
        picture = captioned(self._last, self._episode, f"{outcome.steps} steps", outcome)
        for _ in range(LINGER):
            self._writer.append_data(picture)


@contextmanager
def film(path: Path, episode: Episode) -> Iterator[Film]:
    """Write a video (H.264, 48 pixels higher than its pictures, `FPS` frames a second).

    It appears whole, or not at all where the block raises.

    Raises:
        OSError: the folder cannot be written.
    """
    import imageio.v2 as imageio

    path.parent.mkdir(parents=True, exist_ok=True)
    settings: Any = {"fps": FPS, "codec": "libx264", "macro_block_size": 16, "quality": 7}
    # The writer's own `with` leaves it open after an error, and it would write the file again.
    with atomic_write(path) as beside, closing(imageio.get_writer(beside, **settings)) as writer:
        yield Film(writer, episode)


def captioned(
    frame: NDArray[np.uint8], episode: Episode, foot: str, outcome: Outcome | None = None
) -> NDArray[np.uint8]:
    """The frame uint8[h, w, 3] with a strip under it: uint8[h + 48, w, 3].

    Args:
        frame: The picture.
        episode: Its instruction is in the strip.
        foot: Text at the left of the last line.
        outcome: Text at its right; None for none yet.
    """
    height, width, _ = frame.shape
    picture = Image.new("RGB", (width, height + CAPTION_HEIGHT))
    picture.paste(Image.fromarray(frame), (0, 0))
    draw = ImageDraw.Draw(picture)
    font = _font()
    per_line = int((width - 2 * _MARGIN) / max(font.getlength("n"), 1))
    text = textwrap.wrap(episode.instruction, per_line, max_lines=2, placeholder=" ...")
    for number, line in enumerate(text):
        draw.text((_MARGIN, height + 3 + number * _LINE), line, font=font, fill=(240, 240, 240))
    base = height + CAPTION_HEIGHT - _LINE - 1
    draw.text((_MARGIN, base), foot, font=font, fill=(170, 170, 170))
    if outcome is not None:
        verdict = f"{'success' if outcome.end else 'failure'} ({outcome.termination})"
        right = width - _MARGIN - font.getlength(verdict)
        draw.text((right, base), verdict, font=font, fill=_COLOURS[outcome.end])
    return np.asarray(picture)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same picture on every machine."""
    return ImageFont.load_default(_FONT_SIZE)
