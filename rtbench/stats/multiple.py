"""Correction for multiple tests by Holm's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p values: rejecting those below alpha errs anywhere with at most alpha.

    S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979): the smallest of m is multiplied by m, the next by m - 1, and none falls below the one before it.

    Args:
        p: p values, shape (m,), from 0 to 1.

    Returns:
        Adjusted p values in the same order, float64, shape (m,).

    Raises:
        ValueError: a value that is not between 0 and 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("A p value is not between 0 and 1.")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.minimum(adjusted, 1.0)
