"""Closed-loop evaluation while training, on a few seen episodes that are in no result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.policy.card import Card
from rtbench.policy.rt1.checkpoint import save
from rtbench.policy.rt1.weights import Origin
from rtbench.task import suite
from rtbench.task.library import BUNDLED
from rtbench.train.publish import FACTORY

SUITE, SEED = "seen", 7
"""Suite and its seed. Results are of seed 0 and training data of seeds from 10 on, so that a choice by these
episodes is no choice by those."""
PLACE = "played"
"""Folder of the runs, inside the training's."""


@dataclass(frozen=True)
class EvalCallback:
    """Evaluates the network on the same episodes after any step."""

    folder: Path
    """Folder of the training; runs go into a folder inside it."""
    episodes: tuple[Episode, ...]
    """Episodes to play; see `choose_episodes`."""
    origin: Origin
    """Origin that is written into the weights."""
    say: Callable[[str], None]
    """Shows a line to the user."""
    arguments: Mapping[str, Any]
    """Arguments of the policy."""
    workers: int | None = None
    """Number of worker processes; None: as many as cores."""
    factory: str = FACTORY
    """Factory of the policy."""
    write: Callable[[Path, Any], None] | None = None
    """Writes a network's weights into a file; None: as RT-1's."""

    def __call__(self, network: Any, step: int) -> tuple[int, int]:
        """Successes and episodes without an error; 0 of 0 if the run fails, which ends no training."""
        place = self.folder / PLACE
        place.mkdir(exist_ok=True)
        weights = place / f"step-{step}.safetensors"
        if self.write is None:
            save(weights, network, self.origin, half=True)  # as they are published
        else:
            self.write(weights, network)
        card = Card(
            name=weights.stem, factory=self.factory, summary="", arguments=dict(self.arguments),
            weights=str(weights.resolve()),
        )  # fmt: skip
        threads = torch.get_num_threads()
        try:
            quiet = Options(reporter=Silent())
            run = evaluate(card, self.episodes, out=place, workers=self.workers, options=quiet)
        except RtbenchError as error:
            self.say(f"  no closed-loop evaluation: {error}")
            return 0, 0
        finally:
            # Building the policy sets the number of threads of the whole process.
            torch.set_num_threads(threads)
            weights.unlink()
        overall = run.summary.overall
        return overall.successes, overall.n - overall.errors


def choose_episodes(skills: Collection[str], count: int) -> tuple[Episode, ...]:
    """Seen episodes of those of the skills that the suite has, one skill after the other."""
    seen = BUNDLED.suite(SUITE)
    known = [skill for skill in seen.skills if skill in skills]
    return tuple(suite.episodes(seen, limit=count, skills=known, seed=SEED)) if known else ()
