"""The training loop of RT-1: one process or, by accelerate's launcher, many."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.optim.swa_utils import AveragedModel

from rtbench.core.errors import RtbenchError
from rtbench.core.seeding import entropy, generator
from rtbench.evaluation.progress import clock
from rtbench.policy.rt1.loss import token_loss
from rtbench.policy.rt1.network import RT1
from rtbench.train import resume
from rtbench.train.augment import augment, draw, moved, plain
from rtbench.train.dataset import Batch, Dataset, Sampler
from rtbench.train.frozen_backbone import Decider
from rtbench.train.hyperparameters import Recipe
from rtbench.train.keypoint_loss import Pointer, place_loss, pointing_loss
from rtbench.train.lr_schedule import clean_gradients, make_optimizer, set_rate
from rtbench.train.metrics import Meter, Score, guess, majority
from rtbench.train.metrics_log import Journal, Measurement
from rtbench.train.signals import Interruption
from rtbench.train.window_sampler import Order, Windows, batches, cut

VALIDATION_WINDOWS = 512
"""Windows of a validation at most."""
_RESERVE_S = 3.0
"""Seconds for what comes after the last step: the state and the weights are written."""
_AGREE = 10
"""Steps between two moments at which several processes agree whether to stop."""


class TrainingError(RtbenchError):
    """A training that cannot go on."""


@dataclass(frozen=True)
class Watch:
    """What is looked at and when; it has no influence on the weights."""

    minutes: float = math.inf
    """Stop in time for everything to be saved by then."""
    log: int = 20
    """Steps between two lines on the batches."""
    validate: int = 200
    """Steps between two validations."""
    play: int = 0
    """Steps between two closed-loop evaluations; 0 for none."""
    player: Callable[[RT1, int], tuple[int, int]] | None = None
    """Plays with a network after so many steps: successes and episodes."""
    save_s: float = 60.0
    """Seconds between two times that the state is saved."""
    say: Callable[[str], None] = lambda _: None
    """Shows a line to the user."""


@dataclass(frozen=True)
class Ending:
    """How a session of training ended."""

    step: int
    """Steps done in all sessions."""
    finished: bool
    """Whether these are all."""
    interrupted: bool
    """Whether by Ctrl-C or SIGTERM."""


@dataclass(frozen=True)
class Lessons:
    """What is trained on."""

    data: Dataset
    """Demonstrations; with image tokens in place of pixels where the recipe is frozen."""
    texts: NDArray[np.float32]
    """float32[n, D]: the vector of each of the data's instructions."""


class Trainer:
    """Trains a network in a folder, and continues what is there."""

    def __init__(
        self, folder: Path, lessons: Lessons, network: RT1, recipe: Recipe, about: Mapping[str, Any]
    ) -> None:
        """Prepare, and read the state that is there.

        Args:
            folder: Where state and metrics are kept; exists.
            lessons: What to learn.
            network: With fresh weights, or those to begin with.
            recipe: How.
            about: Plain values that must be the same when it is continued, besides data and recipe.

        Raises:
            StateError: the folder has a state of another training.
        """
        cuda = torch.cuda.is_available()
        # The published network has weights that nothing uses; without this, several processes wait for them.
        unused = DistributedDataParallelKwargs(find_unused_parameters=network.size.action_embedding)
        # Not told that there is only the CPU, accelerate lets each of several processes train alone.
        self.accelerator = Accelerator(
            mixed_precision="bf16" if cuda or recipe.bf16 else "no",
            cpu=not torch.accelerator.is_available(),
            kwargs_handlers=[unused],
        )
        device: torch.device = self.accelerator.device
        self._folder, self._recipe, self._size = folder, recipe, network.size
        self._data = _placed(lessons.data, device)
        self._texts = torch.from_numpy(lessons.texts).to(device)
        self._sampler = Sampler(self._data, network.size.frames)
        self._held = self._data.held_back(recipe.held_back)
        # On a CPU convolutions take up to a quarter less time so.
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self._network, multi_avg_fn=_averaging(recipe.average), use_buffers=True)
        pupil = _pupil(self._network, recipe).to(device)
        optimizer = make_optimizer(recipe.schedule, pupil)
        self._model, self._optimizer = self.accelerator.prepare(pupil, optimizer)
        self._meter = Meter(device)
        self._parts = resume.Parts(pupil, self.average, self._optimizer, self._meter.sums)
        self._settings = {**about, **recipe.settings(), "data": lessons.data.fingerprint}
        self.step, self._seconds = 0, 0.0
        if found := resume.read(folder, self._settings):
            resume.restore(found, self._parts)
            self.step, self._seconds = found.step, found.seconds
        self._began = self._saved = self._said = time.monotonic()
        self._logged = (self._began, self.step)
        self._pause = self._last = self._playing = 0.0

    @property
    def smoothed(self) -> RT1:
        """The network with averaged weights: what is to be kept."""
        return cast("RT1", self.average.module)

    def run(self, watch: Watch) -> Ending:
        """Train until all steps are done, or time is up; the state is saved then.

        Raises:
            TrainingError: the loss is no number any more.
            StateError, JournalError: the disk is full.
        """
        self._began = self._saved = self._said = time.monotonic()
        self._logged = (self._began, self.step)
        journal = Journal(self._folder, self._data.convention, step=self.step) if self._is_main else None
        if journal and self.step == 0:
            journal.write(Measurement(0, "majority", score=self.majority()))
        total = self._recipe.schedule.steps
        first = self.step
        # Dropout draws from torch's own generator, which is not ours to leave changed.
        with Interruption() as interruption, torch.random.fork_rng():
            for windows in islice(self._batches(), self.step, total):
                if self._is_over(watch, interruption, first):
                    break
                self._timed_step(windows)
                self._look(watch, journal)
            interrupted = interruption.asked
        self._save()
        if journal:
            journal.close()
        return Ending(self.step, self.step >= total, interrupted)

    def majority(self) -> Score:
        """What the likeliest tokens of training score on validation's labels, or on their own without any."""
        held = torch.from_numpy(np.repeat(self._held, self._data.lengths))
        labels = self._data.labels.cpu()
        trained = labels[~held].numpy()
        return guess(majority(trained), labels[held].numpy() if held.any() else trained)

    def validate(self) -> Score | None:
        """Score of the averaged weights on demonstrations held back; None where there are none."""
        demos = np.flatnonzero(self._held)
        windows = cut(demos, self._data.lengths[demos], self._size.frames, np.zeros_like(demos))
        if len(windows) > VALIDATION_WINDOWS:
            windows = windows[np.linspace(0, len(windows) - 1, VALIDATION_WINDOWS).round().astype(int)]
        mine = windows[self.accelerator.process_index :: self.accelerator.num_processes]
        meter = Meter(self.accelerator.device)
        network = self.smoothed.eval()
        with torch.no_grad():
            for start in range(0, len(mine), self._recipe.batch):
                batch = self._sampler.batch(mine[start : start + self._recipe.batch])
                labels, valid = self._on_device(batch.labels), self._on_device(batch.valid)
                shown = self._on_device(batch.images)
                if self._recipe.frozen:
                    logits = network.logits(shown.float())
                else:
                    logits = network(self._resized(plain(shown)), self._texts[batch.texts])
                meter.add(token_loss(logits, labels, valid), logits, labels, valid)
        return meter.score(self.accelerator.reduce(meter.sums))

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def _batches(self) -> Any:
        chosen = np.flatnonzero(~self._held)
        order = Order(self._size.frames, self._recipe.batch, self._recipe.seed, self._recipe.balance)
        return batches(chosen, self._data.lengths[chosen], self._data.skills()[chosen], order)

    def _timed_step(self, windows: Windows) -> None:
        began = time.monotonic()
        self._learn(windows)
        self.step += 1
        self._last = time.monotonic() - began

    def _learn(self, windows: Windows) -> None:
        """One step of the optimizer on a batch."""
        schedule = self._recipe.schedule
        batch = self._sampler.batch(windows[self.accelerator.process_index :: self.accelerator.num_processes])
        self.accelerator.backward(self._loss(batch))
        clean_gradients(self._model.parameters())
        if schedule.clip:
            self.accelerator.clip_grad_norm_(self._model.parameters(), schedule.clip)
        set_rate(self._optimizer, schedule.rate_at(self.step))
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.average.update_parameters(self._network)

    def _loss(self, batch: Batch) -> Tensor:
        """What is learnt from a batch, a scalar; its tokens are metered."""
        recipe = self._recipe
        labels, valid = self._on_device(batch.labels), self._on_device(batch.valid)
        torch.manual_seed(entropy("dropout", recipe.seed, *self._where) >> 65)
        self._model.train()
        logits, beside = self._answer(batch)
        loss = token_loss(logits, labels, valid, spread=recipe.spread, distance=recipe.distance)
        # Smoothed targets have a loss of their own; what is reported is the same everywhere.
        graded = recipe.spread or recipe.distance
        told = token_loss(logits.detach(), labels, valid) if graded else loss
        self._meter.add(told, logits, labels, valid)
        return loss + beside

    def _answer(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Logits for a batch, and the loss of what is learnt beside actions."""
        recipe, images = self._recipe, self._on_device(batch.images)
        if recipe.frozen:
            return self._model(images.float()), 0.0
        _, _, height, width, _ = images.shape
        random = generator("augmentation", recipe.seed, *self._where)
        drawn = draw(recipe.augmentation, len(images), height, width, random)
        answer = self._model(self._resized(augment(images, drawn)), self._texts[batch.texts])
        if not recipe.pointing:
            return answer, 0.0
        points, hand, valid = map(self._on_device, (batch.points, batch.hand, batch.valid))
        logits, cells, said = answer
        points = moved(points, drawn, height, width)
        there = pointing_loss(cells, points, valid) + place_loss(said, hand, points, valid)
        return logits, recipe.pointing * there

    @property
    def _where(self) -> tuple[int, int]:
        """What the step's random numbers depend on besides the seed."""
        return self.step, self.accelerator.process_index

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.accelerator.device, non_blocking=True)

    def _resized(self, images: Tensor) -> Tensor:
        """Images float32[B, T, 3, h, w] in the network's size, as `rtbench.policy.rt1.image` makes them."""
        if images.shape[-2:] == self._size.image:
            return images
        smaller = all(now <= was for now, was in zip(self._size.image, images.shape[-2:], strict=True))
        flat = F.interpolate(images.flatten(0, 1), self._size.image, mode="area" if smaller else "bilinear")
        return flat.view(*images.shape[:3], *self._size.image)

    def _look(self, watch: Watch, journal: Journal | None) -> None:
        """Measure, save and play, each when it is due."""
        last = self.step == self._recipe.schedule.steps
        if last or self.step % watch.log == 0:
            self._log(watch, journal)
        began = time.monotonic()
        if (last or self.step % watch.validate == 0) and (score := self.validate()):
            self._note(journal, Measurement(self.step, "validation", score=score))
            guessed = self.majority().mean
            share = f"{score.mean:.1%} of tokens ({guessed:.1%} by guessing the likeliest)"
            watch.say(f"  held back: loss {score.loss:.3f}, {share}")
        if watch.player and watch.play and (last or self.step % watch.play == 0):
            self._play(watch, journal)
        if time.monotonic() - self._saved > watch.save_s:
            self._save()
        self._pause += time.monotonic() - began

    def _log(self, watch: Watch, journal: Journal | None) -> None:
        score = self._meter.score(self.accelerator.reduce(self._meter.sums.clone()))
        self._meter.sums.zero_()
        if score is None or score.loss is None or not math.isfinite(score.loss):
            raise TrainingError(
                f"the loss is {score and score.loss} after step {self.step}; lower --rate, or give --clip 1."
            )
        now = time.monotonic()
        since, before = self._logged
        speed = (self.step - before) / max(now - since - self._pause, 1e-9)
        images = speed * self._recipe.batch * self._size.frames
        rate = self._recipe.schedule.rate_at(self.step - 1)
        found = Measurement(self.step, "training", score=score, learning_rate=rate, images_per_s=images)
        self._note(journal, found)
        if now - self._said > 10 or since == self._began:
            self._said = now
            left = clock((self._recipe.schedule.steps - self.step) / speed)
            place = f"step {self.step}/{self._recipe.schedule.steps}"
            quality = f"loss {score.loss:.3f}, {score.mean:.1%} of tokens"
            watch.say(f"{place}: {quality}, {images:.0f} images/s, {left} left")
        self._logged, self._pause = (now, self.step), 0.0

    def _play(self, watch: Watch, journal: Journal | None) -> None:
        if self._is_main and watch.player and time.monotonic() + self._playing < self._end(watch):
            began = time.monotonic()
            successes, episodes = watch.player(self.smoothed, self.step)
            self._playing = time.monotonic() - began
            share = successes / episodes if episodes else None
            self._note(journal, Measurement(self.step, "play", success=share, episodes=episodes))
            watch.say(f"  played: {successes} of {episodes} episodes succeeded")
        self.accelerator.wait_for_everyone()

    def _note(self, journal: Journal | None, found: Measurement) -> None:
        if journal:
            images = self.step * self._recipe.batch * self._size.frames
            minutes = (self._seconds + time.monotonic() - self._began) / 60
            journal.write(replace(found, images=images, minutes=minutes))

    def _save(self) -> None:
        self._saved = now = time.monotonic()
        if self._is_main:
            seconds = self._seconds + now - self._began
            resume.write(self._folder, self._parts, self._settings, step=self.step, seconds=seconds)

    def _end(self, watch: Watch) -> float:
        return self._began + 60 * watch.minutes - _RESERVE_S

    def _is_over(self, watch: Watch, interruption: Interruption, first: int) -> bool:
        """Whether to stop before the next step; at least one is done in each session."""
        out_of_time = time.monotonic() + 2 * self._last > self._end(watch)
        over = interruption.asked or (self.step > first and out_of_time)
        if self.accelerator.num_processes == 1:
            return over
        if self.step % _AGREE:
            return False
        return bool(self.accelerator.reduce(torch.tensor(float(over), device=self.accelerator.device)) > 0)


def _pupil(network: RT1, recipe: Recipe) -> nn.Module:
    """What is trained: the network, or a module around it."""
    if recipe.frozen:
        return Decider(network)
    return Pointer(network) if recipe.pointing else network


def _placed(data: Dataset, device: torch.device) -> Dataset:
    """The data on the GPU where they fill less than half of what is free there."""
    if device.type != "cuda" or data.frames.numel() > torch.cuda.mem_get_info(device)[0] / 2:
        return data
    return data.to(device)


def _averaging(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average that begins with a mean over few steps, so that it starts fast."""

    @torch.no_grad()
    def update(kept: tuple[Tensor, ...], new: tuple[Tensor, ...], count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        for old, fresh in zip(kept, new, strict=True):
            if old.is_floating_point():
                old.lerp_(fresh, share)
            else:
                old.copy_(fresh)

    return update
