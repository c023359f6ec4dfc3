"""Writes the first frame of an episode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.errors import RtbenchError

if TYPE_CHECKING:
    from rtbench.spec import Episode

ENDINGS = (".png", ".jpg", ".jpeg")


class PictureError(RtbenchError):
    """A picture that cannot be written."""


def write_frame(episode: Episode, path: Path, roots: Sequence[Path] = ()) -> None:
    """Write what the head camera sees before the first action, 320 x 256 pixels.

    Raises:
        PictureError: a file name without the ending of a picture, or a folder that cannot be written.
        RtbenchError: the episode cannot be set up, or nothing draws here.
    """
    from PIL import Image

    from rtbench.registration import make

    if path.suffix.lower() not in ENDINGS:
        raise PictureError(f"--frame {path}: expected a file name that ends in {', '.join(ENDINGS)}.")
    kitchen = make(episode.task, cameras=("head",), content=tuple(roots))
    try:
        image = kitchen.begin(episode).images["head"]
    finally:
        kitchen.close()
    try:
        Image.fromarray(image).save(path)
    except OSError as error:
        raise PictureError(f"--frame {path}: cannot be written: {error.strerror or error}.") from None
