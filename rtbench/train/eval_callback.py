"""Closed-loop evaluation while training: a few seen episodes, none of which a result is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError
from rtbench.evaluation.evaluate import evaluate
from rtbench.policy.card import Card
from rtbench.policy.rt1.checkpoint import Origin, save
from rtbench.policy.rt1.network import RT1
from rtbench.task import suite
from rtbench.task.library import BUNDLED
from rtbench.train.publish import FACTORY

SUITE, SEED = "seen", 7
"""Suite and its seed. Results are of seed 0, training data of seeds from 10 on: nothing that is chosen by
these episodes was chosen by those."""
PLACE = "played"


@dataclass(frozen=True)
class Player:
    """Plays the same episodes with the network of any step."""

    folder: Path
    """Of the training; runs go into a folder inside it."""
    episodes: tuple[Episode, ...]
    """What is played; see `choose`."""
    origin: Origin
    """Goes into the weights."""
    say: Callable[[str], None]
    """Shows a line to the user."""
    arguments: Mapping[str, Any]
    """Of the policy."""
    workers: int | None = None
    """Worker processes; as many as cores where None."""

    def __call__(self, network: RT1, step: int) -> tuple[int, int]:
        """Successes and episodes without an error; 0 of 0 where none can be played: that ends no training."""
        place = self.folder / PLACE
        place.mkdir(exist_ok=True)
        weights = place / f"step-{step}.safetensors"
        save(weights, network, self.origin, half=True)  # as they are published
        card = Card(
            name=weights.stem, factory=FACTORY, summary="", arguments=dict(self.arguments),
            weights=str(weights.resolve()),
        )  # fmt: skip
        threads = torch.get_num_threads()
        try:
            run = evaluate(card, self.episodes, out=place, workers=self.workers)
        except RtbenchError as error:
            self.say(f"  not played: {error}")
            return 0, 0
        finally:
            # The policy of a small network takes one thread, for the whole process.
            torch.set_num_threads(threads)
            weights.unlink()
        overall = run.summary["overall"]
        return int(overall["successes"]), int(overall["n"] - overall["errors"])


def choose(skills: Collection[str], count: int) -> tuple[Episode, ...]:
    """Seen episodes of those skills that the suite has; skills take turns."""
    seen = BUNDLED.suite(SUITE)
    known = [skill for skill in seen.skills if skill in skills]
    return tuple(suite.episodes(seen, limit=count, skills=known, seed=SEED)) if known else ()
