"""A video of an episode: what head and wrist camera saw, side by side, with a caption under it."""

from __future__ import annotations

import errno
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rtbench.core.atomic_write import atomic_write
from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Episode, Outcome
from rtbench.core.stated_plan import StatedPlan
from rtbench.result import fonts

CAPTION_HEIGHT = 48
"""Pixels under the picture; 256 + 48 is a multiple of 16, which the codec wants."""
FPS = 15
"""Frames a second, in real time. The robot's targets move 24 times a second, but each frame is two images in
software OpenGL, 24 of its 38 ms of processor time; this rate is smooth to the eye at 0.63 of the cost."""
LINGER = FPS
"""Times that the last frame, which has the outcome, is shown: for a second."""
_FONT_SIZE, _LINE, _MARGIN = 11, 14, 4
_COLOURS = {True: (120, 220, 120), False: (240, 130, 120)}
_PLACES = ((255, 220, 60), (90, 220, 255))
"""Colours of the rings around a plan's places: of the thing to be moved, and of where it goes."""
_RING = 7
"""Radius of these [pixels]."""


class Film:
    """A video that is being written; see `film`."""

    def __init__(self, writer: Any, episode: Episode, plans: Sequence[StatedPlan] = ()) -> None:
        self._writer, self._episode, self._plans = writer, episode, plans
        self._last: NDArray[np.uint8] | None = None
        self.frames = 0
        """Pictures so far."""

    @property
    def empty(self) -> bool:
        """Whether it has no frame yet."""
        return self._last is None

    def add(self, frame: NDArray[np.uint8], step: int, times: int = 1) -> None:
        """Show a picture uint8[h, w, 3] of that control step for `times` frames."""
        plan = next((plan for plan in reversed(self._plans) if plan.step <= step), None)
        shown = frame if plan is None else marked(frame, plan)
        said = f"; plan: {plan.text}" if plan else ""
        picture = captioned(shown, self._episode, f"step {step}, {self.frames / FPS:.1f} s{said}")
        for _ in range(times):
            self._writer.append_data(picture)
        self.frames += times
        self._last = frame

    def end(self, outcome: Outcome) -> None:
        """Show the last picture for another second, with the outcome."""
        if self._last is None:
            return
        picture = captioned(self._last, self._episode, f"{outcome.steps} steps", outcome)
        for _ in range(LINGER):
            self._writer.append_data(picture)
        self.frames += LINGER


@contextmanager
def film(path: Path, episode: Episode, plans: Sequence[StatedPlan] = ()) -> Iterator[Film]:
    """Write a video (H.264, 48 pixels higher than its pictures, `FPS` frames a second).

    It appears whole, or not at all where the block raises.

    Args:
        path: The file.
        episode: The episode.
        plans: What the policy stated, in order: shown in the caption, with rings around its places.

    Raises:
        OSError: the video cannot be written.
    """
    import imageio.v2 as imageio

    path.parent.mkdir(parents=True, exist_ok=True)
    settings: Any = {"fps": FPS, "codec": "libx264", "macro_block_size": 16, "quality": 7}
    # The writer's own `with` leaves it open after an error, and it would write the file again.
    with atomic_write(path) as beside:
        with closing(imageio.get_writer(beside, **settings)) as writer:
            made = Film(writer, episode, plans)
            yield made
        if made.frames and not _whole(beside, made.frames):
            raise OSError(errno.EIO, "the video is not whole, as on a full disk")


def _whole(path: Path, pictures: int) -> bool:
    """Whether a video has all its pictures: ffmpeg ends without an error when it could not write some."""
    import imageio_ffmpeg

    try:
        found, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    except RuntimeError:
        return False
    return bool(found == pictures)


def marked(frame: NDArray[np.uint8], plan: StatedPlan) -> NDArray[np.uint8]:
    """The frame uint8[h, w, 3], of which the head camera's picture is at the left, with a plan's places."""
    picture = Image.fromarray(frame)
    draw = ImageDraw.Draw(picture)
    for number, place in enumerate(plan.places):
        x, y = place.x * IMAGE_WIDTH, place.y * IMAGE_HEIGHT
        colour = _PLACES[min(number, len(_PLACES) - 1)]
        draw.ellipse((x - _RING, y - _RING, x + _RING, y + _RING), outline=colour, width=2)
    return np.asarray(picture)


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
    _write_instruction(draw, episode, height + 3, width)
    font = _font()
    per_line = int((width - 2 * _MARGIN) / max(font.getlength("n"), 1))
    base = height + CAPTION_HEIGHT - _LINE - 1
    last = textwrap.shorten(foot, per_line, placeholder=" ...")
    draw.text((_MARGIN, base), last, font=font, fill=(170, 170, 170))
    if outcome is not None:
        verdict = f"{'success' if outcome.end else 'failure'} ({outcome.termination})"
        right = width - _MARGIN - font.getlength(verdict)
        draw.text((right, base), verdict, font=font, fill=_COLOURS[outcome.end])
    return np.asarray(picture)


def _write_instruction(draw: ImageDraw.ImageDraw, episode: Episode, top: int, width: int) -> None:
    """Two lines at most, by a font that has its letters; the task's name where this machine has none."""
    text = episode.instruction
    written = _font() if text.isascii() else fonts.font(text, _FONT_SIZE)
    if written is None:
        text, written = f"[{episode.language}: no font of this machine writes it] {episode.task}", _font()
    room = width - 2 * _MARGIN
    per_line = int(room * max(len(text), 1) / max(written.getlength(text), 1))
    left, anchor = (width - _MARGIN, "ra") if fonts.runs_left(text) else (_MARGIN, "la")
    for number, line in enumerate(textwrap.wrap(text, per_line, max_lines=2, placeholder=" ...")):
        place = left, top + number * _LINE
        draw.text(place, line, font=written, fill=(240, 240, 240), anchor=anchor)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same picture on every machine."""
    return ImageFont.load_default(_FONT_SIZE)
