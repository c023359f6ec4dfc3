"""Chains of commands that make weights from nothing, and go on where they were killed.

A chain is a list of steps, each a command of rtbench that itself goes on where it was killed. A step that is
done is left out, so that the same command continues the chain at any time.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import Exit, RtbenchError
from rtbench.core.interruption import FirstSignal

DONE = "done.json"
"""File of the steps that are done, with their commands."""


class RecipeError(RtbenchError):
    """A parameter that cannot be used, or a step that failed."""


class StoppedError(RecipeError):
    """A signal stopped the chain."""

    def __init__(self, text: str, code: int) -> None:
        """With the exit code that says so."""
        super().__init__(text)
        self.exit_code = Exit(code)


class Parameters(Protocol):
    """Parameters of a chain: a dataclass of texts and numbers, all with defaults."""

    @property
    def folder(self) -> str:
        """Folder of all files."""
        ...


How = TypeVar("How", bound=Parameters)
How_contra = TypeVar("How_contra", bound=Parameters, contravariant=True)


def read(kind: type[How], prefix: str, environment: Mapping[str, str]) -> How:
    """The parameters that an environment names.

    Args:
        kind: Their dataclass.
        prefix: Parameters are variables of their names in capitals, after this.
        environment: The variables.

    Raises:
        RecipeError: no number where one is needed, or one that is too small; or an unknown parameter.
    """
    known = {prefix + entry.name.upper(): entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(prefix):
            if name not in known:
                raise RecipeError(f"{name}: no parameter; allowed {', '.join(known)}.")
            given[known[name]] = _value(name, text, getattr(kind, known[name]))
    return kind(**given)


def _value(name: str, text: str, default: str | float) -> str | float:
    """A parameter of the type of its default."""
    if isinstance(default, str):
        return text
    try:
        value = type(default)(text)
    except ValueError:
        raise RecipeError(f"{name} is {text!r}; give a number.") from None
    least = 0 if default == 0 else 1
    if isinstance(value, int) and value < least:
        raise RecipeError(f"{name} is {text}; allowed {least} or more.")
    if not 0 <= value < math.inf:
        raise RecipeError(f"{name} is {text}; allowed 0 or more.")
    return value


@dataclass(frozen=True)
class Step:
    """A command of the chain."""

    name: str
    """What it makes."""
    command: tuple[str, ...]
    """Arguments of `rtbench`."""
    processes: int = 1
    """Processes of one training that start together."""
    without: tuple[str, ...] = field(default=())
    """Arguments that change no result, so that a finished step stays finished with others."""


def run(
    chain: Sequence[Step], folder: Path, call: Callable[[Sequence[str]], int], say: Callable[[str], None]
) -> None:
    """Run the steps that are not done.

    Args:
        chain: All steps.
        folder: Folder of the file of finished steps; made if it is missing.
        call: Runs a command and returns its exit code.
        say: Shows a line to the user.

    Raises:
        RecipeError: a step failed, or was done with another command; names both.
        StoppedError: a signal stopped a step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DONE
    done = _done(path)
    for number, step in enumerate(chain, 1):
        place, command = f"{number}/{len(chain)} {step.name}", list(step.command)
        if (before := done.get(step.name)) is not None:
            if before != command:
                raise RecipeError(
                    f"{path}: {step.name} was made by `rtbench {' '.join(before)}`, now it is `rtbench "
                    f"{' '.join(command)}`; give the same parameters, or another folder."
                )
            say(f"{place}: done")
            continue
        say(f"{place}: rtbench {' '.join((*command, *step.without))}")
        if code := call(_argv(step)):
            if code in (Exit.INTERRUPTED, Exit.TERMINATED):
                raise StoppedError(f"{step.name} was stopped; the same command goes on with it.", code)
            raise RecipeError(f"{step.name} ended with exit code {code}; the same command goes on with it.")
        # Another chain of the same folder, such as another arm, may have ended a step meanwhile.
        done = {**_done(path), step.name: command}
        with atomic_write(path) as beside:
            beside.write_text(json.dumps(done, indent=1), "utf-8")


def _done(path: Path) -> dict[str, list[str]]:
    """Commands of the steps that are done, by name."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def on_cores(processes: int) -> tuple[str, ...]:
    """Options of a training by so many processes: one thread each, where there are several."""
    return ("--threads", "1") if processes > 1 else ()


def precision(bf16: int) -> tuple[str, ...]:
    """Options of a training that computes in bfloat16, or not."""
    return ("--bf16",) if bf16 else ()


def _argv(step: Step) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(step.processes)]
    many = launcher if step.processes > 1 else []
    return [sys.executable, *many, "-m", "rtbench", *step.command, *step.without]


class Steps(Protocol[How_contra]):
    """Makes the steps of a chain."""

    def __call__(self, how: How_contra, *, cores: int, gpu: bool) -> Sequence[Step]:
        """All steps, in their order, for a machine of so many cores, with or without a GPU."""
        ...


class Commands:
    """Runs commands one after the other; a signal is passed on to the one that runs, and ends the chain."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Commands with these variables."""
        self._environment = environment
        self._running: subprocess.Popen[bytes] | None = None
        self._signal: int | None = None

    def __call__(self, argv: Sequence[str]) -> int:
        """The exit code of a command, or 128 and the signal that stopped it or came before."""
        code = 0
        if self._signal is None:
            with subprocess.Popen(argv, env=self._environment) as self._running:
                if self._signal is not None:  # it came while the command was started
                    self._running.send_signal(self._signal)
                code = self._running.wait()
        return code if self._signal is None else 128 + self._signal

    def stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as handlers are called
        """Handle a signal. The command ends in its own way: a training publishes its weights first."""
        self._signal = number
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(number)


def play(kind: type[How], prefix: str, steps: Steps[How]) -> int:
    """Run a chain with the parameters of the environment; the exit code."""
    import torch

    gpu = torch.cuda.is_available()
    # Processes of one training would each take all cores.
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    try:
        how = read(kind, prefix, os.environ)
        chain = steps(how, cores=os.cpu_count() or 1, gpu=gpu)
        commands = Commands(environment)
        with FirstSignal({signal.SIGINT: commands.stop, signal.SIGTERM: commands.stop}):
            run(chain, Path(how.folder), commands, _say)
    except StoppedError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except RtbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
