"""Image shrinking: demonstrations and policies use the same function, so they see the same pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def shrink(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image uint8[H, W, 3] as uint8[h, w, 3]: each pixel is the mean of the area that it covers.

    `size` is (height, width) [pixels].
    """
    height, width = size
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
