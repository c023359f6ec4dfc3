"""How often a gate errs by each kind of one-sided bound, and how long the bounds take.

    .venv/bin/python benchmarks/bounds.py [--quick] [--json FILE]

The true difference is exactly the margin: a lower bound above it is a false pass, an upper bound below it
a false regression; both should happen at most 5 % of the time. The error rates are sums over all outcomes,
not simulations, but for Newcombe's interval of pairs (20,000 draws: it depends on all four counts). Each line
has the worst over margins of 2, 5 and 10 points and, for pairs, 0 to 20 % of chance wins (0 to 3 % at 500
pairs), for independent samples first rates from 50 to 99 % (75 and 95 % from 500).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
from measure import report
from numpy.typing import NDArray

from rtbench.core.seeding import generator
from rtbench.stats import (
    Pairs,
    exact,
    inferiority,
    inferiority_independent,
    newcombe,
    newcombe_paired_many,
)
from rtbench.stats.score import farrington_manning, tango

Floats = NDArray[np.float64]

ALPHA = 0.05
Z = NormalDist().inv_cdf(1 - ALPHA)
MARGINS = (0.02, 0.05, 0.1)
DRAWS = 20_000
LARGE = 500


def staircase(refutes: Callable[[int, int], bool], x: Floats, top: Callable[[int], int]) -> Floats:
    """The smallest y that refutes for each x, rising with x; top + 1 where none does."""
    found, y = [], 0
    for each in x.astype(int).tolist():
        while y <= top(each) and not refutes(each, y):
            y += 1
        found.append(min(y, top(each) + 1))
    return np.array(found, dtype=np.float64)


def paired_truths(n: int) -> Iterator[tuple[float, float, float]]:
    """Shares of losses and of wins, and their difference: at the margin for a pass, then for a regression."""
    for margin in MARGINS:
        for chance in (0.0, 0.01, 0.03) if n >= LARGE else (0.0, 0.01, 0.03, 0.1, 0.2):
            yield chance + margin, chance, -margin
            yield chance, chance + margin, margin


def paired_error(n: int, lose: float, win: float, refutes: Callable[[int, int], bool]) -> float:
    """How often the difference is refuted, for a rule that depends on losses and wins alone."""
    x = exact.reach(np.array([lose]), n)
    y = staircase(refutes, x, lambda losses: n - losses)
    given = np.array(min(1.0, win / (1 - lose)))
    return float((exact.binomial(x, n, np.array(lose)) * exact.at_least(y, n - x, given)).sum())


def newcombe_paired_error(n: int, lose: float, win: float, difference: float) -> float:
    """The same for Newcombe's interval, drawn; nine in ten of the pairs that agree succeed."""
    agree = 1 - lose - win
    shares = (0.9 * agree, lose, win, 0.1 * agree)
    drawn = generator("bounds", n, *map(str, shares)).multinomial(n, shares, size=DRAWS)
    _, high = newcombe_paired_many(*drawn.T, confidence=1 - 2 * ALPHA)
    return float((-high > difference).mean())


def paired(n: int) -> dict[str, dict[str, float]]:
    """The worst error rates for n pairs, by method and verdict."""
    worst: dict[str, dict[str, float]] = {name: {"pass": 0.0, "regression": 0.0} for name in METHODS}
    for lose, win, d in paired_truths(n):
        verdict = "pass" if d < 0 else "regression"

        def score(b: int, c: int, d: float = d) -> bool:
            return bool(tango(np.array(float(b)), np.array(float(c)), n, d) >= Z)

        def bound(b: int, c: int, d: float = d) -> bool:
            return inferiority(Pairs(n - b - c, b, c), ALPHA)[0] > d

        errors = (
            newcombe_paired_error(n, lose, win, d),
            paired_error(n, lose, win, score),
            paired_error(n, lose, win, bound),
        )
        for name, error in zip(METHODS, errors, strict=True):
            worst[name][verdict] = max(worst[name][verdict], error)
    return worst


def independent(n: int) -> dict[str, dict[str, float]]:
    """The worst error rates for n episodes in each of two samples, by method and verdict."""
    worst: dict[str, dict[str, float]] = {name: {"pass": 0.0, "regression": 0.0} for name in METHODS}
    rates = (0.75, 0.95) if n >= LARGE else (0.5, 0.75, 0.9, 0.95, 0.99)
    truths = [(p, s * m) for p in rates for m in MARGINS for s in (-1, 1) if p + s * m <= 1]
    for p, d in truths:
        x = exact.reach(np.array([p]), n)

        def old(a: int, b: int, d: float = d) -> bool:
            return -newcombe((a, n), (b, n), 1 - 2 * ALPHA)[1] > d

        def score(a: int, b: int, d: float = d) -> bool:
            return bool(farrington_manning(np.array(float(a)), n, np.array(float(b)), n, d) >= Z)

        def bound(a: int, b: int, d: float = d) -> bool:
            return inferiority_independent((a, n), (b, n), ALPHA)[0] > d

        for name, refutes in zip(METHODS, (old, score, bound), strict=True):
            y = staircase(refutes, x, lambda _: n)
            error = float(
                (exact.binomial(x, n, np.array(p)) * exact.at_least(y, n, np.array(min(1, p + d)))).sum()
            )
            verdict = "pass" if d < 0 else "regression"
            worst[name][verdict] = max(worst[name][verdict], error)
    return worst


METHODS = ("Newcombe", "score", "inferiority")


def seconds(n: int) -> dict[str, float]:
    """Time for both bounds at 90 %, a tenth of the pairs flipped [s]."""
    start = time.perf_counter()
    inferiority(Pairs(n - n // 10, n // 20, n // 20), ALPHA / 1.01)
    middle = time.perf_counter()
    inferiority_independent((9 * n // 10, n), (9 * n // 10, n), ALPHA / 1.01)
    return {"pairs": middle - start, "independent": time.perf_counter() - middle}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only n = 30")
    parser.add_argument("--json", help="file to write the figures to")
    quick = parser.parse_args().quick
    seconds(100)  # imports SciPy, which is not what is timed
    rows, data = [], []
    for n in (30,) if quick else (30, 50, 100, 200, 500, 1000, 10_000, 100_000):
        took = seconds(n)
        designs = (("pairs", paired), ("independent", independent)) if n <= LARGE else ()
        for design, measure in designs:
            worst = measure(n)
            cells = [f"{100 * e['pass']:.2f} / {100 * e['regression']:.2f}" for e in worst.values()]
            rows.append([design, str(n), *cells, f"{1000 * took[design]:.0f}"])
            data.append({"design": design, "n": n, **worst, "s": took[design]})
        if not designs:
            rows += [[design, str(n), "", "", "", f"{1000 * s:.0f}"] for design, s in took.items()]
    columns = ["design", "n", *(f"{name}: false pass / regression [%]" for name in METHODS), "ms"]
    report("Worst error rates of one-sided bounds, nominal 5 %", columns, rows, {"cases": data})


if __name__ == "__main__":
    main()
