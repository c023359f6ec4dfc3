"""Score statistics: distance of a measured difference of two rates from a supposed one.

Their unit is the standard error under the supposed difference, which is sound near rates of 0 and 1 too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tango(losses: Floats, wins: Floats, n: int, difference: float) -> Floats:
    """Tango's score: (wins - losses) / n less the difference, in standard errors if that difference is true.

    Args:
        losses: pairs in which the first alone succeeded, of any shape.
        wins: pairs in which the second alone did, of the same shape.
        n: pairs.
        difference: true difference a pair, second less first, from -1 to 1.
    """
    d = difference
    # The likeliest share of losses under that difference solves 2 n q^2 - b q - losses d (1 - d) = 0.
    b = losses * (1 - d) + wins * (1 + d) - 2 * n * d
    q = (b + np.sqrt(np.maximum(b * b + 8 * n * losses * d * (1 - d), 0))) / (4 * n)
    return _score(wins - losses - n * d, n * (2 * q + d - d * d))


def farrington_manning(k1: Floats, n1: int, k2: Floats, n2: int, difference: float) -> Floats:
    """Farrington and Manning's score: k2 / n2 - k1 / n1 less the difference, in its standard errors.

    The likeliest rates under that difference solve a cubic equation, here by the formula of O. Miettinen and
    M. Nurminen, Statistics in Medicine 4 (1985) 213-226.
    """
    d, n, k = difference, n1 + n2, k1 + k2
    c2 = ((n2 + 2 * n1) * d - n - k) / n
    c1 = ((n1 * d - n - 2 * k1) * d + k) / n
    c0 = k1 * d * (1 - d) / n
    v = c2**3 / 27 - c1 * c2 / 6 + c0 / 2
    u = np.copysign(np.sqrt(np.maximum(c2 * c2 / 9 - c1 / 3, 0)), v)
    cube = np.where(u == 0, 1.0, u**3)
    angle = (math.pi + np.arccos(np.clip(v / cube, -1, 1))) / 3
    p1 = np.clip(2 * u * np.cos(angle) - c2 / 3, max(0.0, -d), min(1.0, 1 - d))
    p2 = np.clip(p1 + d, 0, 1)
    return _score(k2 / n2 - k1 / n1 - d, p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)


def _score(excess: Floats, variance: Floats) -> Floats:
    """Excess in standard deviations; 0 or infinite where there is no variance."""
    # Below this the variance is rounding: the smallest true one is far larger.
    deviation = np.sqrt(np.maximum(variance, 1e-18))
    return np.where(np.abs(excess) < 1e-12, 0.0, excess / deviation)
