"""Runs the command line in this process."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from rtbench.cli import run_command


@dataclass(frozen=True)
class Said:
    """What a command printed, and what it exited with."""

    code: int
    out: str
    err: str


def rtbench(*arguments) -> Said:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["rtbench", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run_command()
        except SystemExit as leave:
            code = int(leave.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def width(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)
