"""How often each interval holds the truth, nominal 95 %.

    .venv/bin/python benchmarks/intervals.py [--quick] [--json FILE]

Sums over all outcomes, not simulations, but for the bootstrap. "Mean" is over an even grid of true rates,
"worst" the lowest on it. Robbins' sequence must hold at all of 500 looks together.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
from measure import report
from numpy.typing import NDArray

from rtbench.core.seeding import generator
from rtbench.stats import clopper_pearson, clustered, newcombe, newcombe_paired_many, wilson
from rtbench.stats.exact import binomial

Floats = NDArray[np.float64]

RATES = np.linspace(0.01, 0.99, 99)
LOOKS = 500


def one_rate(n: int, interval: str) -> dict[str, float]:
    """Coverage of the interval of one rate, at each true rate."""
    found = {"Wilson": wilson, "Clopper-Pearson": clopper_pearson}[interval]
    low, high = np.array([found(k, n) for k in range(n + 1)]).T
    chances = binomial(np.arange(n + 1.0), float(n), RATES[:, None])
    inside = (low <= RATES[:, None]) & (RATES[:, None] <= high)
    coverage = (chances * inside).sum(axis=1)
    return {f"{rate:.2f}": float(c) for rate, c in zip(RATES, coverage, strict=True)}


def two_samples(n: int) -> dict[str, float]:
    """Coverage of Newcombe's interval of the difference of two independent rates of n episodes each."""
    ends = np.array([[newcombe((a, n), (b, n)) for b in range(n + 1)] for a in range(n + 1)])
    k = np.arange(n + 1.0)
    found = {}
    for p, q in product(RATES[4::10], repeat=2):
        inside = (ends[..., 0] <= p - q) & (p - q <= ends[..., 1])
        chances = binomial(k, float(n), np.array(p))[:, None] * binomial(k, float(n), np.array(q))
        found[f"{p:.2f} and {q:.2f}"] = float((chances * inside).sum())
    return found


def pairs(n: int) -> dict[str, float]:
    """Coverage of Newcombe's interval of the difference of two rates of n pairs."""
    from scipy.special import gammaln, xlogy

    counts = np.array([c for c in product(range(n + 1), repeat=3) if sum(c) <= n], dtype=float)
    table = np.column_stack([counts, n - counts.sum(axis=1)])
    low, high = newcombe_paired_many(*table.T)
    ways = gammaln(n + 1) - gammaln(table + 1).sum(axis=1)
    found = {}
    for rate, lose, win in product((0.5, 0.7, 0.9), (0.02, 0.05, 0.1, 0.2), (0.0, 0.02, 0.05, 0.1)):
        both = rate - lose
        shares = np.array([both, lose, win, 1 - both - lose - win])
        if shares.min() < 0:
            continue
        chances = np.exp(ways + xlogy(table, shares).sum(axis=1))
        inside = (low <= lose - win + 1e-12) & (lose - win - 1e-12 <= high)
        found[f"rate {rate}, {lose} lost, {win} won"] = float((chances * inside).sum())
    return found


def sequence() -> dict[str, float]:
    """Chance that Robbins' sequence holds at each of LOOKS looks, by passing the surviving paths on."""
    from scipy.special import betaln

    found = {}
    for p in RATES[4::10]:
        alive = np.array([1.0])
        for n in range(1, LOOKS + 1):
            alive = np.append(alive * (1 - p), 0) + np.append(0, alive * p)
            k = np.arange(n + 1.0)
            e = betaln(1 + k, 1 + n - k) - k * np.log(p) - (n - k) * np.log1p(-p)
            alive[e >= np.log(20)] = 0
        found[f"{p:.2f}"] = float(alive.sum())
    return found


def bootstrap(tasks: int, runs: int) -> dict[str, float]:
    """Coverage of the bootstrap over tasks of 20 episodes whose rates come from a beta distribution."""
    found = {}
    for mean in (0.5, 0.8, 0.9):
        held = 0
        for run in range(runs):
            random = generator("intervals", tasks, run, str(mean))
            successes = random.random((tasks, 20)) < random.beta(4 * mean, 4 * (1 - mean), tasks)[:, None]
            interval = clustered(
                successes.ravel(), np.repeat(np.arange(tasks), 20), "intervals", run, within=(0, 1)
            )
            held += interval is not None and interval[0] <= mean <= interval[1]
        found[f"{mean}"] = held / runs
    return found


def flips(tasks: int, runs: int) -> dict[str, float]:
    """Likewise of differences of one pair a task, where few pairs differ; of the runs in which any does."""
    found = {}
    for lost, won in [pair for pair in product((0.0, 0.01, 0.02, 0.05, 0.1), repeat=2) if any(pair)]:
        held, some, true = 0, 0, won - lost
        for run in range(runs):
            draw = generator("flips", tasks, run, str(lost), str(won)).random(tasks)
            values = np.where(draw < lost, -1.0, np.where(draw < lost + won, 1.0, 0.0))
            interval = clustered(values, np.arange(tasks), "flips", run)
            some += interval is not None
            held += interval is not None and interval[0] - 1e-12 <= true <= interval[1] + 1e-12
        found[f"{lost} lost, {won} won"] = held / some
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small n only")
    parser.add_argument("--json", help="file to write the figures to")
    quick = parser.parse_args().quick
    cases = [
        (f"{name}, n = {n}", one_rate(n, name))
        for name in ("Wilson", "Clopper-Pearson")
        for n in ((10,) if quick else (10, 30, 100, 300))
    ]
    cases += [(f"Newcombe, two samples of {n}", two_samples(n)) for n in ((10,) if quick else (10, 30, 100))]
    cases += [(f"Newcombe, {n} pairs", pairs(n)) for n in ((10,) if quick else (10, 30, 60))]
    cases += [(f"Robbins, {LOOKS} looks", sequence())]
    runs = 50 if quick else 1000
    cases += [
        (f"bootstrap of {k} tasks", bootstrap(k, runs)) for k in ((5,) if quick else (3, 5, 10, 20, 50))
    ]
    cases += [
        (f"bootstrap of {k} tasks, few differ", flips(k, max(50, runs // 4)))
        for k in ((20,) if quick else (20, 80))
    ]
    rows, data = [], []
    for name, coverage in cases:
        worst = min(coverage, key=lambda at: coverage[at])
        mean = float(np.mean(list(coverage.values())))
        rows.append([name, f"{100 * mean:.1f}", f"{100 * coverage[worst]:.1f}", worst])
        data.append({"interval": name, "mean": mean, "worst": coverage[worst], "at": worst})
    report("Coverage of 95 % intervals [%]", ["interval", "mean", "worst", "at"], rows, {"intervals": data})


if __name__ == "__main__":
    main()
