"""Training of RT-1 by `TrainingLoop`: its batches, its losses, and how it is validated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from rtbench.core.seeding import entropy, generator
from rtbench.policy.rt1.image import resize
from rtbench.policy.rt1.loss import published_divisor, token_loss
from rtbench.policy.rt1.network import RT1
from rtbench.train.augment import NO_AUGMENTATION, augment, draw, to_float
from rtbench.train.auxiliary_losses import Shift, auxiliary_loss, training_module
from rtbench.train.dataset import Batch, Dataset, Sampler
from rtbench.train.frozen_stages import maps_of
from rtbench.train.hyperparameters import Hyperparameters
from rtbench.train.image_token_targets import image_token_loss
from rtbench.train.keypoint_loss import KeypointNetwork, Outputs
from rtbench.train.lr_schedule import make_optimizer
from rtbench.train.metrics import Meter, Score, constant_score, majority
from rtbench.train.metrics_log import IMAGE_TOKENS, NAMING, Measurement, MetricsLog
from rtbench.train.moving_average import moving_average
from rtbench.train.naming_loss import Found
from rtbench.train.told_plans import ToldPlans
from rtbench.train.training_loop import Trained, TrainingLoop, accelerator
from rtbench.train.window_sampler import Order, Windows, batches, cut

VALIDATION_WINDOWS = 512
"""Windows of a validation at most."""


@dataclass(frozen=True)
class TrainingData:
    """Demonstrations with the vectors of their instructions."""

    data: Dataset
    """Demonstrations; in place of pixels with image tokens where the backbone is frozen, and with maps where
    its first stages are."""
    texts: NDArray[np.float32]
    """float32[n, D]: the vector of each of the data's instructions; then of each text of `plans`, if any."""
    names: NDArray[np.float32] | None = None
    """float32[V, D']: the vector of each name of the data's vocabulary; needed for the naming loss alone."""
    plans: ToldPlans | None = None
    """Plans that the network is told in place of instructions; needed where some windows have plans."""


class Trainer(TrainingLoop):
    """Trains a network in a folder, and continues what is there."""

    def __init__(
        self,
        folder: Path,
        training: TrainingData,
        network: RT1,
        hyperparameters: Hyperparameters,
        about: Mapping[str, Any],
    ) -> None:
        """Prepare, and read the state of an earlier session.

        Args:
            folder: Folder of state and metrics; exists.
            training: The data.
            network: With fresh weights, or those to begin with.
            hyperparameters: All settings that decide the weights.
            about: Plain values that must be the same when it is continued, besides data and hyperparameters.

        Raises:
            StateError: the folder has a state of another training.
        """
        hp = hyperparameters
        # The published network has weights that nothing uses, and so has one that is told no places.
        unused = network.size.action_embedding or (network.size.places > 0 and training.plans is None)
        self.accelerator = accelerator(bf16=hp.bf16, unused=unused)
        device: torch.device = self.accelerator.device
        self._folder, self._hp, self._size = folder, hp, network.size
        self._data = _on_gpu(training.data, device)
        self._texts = torch.from_numpy(training.texts).to(device)
        self._plans = training.plans
        self._sampler = Sampler(self._data, network.size.frames)
        self._validation = self._data.validation(hp.val_fraction)
        # On a CPU convolutions take up to a quarter less time so.
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        ema = AveragedModel(network, multi_avg_fn=moving_average(hp.ema_decay), use_buffers=True)
        model = training_module(network, hp, training.names).to(device)
        model, optimizer = self.accelerator.prepare(model, make_optimizer(hp.schedule, model))
        self._schedule, self._convention = hp.schedule, self._data.convention
        self._images_a_step = hp.batch * network.size.frames
        settings = {**about, **hp.settings(), "data": training.data.fingerprint}
        self._start(Trained(network, model, ema, optimizer), settings)

    @property
    def ema_network(self) -> RT1:
        """The network with averaged weights, which is to be published."""
        return cast("RT1", self._ema.module)

    def majority(self) -> Score:
        """Score of the most frequent training tokens on the validation's labels, or on training's if none."""
        validation = torch.from_numpy(np.repeat(self._validation, self._data.lengths))
        labels = self._data.labels.cpu()
        trained = labels[~validation].numpy()
        return constant_score(majority(trained), labels[validation].numpy() if validation.any() else trained)

    def validate(self) -> Score | None:
        """Score of the averaged weights on the validation demonstrations; None where there are none."""
        meter = Meter(self.accelerator.device)
        network = self.ema_network.eval()
        with torch.no_grad():
            for batch in self._validation_batches():
                labels, valid = self._on_device(batch.labels), self._on_device(batch.valid)
                if self._hp.freeze_backbone:
                    logits = network.logits(self._on_device(batch.images).float())
                else:
                    logits = network(self._seen(batch), self._texts[batch.texts])
                meter.add(token_loss(logits, labels, valid), logits, labels, valid)
        return meter.score(self.accelerator.reduce(meter.sums))

    def where_is(self) -> Found | None:
        """Answers to "where is NAME" on the validation demonstrations, of this process and its last weights.

        None without a naming loss, or where nothing is named in them.
        """
        model = self.accelerator.unwrap_model(self._model)
        if not isinstance(model, KeypointNetwork) or model.naming is None or self._data.seen is None:
            return None
        found = Found(self._data.seen.vocabulary)
        model.eval()
        with torch.no_grad():
            for batch in self._validation_batches():
                names = model(self._seen(batch), self._texts[batch.texts]).names
                if batch.seen is not None:
                    found.add(names.scores, batch.seen.to(names.scores.device))
        return found if found.asked else None

    def _validation_batches(self) -> Iterator[Batch]:
        """This process's share of the validation windows."""
        demos = np.flatnonzero(self._validation)
        windows = cut(demos, self._data.lengths[demos], self._size.frames, np.zeros_like(demos))
        if len(windows) > VALIDATION_WINDOWS:
            windows = windows[np.linspace(0, len(windows) - 1, VALIDATION_WINDOWS).round().astype(int)]
        mine = windows[self.accelerator.process_index :: self.accelerator.num_processes]
        for start in range(0, len(mine), self._hp.batch):
            yield self._sampler.batch(mine[start : start + self._hp.batch])

    def _batches(self) -> Any:
        chosen = np.flatnonzero(~self._validation)
        order = Order(self._size.frames, self._hp.batch, self._hp.seed, self._hp.balance)
        return batches(chosen, self._data.lengths[chosen], self._data.skills()[chosen], order)

    def _loss(self, chosen: Windows) -> Tensor:
        """The loss of a batch of windows, a scalar; its tokens are added to the meter."""
        hp = self._hp
        mine = chosen[self.accelerator.process_index :: self.accelerator.num_processes]
        batch = self._sampler.batch(mine)
        labels, valid = self._on_device(batch.labels), self._on_device(batch.valid)
        torch.manual_seed(entropy("dropout", hp.seed, *self._stream) >> 65)
        self._model.train()
        logits, auxiliary = self._forward(batch, mine)
        smoothing, rps = hp.label_smoothing_bins, hp.rps_weight
        loss = token_loss(logits, labels, valid, label_smoothing_bins=smoothing, rps_weight=rps)
        # Losses of smoothed targets cannot be compared; the reported loss is cross-entropy in any case.
        reported = token_loss(logits.detach(), labels, valid) if smoothing or rps else loss
        self._meter.add(reported, logits, labels, valid)
        if hp.published_loss_scale:
            loss = loss / published_divisor(hp.batch, self._size.frames, self._size.tokens)
        return loss + auxiliary

    def _forward(self, batch: Batch, windows: Windows) -> tuple[Tensor, Tensor | float]:
        """Logits for the batch of some windows, and the weighted keypoint and naming losses."""
        hp, images = self._hp, self._on_device(batch.images)
        if hp.freeze_backbone:
            return self._model(images.float()), 0.0
        _, _, height, width, _ = images.shape
        random = generator("augmentation", hp.seed, *self._stream)
        how = NO_AUGMENTATION if hp.freeze_stages else hp.augmentation
        drawn = draw(how, len(images), height, width, random)
        text, places = self._told(batch, windows)
        seen = maps_of(images) if hp.freeze_stages else self._resized(augment(images, drawn))
        output = self._model(seen, text, places)
        if not isinstance(output, Outputs):
            return output, 0.0
        shift = Shift(drawn, images.shape[1], height, width)
        return output.logits, auxiliary_loss(output, batch.to(self.accelerator.device), shift, hp)

    def _told(self, batch: Batch, windows: Windows) -> tuple[Tensor, Tensor | None]:
        """What the network is told: vectors float32[B, D], and places float32[B, 2, 2] where it can be."""
        if self._plans is None:
            return self._texts[batch.texts], None
        random = generator("told plans", self._hp.seed, *self._stream)
        told = random.random(len(windows)) < self._hp.plan_share
        numbers, places = self._plans.draw(windows[:, 0], random)
        numbers += len(self._texts) - len(self._plans.texts)
        places[~told] = np.nan
        return self._texts[np.where(told, numbers, batch.texts)], self._on_device(torch.from_numpy(places))

    def _seen(self, batch: Batch) -> Tensor:
        """What the backbone is given: images float32[B, T, 3, h, w] as they are, or maps of frozen stages."""
        images = self._on_device(batch.images)
        return maps_of(images) if self._hp.freeze_stages else self._resized(to_float(images))

    def _resized(self, images: Tensor) -> Tensor:
        """Images float32[B, T, 3, h, w] in the network's size, as they are resized in an episode."""
        if images.shape[-2:] == self._size.image:
            return images
        flat = resize(images.flatten(0, 1), self._size.image, published=self._size.published)
        return flat.view(*images.shape[:3], *self._size.image)

    def _validate_more(self, log: MetricsLog | None) -> Iterable[str]:
        """Answers to "where is NAME", and what of the teacher's image tokens is explained."""
        if found := self.where_is():
            self._write_naming(found, log)
            yield str(found)
        if (explained := self.explained()) is not None:
            self._write(log, Measurement(self.step, IMAGE_TOKENS, found=explained))
            yield f"image tokens: {explained:.1%} of the variance explained"

    def explained(self) -> float | None:
        """Share of the variance of the targets that the averaged weights explain, of this process's part.

        On the validation demonstrations; None where nothing is held back or there are no targets.
        """
        if self._data.targets is None or not self._validation.any():
            return None
        network, losses = self.ema_network.eval(), []
        with torch.no_grad():
            for batch in self._validation_batches():
                images, targets = self._seen(batch), self._on_device(cast("Tensor", batch.targets))
                told = self._texts[batch.texts].repeat_interleave(images.shape[1], dim=0)
                tokens = network.image_tokens(images.flatten(0, 1), told).view_as(targets)
                losses.append(image_token_loss(tokens, targets, self._on_device(batch.valid)).item())
        return 1 - float(np.mean(losses)) if losses else None

    def _write_naming(self, found: Found, log: MetricsLog | None) -> None:
        """One line for all things, and one for each kind."""
        self._write(log, Measurement(self.step, NAMING, found=found.share()))
        for kind, asked in found.asked.items():
            share = found.right[kind] / asked
            self._write(log, Measurement(self.step, f"{NAMING}/{kind}", found=share))


def _on_gpu(data: Dataset, device: torch.device) -> Dataset:
    """The data on the GPU, if they fill less than half of its free memory."""
    if device.type != "cuda" or data.frames.numel() > torch.cuda.mem_get_info(device)[0] / 2:
        return data
    return data.to(device)
