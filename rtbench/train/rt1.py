"""Training of RT-1, from files of demonstrations to weights with a card: the work of `rtbench train rt1`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from rtbench.core.hashing import content_hash
from rtbench.policy.card import FOLDER
from rtbench.policy.rt1 import checkpoint
from rtbench.policy.rt1.config import size
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import Origin
from rtbench.policy.text_encoder.encoder import BUILT_IN, DEFAULT, ORDERED, STATES, SentenceEncoder
from rtbench.task.training_coverage import TrainedOn
from rtbench.train import learning_curves, metrics_log
from rtbench.train.dataset import Dataset, load
from rtbench.train.distillation import Distillation, DistillationTrainer
from rtbench.train.first_weights import SessionError, first_weights
from rtbench.train.frozen_backbone import to_image_tokens
from rtbench.train.frozen_stages import freeze, to_maps
from rtbench.train.hyperparameters import OWN, Hyperparameters
from rtbench.train.image_token_targets import with_targets
from rtbench.train.publish import CardText, merge_trained_on, publish, trained_on
from rtbench.train.told_plans import ToldPlans
from rtbench.train.trainer import Trainer, TrainingData
from rtbench.train.training_loop import Ending, Monitoring

if TYPE_CHECKING:
    from rtbench.train.eval_callback import EvalCallback

CURVES = "curves.png"
EVALUATIONS = 5
"""Closed-loop evaluations of a whole training."""


@dataclass(frozen=True)
class TrainingPlan:
    """All settings of a training but its files and its folder."""

    size: str = "small"
    """Name of the network's size."""
    hyperparameters: Hyperparameters = OWN
    """Settings that decide the weights."""
    encoder: str | None = None
    """Language encoder, for `SentenceEncoder`; None: the built-in one that the size is told by."""
    init: Path | None = None
    """File of weights to begin with."""
    teacher: Path | None = None
    """File of weights whose image tokens are learnt; None: those of `init`."""
    imagenet: Path | None = None
    """File of ImageNet weights to begin the backbone with; see `load_imagenet`."""
    skip_bad: bool = False
    """Leave out files that cannot be used."""
    minutes: float = float("inf")
    """Time limit of this session [min]."""
    episodes: int = 0
    """Episodes of a closed-loop evaluation; 0 for none."""
    workers: int | None = None
    """Number of worker processes of the evaluation."""
    distillation: Distillation | None = None
    """Whose student it is; None to learn from demonstrations alone."""


@dataclass(frozen=True)
class Result:
    """Result of a session."""

    ending: Ending
    """Steps done, and the reason of the end."""
    card: Path
    """Policy card, with the weights beside it."""
    metrics: Path
    """CSV file of the metrics."""
    curves: Path
    """PNG file of the learning curves."""


def train(files: Sequence[Path], folder: Path, plan: TrainingPlan, say: Callable[[str], None]) -> Result:
    """Train in a folder, or go on with the training there, and publish the averaged weights.

    Args:
        files: Files of demonstrations.
        folder: Folder of the training; made if it is missing.
        plan: The settings.
        say: Shows a line to the user.

    Raises:
        RtbenchError: files, weights or a folder that cannot be used; the subclass and its text name it.
    """
    flush_denormals()
    try:
        return _train(files, folder, plan, say)
    finally:
        # The caller may run a simulator next, which repeats itself to the bit only with denormal numbers.
        torch.set_flush_denormal(False)


def _train(files: Sequence[Path], folder: Path, plan: TrainingPlan, say: Callable[[str], None]) -> Result:
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SessionError(f"{folder}: cannot be made: {error.strerror}; choose another --output.") from None
    sharers = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    data = load(files, folder, skip=plan.skip_bad, sharers=sharers, window=size(plan.size).frames)
    encoder = _encoder(plan)
    texts = encoder(data.instructions)
    network, before = first_weights(plan, data, texts.shape[1], say)
    about = {
        "size": network.size.name,
        "encoder": encoder.sha256,
        "init": plan.init and content_hash(plan.init),
        "imagenet": plan.imagenet and content_hash(plan.imagenet),
        "image-token teacher": plan.teacher and content_hash(plan.teacher),
    }
    hp = plan.hyperparameters
    inputs = _inputs(data, network, texts, plan, folder, say)
    plans = _told_plans(data, network, hp)
    if plans is not None:
        texts = np.concatenate([texts, encoder(plans.texts)])
    training = TrainingData(inputs, texts, _name_vectors(data, hp), plans)
    if taught := plan.distillation:
        about["teacher"] = content_hash(taught.teacher)
        student = DistillationTrainer(folder, training, network, hp, about, taught)
        trainer: Trainer = student
        teacher = student.teacher_origin
        before = before or Origin(encoder.id, encoder.sha256, teacher.trained_on, teacher.about)
    else:
        trainer = Trainer(folder, training, network, hp, about)
    main = trainer.accelerator.is_main_process
    say = say if main else (lambda _: None)
    for reason in data.skipped:
        say(f"left out: {reason}")
    say(_summary(data, network, trainer))
    trained = list(compress(data.episodes, ~data.validation(hp.val_fraction)))

    def origin() -> Origin:
        images = trainer.step * hp.batch * network.size.frames
        taught = f"; distilled from {plan.distillation.teacher.name}" if plan.distillation else ""
        seen = f"; backbone begun with {plan.imagenet.name}" if plan.imagenet else ""
        text = f"{_about(data, len(trained))}; {trainer.step} steps, {images} images{taught}{seen}"
        parts = [trained_on(trained, text)]
        if before is not None:
            text += f"; before that: {before.about or 'not known'}"
            if before.trained_on:
                parts.append(TrainedOn(**before.trained_on))
        return Origin(encoder.id, encoder.sha256, merge_trained_on(text, *parts), text)

    ending = trainer.run(
        Monitoring(
            minutes=plan.minutes - (time.monotonic() - began) / 60,
            evaluate=max(1, hp.schedule.steps // EVALUATIONS),
            evaluator=_evaluator(plan, data, folder, origin(), say) if plan.episodes else None,
            say=say,
        )
    )
    card = folder / FOLDER / f"{policy_name(folder)}.yaml"
    if main:
        summary = f"RT-1, size {network.size.name}, of {len(trained)} demonstrations"
        text = CardText(policy_name(folder), summary, _arguments(plan))
        card = publish(folder, text, trainer.ema_network, origin())
        learning_curves.draw(folder / metrics_log.FILE, folder / CURVES)
    trainer.accelerator.wait_for_everyone()
    return Result(ending, card, folder / metrics_log.FILE, folder / CURVES)


def _inputs(
    data: Dataset,
    network: RT1,
    texts: NDArray[np.float32],
    plan: TrainingPlan,
    folder: Path,
    say: Callable[[str], None],
) -> Dataset:
    """The data with targets, and with what takes the place of pixels where a part is frozen."""
    hp = plan.hyperparameters
    if hp.freeze_backbone:
        return to_image_tokens(data, network, texts, folder, say)
    if hp.image_token_loss_weight:
        path = cast("Path", plan.teacher or plan.init)
        teacher = checkpoint.load(path, convention=data.convention).network
        data = with_targets(data, network, teacher, texts, folder, say)
    if hp.freeze_stages:
        freeze(network, hp.freeze_stages, plans=hp.plan_share > 0)
        return to_maps(data, network, texts, folder, say)
    return data


def flush_denormals() -> None:
    """Let denormal numbers be zero; on a CPU they take many times as long as others."""
    # NumPy measures its types at first use, and would warn if that came after the switch.
    np.finfo(np.float32), np.finfo(np.float64)
    torch.set_flush_denormal(True)


def policy_name(folder: Path) -> str:
    """Name of the policy that is trained in a folder: the folder's, in characters that names may have."""
    letters = re.sub(r"[^a-z0-9_-]", "-", folder.resolve().name.lower())
    return letters.strip("-_") or "rt1"


def _encoder(plan: TrainingPlan) -> SentenceEncoder:
    """The language encoder that the plan names, or the built-in one for its size."""
    states = size(plan.size).states
    if states and plan.encoder not in {None, STATES}:
        raise SessionError(
            f"size {plan.size!r} is told token states of the built-in encoder; leave --encoder out, or train "
            "'small', which is told any encoder's vectors."
        )
    return SentenceEncoder(plan.encoder or (STATES if states else ORDERED))


def _evaluator(
    plan: TrainingPlan, data: Dataset, folder: Path, origin: Origin, say: Callable[[str], None]
) -> EvalCallback | None:
    from rtbench.train.eval_callback import EvalCallback, choose_episodes

    episodes = choose_episodes({episode.skill for episode in data.episodes}, plan.episodes)
    return EvalCallback(folder, episodes, origin, say, _arguments(plan), plan.workers) if episodes else None


def _name_vectors(data: Dataset, hp: Hyperparameters) -> NDArray[np.float32] | None:
    """Vectors of the names of what is seen; None without a naming loss."""
    if not hp.naming_loss_weight or hp.freeze_backbone:
        return None
    if data.seen is None:
        raise SessionError(
            "--naming-loss-weight: no demonstration has names of what is seen; draw some with `rtbench "
            "looks`."
        )
    # The order of words, which the instructions' encoder may append, is nothing to a name.
    return SentenceEncoder(DEFAULT)([name.text for name in data.seen.vocabulary])


def _told_plans(data: Dataset, network: RT1, hp: Hyperparameters) -> ToldPlans | None:
    """Plans to tell; None where no window has one."""
    if not hp.plan_share or hp.freeze_backbone:
        return None
    if not network.size.places:
        name = network.size.name
        raise SessionError(f"--plan-share: size {name!r} is told no places; train 'small', 'lite' or 'base'.")
    return ToldPlans(data)


def _arguments(plan: TrainingPlan) -> dict[str, str]:
    """Arguments of the policy: weights name their encoder, but not the folder of a user's own encoder."""
    if plan.encoder is None or plan.encoder in BUILT_IN:
        return {}
    return {"encoder": str(Path(plan.encoder).resolve())}


def _summary(data: Dataset, network: RT1, trainer: Trainer) -> str:
    weights = sum(p.numel() for p in network.parameters()) / 1e6
    resumed = f"; going on from step {trainer.step}" if trainer.step else ""
    return f"{len(data.episodes)} demonstrations, {len(data.frames)} frames; {weights:.1f} M weights{resumed}"


def _about(data: Dataset, trained: int) -> str:
    counts = {name: data.policies.count(name) for name in sorted(set(data.policies))}
    acted = ", ".join(f"{count} by {name}" for name, count in counts.items())
    seeds = [episode.seed for episode in data.episodes]
    kept = len(data.episodes) - trained
    validation = f", {kept} of them for validation" if kept else ""
    looks = f", {data.redrawn} of them in random looks" if data.redrawn else ""
    about = f"{acted}{validation}{looks}"
    return f"{len(data.episodes)} demonstrations ({about}), seeds {min(seeds)} to {max(seeds)}"
