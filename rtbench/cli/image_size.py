"""The size of images, as an option gives it."""

from __future__ import annotations

import re

from rtbench.core.errors import RtbenchError

LEAST_SIZE = 16
"""Smallest height and width of images [pixels]; below it no object can be recognised."""


class ImageSizeError(RtbenchError):
    """A size that cannot be used."""


def image_size(text: str) -> tuple[int, int]:
    """Height and width [pixels] of 'HEIGHTxWIDTH', or of the images that a size of RT-1 is trained on.

    Raises:
        ImageSizeError: neither, or one that is larger than the camera's image, or too small.
    """
    from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
    from rtbench.policy.rt1.config import SIZES

    if text in SIZES:
        return SIZES[text].camera_image
    found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    height, width = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (LEAST_SIZE <= height <= IMAGE_HEIGHT and LEAST_SIZE <= width <= IMAGE_WIDTH):
        least, most = f"{LEAST_SIZE}x{LEAST_SIZE}", f"{IMAGE_HEIGHT}x{IMAGE_WIDTH}"
        raise ImageSizeError(
            f"--size {text}: expected HEIGHTxWIDTH, {least} to {most}, such as 128x160, or a size of RT-1: "
            f"{', '.join(SIZES)}."
        )
    return height, width
