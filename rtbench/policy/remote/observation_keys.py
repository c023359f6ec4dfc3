"""Under which keys a server finds images, proprioception and instruction: `keys` of a remote policy.

A server takes exactly the keys that its own transforms name, so a card says them: the name of a preset, or
images, state and prompt by key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Observation
from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.core.rotation import to_rotation_vector
from rtbench.policy.continuous.transform import to_rpy
from rtbench.policy.remote.codec import WireError

PROPRIO = 15
"""Numbers of proprioception."""
OPENING = 0.08
"""Opening of a Panda's fingers [m], for the sign and range of others' gripper numbers."""
Part = Literal[
    "proprio", "joints", "position", "quaternion", "rotation_vector", "rpy", "gripper_opening",
    "gripper_closed", "fingers", "x", "y", "z", "roll", "pitch", "yaw",
]  # fmt: skip
Array = NDArray[np.float32]


class ImageKey(BaseModel):
    """How a camera's image is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    camera: Literal["head", "wrist"] = "head"
    """The camera."""
    size: tuple[int, int] | None = None
    """Height and width [pixels]; as it is, 256 x 320, where not given."""
    fit: Literal["pad", "stretch", "crop"] = "pad"
    """How it is made to fit another shape: black borders, stretched, or its middle cut out."""
    rotate: bool = False
    """Rotated by 180 degrees, as LIBERO's frames are."""


class ObservationKeys(BaseModel):
    """What is sent of an observation, by key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: dict[str, ImageKey] = Field(default_factory=dict)
    """Key -> image."""
    state: dict[str, tuple[Part, ...]] = Field(default_factory=dict)
    """Key -> parts of proprioception, one after the other, as float32[D]."""
    prompt: str = "prompt"
    """Key of the instruction."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that are needed, head first."""
        return tuple(sorted({image.camera for image in self.images.values()}))

    def message(self, seen: Observation) -> dict[str, Any]:
        """An observation as a flat map."""
        found: dict[str, Any] = {key: _sent(seen, image) for key, image in self.images.items()}
        for key, parts in self.state.items():
            found[key] = np.concatenate([_part(seen.proprio, part) for part in parts])
        return found | {self.prompt: seen.instruction}

    def observation(self, message: Mapping[str, Any], step: int) -> Observation:
        """The observation of a flat map, for a policy of ours that is asked.

        Images are brought to 256 x 320; proprioception that is not sent is NaN.

        Raises:
            WireError: a key is missing, or holds something else.
        """
        images: dict[str, NDArray[np.uint8]] = {}
        for key, image in self.images.items():
            images[image.camera] = _received(message, key, rotate=image.rotate)
        instruction = message.get(self.prompt)
        if not isinstance(instruction, str):
            raise WireError(f"key {self.prompt!r} holds {type(instruction).__name__}; expected a text.")
        proprio = np.full(PROPRIO, np.nan, dtype=np.float32)
        for key in (key for key, parts in self.state.items() if parts == ("proprio",) and key in message):
            sent = np.asarray(message[key])
            if sent.shape != (PROPRIO,) or sent.dtype.kind not in "iuf":
                raise WireError(f"key {key!r} holds shape {sent.shape}; expected ({PROPRIO},).")
            proprio = sent.astype(np.float32)
        return Observation(images, instruction, proprio, step)


_LIBERO: dict[str, Any] = {"size": (256, 256)}
_SQUARE: dict[str, Any] = {"size": (224, 224)}
KEYS: dict[str, dict[str, Any]] = {
    # What `rtbench serve` reads: images as they are, and all of proprioception.
    "rtbench": {
        "images": {"observation/image": {}, "observation/wrist_image": {"camera": "wrist"}},
        "state": {"observation/proprio": ["proprio"]},
    },
    # openpi's `examples/libero/main.py`, but for the rotation: our images are upright as LIBERO's then are.
    "libero": {
        "images": {
            "observation/image": _SQUARE,
            "observation/wrist_image": {"camera": "wrist", **_SQUARE},
        },
        "state": {"observation/state": ["position", "rotation_vector", "fingers"]},
    },
    # openpi's `examples/droid/main.py`.
    "droid": {
        "images": {
            "observation/exterior_image_1_left": _SQUARE,
            "observation/wrist_image_left": {"camera": "wrist", **_SQUARE},
        },
        "state": {
            "observation/joint_position": ["joints"],
            "observation/gripper_position": ["gripper_closed"],
        },
    },
    # RoboArena counts its exterior cameras from 0, and asks for the hand's pose as well.
    "roboarena": {
        "images": {
            "observation/exterior_image_0_left": _SQUARE,
            "observation/wrist_image_left": {"camera": "wrist", **_SQUARE},
        },
        "state": {
            "observation/joint_position": ["joints"],
            "observation/cartesian_position": ["position", "rpy"],
            "observation/gripper_position": ["gripper_closed"],
        },
    },
    # vla-eval's names of cameras are the benchmark's; these are ours.
    "vla-eval": {
        "images": {"head": {}, "wrist": {"camera": "wrist"}},
        "state": {"states": ["proprio"]},
        "prompt": "task_description",
    },
    # The LIBERO adapter of vla-eval.
    "vla-eval-libero": {
        "images": {
            "agentview": _LIBERO,
            "wrist": {"camera": "wrist", **_LIBERO},
        },
        "state": {"states": ["position", "rotation_vector", "fingers"]},
        "prompt": "task_description",
    },
    # Keys of GR00T are a modality and a name, as in its flat observations.
    "gr00t": {
        "images": {"video.head": {}, "video.wrist": {"camera": "wrist"}},
        "state": {"state.proprio": ["proprio"]},
        "prompt": "task",
    },
    # Isaac-GR00T's examples/LIBERO/modality.json.
    "gr00t-libero": {
        "images": {"video.image": _LIBERO, "video.wrist_image": {"camera": "wrist", **_LIBERO}},
        "state": {f"state.{part}": [part] for part in ("x", "y", "z", "roll", "pitch", "yaw")}
        | {"state.gripper": ["fingers"]},
        "prompt": "task",
    },
    # Roles of roboeval's images; its state is one list.
    "roboeval": {
        "images": {"primary": {}, "wrist": {"camera": "wrist"}},
        "state": {"flat": ["proprio"]},
        "prompt": "instruction",
    },
    "roboeval-libero": {
        "images": {"primary": _LIBERO, "wrist": {"camera": "wrist", **_LIBERO}},
        "state": {"flat": ["position", "rotation_vector", "fingers"]},
        "prompt": "instruction",
    },
}
"""Named sets of keys."""


def find_keys(asked: str | Mapping[str, Any], cameras: tuple[str, ...] | None = None) -> ObservationKeys:
    """The keys that a name or a map says.

    Args:
        asked: Name of a preset, or a map with `images`, `state` and `prompt`.
        cameras: Only images of these; all where None.

    Raises:
        UnknownNameError: no such preset.
        PolicyError: a map that cannot be used.
    """
    if isinstance(asked, str):
        if asked not in KEYS:
            raise UnknownNameError("set of keys", asked, KEYS, where="argument keys")
        asked = KEYS[asked]
    try:
        keys = ObservationKeys.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PolicyError(f"argument keys: {place}: {first['msg']}.") from None
    if cameras is None:
        return keys
    kept = {key: image for key, image in keys.images.items() if image.camera in cameras}
    return keys.model_copy(update={"images": kept})


def _sent(seen: Observation, image: ImageKey) -> NDArray[np.uint8]:
    pixels = seen.images[image.camera]
    if image.rotate:
        pixels = np.ascontiguousarray(pixels[::-1, ::-1])
    return fitted(pixels, image.size, image.fit) if image.size else pixels


def _received(message: Mapping[str, Any], key: str, *, rotate: bool) -> NDArray[np.uint8]:
    if key not in message:
        raise WireError(f"key {key!r} is missing; came: {', '.join(sorted(map(str, message)))[:300]}.")
    pixels = message[key]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[2:] != (3,):
        came = (
            f"{pixels.dtype}{list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        )
        raise WireError(f"key {key!r} holds {came}; expected an image uint8[H, W, 3].")
    if 0 in pixels.shape:
        raise WireError(f"key {key!r} holds an image without pixels.")
    upright = np.ascontiguousarray(pixels[::-1, ::-1]) if rotate else pixels
    return fitted(upright, (IMAGE_HEIGHT, IMAGE_WIDTH), "crop")


def fitted(pixels: NDArray[np.uint8], size: tuple[int, int], fit: str) -> NDArray[np.uint8]:
    """The image uint8[H, W, 3] in another size (height, width), bilinear; the same where it has that size."""
    if pixels.shape[:2] == size:
        return pixels
    (height, width), (rows, columns) = size, pixels.shape[:2]
    image = Image.fromarray(pixels)
    if fit == "stretch":
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    choose = min if fit == "pad" else max
    scale = choose(height / rows, width / columns)
    inner = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    scaled = image.resize(inner, Image.Resampling.BILINEAR)
    # A paste beyond the edge is cut, so one line pads and crops.
    whole = Image.new("RGB", (width, height))
    whole.paste(scaled, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return np.asarray(whole)


def _part(proprio: Array, part: Part) -> Array:
    """A part of proprioception float[15] as float32[D]."""
    opening = proprio[14]
    found: dict[str, Callable[[], Any]] = {
        "proprio": lambda: proprio,
        "joints": lambda: proprio[:7],
        "position": lambda: proprio[7:10],
        "quaternion": lambda: proprio[10:14],
        "rotation_vector": lambda: to_rotation_vector(proprio[10:14].astype(np.float64)),
        "rpy": lambda: to_rpy(proprio[10:14].astype(np.float64)),
        "gripper_opening": lambda: [opening],
        "gripper_closed": lambda: [1.0 - min(1.0, max(0.0, opening / OPENING))],
        "fingers": lambda: [opening / 2, -opening / 2],
    }
    for whole, names in _AXES.items():
        if part in names:
            k = names.index(part)
            return np.asarray(found[whole](), dtype=np.float32)[k : k + 1]
    return np.asarray(found[part](), dtype=np.float32)


_AXES: dict[str, tuple[Part, ...]] = {"position": ("x", "y", "z"), "rpy": ("roll", "pitch", "yaw")}
"""Part -> its numbers, which are parts as well."""
