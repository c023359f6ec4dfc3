"""Where an environment runs: in a process of rtbench's interpreter."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lerobot_env_rtbench import wire

VARIABLE = "RTBENCH_PYTHON"
"""Environment variable that names an interpreter which has rtbench."""
WORKER = Path(__file__).with_name("worker.py")


class RtbenchError(RuntimeError):
    """What rtbench says; a sentence."""


def interpreter() -> str:
    """The interpreter that has rtbench: the one named, or this one.

    Raises:
        RtbenchError: neither has it.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return named
    if importlib.util.find_spec("rtbench") is None:
        raise RtbenchError(
            f"rtbench is not installed beside LeRobot; install it here, or let {VARIABLE} name an "
            "interpreter that has it."
        )
    return sys.executable


class Backend:
    """One environment of rtbench, in a process of its own.

    A process of its own also where rtbench is installed here: it chooses its OpenGL back end before MuJoCo is
    imported, which LeRobot may have done.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """Start it.

        Args:
            settings: Fields of `rtbench.evaluation.stepwise.StepwiseSettings`.

        Raises:
            RtbenchError: rtbench cannot be started, or does not know a name.
        """
        python = interpreter()
        environ = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
        try:
            self._process = subprocess.Popen(
                [python, str(WORKER), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environ,
            )
        except OSError as error:
            raise RtbenchError(f"{VARIABLE}={python}: {error.strerror or error}.") from None
        self._to: Any = self._process.stdin
        self._from: Any = self._process.stdout
        self.about, _ = self._receive()

    def ask(
        self, do: str, arrays: dict[str, np.ndarray] | None = None, **told: Any
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Let it do something, and wait for the answer.

        Raises:
            RtbenchError: rtbench refuses, or its process is gone.
        """
        try:
            wire.send(self._to, {"do": do, **told}, arrays)
        except OSError:
            raise self._gone() from None
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._to.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()

    def _receive(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        try:
            message, arrays = wire.receive(self._from)
        except EOFError:
            raise self._gone() from None
        if "error" in message:
            raise RtbenchError(message["error"])
        return message, arrays

    def _gone(self) -> RtbenchError:
        code = self._process.wait()
        return RtbenchError(f"rtbench's process ended with code {code}; what it said stands above.")
