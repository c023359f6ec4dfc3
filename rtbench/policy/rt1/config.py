"""Sizes of RT-1: every number that makes one network differ from another.

`paper` is the published network, number by number: variable shapes of the released `rt1main`, and
`configs/transformer_mixin.gin` of google-research/robotics_transformer. `base`, `small` and `lite` are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.core.errors import PolicyError, UnknownNameError

BATCH_NORM_EPS = 1e-3
LAYER_NORM_EPS = 1e-6
SQUEEZE = 4
"""Channels that enter a block, over those in the bottleneck of its squeeze-and-excitation."""
TOKEN_LEARNER_HIDDEN = 64
"""Width of the layer that decides where a token looks."""
CONDITIONER_QUERIES = 4
"""Queries that attend to the token states of an instruction."""
CONDITIONER_HIDDEN = 256
"""Width of the layer between what they find and the vector that FiLM layers see."""
ABSENT = -1e4
"""What is added to their scores of a token state that is not there: its share is zero to the last bit."""


@dataclass(frozen=True)
class Stage:
    """A row of inverted bottleneck blocks (MBConv) of one shape."""

    kernel: int
    """Side of the depthwise kernel [pixels]: 3 or 5."""
    stride: int
    """Stride of the first block: 1 or 2; the others have 1."""
    expand: int
    """Channels inside a block, as a multiple of those that come in."""
    channels: int
    """Channels that go out."""
    repeats: int
    """Blocks."""


@dataclass(frozen=True)
class Size:
    """All dimensions of an RT-1."""

    name: str
    """Name on the command line and in weights."""
    image: tuple[int, int]
    """Height and width of the image that goes in [pixels]."""
    frames: int
    """Frames of the window, the current one included."""
    text: int
    """Length of the language vector that goes in: a sentence's, or its token states laid end to end."""
    film: int
    """Length of the one that FiLM layers see. Where it differs from `text`, a linear layer is between; of
    token states, `rtbench.policy.rt1.conditioner` makes it."""
    stem: int
    """Channels after the first convolution, which halves the image."""
    stages: tuple[Stage, ...]
    """The backbone."""
    top: int
    """Channels of the backbone's last 1x1 convolution."""
    coordinates: bool
    """Whether two channels with x and y from -1 to 1 join the feature map. Not in the published network:
    there, only zero padding tells a small backbone where it looks."""
    features: int
    """Channels of the projected feature map and of an image token."""
    tokens: int
    """Image tokens of a frame."""
    mixers: int
    """Layers before the transformer that see all of a frame's tokens at once. Published: none."""
    mixed: int
    """Hidden width of these."""
    width: int
    """Transformer: length of a position's vector."""
    layers: int
    """Transformer: layers."""
    heads: int
    """Transformer: attention heads."""
    key_dim: int
    """Transformer: length of one head's queries, keys and values."""
    dropout: float
    """Transformer: dropout rate in training."""
    drop_connect: float
    """Backbone: rate at which the last block's residual branch is skipped in training; rises from 0."""
    momentum: float
    """Backbone: share of the newest batch in the batch norm's running statistics."""
    action_embedding: bool
    """Whether the published network's embedding of past actions is there. It is multiplied by zero, in the
    released code too: dead weight that only counts."""
    places: int = 0
    """Places that it can be told beside its instruction; see `rtbench.policy.rt1.told_places`. Published:
    none."""
    states: int = 0
    """Token states of an instruction that are read at most; 0: it is told as one vector. Published: 0."""
    lite: bool = False
    """Whether the backbone is an EfficientNet-Lite: without squeeze-and-excitation, with ReLU6 in place of
    SiLU, and with the mean and deviation of the images that its ImageNet weights were trained with."""

    @property
    def published(self) -> bool:
        """Whether it is the network of the published code, which alone has the dead action embedding.

        It begins with Keras' weights and resizes images as TensorFlow does; see
        `rtbench.policy.rt1.initialization` and `rtbench.policy.rt1.image`.
        """
        return self.action_embedding

    @property
    def camera_image(self) -> tuple[int, int]:
        """Height and width [pixels] of the images that demonstrations must have at least.

        That is the network's own size where the camera's images can be made as small. Otherwise it is the
        camera's size, so that a network is trained on the pixels that it sees in an episode.
        """
        height, width = self.image
        if height <= IMAGE_HEIGHT and width <= IMAGE_WIDTH:
            return self.image
        return IMAGE_HEIGHT, IMAGE_WIDTH

    @property
    def map(self) -> tuple[int, int]:
        """Height and width of the feature map."""
        halvings = 1 + sum(stage.stride == 2 for stage in self.stages)  # padded, so that odd sides round down
        height, width = self.image
        for _ in range(halvings):
            height, width = height // 2, width // 2
        return height, width


_B0 = (
    (3, 1, 16, 1),
    (3, 6, 24, 2),
    (5, 6, 40, 2),
    (3, 6, 80, 3),
    (5, 6, 112, 3),
    (5, 6, 192, 4),
    (3, 6, 320, 1),
)
"""EfficientNet-B0: kernel, expansion, channels and blocks of each stage."""


def _efficientnet(width: float, depth: float, strides: tuple[int, ...]) -> tuple[Stage, ...]:
    """The stages of EfficientNet, scaled (Tan and Le 2019, Table 1 and equation 3).

    Channels are rounded to the multiple of 8 that is nearest, but never by more than 10 % down.
    """
    return tuple(
        Stage(kernel, stride, expand, _eights(channels * width), math.ceil(repeats * depth))
        for (kernel, expand, channels, repeats), stride in zip(_B0, strides, strict=True)
    )


def _eights(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


PAPER = Size(
    name="paper",
    image=(300, 300),
    frames=6,
    text=512,
    film=512,
    stem=40,
    stages=_efficientnet(1.2, 1.4, (1, 2, 2, 2, 1, 2, 1)),
    top=1536,
    coordinates=False,
    features=512,
    tokens=8,
    mixers=0,
    mixed=0,
    width=512,
    layers=8,
    heads=8,
    key_dim=128,
    dropout=0.1,
    drop_connect=0.2,
    momentum=0.01,
    action_embedding=True,
)
"""The network of the RT-1 paper: EfficientNet-B3 at 300 pixels, 35,252,128 trainable parameters."""

BASE = Size(
    name="base",
    image=(128, 160),
    frames=6,
    text=768,
    film=256,
    stem=32,
    stages=_efficientnet(1.0, 1.0, (1, 2, 2, 2, 1, 1, 1)),
    top=1280,
    coordinates=True,
    features=256,
    tokens=8,
    mixers=2,
    mixed=512,
    width=256,
    layers=6,
    heads=8,
    key_dim=32,
    dropout=0.1,
    drop_connect=0.2,
    momentum=0.01,
    action_embedding=False,
    places=2,
)
"""EfficientNet-B0 at stride 16, for a GPU."""

SMALL = Size(
    name="small",
    image=(128, 160),
    frames=1,
    text=768,
    film=128,
    stem=16,
    stages=(Stage(3, 2, 1, 24, 1), Stage(5, 2, 4, 48, 2), Stage(5, 2, 4, 128, 4)),
    top=256,
    coordinates=True,
    features=192,
    tokens=8,
    mixers=2,
    mixed=512,
    width=192,
    layers=2,
    heads=4,
    key_dim=32,
    dropout=0.1,
    drop_connect=0.0,
    momentum=0.05,
    action_embedding=False,
    places=2,
)
"""Trains on two CPU cores: narrow while the map is large, where the time goes, and wide at stride 16. The
first block does not expand: twice the channels at half the image's size cost a fifth of a step."""

SMALL_STATES = replace(SMALL, name="small-states", text=24 * 384, states=24)
"""The same, told the token states of its instruction. No instruction of the suites `seen` and `novel` has
more than 20. In a twin of equal minutes it was no better than `small`: results/LOG.md, 2026-12-01."""

LITE = replace(
    SMALL,
    name="lite",
    stem=32,
    stages=_efficientnet(1.0, 1.0, (1, 2, 2, 2, 1, 2, 1))[:5],
    momentum=0.01,
    lite=True,
)
"""`small` with another backbone: EfficientNet-Lite0 up to stride 16. `rtbench.policy.rt1.imagenet` reads its
ImageNet weights; the momentum is that of their training."""

SIZES = {size.name: size for size in (PAPER, BASE, SMALL, SMALL_STATES, LITE)}


def size(name: str, *, text: int | None = None) -> Size:
    """The size of that name.

    Args:
        name: A key of `SIZES`.
        text: Length of the language vector, where it is another than the size's own.

    Raises:
        UnknownNameError: no such size.
    """
    try:
        found = SIZES[name]
    except KeyError:
        raise UnknownNameError("size of RT-1", name, SIZES) from None
    return found if text is None else replace(found, text=text)


def to_json(size: Size) -> dict[str, Any]:
    """The size as plain values."""
    return asdict(size)


def from_json(values: Mapping[str, Any], where: str) -> Size:
    """The size that `to_json` wrote.

    Raises:
        PolicyError: values that make no size; names `where`.
    """
    try:
        stages = tuple(Stage(**stage) for stage in values["stages"])
        height, width = values["image"]
        size = Size(**{**values, "stages": stages, "image": (int(height), int(width))})
        _check_types(size, *stages)
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"{where}: its size card cannot be read: {error}.") from None
    return size


def _check_types(*parts: Size | Stage) -> None:
    """Raise TypeError where a value that must be a number is none."""
    for part in parts:
        for field in fields(part):
            value = getattr(part, field.name)
            if field.type in {"int", "float"} and not isinstance(value, int | float):
                raise TypeError(f"{field.name} is {value!r}, expected a number")
