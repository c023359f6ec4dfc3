"""From files of demonstrations to weights with a card: what `rtbench train rt1` does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from rtbench.core.errors import RtbenchError
from rtbench.core.hashing import content_hash
from rtbench.policy.card import FOLDER
from rtbench.policy.rt1 import checkpoint
from rtbench.policy.rt1.checkpoint import Origin
from rtbench.policy.rt1.config import Size, size
from rtbench.policy.rt1.imagenet import load_imagenet
from rtbench.policy.rt1.network import RT1
from rtbench.policy.text_encoder.encoder import BUILT_IN, ORDERED, SentenceEncoder
from rtbench.task.training_coverage import TrainedOn
from rtbench.train import learning_curves, metrics_log
from rtbench.train.dataset import Dataset, load
from rtbench.train.frozen_backbone import seen
from rtbench.train.hyperparameters import OWN, Recipe
from rtbench.train.publish import Label, publish, together, trained_on
from rtbench.train.trainer import Ending, Lessons, Trainer, Watch

if TYPE_CHECKING:
    from rtbench.train.eval_callback import Player

CURVES = "curves.png"
PLAYS = 5
"""Closed-loop evaluations in all the steps."""


class SessionError(RtbenchError):
    """A folder that cannot be trained in."""


@dataclass(frozen=True)
class Plan:
    """How to train."""

    size: str = "small"
    """Of the network, by name."""
    recipe: Recipe = OWN
    """What decides the weights."""
    encoder: str = ORDERED
    """Language encoder: see `SentenceEncoder`."""
    init: Path | None = None
    """Weights to begin with."""
    imagenet: Path | None = None
    """Weights of torchvision or timm to begin the backbone with."""
    skip_bad: bool = False
    """Leave out files that cannot be used."""
    minutes: float = float("inf")
    """When to stop, counted from the beginning of this session."""
    episodes: int = 0
    """Episodes of a closed-loop evaluation; 0 for none."""
    workers: int | None = None
    """Worker processes that play them."""


@dataclass(frozen=True)
class Result:
    """What a session left."""

    ending: Ending
    """How it ended."""
    card: Path
    """Policy card, with the weights beside it."""
    metrics: Path
    """CSV."""
    curves: Path
    """PNG."""


def train(files: Sequence[Path], folder: Path, plan: Plan, say: Callable[[str], None]) -> Result:
    """Train in a folder, or go on with what was begun there; weights are averaged ones.

    Raises:
        RtbenchError: files, weights or a folder that cannot be used; the subclass and its text say which.
    """
    flush_denormals()
    try:
        return _train(files, folder, plan, say)
    finally:
        # The process may go on with what needs every number as it is: a simulator repeats itself to the bit.
        torch.set_flush_denormal(False)


def _train(files: Sequence[Path], folder: Path, plan: Plan, say: Callable[[str], None]) -> Result:
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SessionError(f"{folder}: cannot be made: {error.strerror}; choose another --output.") from None
    data = load(files, folder, skip=plan.skip_bad, sharers=int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    encoder = SentenceEncoder(plan.encoder)
    texts = encoder(data.instructions)
    network, before = _network(plan, data, texts.shape[1])
    about = {
        "size": network.size.name,
        "encoder": encoder.sha256,
        "init": plan.init and content_hash(plan.init),
        "imagenet": plan.imagenet and content_hash(plan.imagenet),
    }
    shown = seen(data, network, texts, say) if plan.recipe.frozen else data
    trainer = Trainer(folder, Lessons(shown, texts), network, plan.recipe, about)
    main = trainer.accelerator.is_main_process
    tell: Callable[[str], None] = say if main else (lambda _: None)
    for reason in data.skipped:
        tell(f"left out: {reason}")
    tell(_told(data, network, trainer))
    learnt = list(compress(data.episodes, ~data.held_back(plan.recipe.held_back)))

    def origin() -> Origin:
        images = trainer.step * plan.recipe.batch * network.size.frames
        said = f"{_about(data, len(learnt))}; {trainer.step} steps, {images} images"
        names = trained_on(learnt, said)
        if before is not None:
            said += f"; before that: {before.about or 'not known'}"
            names = names.model_copy(update={"about": said})
            if before.trained_on:
                names = together(names, TrainedOn(**before.trained_on))
        plain = names.model_dump(mode="json", exclude_defaults=True)
        return Origin(encoder.id, encoder.sha256, plain, said)

    ending = trainer.run(
        Watch(
            minutes=plan.minutes - (time.monotonic() - began) / 60,
            play=max(1, plan.recipe.schedule.steps // PLAYS),
            player=_player(plan, data, folder, origin(), tell) if plan.episodes else None,
            say=tell,
        )
    )
    card = folder / FOLDER / f"{policy_name(folder)}.yaml"
    if main:
        summary = f"RT-1, size {network.size.name}, of {len(learnt)} demonstrations"
        label = Label(policy_name(folder), summary, _arguments(plan))
        card = publish(folder, label, trainer.smoothed, origin())
        learning_curves.draw(folder / metrics_log.FILE, folder / CURVES)
    trainer.accelerator.wait_for_everyone()
    return Result(ending, card, folder / metrics_log.FILE, folder / CURVES)


def flush_denormals() -> None:
    """Let numbers that are too small to matter be zero; on a CPU they take many times as long as others."""
    # NumPy measures its types when first asked, and would warn of what it finds afterwards.
    np.finfo(np.float32), np.finfo(np.float64)
    torch.set_flush_denormal(True)


def policy_name(folder: Path) -> str:
    """Name of the policy that is trained in a folder: the folder's, in letters that names may have."""
    letters = re.sub(r"[^a-z0-9_-]", "-", folder.resolve().name.lower())
    return letters.strip("-_") or "rt1"


def _network(plan: Plan, data: Dataset, text: int) -> tuple[RT1, Origin | None]:
    """The network to begin with, and where its weights come from; None for fresh ones."""
    named = size(plan.size, text=text)
    if plan.recipe.frozen:
        _check_frozen(plan, data, named)
    if plan.init is not None:
        if plan.imagenet is not None:
            raise SessionError(f"{plan.init} has a backbone already; give --init or --imagenet, not both.")
        found = checkpoint.load(plan.init, convention=data.convention, size=named)
        return found.network, found.origin
    network = RT1(named, convention=data.convention, seed=plan.recipe.seed)
    if plan.imagenet is not None:
        load_imagenet(network, plan.imagenet)
    return network, None


def _check_frozen(plan: Plan, data: Dataset, size: Size) -> None:
    if plan.init is None:
        raise SessionError("--frozen trains what follows the image tokens of a network; give its --init.")
    height, width = data.frames.shape[1:3]
    if (height, width) != size.image:
        raise SessionError(
            f"--frozen needs images of the network's size, {size.image[0]} x {size.image[1]}; "
            f"the demonstrations have {height} x {width}. Train without it."
        )


def _player(
    plan: Plan, data: Dataset, folder: Path, origin: Origin, say: Callable[[str], None]
) -> Player | None:
    from rtbench.train.eval_callback import Player, choose

    episodes = choose({episode.skill for episode in data.episodes}, plan.episodes)
    return Player(folder, episodes, origin, say, _arguments(plan), plan.workers) if episodes else None


def _arguments(plan: Plan) -> dict[str, str]:
    """Of the policy: weights name their encoder, but not the folder of one that is the user's own."""
    return {} if plan.encoder in BUILT_IN else {"encoder": str(Path(plan.encoder).resolve())}


def _told(data: Dataset, network: RT1, trainer: Trainer) -> str:
    weights = sum(p.numel() for p in network.parameters()) / 1e6
    again = f"; going on from step {trainer.step}" if trainer.step else ""
    return f"{len(data.episodes)} demonstrations, {len(data.frames)} frames; {weights:.1f} M weights{again}"


def _about(data: Dataset, learnt: int) -> str:
    counts = {name: data.policies.count(name) for name in sorted(set(data.policies))}
    acted = ", ".join(f"{count} by {name}" for name, count in counts.items())
    seeds = [episode.seed for episode in data.episodes]
    aside = f", {held} of them held back" if (held := len(data.episodes) - learnt) else ""
    return f"{len(data.episodes)} demonstrations ({acted}{aside}), seeds {min(seeds)} to {max(seeds)}"
