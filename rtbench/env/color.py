"""Colour names of content files: CSS names or "#rrggbb"."""

from __future__ import annotations

from typing import Annotated

from PIL import ImageColor
from pydantic import AfterValidator


def _known(color: str) -> str:
    try:
        ImageColor.getrgb(color)
    except ValueError:
        raise ValueError(f"unknown colour {color!r}; use a CSS name such as 'teal', or '#rrggbb'") from None
    return color


ColorName = Annotated[str, AfterValidator(_known)]
"""CSS name or "#rrggbb"; the file and the key are named where it is unknown."""
