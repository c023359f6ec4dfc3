"""Noise floor of a policy: how often two runs of it differ on the same episode.

A policy that samples, or runs on hardware with varying rounding, does not repeat itself. Two checkpoints that
differ no more often than one differs from itself cannot be distinguished by any number of episodes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbench.core.errors import RunError
from rtbench.result.folder import read_json, write_json
from rtbench.result.run import Run
from rtbench.stats import rate, wilson

NOISE = "noise.json"
"""Name of the file beside the records of repeat 0."""


@dataclass(frozen=True)
class Reruns:
    """How often two runs of one policy end alike on the same episode, from repeats of a run."""

    repeats: int
    """Times that each episode was played."""
    episodes: int
    """Episodes with at least two outcomes."""
    flips: float
    """Share of the pairs of repeats with unlike outcomes."""
    interval: tuple[float, float]
    """Of that share, at 95 %."""

    @property
    def agreement(self) -> float:
        """Share of the pairs that ended alike."""
        return 1 - self.flips

    def __str__(self) -> str:
        high, low = (100 * (1 - bound) for bound in self.interval)
        times = f"{self.episodes} episodes played {self.repeats} times"
        return f"{100 * self.agreement:.1f} % ({low:.1f} to {high:.1f}; {times})"


def read_reruns(run: Path) -> Reruns | None:
    """How well repeats agree, as it was measured with a run; None where none was.

    Raises:
        RunError: its file is damaged.
    """
    path = run / NOISE
    if not path.is_file():
        return None
    told = read_json(path)
    try:
        low, high = map(float, told["interval"])
        if told["rate"] is None:
            return None
        return Reruns(int(told["repeats"]), int(told["episodes"]), float(told["rate"]), (low, high))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not what `rtbench run --repeat` writes ({error}); remove it.") from None


def measure(runs: Sequence[Run]) -> dict[str, Any]:
    """Noise floor of repeats of one run; it is also written beside the records of the first.

    Returns:
        What `noise` gives, and 'runs', the ids of the repeats.

    Raises:
        RunError: the file cannot be written.
    """
    outcomes = [{r.key: r.outcome.end if r.outcome else None for r in run.records} for run in runs]
    found = {**noise(outcomes), "runs": [run.meta.id for run in runs]}
    write_json(runs[0].path / NOISE, found)
    return found


def noise(outcomes: Sequence[Mapping[str, bool | None]], confidence: float = 0.95) -> dict[str, Any]:
    """Frequency of flips of an episode's outcome between two runs of one policy.

    Args:
        outcomes: For each repeat: success by episode key, None for an error. An error does not show the
            policy's noise, so pairs with one are left out.
        confidence: Confidence of the interval, 0 to 1.

    Returns:
        'repeats', 'episodes' (with at least one pair), 'pairs' (of repeats on the same episode, over all
        episodes), 'flips' (pairs with unlike outcomes), 'rate' (flips / pairs, None of no pairs), 'interval'
        and 'spread' (the success rate of each repeat).

    The interval is one of episodes, since the pairs of one episode depend on each other. Of k repeats at most
    the share m = floor(k/2) ceil(k/2) / (k (k - 1) / 2) of an episode's pairs can differ, so the share over
    m lies between 0 and 1, and no variable in that range varies more than a coin of the same mean: Wilson's
    interval of the mean over m, times m, is what it is for any rate with two or three repeats, and wider
    than need be with more.
    A bootstrap over episodes would say "0 to 0" of a policy that has not flipped yet.
    """
    by_episode = [
        Counter(run[key] for run in outcomes if run.get(key) is not None)
        for key in sorted(set().union(*outcomes))
    ]
    paired = [counts for counts in by_episode if counts.total() > 1]
    pairs = sum(_pairs(counts.total()) for counts in paired)
    flips = sum(counts[True] * counts[False] for counts in paired)
    found = rate(flips, pairs)
    most = max((_most(counts.total()) for counts in paired), default=1.0)
    flipped = round((found or 0.0) / most * len(paired), 9)
    low = wilson(math.floor(flipped), len(paired), confidence)[0]
    high = wilson(math.ceil(flipped), len(paired), confidence)[1]
    return {
        "repeats": len(outcomes),
        "episodes": len(paired),
        "pairs": pairs,
        "flips": flips,
        "rate": found,
        "interval": [most * low, most * high],
        "spread": [_success(run) for run in outcomes],
    }


def _pairs(k: int) -> int:
    return k * (k - 1) // 2


def _most(k: int) -> float:
    """The largest share of the pairs of k outcomes that can differ."""
    return (k // 2) * (k - k // 2) / _pairs(k)


def _success(run: Mapping[str, bool | None]) -> float | None:
    known = [outcome for outcome in run.values() if outcome is not None]
    return rate(sum(known), len(known))
