"""Command lines at random: of every command, from the declared types of its parameters, and from beside them.

The seed is fixed. `RTBENCH_FUZZ=20` plays as many more, which `make fuzz` does.
"""

from __future__ import annotations

import enum
import shlex
import signal
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import typer

from rtbench.cli.app import app
from rtbench.core.errors import Exit, RtbenchError
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench
from tests.integration.test_fuzz import MOST_S, TIMES

COUNT = 500
STOPPED = (
    "rtbench.cli.commands.bench.measure",
    "rtbench.data.collect.play",
    "rtbench.data.redraw.redraw",
    "rtbench.data.vqa.make.make",
    "rtbench.env.diagnostics.examine",
    "rtbench.evaluation.conformance.probe.probe",
    "rtbench.evaluation.engine.play",
    "rtbench.evaluation.scaling.measure",
    "rtbench.evaluation.serving.serve.serve_forever",
    "rtbench.task.audit.checks.inspect",
)
"""Where the work of a command begins. It is left out: what is asked is what arguments do."""
NUMBERS = (
    "0", "1", "2", "-1", "0.5", "1.5", "1e-300", "1e300", "nan", "inf", "-inf", "9" * 400, "5000000000",
    "0x10", "1_0", " 1", "x",
)  # fmt: skip
TEXTS = (
    "seen", "novel", "oracle", "noop", "rt1", "panda_omron", "pick", "suites", "tasks", "5pp", "50%",
    "-5pp", "none", "128x160", "0x0", "1x1", "99999x99999", "all", "fail", "2", "a", "b",
    "remote:ws://127.0.0.1:9", "remote:", "a=1", "=", "a=[[", "key=" + "[" * 5000, "seen:2", "sen", "--",
    "-", " ", "\udcff", "\x1b[2J", "\u202e", "a\nb", "x" * 5000, "../..", "./pol.py:P", "os:system", "{}",
    "%s", "1,2,4", ",", "",
)  # fmt: skip
PATHS = (
    "a",
    "b",
    "missing",
    "folder",
    "file.txt",
    "file.txt/below",
    "/dev/null",
    "new/er/file",
    "\udcff",
    "-",
    " ",
)
CODES = {Exit.OK, Exit.USAGE, Exit.REGRESSION, Exit.INCONCLUSIVE, Exit.NOT_COMPARABLE, Exit.TOO_MANY_ERRORS}


class WorkError(RtbenchError):
    """The command would begin its work."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    for name, child in (below or {}).items():
        yield from commands(child, (*path, name))


def value(param: Any, draw: np.random.Generator) -> str:
    """A value of the parameter's declared type, or one of another."""
    kind = param.type_descriptor.annotation
    if draw.random() < 0.1:
        return str(draw.choice([*TEXTS, *NUMBERS]))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return str(draw.choice([str(member) for member in kind]))
    if kind in (int, float):
        limits = [str(limit) for limit in (param.min, param.max) if limit is not None]
        return str(draw.choice([*NUMBERS, *3 * limits]))
    if "Path" in str(kind) or param.metavar in {"RUN", "DIR", "FILE"}:
        return str(draw.choice(PATHS))
    return str(draw.choice(TEXTS))


def line(path: tuple[str, ...], command: Any, draw: np.random.Generator) -> list[str]:
    """One command line: what must be given mostly is, and of the rest some."""
    words: list[str] = list(path)
    for param in command.params:
        if draw.random() >= (0.9 if param.required or param.param_type_name == "argument" else 0.15):
            continue
        names = [*param.opts, *param.secondary_opts]
        name = [] if param.param_type_name == "argument" else [str(draw.choice(names))]
        words += name if getattr(param, "is_flag", False) else [*name, value(param, draw)]
    return words


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with two runs, another folder and a file, in which commands are given."""
    for name in ("a", "b"):
        records = synthetic.rated(synthetic.episodes(5), 0.5)
        synthetic.write(tmp_path / "runs", records, policy=name).rename(tmp_path / name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_text("text\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_arguments_are_used_or_refused_in_a_sentence(place, monkeypatch):
    for name in STOPPED:
        monkeypatch.setattr(name, mock.Mock(side_effect=WorkError("here the work begins")))

    def overdue(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGPROF, overdue)  # of processor time
    built = typer.main.get_command(app)
    monkeypatch.setattr("rtbench.cli.app.app", built)  # else each line builds all commands anew
    found = list(commands(built))
    draw, failed = np.random.default_rng(11), []
    for number in range(COUNT * TIMES):
        words = line(*found[number % len(found)], draw)
        signal.setitimer(signal.ITIMER_PROF, MOST_S)
        try:
            said = rtbench(*words)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        shown = f"rtbench {shlex.join(words)[:500]}\n{said.err[-2000:]}"
        quiet = said.code != Exit.USAGE or said.err
        if said.code not in CODES or "Traceback" in said.err or not quiet:
            failed.append(shown)
    assert not failed, "\n\n".join(failed)
