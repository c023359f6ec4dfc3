"""Which share of a run's time does the shipped RT-1 think?

    .venv/bin/python benchmarks/rt1_share.py [--suite novel] [--rounds 1] [--workers 2] [--json FILE]

A run from its first decision to its last, with the time inside the policy's `reset` and `act` added up. While
one process thinks, the workers simulate for other slots, so that less than the whole is waiting.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from measure import report
from numpy.typing import NDArray

import rtbench
from rtbench.core.episode import Observation
from rtbench.policy import card as cards
from rtbench.policy.base import Policy
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes


@dataclass
class Timed:
    """A policy whose time is taken."""

    policy: Policy
    began: float = 0.0
    """When the first call began [s]."""
    ended: float = 0.0
    """When the last call ended [s]."""
    thinking: float = 0.0
    """Inside calls [s]."""
    batches: list[int] = field(default_factory=list)
    """Slots of each decision."""

    def __post_init__(self) -> None:
        self.needs = self.policy.needs

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode."""
        start = time.perf_counter()
        self.policy.reset(slot, instruction, seed)
        self._note(start)

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Decide."""
        start = time.perf_counter()
        answer = self.policy.act(observations, slots)
        self._note(start)
        self.batches.append(len(slots))
        return answer

    def _note(self, start: float) -> None:
        self.ended = time.perf_counter()
        self.began = self.began or start
        self.thinking += self.ended - start


def main() -> None:
    """Play, and print the share."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", default="novel")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = episodes(load_suite(options.suite), rounds=options.rounds)
    policy = Timed(cards.build(cards.resolve("rt1")))
    with tempfile.TemporaryDirectory() as out:
        rtbench.evaluate(policy, chosen, out=out, workers=options.workers)
    whole, decisions = policy.ended - policy.began, sum(policy.batches)
    values = {
        "share": policy.thinking / whole,
        "seconds": whole,
        "episodes": len(chosen),
        "decisions": decisions,
        "decisions_per_s": decisions / whole,
        "slots_per_call": decisions / len(policy.batches),
    }
    rows = [(name.replace("_", " "), f"{value:.3g}") for name, value in values.items()]
    report("RT-1's share of a run", ("what", "measured"), rows, values)


if __name__ == "__main__":
    main()
