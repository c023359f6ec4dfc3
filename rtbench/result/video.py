"""A video of an episode: what the head camera saw, with a caption under it."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rtbench.core.atomic_write import atomic_write
from rtbench.core.episode import Episode, EpisodeResult, Outcome

CAPTION_HEIGHT = 48
"""Pixels under the picture; 256 + 48 is a multiple of 16, which the codec wants."""
FPS = 3
"""Frames a second: real time at 3 Hz."""
LINGER = 3
"""Times that the last frame is shown, so that a player's end does not hide it."""
_FONT_SIZE, _LINE, _MARGIN = 11, 14, 4
_COLOURS = {True: (120, 220, 120), False: (240, 130, 120)}


def write_video(folder: Path, episode: Episode, result: EpisodeResult) -> Path:
    """Write `<key>.mp4` (H.264, 320 x 304 pixels) from the frames of the result's trace; gives its path.

    It appears whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    import imageio.v2 as imageio

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{episode.key}.mp4"
    frames = result.trace.frames
    last = len(frames) - 1
    writer: Any
    with (
        atomic_write(path) as beside,
        imageio.get_writer(beside, fps=FPS, codec="libx264", macro_block_size=16, quality=7) as writer,
    ):
        for step, frame in enumerate(frames):
            picture = captioned(frame, episode, step, result.outcome)
            for _ in range(LINGER if step == last else 1):
                writer.append_data(picture)
    return path


def captioned(frame: NDArray[np.uint8], episode: Episode, step: int, outcome: Outcome) -> NDArray[np.uint8]:
    """The frame uint8[h, w, 3] with a strip under it: uint8[h + 48, w, 3]."""
    height, width, _ = frame.shape
    picture = Image.new("RGB", (width, height + CAPTION_HEIGHT))
    picture.paste(Image.fromarray(frame), (0, 0))
    draw = ImageDraw.Draw(picture)
    font = _font()
    per_line = int((width - 2 * _MARGIN) / max(font.getlength("n"), 1))
    text = textwrap.wrap(episode.instruction, per_line, max_lines=2, placeholder=" ...")
    for number, line in enumerate(text):
        draw.text((_MARGIN, height + 3 + number * _LINE), line, font=font, fill=(240, 240, 240))
    verdict = f"{'success' if outcome.end else 'failure'} ({outcome.termination})"
    foot = height + CAPTION_HEIGHT - _LINE - 1
    draw.text((_MARGIN, foot), f"step {step}/{outcome.steps}", font=font, fill=(170, 170, 170))
    right = width - _MARGIN - font.getlength(verdict)
    draw.text((right, foot), verdict, font=font, fill=_COLOURS[outcome.end])
    return np.asarray(picture)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same picture on every machine."""
    return ImageFont.load_default(_FONT_SIZE)
