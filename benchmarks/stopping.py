"""How often the sequential test errs when it is looked at after every pair, and how soon it finds a drop.

    .venv/bin/python benchmarks/stopping.py [--runs 10000] [--quick] [--json FILE]

Each line simulates runs of at most 500 pairs at margin 5 points and alpha 5 %. "Flips" is how many outcomes
change each way though the policy is as good; a drop adds losses. A run without a verdict counts with all 500
pairs.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from measure import report
from numpy.typing import NDArray

from rtbench.core.seeding import generator
from rtbench.stats.sequential import log_above, log_worse

MARGIN, ALPHA, PAIRS = 0.05, 0.05, 500
TASKS = 10
CHUNK = 1000
"""Runs that are simulated at once."""


@dataclass(frozen=True)
class Scene:
    """What is true of the candidate, and what the test may do about it."""

    drop: float
    """Baseline's rate less the candidate's."""
    flips: float
    """Share of pairs that are won, and beside the drop lost, by chance."""
    spread: float = 0.0
    """Half of the tasks drop by so much more, the other half by so much less."""
    false: str = ""
    """The verdict that would be wrong; '' where only the time counts."""

    @property
    def name(self) -> str:
        """As the table shows it."""
        unequal = f", tasks +-{100 * self.spread:.0f}" if self.spread else ""
        return f"drop {round(100 * self.drop, 1):g}, flips {100 * self.flips:.0f} each way{unequal}"


NULLS = [Scene(0.0, flips, false="regression") for flips in (0.0, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)]
NULLS += [Scene(0.0, flips, spread, "regression") for flips, spread in ((0.0, 0.1), (0.02, 0.2), (0.1, 0.3))]
NULLS += [Scene(0.05, flips, false="pass") for flips in (0.0, 0.01, 0.02, 0.05, 0.1, 0.25, 0.45)]
NULLS += [Scene(0.05, flips, spread, "pass") for flips, spread in ((0.0, 0.05), (0.02, 0.2), (0.1, 0.3))]
DROPS = [Scene(drop, flips) for drop in (0.1, 0.2, 0.3) for flips in (0.0, 0.02, 0.05, 0.1)]
DROPS += [Scene(drop, 0.05) for drop in (0.025, 0.05)]
EQUAL = [Scene(0.0, flips) for flips in (0.0, 0.01, 0.02, 0.05)]


def paths(scene: Scene, runs: int, chunk: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Wins and losses after each pair, both int64[runs, PAIRS]; the tasks take turns, in random order."""
    random = generator("stopping", scene.name, scene.false, chunk)
    order = random.permuted(np.tile(np.arange(TASKS), (runs, PAIRS // TASKS, 1)), axis=2).reshape(runs, PAIRS)
    drop = scene.drop + np.where(order % 2 == 0, scene.spread, -scene.spread)
    win, loss = scene.flips + np.maximum(-drop, 0), scene.flips + np.maximum(drop, 0)
    drawn = random.random((runs, PAIRS))
    return np.cumsum(drawn < win, axis=1), np.cumsum(1 - drawn <= loss, axis=1)


def first(reached: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first pair, from 1, at which it was reached; more than PAIRS where it never was."""
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, PAIRS + 1)


def play(scene: Scene, runs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs after which each run passes and is called a regression."""
    passed, regressed = [], []
    n = np.arange(1, PAIRS + 1)
    for chunk in range(math.ceil(runs / CHUNK)):
        wins, losses = paths(scene, min(CHUNK, runs - CHUNK * chunk), chunk)
        # The same counts come again and again: each is judged once.
        codes, where = np.unique((n * 1000 + wins) * 1000 + losses, return_inverse=True)
        counts = codes // 1_000_000, codes // 1000 % 1000, codes % 1000
        holds = log_above(*counts, -MARGIN) >= -math.log(ALPHA)
        worse = (log_worse(*counts[1:]) >= -math.log(ALPHA)) & (counts[1] - counts[2] < -MARGIN * counts[0])
        passed.append(first(holds[where].reshape(wins.shape)))
        regressed.append(first(worse[where].reshape(wins.shape)))
    return np.concatenate(passed), np.concatenate(regressed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="200 runs a line")
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()
    rows, data = [], []
    for scene in NULLS + DROPS + EQUAL:
        passes, regressions = play(scene, 200 if arguments.quick else arguments.runs)
        passed, regressed = passes < regressions, regressions < passes
        pairs = float(np.minimum(np.minimum(passes, regressions), PAIRS).mean())
        shares = float(passed.mean()), float(regressed.mean())
        wrong = {"": "", "pass": f"{100 * shares[0]:.2f}", "regression": f"{100 * shares[1]:.2f}"}[
            scene.false
        ]
        rows.append([scene.name, f"{100 * shares[0]:.1f}", f"{100 * shares[1]:.1f}", f"{pairs:.0f}", wrong])
        data.append({"scene": scene.name, "pass": shares[0], "regression": shares[1], "pairs": pairs})
    columns = ["truth [points]", "pass [%]", "regression [%]", "pairs on average", "wrong [%]"]
    report("The sequential test, a look after every pair", columns, rows, {"scenes": data})


if __name__ == "__main__":
    main()
