"""What all benchmarks share: samples and their spread, the task they play, one table, one JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rtbench.core.action import RTBENCH, idle
from rtbench.core.episode import Episode
from rtbench.env import gl
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes


@dataclass
class Samples:
    """Wall times of one thing [s]."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one [s]."""
        return statistics.median(self.values)

    def summary(self) -> dict[str, Any]:
        """Median, quartiles and extremes [ms]."""
        low, _, high = quartiles(self.values)
        ms = {"median": self.median, "q1": low, "q3": high, "min": min(self.values), "max": max(self.values)}
        return {"n": len(self.values), **{name: round(1e3 * value, 3) for name, value in ms.items()}}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The three quartiles; of a single value thrice itself."""
    low, middle, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    return low, middle, high


def ratios(over: Samples, under: Samples) -> dict[str, float]:
    """Quotients, round by round: both sides of a pair met the same load of the machine."""
    low, middle, high = quartiles([a / b for a, b in zip(over.values, under.values, strict=True)])
    return {"median": round(middle, 3), "q1": round(low, 3), "q3": round(high, 3)}


def some_episodes(count: int, suite: str = "seen") -> list[Episode]:
    """The first episodes of a suite."""
    return episodes(load_suite(suite), rounds=count, limit=count)


def motions() -> list[NDArray[np.int64]]:
    """Tokens int64[11] of small arm motions that end where they began, one control step each."""
    found = []
    for axis, metres in ((2, 0.02), (1, 0.02), (0, 0.02), (2, -0.02), (1, -0.02), (0, -0.02)):
        action = idle()
        action[axis] = metres
        found.append(RTBENCH.encode(action))
    return found


def machine() -> dict[str, Any]:
    """Where this was measured."""
    backend = gl.select()
    return {
        "cpus": os.cpu_count(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "gl": f"{backend.name}: {backend.renderer}, {backend.version}",
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def report(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], data: dict[str, Any]) -> None:
    """Print the table, then the same as one line of JSON; `--json FILE` on the command line writes it too."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=100).print(table)
    text = json.dumps({"benchmark": title, **machine(), **data}, allow_nan=False)
    print(text)
    if "--json" in sys.argv[:-1]:
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(text + "\n", encoding="utf-8")


def ms(summary: dict[str, Any]) -> str:
    """A median with its quartiles, as a table shows it."""
    return f"{summary['median']:.1f} ({summary['q1']:.1f} to {summary['q3']:.1f})"
