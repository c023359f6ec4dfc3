"""Distillation of RT-2 into a network of RT-1's size, which learns the teacher's whole distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtbench.core.errors import RtbenchError
from rtbench.core.seeding import entropy
from rtbench.policy.rt1.loss import token_loss
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt2.checkpoint import Model, load
from rtbench.policy.text_encoder.encoder import ORDERED, SentenceEncoder
from rtbench.train.augment import augment
from rtbench.train.distillation_loss import distillation_loss
from rtbench.train.hyperparameters import Hyperparameters
from rtbench.train.mixture import Mixer, Mixture, stream
from rtbench.train.token_sequences import Speaker
from rtbench.train.token_states import TorchTokenStates
from rtbench.train.trainer import Trainer, TrainingData
from rtbench.train.window_sampler import Windows

IMPOSSIBLE = -1e4
"""Logit of a mode that does not exist: infinite ones have no divergence."""


class DistillationError(RtbenchError):
    """A teacher that this student cannot learn from."""


@dataclass(frozen=True)
class Distillation:
    """Who teaches, and how."""

    teacher: Path
    """File of RT-2 weights."""
    temperature: float = 2.0
    """Of both distributions in the soft loss."""
    hard_weight: float = 0.5
    """Weight of the demonstrations' own tokens, 0 to 1; the teacher's distributions have the rest."""


class DistillationTrainer(Trainer):
    """Trains a student on what the teacher says of each frame, with the right plan before it."""

    def __init__(
        self,
        folder: Path,
        training: TrainingData,
        network: RT1,
        hyperparameters: Hyperparameters,
        about: Mapping[str, Any],
        distillation: Distillation,
    ) -> None:
        """Prepare; arguments as of `Trainer`.

        Raises:
            DistillationError: a student of several frames or another image size, or a teacher of another
                action convention.
            CheckpointError: weights of the teacher that cannot be used.
        """
        self._distillation = distillation
        model = load(distillation.teacher)
        _check(model, network, training, distillation.teacher)
        plain = replace(hyperparameters, keypoint_loss_weight=0.0, naming_loss_weight=0.0)
        options = {"temperature": distillation.temperature, "hard weight": distillation.hard_weight}
        super().__init__(folder, training, network, plain, {**about, **options})
        self.teacher_origin = model.origin
        """Where the teacher's weights come from."""
        self._teacher = model.network.eval().requires_grad_(requires_grad=False)
        self._teacher.to(self.accelerator.device)
        self._mixer = Mixer(
            training.data,
            None,
            speaker=Speaker(model.vocabulary, model.network.size.words),
            states=TorchTokenStates(model.network.size.instruction, training.data.instructions),
            vectors=SentenceEncoder(ORDERED),
        )

    def _loss(self, chosen: Windows) -> Tensor:
        hp = self._hp
        mine = chosen[self.accelerator.process_index :: self.accelerator.num_processes]
        mixture = Mixture(robot_share=1.0, without_plan=0.0)
        samples = self._mixer.batch(mine, 0, mixture, hp.augmentation, stream(hp.seed, *self._stream))
        pixels = self._resized(augment(self._on_device(samples.images)[:, None], samples.drawn))
        with torch.no_grad():
            taught = self._teacher.act(pixels[:, 0], *samples.acting(pixels.device))
        torch.manual_seed(entropy("dropout", hp.seed, *self._stream) >> 65)
        self._model.train()
        labels = torch.from_numpy(samples.labels).to(pixels.device)[:, None]
        found = self._model(pixels, self._texts[self._sampler.texts(mine)])
        valid = torch.ones(labels.shape[:2], dtype=torch.bool, device=pixels.device)
        self._meter.add(token_loss(found.detach(), labels, valid), found, labels, valid)
        return distillation_loss(
            found[:, 0].clamp(min=IMPOSSIBLE),
            taught.clamp(min=IMPOSSIBLE),
            labels[:, 0],
            temperature=self._distillation.temperature,
            hard_weight=self._distillation.hard_weight,
        )


def _check(model: Model, student: RT1, training: TrainingData, path: Path) -> None:
    size = student.size
    if size.frames != 1:
        raise DistillationError(
            f"size {size.name!r} sees {size.frames} frames, and RT-2 one; take --size small, which sees one."
        )
    if model.network.size.eyes.image != size.image:
        seen = " x ".join(map(str, model.network.size.eyes.image))
        raise DistillationError(f"{path} sees images of {seen} pixels; size {size.name!r} sees others.")
    if model.layout.convention != training.data.convention:
        raise DistillationError(
            f"{path} acts in the convention {model.layout.convention!r}; the demonstrations are in "
            f"{training.data.convention!r}."
        )
