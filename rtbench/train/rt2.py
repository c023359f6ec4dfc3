"""Training of RT-2, from demonstrations and questions to a card: the work of `rtbench train rt2`."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

import torch

from rtbench.core.hashing import content_hash
from rtbench.data.naming import Name
from rtbench.data.plan_text import plan_text
from rtbench.data.vision_language import VisionLanguage, read_all
from rtbench.policy.card import FOLDER
from rtbench.policy.rt1 import checkpoint as rt1_checkpoint
from rtbench.policy.rt1 import config as rt1_config
from rtbench.policy.rt1.weights import Origin
from rtbench.policy.rt2.action_layout import FULL, layout
from rtbench.policy.rt2.checkpoint import Model, load, save
from rtbench.policy.rt2.config import size
from rtbench.policy.rt2.instruction import ENCODER, ENCODER_SHA256
from rtbench.policy.rt2.network import Network
from rtbench.policy.rt2.vocabulary import Vocabulary
from rtbench.policy.text_encoder.encoder import DEFAULT, ORDERED, SentenceEncoder
from rtbench.task.training_coverage import TrainedOn
from rtbench.train import dataset, learning_curves, metrics_log
from rtbench.train.co_trainer import EYES, CoData, CoTrainer, CoTraining
from rtbench.train.dataset import Dataset
from rtbench.train.first_weights import SessionError
from rtbench.train.hyperparameters import OWN, Hyperparameters
from rtbench.train.mixture import names_of
from rtbench.train.publish import CardText, merge_trained_on, publish_file, trained_on
from rtbench.train.rt1 import CURVES, EVALUATIONS, Result, flush_denormals, policy_name
from rtbench.train.token_states import TorchTokenStates
from rtbench.train.training_loop import Monitoring
from rtbench.train.tunable import last_layers, merged, with_lora

FACTORY = "rtbench.policy.rt2:from_weights"
"""Factory of the policy that uses the weights."""


@dataclass(frozen=True)
class TrainingPlan:
    """All settings of a training but its files and its folder."""

    size: str = "small"
    """Name of the network's size."""
    hyperparameters: Hyperparameters = OWN
    """Settings that decide the weights."""
    training: CoTraining = field(default_factory=CoTraining)
    """Stage, and what is mixed how."""
    init: Path | None = None
    """File of RT-2 weights to begin with."""
    eyes: Path | None = None
    """File of RT-1 weights to begin the eyes with; they act too, unless `motor` does."""
    motor: Path | None = None
    """File of RT-1 weights that act, in place of those of `init` or `eyes`."""
    last_layers: int = 0
    """Layers of the decoder that are trained; 0 for all weights."""
    lora: int = 0
    """Rank of LoRA's matrices; 0 for none."""
    skip_bad: bool = False
    """Leave out files of demonstrations that cannot be used."""
    minutes: float = float("inf")
    """Time limit of this session [min]."""
    episodes: int = 0
    """Episodes of a closed-loop evaluation; 0 for none."""
    workers: int | None = None
    """Number of worker processes of the evaluation."""


def train(
    files: Sequence[Path],
    others: Sequence[Path],
    folder: Path,
    plan: TrainingPlan,
    say: Callable[[str], None],
) -> Result:
    """Train in a folder, or go on with the training there, and publish the averaged weights.

    Args:
        files: Files of demonstrations.
        others: Files of vision-language data.
        folder: Folder of the training; made if it is missing.
        plan: The settings.
        say: Shows a line to the user.

    Raises:
        RtbenchError: files, weights or a folder that cannot be used; the subclass and its text name it.
    """
    flush_denormals()
    try:
        return _train(files, others, folder, plan, say)
    finally:
        # The caller may run a simulator next, which repeats itself to the bit only with denormal numbers.
        torch.set_flush_denormal(False)


def _train(
    files: Sequence[Path],
    others: Sequence[Path],
    folder: Path,
    plan: TrainingPlan,
    say: Callable[[str], None],
) -> Result:
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SessionError(f"{folder}: cannot be made: {error.strerror}; choose another --output.") from None
    if plan.training.freeze_eyes and plan.training.stage == EYES:
        raise SessionError("--freeze-eyes leaves nothing to train in the stage eyes; leave it out.")
    robot, other = _read(files, others, folder, plan)
    hp = plan.hyperparameters
    model = _model(plan, robot, other)
    names = names_of(robot, other, [Name(*name) for name in model.names])
    texts = [] if robot is None else list(robot.instructions)
    texts += [] if other is None else [pair.question for pair in other.pairs]
    states = TorchTokenStates(model.network.size.instruction, texts)
    data = CoData(robot, other, states, SentenceEncoder(ORDERED), names)
    plain = copy.deepcopy(model.network)
    if plan.lora:
        with_lora(model.network, plan.lora)
    elif plan.last_layers:
        last_layers(model.network, plan.last_layers)
    about = {
        "size": model.network.size.name,
        "init": plan.init and content_hash(plan.init),
        "eyes": plan.eyes and content_hash(plan.eyes),
        "motor": plan.motor and content_hash(plan.motor),
        "last layers": plan.last_layers,
        "lora": plan.lora,
    }
    trainer = CoTrainer(folder, data, model, hp, plan.training, about)
    main = trainer.accelerator.is_main_process
    say = say if main else (lambda _: None)
    say(_summary(robot, other, model, trainer))

    def published(network: Any) -> Model:
        found = merged(network, copy.deepcopy(plain)) if plan.lora else network
        return replace(model, network=found, origin=_origin(plan, robot, other, trainer, model.origin))

    def write(path: Path, network: Any) -> None:
        save(path, published(network), half=True)

    ending = trainer.run(
        Monitoring(
            minutes=plan.minutes - (time.monotonic() - began) / 60,
            evaluate=max(1, hp.schedule.steps // EVALUATIONS),
            evaluator=_evaluator(plan, robot, folder, model.origin, say, write),
            say=say,
        )
    )
    card = folder / FOLDER / f"{policy_name(folder)}.yaml"
    if main:
        network = trainer.ema_model.network
        origin = published(network).origin
        count = 0 if robot is None else len(robot.episodes)
        summary = f"RT-2, size {model.network.size.name}, of {count} demonstrations"
        if other is not None:
            summary += f" and {len(other.pairs)} questions"
        text = CardText(policy_name(folder), summary, {})
        card = publish_file(folder, text, lambda path: write(path, network), origin, FACTORY)
        learning_curves.draw(folder / metrics_log.FILE, folder / CURVES)
    trainer.accelerator.wait_for_everyone()
    return Result(ending, card, folder / metrics_log.FILE, folder / CURVES)


def _read(
    files: Sequence[Path], others: Sequence[Path], folder: Path, plan: TrainingPlan
) -> tuple[Dataset | None, VisionLanguage | None]:
    """Both kinds of data, as far as the mixture wants them."""
    share = plan.training.mixture.robot_share
    if not files and (share > 0 or not others):
        raise SessionError(
            "--data: give files of demonstrations, or train on --vqa alone with --robot-share 0."
        )
    if not others and share < 1:
        raise SessionError(
            f"--robot-share {share:g} wants vision-language data; give --vqa FILE, as `rtbench vqa` makes, "
            "or --robot-share 1."
        )
    sharers = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    robot = dataset.load(files, folder, skip=plan.skip_bad, sharers=sharers) if share > 0 else None
    other = read_all(others) if share < 1 else None
    if robot is not None and other is not None and tuple(robot.frames.shape[1:]) != other.images.shape[1:]:
        sizes = [" x ".join(map(str, shape[1:3])) for shape in (robot.frames.shape, other.images.shape)]
        raise SessionError(f"the demonstrations have images of {sizes[0]} pixels, --vqa of {sizes[1]}.")
    return robot, other


def _model(plan: TrainingPlan, robot: Dataset | None, other: VisionLanguage | None) -> Model:
    """The model to begin with."""
    named = size(plan.size)
    if plan.init is not None:
        if plan.eyes is not None:
            raise SessionError(f"{plan.init} has eyes already; give --init or --eyes, not both.")
        found = load(plan.init)
        # A pruned network is of the size that it was made of, and has that name at the beginning of its own.
        if found.network.size.name.partition("-")[0] != named.name:
            raise SessionError(
                f"{plan.init}: weights of size {found.network.size.name!r}, not {plan.size!r}."
            )
        if plan.motor is not None:
            found = replace(found, origin=_with_motor(found.network, found.origin, plan.motor, named.motor))
        found.network.train()
        return _with_more_names(found, robot, other)
    texts = [] if robot is None else [plan_text(episode) for episode in robot.episodes]
    texts += [] if other is None else [pair.answer for pair in other.pairs]
    vocabulary = Vocabulary.of_texts(texts)
    labels = names_of(robot, other)
    if labels is None:
        raise SessionError(
            "no data names what is seen, which RT-2 reads; give files of `rtbench vqa` or `rtbench looks`, "
            "or --init weights that were trained on some."
        )
    order = layout(FULL, "rtbench" if robot is None else robot.convention)
    vectors, seed = _vectors(labels.vocabulary), plan.hyperparameters.seed
    network = Network(named, len(vocabulary), vectors, convention=order.convention, seed=seed)
    origin = Origin(ENCODER, ENCODER_SHA256)
    if plan.eyes is not None:
        _borrow_eyes(network, plan.eyes)
    if acting := plan.motor or plan.eyes:
        origin = _with_motor(network, origin, acting, named.motor)
    return Model(network, vocabulary, order, origin, labels.vocabulary)


def _vectors(names: Sequence[tuple[str, str]]) -> torch.Tensor:
    """float32[V, D]: vectors of names."""
    return torch.from_numpy(SentenceEncoder(DEFAULT)([text for text, _ in names]))


def _with_more_names(model: Model, robot: Dataset | None, other: VisionLanguage | None) -> Model:
    """The model with the data's names beside its own; those are vectors of a frozen encoder, not learnt."""
    labels = names_of(robot, other, [Name(*name) for name in model.names])
    if labels is None or labels.vocabulary == model.names:
        return model
    model.network.eyes.naming.vectors = _vectors(labels.vocabulary)
    return replace(model, names=labels.vocabulary)


def _borrow_eyes(network: Network, path: Path) -> None:
    """Begin the eyes with an RT-1's backbone, without its FiLM layers, which speak of instructions."""
    found = rt1_checkpoint.load(path).network.backbone.state_dict()
    wanted = network.eyes.backbone.state_dict()
    taken = {name: value for name, value in found.items() if ".film." not in name}
    for name, value in taken.items():
        if name not in wanted or wanted[name].shape != value.shape:
            raise SessionError(
                f"{path}: its backbone is another than that of size {network.size.name!r}: {name}."
            )
    network.eyes.backbone.load_state_dict({**wanted, **taken})


def _with_motor(network: Network, origin: Origin, path: Path, wanted: rt1_config.Size) -> Origin:
    """Let an RT-1 act, and give the origin of both: what it was trained on is not new to who acts by it."""
    acting = rt1_checkpoint.load(path, convention=network.motor.convention, size=wanted)
    network.motor, network.size = acting.network.train(), replace(network.size, motor=wanted)
    about = "; ".join(
        filter(None, (origin.about, f"RT-1: {acting.origin.about}" if acting.origin.about else ""))
    )
    trained_on = acting.origin.trained_on
    if trained_on and origin.trained_on:
        trained_on = merge_trained_on(about, TrainedOn(**trained_on), TrainedOn(**origin.trained_on))
    return replace(origin, trained_on=trained_on or origin.trained_on, about=about)


def _origin(
    plan: TrainingPlan,
    robot: Dataset | None,
    other: VisionLanguage | None,
    trainer: CoTrainer,
    before: Origin,
) -> Origin:
    parts = []
    episodes = []
    if robot is not None:
        held = robot.validation(plan.hyperparameters.val_fraction)
        episodes = list(compress(robot.episodes, ~held))
        parts.append(f"{len(robot.episodes)} demonstrations, {held.sum()} of them for validation")
    if other is not None:
        parts.append(f"{len(other.pairs)} questions about {len(other.images)} pictures of the simulator")
    share = plan.training.mixture.robot_share
    text = f"{' and '.join(parts)}; stage {plan.training.stage}, robot share {share:g}; {trainer.step} steps"
    if before.about:
        text += f"; before that: {before.about}"
    told: dict[str, Any] = {**before.trained_on, "about": text} if before.trained_on else {}
    if episodes:
        known = [TrainedOn(**before.trained_on)] if before.trained_on else []
        told = merge_trained_on(text, trained_on(episodes, text), *known)
    return Origin(ENCODER, ENCODER_SHA256, told, text)


def _evaluator(
    plan: TrainingPlan,
    robot: Dataset | None,
    folder: Path,
    origin: Origin,
    say: Callable[[str], None],
    write: Callable[[Path, Any], None],
) -> Callable[[Any, int], tuple[int, int]] | None:
    if not plan.episodes or robot is None or plan.training.stage != "actions":
        return None
    from rtbench.train.eval_callback import EvalCallback, choose_episodes

    episodes = choose_episodes({episode.skill for episode in robot.episodes}, plan.episodes)
    if not episodes:
        return None
    return EvalCallback(folder, episodes, origin, say, {}, plan.workers, FACTORY, write)


def _summary(robot: Dataset | None, other: VisionLanguage | None, model: Model, trainer: CoTrainer) -> str:
    parts = [] if robot is None else [f"{len(robot.episodes)} demonstrations, {len(robot.frames)} frames"]
    parts += [] if other is None else [f"{len(other.pairs)} questions, {len(other.images)} pictures"]
    every = sum(p.numel() for p in model.network.parameters())
    moved = sum(p.numel() for p in model.network.parameters() if p.requires_grad)
    weights = f"{every / 1e6:.1f} M weights" + (f", {moved / 1e6:.1f} M trained" if moved < every else "")
    resumed = f"; going on from step {trainer.step}" if trainer.step else ""
    return f"{'; '.join(parts)}; {weights}{resumed}"
