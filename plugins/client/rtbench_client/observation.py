"""What a policy is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtbench_client.codec import MessageError

IMAGES = {
    "head": ("observation/image", "observation/exterior_image_0_left", "observation/exterior_image_1_left"),
    "wrist": ("observation/wrist_image", "observation/wrist_image_left"),
}
"""Camera -> keys of its image: rtbench's and openpi's for LIBERO, RoboArena's, openpi's for DROID."""
PROPRIO = 15


@dataclass(frozen=True)
class Observation:
    """One moment of one session."""

    images: dict[str, np.ndarray]
    """Camera ('head', 'wrist') -> uint8[H, W, 3], RGB, row 0 at the top."""
    prompt: str
    """The instruction."""
    proprio: np.ndarray
    """float32[15]: angles of seven joints [rad], the hand's position [m] and quaternion (wxyz) in the base
    frame, opening of the fingers [m]; NaN where the client sends none."""
    session: str
    """Name of the session, for what a policy remembers."""
    step: int
    """Observations of the episode before this one."""
    raw: dict[str, Any]
    """The client's message as it came."""


def read(message: dict[str, Any], session: str, step: int) -> Observation:
    """The observation in a client's message.

    Raises:
        MessageError: no instruction, or an image that is none.
    """
    prompt = message.get("prompt")
    if not isinstance(prompt, str):
        raise MessageError(f"key 'prompt' holds {type(prompt).__name__}; expected a text.")
    images = {}
    for camera, keys in IMAGES.items():
        for key in (key for key in keys if key in message):
            image = message[key]
            if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
                raise MessageError(f"key {key!r} holds no image uint8[H, W, 3].")
            images[camera] = image
            break
    proprio = message.get("observation/proprio")
    if not isinstance(proprio, np.ndarray) or proprio.shape != (PROPRIO,):
        proprio = np.full(PROPRIO, np.nan, dtype=np.float32)
    return Observation(images, prompt, proprio, session, step, message)
