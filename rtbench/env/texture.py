"""Textures drawn in code: the labels of objects, and stone, wood, tiles and cloth for the kitchen.

Everything here is drawn by us from plain shapes and Pillow's built-in font. Real brands' artwork is neither
used nor imitated: an object is told by its colours, a big word and a simple pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from rtbench.core.errors import UnknownNameError
from rtbench.core.seeding import generator
from rtbench.env.mesh import Layout
from rtbench.env.symbol import Box, draw_symbol
from rtbench.task.appearance import LabelEntry, Texture

Pixels = NDArray[np.uint8]
OVERSAMPLING = 2
"""Drawn that much larger and averaged down, because Pillow draws shapes without smooth edges."""

SYMBOL_MARGIN = 0.09
"""Ground left free around a symbol, as a share of the face."""


@cache
def paint(label: LabelEntry, layout: Layout) -> Pixels:
    """The texture of an object, uint8[layout.height, layout.width, 3], RGB, row 0 at v = 1; read only."""
    width, height = layout.width * OVERSAMPLING, layout.height * OVERSAMPLING
    image = Image.new("RGB", (width, height), label.color)
    draw = ImageDraw.Draw(image)

    def rows(span: tuple[float, float]) -> tuple[float, float]:
        return (1 - span[1]) * height, (1 - span[0]) * height

    for span in layout.faces:
        top, bottom = rows(span)
        for i in range(layout.repeats):
            left, right = i * width / layout.repeats, (i + 1) * width / layout.repeats
            face = Image.new("RGB", (round(right - left), round(bottom - top)), label.color)
            _paint_face(face, label, fill=0.60 if layout.repeats > 1 else 0.84)
            image.paste(face, (round(left), round(top)))
    if label.back is not None and layout.edge is not None:
        top, bottom = rows(layout.edge)
        draw.rectangle((0, bottom - (bottom - top) / 3, width, height), fill=label.back)
    lid = label.lid or layout.lid_color
    if lid is not None:
        for span in layout.lids:
            top, bottom = rows(span)
            draw.rectangle((0, top, width, bottom - 1), fill=lid)
    if layout.recess is not None:
        top, bottom = rows(layout.recess)
        draw.rectangle((0, top, width, bottom - 1), fill="#8c9096")
    small = image.resize((layout.width, layout.height), Image.Resampling.BOX)
    return _frozen(np.asarray(small))


def _paint_face(face: Image.Image, label: LabelEntry, fill: float) -> None:
    """Band, emblem, symbol and text on one repeat; the text takes the share `fill` of its width."""
    draw = ImageDraw.Draw(face)
    w, h = face.size
    if label.band is not None:
        draw.rectangle((0, 0.28 * h, w, 0.72 * h), fill=label.band)
    if label.emblem != "none":
        _EMBLEMS[label.emblem](draw, (0, 0, w, h), label.emblem_color)
    if label.symbol:
        x, y = SYMBOL_MARGIN * w, SYMBOL_MARGIN * h
        draw_symbol(draw, label.symbol, (x, y, w - x, h - y), label.ink)
    if label.text:
        font = _font(label.text, fill * w, 0.40 * h if label.band else 0.54 * h)
        draw.text((w / 2, h / 2), label.text, fill=label.ink, font=font, anchor="mm", stroke_width=h // 60)


def _font(text: str, width: float, height: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The built-in font in the largest size at which the text fits [pixels]."""
    left, top, right, bottom = ImageFont.load_default(size=100).getbbox(text)
    size = 100 * min(width / (right - left), height / (bottom - top))
    return ImageFont.load_default(size=max(8, int(size)))


def _disc(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    x0, y0, x1, y1 = box
    x, y, r = (x0 + x1) / 2, (y0 + y1) / 2, 0.36 * min(x1 - x0, y1 - y0)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=color)


def _discs(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    """Four crisps, or berries, in the corners."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    r = 0.17 * min(w, h)
    for fx in (0.16, 0.38, 0.62, 0.84):
        for fy in (0.18, 0.82):
            x, y = x0 + fx * w, y0 + fy * h
            draw.ellipse((x - 1.25 * r, y - r, x + 1.25 * r, y + r), fill=color)


def _stripes(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    x0, y0, x1, y1 = box
    for low, high in ((0.14, 0.26), (0.74, 0.86)):
        draw.rectangle((x0, y0 + low * (y1 - y0), x1, y0 + high * (y1 - y0)), fill=color)


def _wave(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    """One period of a ribbon below the text."""
    x0, y0, x1, y1 = box
    h = y1 - y0
    x = np.linspace(x0, x1, 60)
    y = y0 + 0.80 * h + 0.05 * h * np.sin(2 * np.pi * (x - x0) / (x1 - x0))
    line = [*zip(x, y - 0.05 * h, strict=True), *zip(x[::-1], y[::-1] + 0.05 * h, strict=True)]
    draw.polygon([(float(a), float(b)) for a, b in line], fill=color)


def _chequers(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    draw.rectangle((x0, y0, x, y), fill=color)
    draw.rectangle((x, y, x1, y1), fill=color)


def _peppers(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    """Slanting pods with a stalk, left and right of the text."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    for fx, fy in ((0.15, 0.30), (0.15, 0.78), (0.85, 0.30), (0.85, 0.78)):
        x, y, r = x0 + fx * w, y0 + fy * h, 0.22 * h
        pod = [
            (-1.5, 0.75),
            (-0.4, 0.5),
            (0.5, -0.05),
            (1.1, -0.75),
            (0.75, -0.95),
            (0.1, -0.45),
            (-0.6, 0.1),
        ]
        draw.polygon([(x + r * a, y + r * b) for a, b in pod], fill=color)
        draw.line(
            [(x + 0.9 * r, y - 0.85 * r), (x + 1.3 * r, y - 1.15 * r)], fill="#e8f0a0", width=int(r / 4) + 1
        )


def _specks(draw: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    """Pores of a fruit or a sponge: always the same ones."""
    x0, y0, x1, y1 = box
    rng = generator("label", "specks")
    for fx, fy, fr in rng.uniform(size=(90, 3)):
        x, y, r = x0 + fx * (x1 - x0), y0 + fy * (y1 - y0), (0.006 + 0.012 * fr) * (y1 - y0) + 1
        draw.ellipse((x - r, y - r, x + r, y + r), fill=color)


_EMBLEMS: dict[str, Callable[[ImageDraw.ImageDraw, Box, str], None]] = {
    "disc": _disc,
    "discs": _discs,
    "stripes": _stripes,
    "wave": _wave,
    "chequers": _chequers,
    "peppers": _peppers,
    "specks": _specks,
}


@cache
def texture(name: str) -> Pixels:
    """A seamless kitchen texture, uint8[h, w, 3], RGB, row 0 at the top; read only.

    Args:
        name: One of TEXTURES.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in TEXTURES:
        raise UnknownNameError("texture", name, TEXTURES)
    draw, colors = TEXTURES[name]
    rgb = [np.array(ImageColor.getrgb(color)[:3], dtype=np.float64) for color in colors]
    return _frozen(np.clip(np.round(draw(name, *rgb)), 0, 255).astype(np.uint8))


Color = NDArray[np.float64]
"""float64[3], 0 to 255."""


def _noise(name: str, size: tuple[int, int], smooth: tuple[float, float]) -> NDArray[np.float64]:
    """Periodic Gaussian noise float64[size], zero mean, unit deviation, smoothed by that many pixels."""
    white = generator("texture", name).standard_normal(size)
    fy, fx = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    keep = np.exp(-2 * np.pi**2 * ((smooth[0] * fy) ** 2 + (smooth[1] * fx) ** 2))
    keep[0, 0] = 0.0
    field: NDArray[np.float64] = np.fft.irfft2(np.fft.rfft2(white) * keep, s=size)
    field /= field.std()
    return field


def _blend(share: NDArray[np.float64], a: Color, b: Color) -> NDArray[np.float64]:
    """From colour a (share 0) to colour b (share 1), float64[h, w, 3]."""
    t = np.clip(share, 0, 1)[..., None]
    mixed: NDArray[np.float64] = (1 - t) * a + t * b
    return mixed


def _stone(name: str, ground: Color, grain: Color) -> NDArray[np.float64]:
    size = (128, 128)
    clouds, grains = _noise(f"{name}/clouds", size, (9, 9)), _noise(f"{name}/grains", size, (0.8, 0.8))
    return _blend(0.12 + 0.06 * clouds + 0.10 * np.maximum(grains - 0.8, 0), ground, grain)


def _wood(name: str, ground: Color, grain: Color) -> NDArray[np.float64]:
    """Grain runs along u."""
    size = (128, 128)
    bend = _noise(f"{name}/bend", size, (14, 50))
    row = np.arange(size[0])[:, None] / size[0]
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * 7 * row + 1.6 * bend)
    fibres = _noise(f"{name}/fibres", size, (0.7, 16))
    return _blend(0.15 + 0.45 * rings**2 + 0.10 * fibres, ground, grain)


def _tiles(name: str, ground: Color, joint: Color) -> NDArray[np.float64]:
    """Two by two tiles, each a little lighter or darker than the next."""
    size, tile, gap = (128, 128), 64, 2
    shade = _noise(f"{name}/shade", (2, 2), (0, 0)).repeat(tile, axis=0).repeat(tile, axis=1)
    row, column = np.indices(size)
    joints = ((row % tile) < gap) | ((column % tile) < gap)
    return _blend(np.where(joints, 1.0, 0.08 + 0.04 * shade), ground, joint)


def _plaster(name: str, ground: Color, shadow: Color) -> NDArray[np.float64]:
    return _blend(0.2 + 0.12 * _noise(name, (128, 128), (2, 2)), ground, shadow)


def _brick(name: str, ground: Color, joint: Color) -> NDArray[np.float64]:
    size = (128, 128)
    row, column = np.indices(size)
    shifted = column + 16 * ((row // 16) % 2)
    joints = (row % 16 < 2) | (shifted % 32 < 2)
    shade = _noise(name, size, (3, 6))
    return _blend(np.where(joints, 0.9, 0.12 + 0.06 * shade), ground, joint)


def _cloth(_name: str, ground: Color, stripe: Color) -> NDArray[np.float64]:
    """A woven check: stripes both ways, darkest where they cross."""
    row, column = np.indices((128, 128))
    across, along = (row % 32 < 16).astype(np.float64), (column % 32 < 16).astype(np.float64)
    weave = 0.04 * ((row + column) % 2)
    return _blend(0.48 * (across + along) + weave, ground, stripe)


def _dots(_name: str, ground: Color, dot: Color) -> NDArray[np.float64]:
    """Printed cloth: dots in a diagonal grid."""
    row, column = np.indices((128, 128)).astype(np.float64)
    even = np.hypot(row % 32 - 16, column % 32 - 16)
    odd = np.hypot((row + 16) % 32 - 16, (column + 16) % 32 - 16)
    return _blend(np.clip(7.5 - np.minimum(even, odd), 0, 1), ground, dot)


TEXTURES: dict[Texture, tuple[Callable[..., NDArray[np.float64]], tuple[str, str]]] = {
    "stone": (_stone, ("#dedad2", "#8c867c")),
    "dark_stone": (_stone, ("#4a4c50", "#b0b0b0")),
    "wood": (_wood, ("#c89a62", "#8a5a2c")),
    "dark_wood": (_wood, ("#6e4526", "#3a2010")),
    "tiles": (_tiles, ("#b8b2a6", "#7c766c")),
    "blue_tiles": (_tiles, ("#7c98b0", "#e4e8ea")),
    "plaster": (_plaster, ("#ece8de", "#d0cabc")),
    "brick": (_brick, ("#a05238", "#d8d0c4")),
    "cloth": (_cloth, ("#f2f0ea", "#b83a3a")),
    "dotted_cloth": (_dots, ("#2c4a7c", "#f0ead8")),
}
"""Each texture's painter and its two colours."""


def _frozen(pixels: Pixels) -> Pixels:
    """Read only, because the caches hand the same array to everyone."""
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return pixels
