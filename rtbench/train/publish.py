"""Weights and policy card of a finished training, in a folder that `--content` takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rtbench.core.atomic_write import write_text
from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError
from rtbench.policy.card import FOLDER
from rtbench.policy.rt1.checkpoint import save
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import Origin
from rtbench.task.library import BUNDLED
from rtbench.task.training_coverage import TrainedOn, coverage_of

FACTORY = "rtbench.policy.rt1:from_weights"
"""Factory of the policy that uses the weights."""


class CardError(RtbenchError):
    """A card that cannot be written."""


def trained_on(episodes: Sequence[Episode], about: str) -> TrainedOn:
    """Exact description of the tasks, objects, languages and so on of training episodes.

    It names skills and objects if that means the same tasks; otherwise it names each task.

    Args:
        episodes: All of them; not empty.
        about: The description in words.
    """
    known = BUNDLED.tasks()
    tasks = {episode.task for episode in episodes}
    common: dict[str, Any] = {
        "about": about,
        "variants": tuple(sorted({episode.variant for episode in episodes} - {""})),
        "languages": tuple(sorted({episode.language for episode in episodes})),
        "robots": tuple(sorted({episode.body for episode in episodes})),
        "paraphrases": any(
            episode.task in known and episode.instruction not in known[episode.task].templates
            for episode in episodes
        ),
    }
    if tasks <= known.keys():
        short = TrainedOn(
            skills=tuple(sorted({known[name].skill for name in tasks})),
            objects=tuple(sorted({thing for name in tasks for thing in known[name].present})),
            scenes=tuple(sorted({known[name].scene for name in tasks})),
            **common,
        )
        if set(coverage_of(short, known, BUNDLED.things()).tasks) == tasks:
            return short
    return TrainedOn(tasks=tuple(sorted(tasks)), **common)


def merge_trained_on(about: str, *parts: TrainedOn) -> dict[str, Any]:
    """The union of descriptions, for weights of several trainings, as an `Origin` has it.

    Args:
        about: The union's own description in words.
        parts: One or more.
    """
    lists = (
        "tasks",
        "skills",
        "groups",
        "objects",
        "object_sets",
        "scenes",
        "variants",
        "languages",
        "robots",
    )
    most = [part.distractors for part in parts if part.distractors is not None]
    union = TrainedOn(
        about=about,
        paraphrases=any(part.paraphrases for part in parts),
        distractors=max(most, default=None),
        **{name: tuple(sorted({entry for part in parts for entry in getattr(part, name)})) for name in lists},
    )
    return union.model_dump(mode="json", exclude_defaults=True)


@dataclass(frozen=True)
class CardText:
    """Name, summary and arguments of a card."""

    name: str
    """Name of the policy and of both files."""
    summary: str
    """One line for `rtbench ls policies`."""
    arguments: Mapping[str, Any]
    """Arguments of the policy."""


def publish(folder: Path, text: CardText, network: RT1, origin: Origin) -> Path:
    """Write weights and card into `folder`/policies, and return the card's path.

    Args:
        folder: A content root; made if it is missing.
        text: Name, summary and arguments for the card.
        network: The weights.
        origin: Written into the weights; its `trained_on` also into the card.

    Raises:
        CheckpointError: weights that are not finite, or cannot be written.
        CardError: the card cannot be written.
    """
    return publish_file(folder, text, lambda path: save(path, network, origin, half=True), origin, FACTORY)


def publish_file(
    folder: Path, text: CardText, write: Callable[[Path], None], origin: Origin, factory: str
) -> Path:
    """Likewise, of weights of any policy.

    Args:
        folder: As of `publish`.
        text: As of `publish`.
        write: Writes the weights into the file of that path.
        origin: Its `trained_on` is written into the card.
        factory: Factory of the policy that uses the weights.
    """
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    weights = place / f"{text.name}.safetensors"
    write(weights)
    entry = {
        "factory": factory,
        "summary": text.summary,
        **({"arguments": dict(text.arguments)} if text.arguments else {}),
        "weights": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        **({"trained_on": dict(origin.trained_on)} if origin.trained_on else {}),
    }
    card = place / f"{text.name}.yaml"
    try:
        write_text(card, yaml.safe_dump({text.name: entry}, sort_keys=False, allow_unicode=True, width=110))
    except OSError as error:
        raise CardError(f"{card}: cannot be written: {error.strerror}.") from None
    return card
