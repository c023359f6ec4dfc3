"""Symbols printed on mats: digits, letters, shapes and pictures, all drawn here from plain outlines.

A mat of 11 cm is some 30 pixels wide in the head camera's image. Each symbol therefore is one bold silhouette
that fills its square, with few and large details. No trademark's artwork is used or imitated.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from rtbench.core.errors import UnknownNameError
from rtbench.task.appearance import CHARACTERS, SYMBOLS

Box = tuple[float, float, float, float]
"""Left, top, right, bottom [pixels]."""
Point = tuple[float, float]
"""x to the right and y down, as shares of a symbol's square: (0, 0) is the upper left corner."""

BARK, WHITE, DARK, GOLD = "#6b3f1d", "#ffffff", "#16181d", "#f2b81e"


class Pen:
    """Paints in a square of its own; what names no colour is in the symbol's."""

    def __init__(self, draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
        self._draw, self._box, self._color = draw, box, color

    def polygon(self, points: Sequence[Point], color: str = "") -> None:
        """A filled outline."""
        self._draw.polygon([self._pixel(point) for point in points], fill=color or self._color)

    def ellipse(self, center: Point, radii: Point, color: str = "") -> None:
        """A filled ellipse with upright axes."""
        (x, y), (a, b) = center, radii
        self._draw.ellipse(
            (*self._pixel((x - a, y - b)), *self._pixel((x + a, y + b))), fill=color or self._color
        )

    def disc(self, x: float, y: float, r: float, color: str = "") -> None:
        """A filled circle."""
        self.ellipse((x, y), (r, r), color)

    def box(self, low: Point, high: Point, color: str = "") -> None:
        """A filled rectangle with upright sides."""
        self.polygon([low, (high[0], low[1]), high, (low[0], high[1])], color)

    def line(self, points: Sequence[Point], width: float, color: str = "") -> None:
        """A stroke of that width with round ends and joints."""
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            length = math.hypot(x1 - x0, y1 - y0)
            a, b = (y0 - y1) / length * width / 2, (x1 - x0) / length * width / 2
            self.polygon([(x0 + a, y0 + b), (x1 + a, y1 + b), (x1 - a, y1 - b), (x0 - a, y0 - b)], color)
        for x, y in points:
            self.disc(x, y, width / 2, color)

    def glyph(self, character: str) -> None:
        """A character as high as the square, a little wider than it naturally is."""
        ink = _glyph(character)
        half = min(0.40, 0.54 * ink.width / ink.height)
        (x0, y0), (x1, y1) = self._pixel((0.5 - half, 0.04)), self._pixel((0.5 + half, 0.96))
        mask = ink.resize((round(x1 - x0), round(y1 - y0)), Image.Resampling.LANCZOS)
        self._draw.bitmap((round(x0), round(y0)), mask, fill=self._color)

    def _pixel(self, point: Point) -> Point:
        x0, y0, x1, y1 = self._box
        return x0 + point[0] * (x1 - x0), y0 + point[1] * (y1 - y0)


@cache
def _glyph(character: str) -> Image.Image:
    """Coverage of a bold character, cut to its ink."""
    font, bold = ImageFont.load_default(size=160), 9
    left, top, right, bottom = (round(v) for v in font.getbbox(character, stroke_width=bold))
    mask = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(mask).text((-left, -top), character, fill=255, font=font, stroke_width=bold)
    return mask.crop(mask.getbbox())


def _ring(
    center: Point, radius: float, corners: int, inner: float = 1.0, start: float = -90.0
) -> list[Point]:
    """Corners of a regular polygon, the first at `start` [degrees]; every second one at `inner` radii."""
    angles = [math.radians(start + 360 * i / corners) for i in range(corners)]
    radii = [radius * (inner if i % 2 else 1.0) for i in range(corners)]
    return [
        (center[0] + r * math.cos(a), center[1] + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)
    ]


def _heart(pen: Pen) -> None:
    outline = []
    for t in (2 * math.pi * i / 72 for i in range(72)):
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        outline.append((0.5 + 0.029 * 16 * math.sin(t) ** 3, 0.455 - 0.029 * y))
    pen.polygon(outline)


def _star(pen: Pen) -> None:
    pen.polygon(_ring((0.5, 0.54), 0.52, 10, inner=0.42))


def _triangle(pen: Pen) -> None:
    pen.polygon([(0.5, 0.05), (0.98, 0.92), (0.02, 0.92)])


def _circle(pen: Pen) -> None:
    pen.disc(0.5, 0.5, 0.45)


def _square(pen: Pen) -> None:
    pen.box((0.06, 0.06), (0.94, 0.94))


def _diamond(pen: Pen) -> None:
    pen.polygon([(0.5, 0.0), (0.84, 0.5), (0.5, 1.0), (0.16, 0.5)])


def _cross(pen: Pen) -> None:
    """Upright, so that it is not taken for the letter."""
    pen.box((0.35, 0.04), (0.65, 0.96))
    pen.box((0.04, 0.35), (0.96, 0.65))


def _moon(pen: Pen) -> None:
    outer = [math.radians(a) for a in range(60, 301, 8)]
    inner = [math.radians(a) for a in range(285, 74, -8)]
    pen.polygon(
        [(0.60 + 0.48 * math.cos(a), 0.5 + 0.48 * math.sin(a)) for a in outer]
        + [(0.80 + 0.42 * math.cos(a), 0.5 + 0.42 * math.sin(a)) for a in inner]
    )


def _tree(pen: Pen) -> None:
    pen.box((0.42, 0.60), (0.58, 1.0), BARK)
    for x, y, r in ((0.5, 0.26, 0.26), (0.27, 0.46, 0.24), (0.73, 0.46, 0.24), (0.5, 0.50, 0.24)):
        pen.disc(x, y, r)


def _duck(pen: Pen) -> None:
    """A duck on the water, bill to the left."""
    pen.polygon([(0.0, 0.30), (0.24, 0.20), (0.24, 0.38)], "#e8641c")
    pen.ellipse((0.58, 0.70), (0.38, 0.26))
    pen.polygon([(0.80, 0.66), (1.0, 0.38), (0.96, 0.74)])
    pen.polygon([(0.24, 0.36), (0.50, 0.30), (0.56, 0.62), (0.22, 0.70)])
    pen.disc(0.36, 0.26, 0.21)
    pen.disc(0.31, 0.21, 0.05, DARK)


def _dog(pen: Pen) -> None:
    """A dog from the side, head up and to the left, tail up."""
    for x in (0.34, 0.46, 0.74, 0.86):
        pen.line([(x, 0.60), (x, 0.93)], 0.09)
    pen.line([(0.36, 0.58), (0.84, 0.58)], 0.24)
    pen.line([(0.88, 0.52), (0.96, 0.24)], 0.07)
    pen.polygon([(0.26, 0.50), (0.28, 0.20), (0.48, 0.24), (0.50, 0.56)])
    pen.disc(0.32, 0.25, 0.16)
    pen.line([(0.10, 0.32), (0.30, 0.30)], 0.15)
    pen.line([(0.44, 0.20), (0.47, 0.42)], 0.13, DARK)
    pen.disc(0.04, 0.29, 0.045, DARK)
    pen.disc(0.28, 0.20, 0.04, DARK)


def _cat(pen: Pen) -> None:
    """A cat's face with pointed ears and whiskers."""
    pen.polygon([(0.10, 0.02), (0.46, 0.26), (0.12, 0.52)])
    pen.polygon([(0.90, 0.02), (0.54, 0.26), (0.88, 0.52)])
    pen.ellipse((0.5, 0.58), (0.42, 0.38))
    for x in (0.33, 0.67):
        pen.disc(x, 0.50, 0.085, WHITE)
        pen.disc(x, 0.50, 0.045, DARK)
    pen.polygon([(0.42, 0.66), (0.58, 0.66), (0.5, 0.76)], "#f08898")
    for x in (0.0, 1.0):
        for y in (0.66, 0.84):
            pen.line([(0.5 + 0.32 * (2 * x - 1), 0.74), (x, y)], 0.035, DARK)


def _fish(pen: Pen) -> None:
    """A fish that swims to the left."""
    pen.polygon([(0.62, 0.5), (1.0, 0.22), (0.92, 0.5), (1.0, 0.78)])
    pen.ellipse((0.40, 0.5), (0.39, 0.25))
    pen.polygon([(0.32, 0.30), (0.58, 0.12), (0.60, 0.34)])
    pen.disc(0.20, 0.44, 0.07, WHITE)
    pen.disc(0.19, 0.44, 0.035, DARK)


def _apple(pen: Pen) -> None:
    pen.disc(0.33, 0.56, 0.29)
    pen.disc(0.67, 0.56, 0.29)
    pen.ellipse((0.5, 0.68), (0.34, 0.28))
    pen.line([(0.5, 0.38), (0.54, 0.10)], 0.08, BARK)
    pen.polygon([(0.56, 0.22), (0.68, 0.06), (0.92, 0.06), (0.80, 0.22)], "#2f8f2f")


def _house(pen: Pen) -> None:
    pen.polygon([(0.5, 0.03), (1.0, 0.48), (0.0, 0.48)], "#c0302a")
    pen.box((0.12, 0.48), (0.88, 0.97))
    pen.box((0.40, 0.62), (0.60, 0.97), BARK)
    for x in (0.18, 0.68):
        pen.box((x, 0.58), (x + 0.14, 0.74), WHITE)


def _sun(pen: Pen) -> None:
    for x, y in _ring((0.5, 0.5), 0.45, 8):
        pen.line([(0.5, 0.5), (x, y)], 0.09)
    pen.disc(0.5, 0.5, 0.30, WHITE)
    pen.disc(0.5, 0.5, 0.26)


def _flower(pen: Pen) -> None:
    pen.line([(0.5, 0.40), (0.5, 0.96)], 0.08, "#2f8f2f")
    pen.polygon([(0.5, 0.90), (0.82, 0.64), (0.76, 0.86)], "#2f8f2f")
    for x, y in _ring((0.5, 0.32), 0.20, 5):
        pen.disc(x, y, 0.14)
    pen.disc(0.5, 0.32, 0.11, GOLD)


def _car(pen: Pen) -> None:
    pen.polygon([(0.22, 0.48), (0.34, 0.22), (0.68, 0.22), (0.82, 0.48)])
    pen.line([(0.10, 0.58), (0.90, 0.58)], 0.20)
    for corners in (
        [(0.31, 0.46), (0.38, 0.29), (0.48, 0.29), (0.48, 0.46)],
        [(0.54, 0.46), (0.54, 0.29), (0.65, 0.29), (0.72, 0.46)],
    ):
        pen.polygon(corners, WHITE)
    for x in (0.27, 0.73):
        pen.disc(x, 0.70, 0.14, DARK)
        pen.disc(x, 0.70, 0.06, WHITE)


def _cloud(pen: Pen) -> None:
    for x, y, r in ((0.20, 0.58, 0.19), (0.44, 0.42, 0.25), (0.72, 0.52, 0.21), (0.82, 0.62, 0.16)):
        pen.disc(x, y, r)
    pen.line([(0.18, 0.68), (0.84, 0.68)], 0.19)


def _umbrella(pen: Pen) -> None:
    pen.line([(0.5, 0.10), (0.5, 0.86), (0.44, 0.94), (0.34, 0.92)], 0.07, DARK)
    dome = [math.radians(a) for a in range(180, 361, 10)]
    pen.polygon(
        [(0.5 + 0.48 * math.cos(a), 0.54 + 0.46 * math.sin(a)) for a in dome]
        + [(0.82, 0.46), (0.66, 0.54), (0.5, 0.46), (0.34, 0.54), (0.18, 0.46)]
    )


def _phone(pen: Pen) -> None:
    """A hand-held telephone with a screen and one button."""
    pen.line([(0.33, 0.12), (0.67, 0.12)], 0.20)
    pen.line([(0.33, 0.88), (0.67, 0.88)], 0.20)
    pen.box((0.23, 0.12), (0.77, 0.88))
    pen.box((0.30, 0.14), (0.70, 0.74), "#bfe3f5")
    pen.disc(0.5, 0.86, 0.07, WHITE)


def _magnifier(pen: Pen) -> None:
    pen.line([(0.56, 0.56), (0.90, 0.90)], 0.16)
    pen.disc(0.39, 0.39, 0.36)
    pen.disc(0.39, 0.39, 0.25, "#d4ecf8")


def _play(pen: Pen) -> None:
    """A white triangle on a disc: what starts a film."""
    pen.disc(0.5, 0.5, 0.47)
    pen.polygon([(0.36, 0.24), (0.80, 0.5), (0.36, 0.76)], WHITE)


def _robot(pen: Pen) -> None:
    pen.line([(0.5, 0.06), (0.5, 0.26)], 0.07, DARK)
    pen.disc(0.5, 0.07, 0.07, "#d8202c")
    for x in (0.04, 0.84):
        pen.box((x, 0.44), (x + 0.12, 0.70), DARK)
    pen.box((0.12, 0.24), (0.88, 0.94))
    for x in (0.34, 0.66):
        pen.disc(x, 0.47, 0.11, WHITE)
        pen.disc(x, 0.47, 0.05, DARK)
    pen.box((0.28, 0.70), (0.72, 0.82), WHITE)


def _key(pen: Pen) -> None:
    pen.line([(0.36, 0.5), (0.95, 0.5)], 0.12)
    for x in (0.74, 0.91):
        pen.line([(x, 0.5), (x, 0.70)], 0.11)
    pen.disc(0.25, 0.5, 0.25)
    pen.disc(0.22, 0.5, 0.10, WHITE)


PAINTERS: dict[str, Callable[[Pen], None]] = {
    "heart": _heart,
    "star": _star,
    "triangle": _triangle,
    "circle": _circle,
    "square": _square,
    "diamond": _diamond,
    "cross": _cross,
    "moon": _moon,
    "tree": _tree,
    "duck": _duck,
    "dog": _dog,
    "cat": _cat,
    "fish": _fish,
    "apple": _apple,
    "house": _house,
    "sun": _sun,
    "flower": _flower,
    "car": _car,
    "cloud": _cloud,
    "umbrella": _umbrella,
    "phone": _phone,
    "magnifier": _magnifier,
    "play": _play,
    "robot": _robot,
    "key": _key,
}
"""Of all symbols but characters, which are printed in a font."""


def draw_symbol(draw: ImageDraw.ImageDraw, name: str, box: Box, color: str) -> None:
    """Paint a symbol over a box, stretched to fill it.

    Args:
        draw: What is painted on.
        name: One of SYMBOLS.
        box: Where [pixels]; as wide as high, unless the texture is stretched where it is shown.
        color: The symbol's colour, a CSS name or "#rrggbb"; a picture's details have their own.

    Raises:
        UnknownNameError: there is no symbol of that name.
    """
    pen = Pen(draw, box, color)
    painter = PAINTERS.get(name)
    if painter is not None:
        painter(pen)
    elif name in CHARACTERS:
        pen.glyph(name)
    else:
        raise UnknownNameError("symbol", name, SYMBOLS)
