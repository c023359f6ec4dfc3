"""The training loop of RT-1: one process or, by accelerate's launcher, many."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from rtbench.core.errors import RtbenchError
from rtbench.core.seeding import entropy, generator
from rtbench.evaluation.progress import clock
from rtbench.policy.rt1.image import resize
from rtbench.policy.rt1.loss import published_divisor, token_loss
from rtbench.policy.rt1.network import RT1
from rtbench.train import resume
from rtbench.train.augment import augment, draw, to_float
from rtbench.train.auxiliary_losses import Shift, auxiliary_loss, training_module
from rtbench.train.dataset import Batch, Dataset, Sampler
from rtbench.train.hyperparameters import Hyperparameters
from rtbench.train.keypoint_loss import KeypointNetwork, Outputs
from rtbench.train.lr_schedule import clean_gradients, make_optimizer, set_lr
from rtbench.train.metrics import Meter, Score, constant_score, majority
from rtbench.train.metrics_log import NAMING, Measurement, MetricsLog
from rtbench.train.moving_average import moving_average
from rtbench.train.naming_loss import Found
from rtbench.train.signals import Interruption
from rtbench.train.window_sampler import Order, Windows, batches, cut

VALIDATION_WINDOWS = 512
"""Windows of a validation at most."""
_RESERVE_S = 3.0
"""Seconds kept for writing the state and the weights after the last step."""
_SYNC_STEPS = 10
"""Steps after which several processes agree on whether to stop."""


class TrainingError(RtbenchError):
    """A training that cannot go on."""


@dataclass(frozen=True)
class Monitoring:
    """Time limit, and how often a training is measured and saved; none of it changes the weights."""

    minutes: float = math.inf
    """Time limit [min], with everything saved by then."""
    log: int = 20
    """Steps between two lines of training metrics."""
    validate: int = 200
    """Steps between two validations."""
    evaluate: int = 0
    """Steps between two closed-loop evaluations; 0 for none."""
    evaluator: Callable[[RT1, int], tuple[int, int]] | None = None
    """Evaluates a network after a number of steps; gives successes and episodes."""
    save_s: float = 60.0
    """Seconds between two times that the state is saved."""
    say: Callable[[str], None] = lambda _: None
    """Shows a line to the user."""


@dataclass(frozen=True)
class Ending:
    """State of a training at the end of a session."""

    step: int
    """Steps done in all sessions."""
    finished: bool
    """Whether all steps are done."""
    interrupted: bool
    """Whether Ctrl-C or SIGTERM ended the session."""


@dataclass(frozen=True)
class TrainingData:
    """Demonstrations with the vectors of their instructions."""

    data: Dataset
    """Demonstrations; with image tokens in place of pixels where the backbone is frozen."""
    texts: NDArray[np.float32]
    """float32[n, D]: the vector of each of the data's instructions."""
    names: NDArray[np.float32] | None = None
    """float32[V, D']: the vector of each name of the data's vocabulary; needed for the naming loss alone."""


class Trainer:
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
        cuda = torch.cuda.is_available()
        # The published network has weights that nothing uses; without this, several processes wait for them.
        unused = DistributedDataParallelKwargs(find_unused_parameters=network.size.action_embedding)
        # Without `cpu=True` on a machine without a GPU, accelerate lets each of several processes train
        # alone.
        self.accelerator = Accelerator(
            mixed_precision="bf16" if cuda or hp.bf16 else "no",
            cpu=not torch.accelerator.is_available(),
            kwargs_handlers=[unused],
        )
        device: torch.device = self.accelerator.device
        self._folder, self._hp, self._size = folder, hp, network.size
        self._data = _on_gpu(training.data, device)
        self._texts = torch.from_numpy(training.texts).to(device)
        self._sampler = Sampler(self._data, network.size.frames)
        self._validation = self._data.validation(hp.val_fraction)
        # On a CPU convolutions take up to a quarter less time so.
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._ema = AveragedModel(self._network, multi_avg_fn=moving_average(hp.ema_decay), use_buffers=True)
        model = training_module(self._network, hp, training.names).to(device)
        optimizer = make_optimizer(hp.schedule, model)
        self._model, self._optimizer = self.accelerator.prepare(model, optimizer)
        self._meter = Meter(device)
        self._parts = resume.Parts(model, self._ema, self._optimizer, self._meter.sums)
        self._settings = {**about, **hp.settings(), "data": training.data.fingerprint}
        self.step, self._seconds = 0, 0.0
        if found := resume.read(folder, self._settings):
            resume.restore(found, self._parts)
            self.step, self._seconds = found.step, found.seconds
        self._began = self._saved = self._said = time.monotonic()
        self._logged = (self._began, self.step)
        self._pause = self._last_step_s = self._evaluation_s = 0.0

    @property
    def ema_network(self) -> RT1:
        """The network with averaged weights, which is to be published."""
        return cast("RT1", self._ema.module)

    def run(self, monitoring: Monitoring) -> Ending:
        """Train until all steps are done, or time is up; the state is saved then.

        Raises:
            TrainingError: the loss is not finite.
            StateError, MetricsLogError: the disk is full.
        """
        self._began = self._saved = self._said = time.monotonic()
        self._logged = (self._began, self.step)
        log = MetricsLog(self._folder, self._data.convention, step=self.step) if self._is_main else None
        if log and self.step == 0:
            log.write(Measurement(0, "majority", score=self.majority()))
        total = self._hp.schedule.steps
        first = self.step
        # Dropout draws from torch's global generator, whose state is the caller's.
        with Interruption() as interruption, torch.random.fork_rng():
            for windows in islice(self._batches(), self.step, total):
                if self._is_over(monitoring, interruption, first):
                    break
                self._timed_step(windows)
                self._measure(monitoring, log)
            interrupted = interruption.requested
        self._save()
        if log:
            log.close()
        return Ending(self.step, self.step >= total, interrupted)

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
                images = self._on_device(batch.images)
                if self._hp.freeze_backbone:
                    logits = network.logits(images.float())
                else:
                    logits = network(self._resized(to_float(images)), self._texts[batch.texts])
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
                images = self._resized(to_float(self._on_device(batch.images)))
                scores = model(images, self._texts[batch.texts]).names
                if batch.seen is not None:
                    found.add(scores, batch.seen.to(scores.device))
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

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def _batches(self) -> Any:
        chosen = np.flatnonzero(~self._validation)
        order = Order(self._size.frames, self._hp.batch, self._hp.seed, self._hp.balance)
        return batches(chosen, self._data.lengths[chosen], self._data.skills()[chosen], order)

    def _timed_step(self, windows: Windows) -> None:
        began = time.monotonic()
        self._train_step(windows)
        self.step += 1
        self._last_step_s = time.monotonic() - began

    def _train_step(self, windows: Windows) -> None:
        """One step of the optimizer on a batch."""
        schedule = self._hp.schedule
        batch = self._sampler.batch(windows[self.accelerator.process_index :: self.accelerator.num_processes])
        self.accelerator.backward(self._loss(batch))
        clean_gradients(self._model.parameters())
        if schedule.grad_clip:
            self.accelerator.clip_grad_norm_(self._model.parameters(), schedule.grad_clip)
        set_lr(self._optimizer, schedule.lr_at(self.step))
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._ema.update_parameters(self._network)

    def _loss(self, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar; its tokens are added to the meter."""
        hp = self._hp
        labels, valid = self._on_device(batch.labels), self._on_device(batch.valid)
        torch.manual_seed(entropy("dropout", hp.seed, *self._stream) >> 65)
        self._model.train()
        logits, auxiliary = self._forward(batch)
        smoothing, rps = hp.label_smoothing_bins, hp.rps_weight
        loss = token_loss(logits, labels, valid, label_smoothing_bins=smoothing, rps_weight=rps)
        # Losses of smoothed targets cannot be compared; the reported loss is cross-entropy in any case.
        reported = token_loss(logits.detach(), labels, valid) if smoothing or rps else loss
        self._meter.add(reported, logits, labels, valid)
        if hp.published_loss_scale:
            loss = loss / published_divisor(hp.batch, self._size.frames, self._size.tokens)
        return loss + auxiliary

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Logits for a batch, and the weighted keypoint and naming losses."""
        hp, images = self._hp, self._on_device(batch.images)
        if hp.freeze_backbone:
            return self._model(images.float()), 0.0
        _, _, height, width, _ = images.shape
        random = generator("augmentation", hp.seed, *self._stream)
        drawn = draw(hp.augmentation, len(images), height, width, random)
        output = self._model(self._resized(augment(images, drawn)), self._texts[batch.texts])
        if not isinstance(output, Outputs):
            return output, 0.0
        shift = Shift(drawn, images.shape[1], height, width)
        return output.logits, auxiliary_loss(output, batch.to(self.accelerator.device), shift, hp)

    @property
    def _stream(self) -> tuple[int, int]:
        """Step and process, on which random numbers depend besides the seed."""
        return self.step, self.accelerator.process_index

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.accelerator.device, non_blocking=True)

    def _resized(self, images: Tensor) -> Tensor:
        """Images float32[B, T, 3, h, w] in the network's size, as they are resized in an episode."""
        if images.shape[-2:] == self._size.image:
            return images
        flat = resize(images.flatten(0, 1), self._size.image, published=self._size.published)
        return flat.view(*images.shape[:3], *self._size.image)

    def _measure(self, monitoring: Monitoring, log: MetricsLog | None) -> None:
        """Log, validate, evaluate and save, each when it is due."""
        last = self.step == self._hp.schedule.steps
        if last or self.step % monitoring.log == 0:
            self._log(monitoring, log)
        began = time.monotonic()
        if (last or self.step % monitoring.validate == 0) and (score := self.validate()):
            self._write(log, Measurement(self.step, "validation", score=score))
            share = f"{score.mean:.1%} of tokens ({self.majority().mean:.1%} by the most frequent)"
            monitoring.say(f"  validation: loss {score.loss:.3f}, {share}")
            if found := self.where_is():
                self._write_naming(found, log)
                monitoring.say(f"  {found}")
        if monitoring.evaluator and monitoring.evaluate and (last or self.step % monitoring.evaluate == 0):
            self._evaluate(monitoring, log)
        if time.monotonic() - self._saved > monitoring.save_s:
            self._save()
        self._pause += time.monotonic() - began

    def _log(self, monitoring: Monitoring, log: MetricsLog | None) -> None:
        score = self._meter.score(self.accelerator.reduce(self._meter.sums.clone()))
        self._meter.sums.zero_()
        if score is None or score.loss is None or not math.isfinite(score.loss):
            raise TrainingError(
                f"the loss is {score and score.loss} after step {self.step}; "
                "lower --lr, or give --grad-clip 1."
            )
        now = time.monotonic()
        since, before = self._logged
        speed = (self.step - before) / max(now - since - self._pause, 1e-9)
        images = speed * self._hp.batch * self._size.frames
        lr = self._hp.schedule.lr_at(self.step - 1)
        found = Measurement(self.step, "training", score=score, learning_rate=lr, images_per_s=images)
        self._write(log, found)
        if now - self._said > 10 or since == self._began:
            self._said = now
            left = clock((self._hp.schedule.steps - self.step) / speed)
            place = f"step {self.step}/{self._hp.schedule.steps}"
            quality = f"loss {score.loss:.3f}, {score.mean:.1%} of tokens"
            monitoring.say(f"{place}: {quality}, {images:.0f} images/s, {left} left")
        self._logged, self._pause = (now, self.step), 0.0

    def _evaluate(self, monitoring: Monitoring, log: MetricsLog | None) -> None:
        in_time = time.monotonic() + self._evaluation_s < self._end(monitoring)
        if self._is_main and monitoring.evaluator and in_time:
            began = time.monotonic()
            successes, episodes = monitoring.evaluator(self.ema_network, self.step)
            self._evaluation_s = time.monotonic() - began
            share = successes / episodes if episodes else None
            self._write(log, Measurement(self.step, "play", success=share, episodes=episodes))
            monitoring.say(f"  closed loop: {successes} of {episodes} episodes succeeded")
        self.accelerator.wait_for_everyone()

    def _write(self, log: MetricsLog | None, found: Measurement) -> None:
        if log:
            images = self.step * self._hp.batch * self._size.frames
            minutes = (self._seconds + time.monotonic() - self._began) / 60
            log.write(replace(found, images=images, minutes=minutes))

    def _write_naming(self, found: Found, log: MetricsLog | None) -> None:
        """One line for all things, and one for each kind."""
        self._write(log, Measurement(self.step, NAMING, found=found.share()))
        for kind, asked in found.asked.items():
            share = found.right[kind] / asked
            self._write(log, Measurement(self.step, f"{NAMING}/{kind}", found=share))

    def _save(self) -> None:
        self._saved = now = time.monotonic()
        if self._is_main:
            seconds = self._seconds + now - self._began
            resume.write(self._folder, self._parts, self._settings, step=self.step, seconds=seconds)

    def _end(self, monitoring: Monitoring) -> float:
        return self._began + 60 * monitoring.minutes - _RESERVE_S

    def _is_over(self, monitoring: Monitoring, interruption: Interruption, first: int) -> bool:
        """Whether to stop before the next step; at least one is done in each session."""
        out_of_time = time.monotonic() + 2 * self._last_step_s > self._end(monitoring)
        over = interruption.requested or (self.step > first and out_of_time)
        if self.accelerator.num_processes == 1:
            return over
        if self.step % _SYNC_STEPS:
            return False
        return bool(self.accelerator.reduce(torch.tensor(float(over), device=self.accelerator.device)) > 0)


def _on_gpu(data: Dataset, device: torch.device) -> Dataset:
    """The data on the GPU, if they fill less than half of its free memory."""
    if device.type != "cuda" or data.frames.numel() > torch.cuda.mem_get_info(device)[0] / 2:
        return data
    return data.to(device)
