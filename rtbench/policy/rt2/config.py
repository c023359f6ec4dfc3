"""Sizes of our own RT-2: every number that makes one network differ from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.policy.rt1 import config as rt1

LARGEST = 65_536
"""Bound of a size's numbers."""
STATE_WIDTH = 384
"""Length of a token state of MiniLM."""


@dataclass(frozen=True)
class Size:
    """All dimensions of a network."""

    name: str
    """Name on the command line and in weights."""
    eyes: rt1.Size
    """Backbone of RT-1 that looks at the image; its FiLM layers are given nothing, so that one look serves
    several questions."""
    motor: rt1.Size
    """RT-1, which acts by a plan in words."""
    merge: int
    """Side of the square of cells of the feature map that become one image token: 1 for a token a cell."""
    things: int
    """Things that are named in the image, a token each: see `rtbench.policy.rt2.naming_head`."""
    state: int
    """Length of a token state of the instruction."""
    width: int
    """Decoder: length of a position's vector."""
    layers: int
    """Decoder: layers."""
    heads: int
    """Decoder: attention heads."""
    head: int
    """Decoder: length of one head's queries, keys and values."""
    inner: int
    """Decoder: hidden width of a layer's dense part."""
    dropout: float
    """Decoder: dropout rate in training."""
    instruction: int
    """Token states of an instruction at most; the rest is cut off."""
    words: int
    """Output tokens of a plan's or an answer's words at most."""

    @property
    def cells(self) -> int:
        """Image tokens that are squares of cells."""
        height, width = self.eyes.map
        return (height // self.merge) * (width // self.merge)

    @property
    def image_tokens(self) -> int:
        """All image tokens: of cells, and of things."""
        return self.cells + self.things

    @property
    def suffix(self) -> int:
        """Positions after image and instruction at most: the markers, words and four places."""
        return self.words + 24


_EYES = replace(rt1.SMALL, name="eyes", text=1, film=1)
SMALL = Size(
    name="small",
    eyes=_EYES,
    motor=rt1.SMALL,
    merge=2,
    things=20,
    state=STATE_WIDTH,
    width=256,
    layers=4,
    heads=8,
    head=32,
    inner=1024,
    dropout=0.1,
    instruction=64,
    words=24,
)
"""Trains on two CPU cores, and decides eight times a second on one."""
TINY = replace(
    SMALL,
    name="tiny",
    eyes=replace(
        _EYES,
        image=(32, 40),
        stages=(rt1.Stage(3, 2, 1, 8, 1), rt1.Stage(3, 2, 2, 16, 2)),
        stem=8,
        top=16,
    ),
    motor=replace(
        rt1.SMALL,
        name="motor",
        image=(32, 40),
        film=8,
        stages=(rt1.Stage(3, 2, 1, 8, 1), rt1.Stage(3, 2, 2, 16, 2)),
        stem=8,
        top=16,
        features=16,
        tokens=4,
        mixers=1,
        mixed=16,
    ),
    merge=1,
    things=6,
    width=32,
    layers=2,
    heads=2,
    head=16,
    inner=64,
)
"""For tests: the same structure, in seconds."""
SIZES = {size.name: size for size in (SMALL, TINY)}


def size(name: str) -> Size:
    """The size of that name.

    Raises:
        UnknownNameError: no such size.
    """
    try:
        return SIZES[name]
    except KeyError:
        raise UnknownNameError("size of RT-2", name, SIZES) from None


def to_json(size: Size) -> dict[str, Any]:
    """The size as plain values."""
    return asdict(size)


def from_json(values: Mapping[str, Any], where: str) -> Size:
    """The size that `to_json` wrote.

    Raises:
        PolicyError: values that make no size; names `where`.
    """
    try:
        parts = {name: rt1.from_json(values[name], where) for name in ("eyes", "motor")}
        found = Size(**{**values, **parts})
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"{where}: its size card cannot be read: {error}.") from None
    numbers = [found.merge, found.things, found.state, found.width, found.layers, found.heads, found.head]
    numbers += [found.inner, found.instruction, found.words]
    whole = all(type(n) is int and 0 < n <= LARGEST for n in numbers)
    if not whole or type(found.dropout) not in {int, float} or not 0 <= found.dropout <= 1:
        raise PolicyError(f"{where}: its size card has numbers that no network has.")
    if found.eyes.image != found.motor.image:
        raise PolicyError(f"{where}: its two backbones see images of different sizes.")
    return found
