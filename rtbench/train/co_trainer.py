"""Co-fine-tuning of RT-2 by `TrainingLoop`: robot and vision-language samples in each batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from rtbench.core.action import BINS, SIZE
from rtbench.core.seeding import entropy
from rtbench.data.vision_language import VisionLanguage
from rtbench.policy.rt1.image import resize
from rtbench.policy.rt1.loss import token_loss
from rtbench.policy.rt2.checkpoint import Model
from rtbench.policy.rt2.network import Network
from rtbench.train.augment import augment
from rtbench.train.co_module import CoModule, Outputs
from rtbench.train.dataset import Dataset
from rtbench.train.frame_labels import FrameLabels, LabelStore
from rtbench.train.hyperparameters import Hyperparameters
from rtbench.train.lr_schedule import make_optimizer
from rtbench.train.metrics import Score, constant_score, majority
from rtbench.train.metrics_log import ANSWERS, NAMING, Measurement, MetricsLog
from rtbench.train.mixture import Mixer, Mixture, Samples, States, Vectors, stream
from rtbench.train.moving_average import moving_average
from rtbench.train.naming_loss import Found, naming_loss
from rtbench.train.next_token_loss import next_token_loss
from rtbench.train.token_sequences import IGNORED, PLACE, Batch, Speaker, batch
from rtbench.train.training_loop import Trained, TrainingLoop, accelerator
from rtbench.train.window_sampler import Order, Windows, batches, cut

VALIDATION_SAMPLES = 512
"""Frames, and pairs, of a validation at most."""
NEAR = 0.05
"""Greatest distance of a right place, as a share of the picture's width: as of `naming_loss`."""
EYES, GROUNDING, ACTIONS = "eyes", "grounding", "actions"
STAGES = (EYES, GROUNDING, ACTIONS)
"""What is trained: names at places alone; plans and answers too; actions too."""
ROBOT_PLANS = "plan"
"""Under which the plans of validation demonstrations are counted, beside the kinds of pairs."""


@dataclass(frozen=True)
class CoTraining:
    """Settings of a co-fine-tuning beside the hyperparameters."""

    stage: str = ACTIONS
    """One of `STAGES`."""
    mixture: Mixture = field(default_factory=Mixture)
    """Shares of a batch."""
    freeze_eyes: bool = False
    """Whether backbone and naming head stay as they are."""

    def settings(self) -> dict[str, Any]:
        """The same as plain values by name."""
        return {
            "stage": self.stage,
            "freeze eyes": self.freeze_eyes,
            **{f"mixture {name}": v for name, v in asdict(self.mixture).items()},
        }


@dataclass(frozen=True)
class CoData:
    """What is trained on; one of the two may be missing."""

    robot: Dataset | None
    """Demonstrations."""
    other: VisionLanguage | None
    """Vision-language data, with pictures of the same size."""
    states: States
    """Encodes texts as token states."""
    vectors: Vectors
    """Encodes plans in words for RT-1."""
    names: LabelStore | None = None
    """Names and places of what is seen, as of `names_of`; None where nothing is named. The numbers of names
    are those of the network's."""


class CoTrainer(TrainingLoop):
    """Trains RT-2 in a folder, and continues what is there."""

    def __init__(
        self,
        folder: Path,
        data: CoData,
        model: Model,
        hyperparameters: Hyperparameters,
        training: CoTraining,
        about: Mapping[str, Any],
    ) -> None:
        """Prepare, and read the state of an earlier session.

        Args:
            folder: Folder of state and metrics; exists.
            data: What is trained on.
            model: With fresh weights, or those to begin with.
            hyperparameters: All settings that decide the weights, but for those of `training`.
            training: What is mixed how.
            about: Plain values that must be the same when it is continued, besides these.

        Raises:
            StateError: the folder has a state of another training.
        """
        hp = hyperparameters
        self.accelerator = accelerator(bf16=hp.bf16, unused=True)
        device = self.accelerator.device
        self._folder, self._hp, self._training, self._data = folder, hp, training, data
        self._described = model
        self._speaker = Speaker(model.vocabulary, model.network.size.words)
        named = bool(hp.naming_loss_weight) or training.stage == EYES
        self._names = data.names if named else None
        self._mixer = Mixer(
            data.robot,
            data.other,
            speaker=self._speaker,
            states=data.states,
            vectors=data.vectors,
            names=self._names,
        )
        self._held_back()
        self._robot_samples = 0 if data.robot is None else round(training.mixture.robot_share * hp.batch)
        self._others = 0 if data.other is None else hp.batch - self._robot_samples
        network = model.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        ema = AveragedModel(network, multi_avg_fn=moving_average(hp.ema_decay), use_buffers=True)
        module = CoModule(network, names=self._names is not None, frozen=training.freeze_eyes)
        module, optimizer = self.accelerator.prepare(module, make_optimizer(hp.schedule, module))
        self._schedule, self._convention = hp.schedule, model.layout.convention
        self._images_a_step = hp.batch
        fingerprints = {
            "data": data.robot and data.robot.fingerprint,
            "vision-language data": data.other and len(data.other.pairs),
        }
        self._start(
            Trained(network, module, ema, optimizer),
            {**about, **hp.settings(), **training.settings(), **fingerprints},
        )

    @property
    def ema_model(self) -> Model:
        """The model with averaged weights, which is to be published."""
        return replace(self._described, network=cast("Network", self._ema.module))

    def majority(self) -> Score:
        """Score of the most frequent training tokens on the validation's labels, or on training's if none."""
        robot = self._data.robot
        if robot is None:
            return Score(None, (0.0,) * SIZE)
        held = torch.from_numpy(np.repeat(self._validation, robot.lengths))
        trained = robot.labels[~held].numpy()
        return constant_score(majority(trained), robot.labels[held].numpy() if held.any() else trained)

    def validate(self) -> Score | None:
        """Score of the averaged weights on frames held back, given the right plan; None without any."""
        windows = self._validation_windows()
        if not len(windows) or self._training.stage != ACTIONS:
            return None
        mixture = replace(self._training.mixture, without_plan=0.0)
        network = self.ema_model.network.eval()
        before = self._meter.sums.clone()
        self._meter.sums.zero_()
        for samples in self._in_parts(windows, [], mixture):
            with torch.no_grad():
                acted = network.act(self._pixels(samples), *samples.acting(self.accelerator.device))
            self._action_loss(acted, samples)
        score = self._meter.score(self.accelerator.reduce(self._meter.sums.clone()))
        self._meter.sums.copy_(before)
        return score

    def _held_back(self) -> None:
        """Choose what is for validation: demonstrations by their keys, pairs by their pictures."""
        robot, other, share = self._data.robot, self._data.other, self._hp.val_fraction
        self._validation = np.zeros(0, np.bool_) if robot is None else robot.validation(share)
        self._mixer.hold_back(share if other is not None else 0.0)

    def _batches(self) -> Iterator[Windows]:
        robot = self._data.robot
        if robot is None or not self._robot_samples:
            while True:
                yield np.zeros((0, 2), np.int64)
        chosen = np.flatnonzero(~self._validation)
        order = Order(1, self._robot_samples, self._hp.seed, self._hp.balance)
        yield from batches(chosen, robot.lengths[chosen], robot.skills()[chosen], order)

    def _loss(self, chosen: Windows) -> Tensor:
        hp, processes = self._hp, self.accelerator.num_processes
        mine = chosen[self.accelerator.process_index :: processes]
        mixture = self._training.mixture
        eyes_only = self._training.stage == EYES
        if self._training.stage != ACTIONS:
            mixture = replace(mixture, actions=False, words=not eyes_only)
        random = stream(hp.seed, *self._stream)
        count = -(-self._others // processes)
        samples = self._mixer.batch(mine, count, mixture, hp.augmentation, random)
        torch.manual_seed(entropy("dropout", hp.seed, *self._stream) >> 65)
        self._model.train()
        images = self._pixels(samples)
        said = None if eyes_only else batch(samples.said).to(images.device)
        output: Outputs = self._model(images, None if said is None else samples, said)
        loss = images.new_zeros(())
        if output.logits is not None and said is not None:
            loss = next_token_loss(
                output.logits,
                said.targets,
                said.kinds,
                label_smoothing_bins=hp.label_smoothing_bins,
                rps_weight=hp.rps_weight,
            )
        if output.names is not None and samples.seen is not None:
            loss = loss + (hp.naming_loss_weight or 1.0) * naming_loss(output.names, self._seen(samples))
        if output.actions is None:
            self._meter.add_loss(loss)
            return loss
        return loss + self._action_loss(output.actions, samples)

    def _action_loss(self, logits: Tensor, samples: Samples) -> Tensor:
        """RT-1's loss of the actions in a batch, which the meter is told."""
        hp = self._hp
        labels = torch.from_numpy(samples.labels).to(logits.device)[:, None]
        found = logits[:, None]
        valid = torch.ones_like(labels[..., 0], dtype=torch.bool)
        self._meter.add(token_loss(found.detach(), labels), found.detach(), labels, valid)
        smoothing, weight = hp.label_smoothing_bins, hp.rps_weight
        return token_loss(found, labels, label_smoothing_bins=smoothing, rps_weight=weight)

    def _validate_more(self, log: MetricsLog | None) -> Iterable[str]:
        """What can be named, where; and what is answered rightly, by kind."""
        told = []
        if found := self.where_is():
            self._write(log, Measurement(self.step, NAMING, found=found.share()))
            for kind, asked in found.asked.items():
                share = found.right[kind] / asked
                self._write(log, Measurement(self.step, f"{NAMING}/{kind}", found=share))
            told.append(str(found))
        if self._training.stage != EYES and (right := self.answers()):
            for kind, (count, asked) in right.items():
                self._write(log, Measurement(self.step, f"{ANSWERS}/{kind}", found=count / asked))
            kinds = ", ".join(f"{kind} {count / asked:.0%}" for kind, (count, asked) in right.items())
            total = sum(count for count, _ in right.values()) / sum(asked for _, asked in right.values())
            self._write(log, Measurement(self.step, ANSWERS, found=total))
            told.append(f"right answers: {total:.0%} ({kinds})")
        return told

    def where_is(self) -> Found | None:
        """Answers to "where is NAME" on what is held back, by the last weights; None without names."""
        module = self.accelerator.unwrap_model(self._model)
        if self._names is None:
            return None
        found = Found(self._names.vocabulary)
        module.eval()
        mixture = replace(self._training.mixture, words=False)
        with torch.no_grad():
            for samples in self._in_parts(self._validation_windows(), self._validation_pairs(), mixture):
                names = module(self._pixels(samples), None, None).names
                if names is not None and samples.seen is not None:
                    found.add(names.scores, samples.seen.to(names.scores.device))
        return found if found.asked else None

    def answers(self) -> dict[str, tuple[int, int]]:
        """By kind of question: how many of what is held back are answered rightly, and how many there are.

        An answer is right if each of its words is the likeliest after the right ones before it, and each of
        its places is within `NEAR` of the right one. Plans of demonstrations are the kind `ROBOT_PLANS`.
        """
        right, asked = Counter[str](), Counter[str]()
        network = self.ema_model.network.eval()
        mixture = replace(self._training.mixture, actions=False)
        for samples in self._in_parts(self._validation_windows(), self._validation_pairs(), mixture):
            logits, said = self._spoken(network, samples)
            for kind, is_right in zip(samples.kinds, _right(logits, said).tolist(), strict=True):
                asked[kind or ROBOT_PLANS] += 1
                right[kind or ROBOT_PLANS] += is_right
        return {kind: (right[kind], asked[kind]) for kind in sorted(asked)}

    def _spoken(self, network: Network, samples: Samples) -> tuple[Tensor, Batch]:
        """Logits for samples as they are, and what is to be said."""
        images = self._pixels(samples)
        said = batch(samples.said).to(images.device)
        with torch.no_grad():
            output = CoModule(network)(images, samples, said)
        if output.logits is None:
            raise ValueError("a batch without anything to say")
        return output.logits, said

    def _validation_windows(self) -> Windows:
        robot = self._data.robot
        if robot is None or not self._validation.any():
            return np.zeros((0, 2), np.int64)
        demos = np.flatnonzero(self._validation)
        windows = cut(demos, robot.lengths[demos], 1, np.zeros_like(demos))
        return _spread(windows)

    def _validation_pairs(self) -> list[int]:
        held: list[int] = _spread(self._mixer.held_back).tolist()
        return held

    def _in_parts(
        self, windows: Windows, pairs: list[int], mixture: Mixture | None = None
    ) -> Iterator[Samples]:
        """Samples of these frames and pairs, a batch at a time, with unchanged pictures."""
        size, none = self._hp.batch, np.zeros((0, 2), np.int64)
        chosen = mixture or replace(self._training.mixture, actions=False)
        for start in range(0, len(windows), size):
            yield self._mixer.of(windows[start : start + size], [], chosen)
        for start in range(0, len(pairs), size):
            yield self._mixer.of(none, pairs[start : start + size], chosen)

    def _pixels(self, samples: Samples) -> Tensor:
        """The pictures as the network takes them, float32[I, 3, H, W], changed as drawn."""
        images = self._on_device(samples.images)
        wanted = self._described.network.size.eyes.image
        if not len(images):
            return torch.zeros(0, 3, *wanted, device=self.accelerator.device)
        changed = augment(images[:, None], samples.drawn)[:, 0]
        if changed.shape[-2:] != wanted:
            changed = resize(changed, wanted)
        return changed.contiguous(memory_format=torch.channels_last)

    def _seen(self, samples: Samples) -> FrameLabels:
        height, width = samples.images.shape[1:3]
        seen = cast("FrameLabels", samples.seen).to(self.accelerator.device)
        return seen.shifted(samples.drawn, 1, height, width)


def _right(logits: Tensor, said: Batch) -> Tensor:
    """bool[B]: whether each sample's words and places are right."""
    best = logits.argmax(-1)
    place = said.kinds == PLACE
    nearest = logits[..., :BINS].argmax(-1)
    # A row is four fifths as long as a column: the picture's width is the measure of both.
    close = (nearest - said.targets).abs() <= NEAR * BINS
    hit = torch.where(place, close, best == said.targets)
    return (hit | (said.targets == IGNORED)).all(-1)


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most `VALIDATION_SAMPLES` of the rows, from all parts of them."""
    if len(rows) <= VALIDATION_SAMPLES:
        return rows
    chosen = np.linspace(0, len(rows) - 1, VALIDATION_SAMPLES).round().astype(np.int64)
    found: NDArray[np.int64] = rows[chosen]
    return found
