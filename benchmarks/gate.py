"""How often the gate errs: wrong verdicts over simulated pairs of checkpoints.

    python benchmarks/gate.py [--quick]

Episodes have unequal difficulty: the baseline solves episode i with chance p_i, drawn from a beta
distribution with mean `rate`, and the candidate with p_i (1 - drop / rate), so that it is worse by `drop` in
the mean. The more the difficulties are spread, the more the two agree and the fewer outcomes flip.

`wrong pass` and `regression` are shares of wrong verdicts where the true difference is exactly minus the
margin, `regression at 0` where the two are equal. Each may be alpha at most; the simulation itself errs by
half a point.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from itertools import product

from rtbench.analysis.gate import decide
from rtbench.analysis.verdict import PASS, REGRESSION
from rtbench.core.seeding import generator
from rtbench.stats import Pairs, inferiority, inferiority_independent

ALPHA = 0.05
SIZES, RATES, MARGINS = (50, 150, 500), (0.6, 0.9, 0.97), (0.02, 0.05, 0.1)
SPREADS = (0.05, 0.5, 0.95)
"""Share of the variance of outcomes that lies between episodes: 0 is alike, 1 is either always or never."""


def pairs_of(size: int, rate: float, drop: float, spread: float, count: int) -> list[Pairs]:
    """Outcomes of `count` pairs of checkpoints on `size` episodes each."""
    random = generator("benchmarks/gate", size, *(round(1000 * x) for x in (rate, drop, spread)))
    strength = (1 - spread) / spread
    chances = random.beta(rate * strength, (1 - rate) * strength, (count, size))
    first = random.random((count, size)) < chances
    second = random.random((count, size)) < chances * (1 - drop / rate)
    cells = ((first & second), (first & ~second), (~first & second), (~first & ~second))
    return [Pairs(*map(int, four)) for four in zip(*(cell.sum(axis=1) for cell in cells), strict=True)]


def verdicts(found: list[Pairs], margin: float, *, paired: bool = True) -> Counter[str]:
    """Verdicts of the gate, each table of counts judged once."""
    told: Counter[str] = Counter()
    for pairs, times in Counter(found).items():
        if paired:
            bounds = inferiority(pairs, ALPHA)
        else:
            bounds = inferiority_independent((pairs.first, pairs.n), (pairs.second, pairs.n), ALPHA)
        told[decide(bounds, margin)] += times
    return told


def rows(sizes: tuple[int, ...], count: int) -> Iterator[tuple[float, ...]]:
    """For each case: size, rate, margin, spread, share that flips, and the three shares of wrong verdicts."""
    for size, rate, margin, spread in product(sizes, RATES, MARGINS, SPREADS):
        border = pairs_of(size, rate, margin, spread, count)
        equal = pairs_of(size, rate, 0.0, spread, count)
        flips = sum(pairs.first_only + pairs.second_only for pairs in equal) / (count * size)
        at_border, at_zero = verdicts(border, margin), verdicts(equal, margin)
        wrong = at_border[PASS], at_border[REGRESSION], at_zero[REGRESSION]
        yield size, rate, margin, spread, flips, *(times / count for times in wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the gate errs.")
    parser.add_argument("--quick", action="store_true", help="few sizes and pairs of checkpoints")
    quick = parser.parse_args().quick
    sizes, count = ((50,), 200) if quick else (SIZES, 2000)
    print(f"{count} pairs of checkpoints a row, alpha {ALPHA}\n")
    print("    n  rate margin flips | wrong pass  regression  regression at 0")
    worst = [0.0, 0.0, 0.0]
    for size, rate, margin, _, flips, *wrong in rows(sizes, count):
        worst = [max(pair) for pair in zip(worst, wrong, strict=True)]
        case = f"{size:5.0f}  {100 * rate:3.0f}%  {100 * margin:3.0f}pp  {100 * flips:4.1f}%"
        print(case, "|", "  ".join(f"{100 * share:9.2f}%" for share in wrong), flush=True)
    print("worst".rjust(25), "|", "  ".join(f"{100 * share:9.2f}%" for share in worst))


if __name__ == "__main__":
    main()
