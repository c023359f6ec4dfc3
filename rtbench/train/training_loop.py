"""The training loop, whatever is trained: steps, measurements, checkpoints, time limit and interruption.

One process or, by accelerate's launcher, many.
"""

from __future__ import annotations

import math
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.optim.swa_utils import AveragedModel

from rtbench.core.errors import RtbenchError
from rtbench.evaluation.progress import clock
from rtbench.train import resume
from rtbench.train.lr_schedule import Schedule, clean_gradients, set_lr
from rtbench.train.metrics import Meter, Score
from rtbench.train.metrics_log import Measurement, MetricsLog
from rtbench.train.signals import Interruption

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
    evaluator: Callable[[Any, int], tuple[int, int]] | None = None
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
class Trained:
    """What training changes, as accelerate has prepared it."""

    network: nn.Module
    """The network that is to be published."""
    model: nn.Module
    """The module that is trained: the network, or one around it."""
    ema: AveragedModel
    """The network with averaged weights."""
    optimizer: Optimizer
    """Of the model's weights."""


def accelerator(*, bf16: bool = False, unused: bool = False) -> Accelerator:
    """What computes: the GPU, or the CPU.

    Args:
        bf16: Whether a CPU computes in bfloat16 too, as a GPU does.
        unused: Whether some weights may have no gradient; without it, several processes wait for them.
    """
    # Of gradients of 1x1 kernels: their strides differ between memory formats, and their numbers lie alike.
    warnings.filterwarnings("ignore", "Grad strides do not match")
    # Without `cpu=True` on a machine without a GPU, accelerate lets each of several processes train
    # alone.
    return Accelerator(
        mixed_precision="bf16" if torch.cuda.is_available() or bf16 else "no",
        cpu=not torch.accelerator.is_available(),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=unused)],
    )


class TrainingLoop(ABC):
    """Trains in a folder, and continues what is there. What is trained, and how, is a subclass's."""

    accelerator: Accelerator
    """What computes; set before `_start`."""
    _folder: Path
    _schedule: Schedule
    _convention: str
    """Action convention of the labels, for the metrics."""
    _images_a_step: int
    """Images of a step, over all processes."""

    def _start(self, trained: Trained, settings: Mapping[str, Any]) -> None:
        """Read the state of an earlier session.

        Args:
            trained: What training changes.
            settings: Plain values that must be the same when it is continued.

        Raises:
            StateError: the folder has a state of another training.
        """
        self._network, self._model = trained.network, trained.model
        self._ema, self._optimizer = trained.ema, trained.optimizer
        self._meter = Meter(self.accelerator.device)
        model = self.accelerator.unwrap_model(trained.model)
        self._parts = resume.Parts(model, trained.ema, trained.optimizer, self._meter.sums)
        self._settings = dict(settings)
        self.step, self._seconds = 0, 0.0
        if found := resume.read(self._folder, self._settings):
            resume.restore(found, self._parts)
            self.step, self._seconds = found.step, found.seconds
        self._began = self._saved = self._said = time.monotonic()
        self._logged = (self._began, self.step)
        self._pause = self._last_step_s = self._evaluation_s = 0.0

    @abstractmethod
    def majority(self) -> Score:
        """Score of the most frequent training tokens, as a baseline."""

    @abstractmethod
    def validate(self) -> Score | None:
        """Score of the averaged weights on what is held back for validation; None where nothing is."""

    @abstractmethod
    def _batches(self) -> Iterator[Any]:
        """What each step takes, from the first step on, without end."""

    @abstractmethod
    def _loss(self, chosen: Any) -> Tensor:
        """The loss of a step, a scalar; its tokens are added to the meter."""

    def _validate_more(self, log: MetricsLog | None) -> Iterable[str]:  # noqa: ARG002 - of subclasses
        """Measure what else there is, into the log; gives lines for the user."""
        return ()

    def run(self, monitoring: Monitoring) -> Ending:
        """Train until all steps are done, or time is up; the state is saved then.

        Raises:
            TrainingError: the loss is not finite.
            StateError, MetricsLogError: the disk is full.
        """
        self._began = self._saved = self._said = time.monotonic()
        self._logged = (self._began, self.step)
        log = MetricsLog(self._folder, self._convention, step=self.step) if self._is_main else None
        if log and self.step == 0:
            log.write(Measurement(0, "majority", score=self.majority()))
        total = self._schedule.steps
        first = self.step
        # Dropout draws from torch's global generator, whose state is the caller's.
        with Interruption() as interruption, torch.random.fork_rng():
            for chosen in islice(self._batches(), self.step, total):
                if self._is_over(monitoring, interruption, first):
                    break
                self._timed_step(chosen)
                self._measure(monitoring, log)
            interrupted = interruption.requested
        self._save()
        if log:
            log.close()
        return Ending(self.step, self.step >= total, interrupted)

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def _timed_step(self, chosen: Any) -> None:
        began = time.monotonic()
        self._train_step(chosen)
        self.step += 1
        self._last_step_s = time.monotonic() - began

    def _train_step(self, chosen: Any) -> None:
        """One step of the optimizer."""
        self.accelerator.backward(self._loss(chosen))
        clean_gradients(self._model.parameters())
        if self._schedule.grad_clip:
            self.accelerator.clip_grad_norm_(self._model.parameters(), self._schedule.grad_clip)
        set_lr(self._optimizer, self._schedule.lr_at(self.step))
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._ema.update_parameters(self._network)

    @property
    def _stream(self) -> tuple[int, int]:
        """Step and process, on which random numbers depend besides the seed."""
        return self.step, self.accelerator.process_index

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.accelerator.device, non_blocking=True)

    def _measure(self, monitoring: Monitoring, log: MetricsLog | None) -> None:
        """Log, validate, evaluate and save, each when it is due."""
        last = self.step == self._schedule.steps
        if last or self.step % monitoring.log == 0:
            self._log(monitoring, log)
        began = time.monotonic()
        if last or self.step % monitoring.validate == 0:
            self._validate(monitoring, log)
        if monitoring.evaluator and monitoring.evaluate and (last or self.step % monitoring.evaluate == 0):
            self._evaluate(monitoring, log)
        if time.monotonic() - self._saved > monitoring.save_s:
            self._save()
        self._pause += time.monotonic() - began

    def _validate(self, monitoring: Monitoring, log: MetricsLog | None) -> None:
        if score := self.validate():
            self._write(log, Measurement(self.step, "validation", score=score))
            share = f"{score.mean:.1%} of tokens ({self.majority().mean:.1%} by the most frequent)"
            monitoring.say(f"  validation: loss {score.loss:.3f}, {share}")
        for line in self._validate_more(log):
            monitoring.say(f"  {line}")

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
        images = speed * self._images_a_step
        lr = self._schedule.lr_at(self.step - 1)
        found = Measurement(self.step, "training", score=score, learning_rate=lr, images_per_s=images)
        self._write(log, found)
        if now - self._said > 10 or since == self._began:
            self._said = now
            left = clock((self._schedule.steps - self.step) / speed)
            place = f"step {self.step}/{self._schedule.steps}"
            quality = f"loss {score.loss:.3f}, {score.mean:.1%} of tokens"
            monitoring.say(f"{place}: {quality}, {images:.0f} images/s, {left} left")
        self._logged, self._pause = (now, self.step), 0.0

    def _evaluate(self, monitoring: Monitoring, log: MetricsLog | None) -> None:
        in_time = time.monotonic() + self._evaluation_s < self._end(monitoring)
        if self._is_main and monitoring.evaluator and in_time:
            began = time.monotonic()
            successes, episodes = monitoring.evaluator(self._ema.module, self.step)
            self._evaluation_s = time.monotonic() - began
            share = successes / episodes if episodes else None
            self._write(log, Measurement(self.step, "play", success=share, episodes=episodes))
            monitoring.say(f"  closed loop: {successes} of {episodes} episodes succeeded")
        self.accelerator.wait_for_everyone()

    def _write(self, log: MetricsLog | None, found: Measurement) -> None:
        if log:
            images = self.step * self._images_a_step
            minutes = (self._seconds + time.monotonic() - self._began) / 60
            log.write(replace(found, images=images, minutes=minutes))

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
