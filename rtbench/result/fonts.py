"""Fonts for images: finds a font of this machine that has all characters of a text.

DejaVu Sans comes with matplotlib and writes Latin, Greek, Cyrillic and Arabic letters everywhere. Others,
such as Chinese ones, need a font of the machine.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_OWN = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
_JOINED = (
    "ARABIC", "SYRIAC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU",
    "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN",
)  # fmt: skip
"""Scripts, as Unicode's names of their letters begin, whose letters change with their neighbours."""
_PLACEHOLDER = "Last Resort"
"""A font that comes with matplotlib and draws a box for every character there is."""


def font(text: str, size: int, *, bold: bool = False) -> FreeTypeFont | None:
    """A font of that size [pixels] with all characters of the text; None where this machine has none.

    The same machine gives the same font. A text whose letters join, or that runs from right to left, also
    needs Pillow's Raqm layout, without which its letters would stand apart and in the wrong order.
    """
    if needs_layout(text) and not _has_layout():
        return None
    signs = frozenset(sign for sign in text if not sign.isspace() and unicodedata.category(sign) != "Cf")
    path = _first(signs, bold)
    return None if path is None else _load(path, size)


def needs_layout(text: str) -> bool:
    """Whether its letters need more than being set one after the other from left to right."""
    return runs_left(text) or any(unicodedata.name(sign, "").startswith(_JOINED) for sign in text)


def runs_left(text: str) -> bool:
    """Whether it is read from right to left: its first letter decides."""
    kinds = (unicodedata.bidirectional(sign) for sign in text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"


@lru_cache(maxsize=1)
def _has_layout() -> bool:
    from PIL import features

    # Raqm finds FriBiDi when it runs, so that the one may be there without the other.
    return bool(features.check("raqm")) and bool(features.check("fribidi"))


@lru_cache(maxsize=1024)
def _first(signs: frozenset[str], bold: bool) -> str | None:
    import matplotlib as mpl

    own = Path(mpl.get_data_path()) / "fonts" / "ttf" / _OWN[bold]
    return next((path for path in (str(own), *_installed()) if signs <= _signs(path)), None)


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Files of the machine's fonts, upright sans-serif ones of ordinary weight first, then by name."""
    from matplotlib import font_manager

    def rank(entry: font_manager.FontEntry) -> tuple[bool, bool, bool, str]:
        weighty = entry.weight not in (400, "normal", "regular")
        return entry.style != "normal", weighty, "Sans" not in entry.name, entry.fname

    entries = [entry for entry in font_manager.fontManager.ttflist if not entry.name.startswith(_PLACEHOLDER)]
    return tuple(dict.fromkeys(entry.fname for entry in sorted(entries, key=rank)))


@lru_cache(maxsize=256)
def _signs(path: str) -> frozenset[str]:
    """Characters that a font has; none where Pillow or matplotlib cannot use it."""
    from matplotlib.ft2font import FT2Font

    try:
        _load(path, 12)
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):  # the list may be older than the fonts; bitmaps have one size only
        return frozenset()


@lru_cache(maxsize=64)
def _load(path: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)
