"""Wilson's interval of a rate whose episodes share tasks: with the effective number of episodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rtbench.stats.rates import quantile


def wilson_clustered(
    successes: ArrayLike, clusters: ArrayLike, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Wilson's interval of a success rate as one of tasks like these, in closed form.

    The effective number of episodes is n / d, at most n. The design effect d is the variance of the rate
    between tasks over that of independent episodes. The number is then reduced by the ratio of normal and
    Student quantiles, squared, because k tasks say little about that variance. E. L. Korn and B. I. Graubard,
    Survey Methodology 24 (1998) 193-201; N. Dean and M. Pagano, Journal of Survey Statistics and Methodology
    3 (2015) 484-503, recommend it with Wilson's interval. Simulated at rates of 5 to 97 %, with 12 to
    100 tasks of 2 to 8 episodes, it covers the truth in 89 to 98 % of cases where the tasks' own rates differ
    widely, and Wilson's of n in 60 to 95 %. The bootstrap over tasks (`clustered`) is for differences.

    Args:
        successes: 1 for a success and 0 for a failure, shape (n,).
        clusters: the task of each episode, any labels, shape (n,).
        confidence: confidence of the interval, 0 to 1.

    Returns:
        Low and high end, never narrower than Wilson's of n; None of fewer than two tasks, where no two
        episodes share one, or where all episodes ended alike.

    Raises:
        ValueError: a confidence that is not between 0 and 1.
    """
    from scipy.stats import t

    z = quantile(confidence)
    ends = np.asarray(successes, dtype=np.float64)
    labels, which = np.unique(np.asarray(clusters), return_inverse=True)
    n, k = len(ends), len(labels)
    if k < 2 or k == n or float(ends.min()) == float(ends.max()):
        return None
    p = float(ends.mean())
    residues = np.bincount(which, ends - p, k)
    variance = float(residues @ residues) * k / (k - 1) / n**2
    design = max(1.0, variance / (p * (1 - p) / n))
    effective = n / design * (z / float(t.ppf((1 + confidence) / 2, k - 1))) ** 2
    square = z * z / effective
    middle = (p + square / 2) / (1 + square)
    half = float(np.sqrt(square * (p * (1 - p) + square / 4))) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
