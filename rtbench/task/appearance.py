"""How content says what things look like: colours, textures of surfaces, symbols and labels.

`rtbench.env.texture` and `rtbench.env.symbol` paint them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from PIL import ImageColor
from pydantic import AfterValidator, BaseModel, ConfigDict

from rtbench.core.errors import nearest

Surface = Literal["floor", "walls", "tops", "fronts", "drawers"]
"""Kinds of surfaces: floor, walls, tops of counters, their fronts, and fronts of drawers."""
Texture = Literal[
    "stone", "dark_stone", "wood", "dark_wood", "tiles", "blue_tiles", "plaster", "brick", "cloth",
    "dotted_cloth",
]  # fmt: skip
"""What a surface can be made of; `rtbench.env.texture.TEXTURES` has a painter for each."""
Emblem = Literal["none", "disc", "discs", "stripes", "wave", "chequers", "peppers", "specks"]

CHARACTERS = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
SHAPES = ("heart", "star", "triangle", "circle", "square", "diamond", "cross", "moon")
"""Symbols of one colour."""
PICTURES = (
    "tree", "duck", "dog", "cat", "fish", "apple", "house", "sun", "flower", "car", "cloud", "umbrella",
    "phone", "magnifier", "play", "robot", "key",
)  # fmt: skip
"""Silhouettes with details in colours of their own."""
SYMBOLS: tuple[str, ...] = (*CHARACTERS, *SHAPES, *PICTURES)
"""All that can be printed: a digit or capital letter as itself, the rest by name."""


def _known_color(color: str) -> str:
    try:
        ImageColor.getrgb(color)
    except ValueError:
        hint = _hint(color, ImageColor.colormap)
        raise ValueError(
            f"unknown colour {color!r}{hint}; use a CSS name such as 'teal', or '#rrggbb'"
        ) from None
    return color


def _known_symbol(symbol: str) -> str:
    if symbol and symbol not in SYMBOLS:
        raise ValueError(f"unknown symbol {symbol!r}{_hint(symbol, SYMBOLS)}; known: {', '.join(SYMBOLS)}")
    return symbol


def _hint(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f", did you mean {close!r}" if close else ""


ColorName = Annotated[str, AfterValidator(_known_color)]
"""CSS name or "#rrggbb"; the file and the key are named where it is unknown."""


class LabelEntry(BaseModel):
    """How an object is painted. Colours are CSS names or "#rrggbb"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    color: ColorName
    """Ground colour."""
    band: ColorName | None = None
    """Colour of a band around the middle, where the text stands."""
    text: str = ""
    """One short word, drawn as large as fits."""
    ink: ColorName = "white"
    """Colour of the text and of the symbol."""
    symbol: Annotated[str, AfterValidator(_known_symbol)] = ""
    """One of `SYMBOLS`, printed over the whole face, which ought to be square."""
    emblem: Emblem = "none"
    """A simple pattern behind the text."""
    emblem_color: ColorName = "white"
    """Colour of the emblem."""
    lid: ColorName | None = None
    """Colour of lid, cap or stem; None for the shape's own (metal for a can, the ground colour else)."""
    back: ColorName | None = None
    """Colour of the lower face and lower third of a block in two layers, such as a sponge."""
