"""Procedural pictures for the surfaces of training frames, in random colours.

None is a picture of `rtbench.env.texture`, or like one: there is no wood, brick, tile, woven check or print
of dots, so that the backgrounds of the suite `novel` stay unseen. `tests/data/test_looks.py` compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Field = NDArray[np.float64]
"""float64[h, w], 0 to 1: the share of the second colour in each pixel; periodic in both directions."""
_DARKEST, _LIGHTEST = 15, 245


def paint(random: np.random.Generator, height: int, width: int) -> Pixels:
    """A seamless picture uint8[height, width, 3], RGB, of a random kind and in random colours."""
    kinds = sorted(KINDS)
    field = KINDS[kinds[random.integers(len(kinds))]](random, (height, width))
    ground, other = (_color(random) for _ in range(2))
    # Much of a kitchen has little contrast.
    other = ground + random.uniform(0.2, 1.0) * (other - ground)
    shade = 1 + random.uniform(0, 0.06) * _noise(random, (height, width), 3.0)
    mixed = (ground + field[..., None] * (other - ground)) * shade[..., None]
    found: Pixels = np.clip(np.round(mixed), 0, 255).astype(np.uint8)
    return found


def _color(random: np.random.Generator) -> NDArray[np.float64]:
    """A colour of any hue and saturation, float64[3], 0 to 255."""
    color = random.uniform(_DARKEST, _LIGHTEST, 3)
    found: NDArray[np.float64] = color.mean() + random.random() * (color - color.mean())
    return found


def _noise(random: np.random.Generator, size: tuple[int, int], scale: float) -> Field:
    """Periodic Gaussian noise of zero mean and unit deviation, smoothed by `scale` pixels."""
    white = np.fft.rfft2(random.standard_normal(size))
    fy, fx = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    smooth = np.fft.irfft2(white * np.exp(-2 * (np.pi * scale) ** 2 * (fy**2 + fx**2)), size)
    found: Field = (smooth - smooth.mean()) / max(float(smooth.std()), 1e-9)
    return found


def _phase(size: tuple[int, int], down: int, right: int) -> Field:
    """The phase [rad] of a plane wave with so many periods along each side."""
    row, column = np.indices(size)
    found: Field = 2 * np.pi * (down * row / size[0] + right * column / size[1])
    return found


def _periods(random: np.random.Generator, most: int) -> tuple[int, int]:
    """Periods along each side, neither 0: slanting, as no held-out picture is."""
    down, right = random.integers(1, most + 1, 2)
    return int(down), int(right) * int(random.choice([-1, 1]))


def _edges(wave: Field, sharpness: float) -> Field:
    found: Field = 0.5 + 0.5 * np.tanh(sharpness * wave)
    return found


def _plain(random: np.random.Generator, size: tuple[int, int]) -> Field:
    return np.full(size, random.uniform())


def _clouds(random: np.random.Generator, size: tuple[int, int]) -> Field:
    scale = random.uniform(2, 10)
    return _edges(_noise(random, size, scale) + 0.5 * _noise(random, size, scale / 3), random.uniform(0.4, 3))


def _grains(random: np.random.Generator, size: tuple[int, int]) -> Field:
    found: Field = np.clip(0.5 + 0.25 * _noise(random, size, random.uniform(0.3, 1.2)), 0, 1)
    return found


def _stripes(random: np.random.Generator, size: tuple[int, int]) -> Field:
    offset = random.uniform(-0.7, 0.7)
    return _edges(np.sin(_phase(size, *_periods(random, 6))) + offset, random.uniform(1, 12))


def _chequers(random: np.random.Generator, size: tuple[int, int]) -> Field:
    """A chequerboard that stands askew: one of equal periods would be the woven check."""
    down = int(random.integers(1, 5))
    right = int(random.choice([k for k in range(1, 6) if k != down]))
    wave = np.sin(_phase(size, down, right)) * np.sin(_phase(size, -right, down))
    return _edges(wave, random.uniform(4, 20))


def _marble(random: np.random.Generator, size: tuple[int, int]) -> Field:
    bend = random.uniform(1.0, 3.0) * _noise(random, size, random.uniform(6, 14))
    found: Field = np.abs(np.sin(_phase(size, *_periods(random, 3)) + bend)) ** random.uniform(0.4, 3)
    return found


def _gradient(random: np.random.Generator, size: tuple[int, int]) -> Field:
    waves = [np.sin(_phase(size, *_periods(random, 2)) + random.uniform(0, 7)) for _ in range(3)]
    found: Field = np.clip(0.5 + 0.25 * sum(waves), 0, 1)
    return found


def _ripples(random: np.random.Generator, size: tuple[int, int]) -> Field:
    bend = random.uniform(0.6, 1.5) * np.sin(_phase(size, *_periods(random, 4)))
    return _edges(np.sin(_phase(size, *_periods(random, 7)) + bend), random.uniform(1, 6))


def _cells(random: np.random.Generator, size: tuple[int, int], *, flat: bool) -> Field:
    """Shards around random points, each of one shade, or shaded by the distance from its point."""
    count = int(random.integers(12, 60))
    points, shades = random.uniform(size=(count, 2)), random.uniform(size=count)
    row, column = (axis[..., None] for axis in np.indices(size, dtype=np.float32))
    down = np.abs(row / size[0] - points[:, 0].astype(np.float32))
    right = np.abs(column / size[1] - points[:, 1].astype(np.float32))
    distance = np.hypot(np.minimum(down, 1 - down), np.minimum(right, 1 - right))
    if flat:
        return np.asarray(shades[distance.argmin(-1)], dtype=np.float64)
    found: Field = np.clip(distance.min(-1).astype(np.float64) * np.sqrt(count) * 1.2, 0, 1)
    return found


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Field]] = {
    "plain": _plain,
    "clouds": _clouds,
    "grains": _grains,
    "stripes": _stripes,
    "chequers": _chequers,
    "marble": _marble,
    "gradient": _gradient,
    "ripples": _ripples,
    "shards": partial(_cells, flat=True),
    "pebbles": partial(_cells, flat=False),
}
"""Painters by the kind of picture."""
