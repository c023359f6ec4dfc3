"""What a training leaves: weights with a policy card beside them, in a folder that `--content` takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError
from rtbench.policy.card import FOLDER
from rtbench.policy.rt1.checkpoint import Origin, save
from rtbench.policy.rt1.network import RT1
from rtbench.task.library import BUNDLED
from rtbench.task.training_coverage import TrainedOn, coverage_of

FACTORY = "rtbench.policy.rt1:from_weights"
"""What plays the weights."""


class CardError(RtbenchError):
    """A card that cannot be written."""


def trained_on(episodes: Sequence[Episode], about: str) -> TrainedOn:
    """What a policy that learnt from these episodes was trained on, exactly.

    Skills and objects are named where that means the same; otherwise each task.

    Args:
        episodes: All of them; not empty.
        about: The same in words.
    """
    known = BUNDLED.tasks()
    tasks = {episode.task for episode in episodes}
    common: dict[str, Any] = {
        "about": about,
        "variants": tuple(sorted({episode.variant for episode in episodes} - {""})),
        "languages": tuple(sorted({episode.language for episode in episodes})),
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


def together(first: TrainedOn, before: TrainedOn) -> TrainedOn:
    """Both, for weights that were trained on one after the other; told in the words of the first."""
    lists = ("tasks", "skills", "groups", "objects", "object_sets", "scenes", "variants", "languages")
    most = [count for count in (first.distractors, before.distractors) if count is not None]
    return TrainedOn(
        about=first.about,
        paraphrases=first.paraphrases or before.paraphrases,
        distractors=max(most, default=None),
        **{name: tuple(sorted({*getattr(first, name), *getattr(before, name)})) for name in lists},
    )


@dataclass(frozen=True)
class Label:
    """What a card says besides the weights."""

    name: str
    """Of the policy, and of both files."""
    summary: str
    """One line for `rtbench ls policies`."""
    arguments: Mapping[str, Any]
    """Of the policy."""


def publish(folder: Path, label: Label, network: RT1, origin: Origin) -> Path:
    """Write weights and card into `folder`/policies, and give the card's path.

    Args:
        folder: A content root; made where it is missing.
        label: What to write on it.
        network: The weights.
        origin: Goes into the weights; what it was trained on also into the card.

    Raises:
        CheckpointError: weights that are not finite, or cannot be written.
        CardError: the card cannot be written.
    """
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    weights = place / f"{label.name}.safetensors"
    save(weights, network, origin, half=True)
    entry = {
        "factory": FACTORY,
        "summary": label.summary,
        **({"arguments": dict(label.arguments)} if label.arguments else {}),
        "weights": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "trained_on": dict(origin.trained_on),
    }
    card = place / f"{label.name}.yaml"
    try:
        card.write_text(
            yaml.safe_dump({label.name: entry}, sort_keys=False, allow_unicode=True, width=110), "utf-8"
        )
    except OSError as error:
        raise CardError(f"{card}: cannot be written: {error.strerror}.") from None
    return card
