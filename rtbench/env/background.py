"""A photograph behind robot and objects in place of the room, as in SIMPLER's visual matching."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from rtbench.core.environment import EnvSettings
from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.core.errors import ContentError

OPTION, MASK_OPTION = "--background", "--background-mask"
FOREGROUND = 128
"""A pixel of the mask that is darker is kept as it is drawn."""


@dataclass(frozen=True)
class Background:
    """A photograph of the head camera's picture without robot and objects, and where it may be seen."""

    photograph: NDArray[np.uint8]
    """uint8[256, 320, 3], RGB."""
    shown: NDArray[np.bool_]
    """bool[256, 320]: where the photograph takes the place of the room."""

    @classmethod
    def read(cls, photograph: str, mask: str = "") -> Self | None:
        """Read a picture and, where one is named, a mask: white where the photograph may be seen.

        Other sizes are scaled to 320 x 256. None where no photograph is named.

        Raises:
            ContentError: a file that is not there or no picture.
        """
        if not photograph:
            return None
        shown = np.ones((IMAGE_HEIGHT, IMAGE_WIDTH), dtype=bool)
        if mask:
            shown = np.asarray(_read(MASK_OPTION, mask, "L")) >= FOREGROUND
        return cls(np.asarray(_read(OPTION, photograph, "RGB")), shown)

    def behind(
        self, drawn: NDArray[np.uint8], geoms: NDArray[np.int32], foreground: Sequence[int]
    ) -> NDArray[np.uint8]:
        """The picture uint8[256, 320, 3] with the photograph behind what is in the foreground.

        Args:
            drawn: uint8[256, 320, 3], as drawn.
            geoms: int32[256, 320]: geom of each pixel, -1 for none.
            foreground: Geoms of robot, objects and drawers.
        """
        replaced = (self.shown & ~np.isin(geoms, foreground))[..., None]
        return np.where(replaced, self.photograph, drawn)


def file_hash(photograph: str, mask: str = "") -> str:
    """16 hex digits: of the content of both files, for a record; '' where there is no photograph.

    Raises:
        ContentError: a file that cannot be read.
    """
    if not photograph:
        return ""
    total = hashlib.sha256()
    for option, file in ((OPTION, photograph), (MASK_OPTION, mask)):
        try:
            content = Path(file).read_bytes() if file else b""
        except OSError as error:
            raise ContentError(option, file, f"cannot be read: {error.strerror}.") from None
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def recorded(settings: EnvSettings) -> dict[str, Any]:
    """Settings for a record: of a photograph what its files hold, and nothing where there is none.

    Raises:
        ContentError: a file that cannot be read.
    """
    told = asdict(settings)
    files = told.pop("background"), told.pop("background_mask")
    return {**told, "background": file_hash(*files)} if files[0] else told


def _read(option: str, file: str, mode: str) -> Image.Image:
    try:
        with Image.open(file) as picture:
            return picture.convert(mode).resize((IMAGE_WIDTH, IMAGE_HEIGHT), Image.Resampling.BOX)
    except UnidentifiedImageError:
        raise ContentError(option, file, "is no picture; give a PNG or JPEG file.") from None
    except OSError as error:
        raise ContentError(option, file, f"cannot be read: {error.strerror or error}.") from None
