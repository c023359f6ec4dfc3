"""The one thread in which all of a policy's code runs, with a time limit for each call.

Libraries bind state to a thread: gradient modes, event loops, devices. So a policy is imported, made and
called in the same one. A call that hangs cannot be killed; its thread is left behind, and the next call gets
a new one.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from rtbench.core.text import text_of

R = TypeVar("R")


class OverdueError(Exception):
    """A call took longer than its limit; not a TimeoutError, which the called code may raise itself."""


class PolicyExitError(Exception):
    """The policy raised what is meant to end a program: SystemExit, KeyboardInterrupt or the like."""

    def __init__(self, error: BaseException) -> None:
        if isinstance(error, SystemExit):
            said = f"called sys.exit({text_of(error.code, repr)})"
        else:
            said = f"raised {text_of(error, repr)}"
        super().__init__(f"the policy {said}; only rtbench ends a run")


class PolicyThread:
    """Runs calls one after another in a thread of its own, and gives up on those that take too long."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None
        self._adopted: tuple[contextvars.Context, bool] | None = None

    def adopt(self) -> None:
        """Take over the caller's context variables and PyTorch's gradient mode, for a policy made there."""
        torch = sys.modules.get("torch")
        self._adopted = (contextvars.copy_context(), torch is None or bool(torch.is_grad_enabled()))

    def call(self, function: Callable[[], R], limit_s: float | None = None) -> R:
        """The function's value; whatever it raises is raised here.

        Args:
            function: What to call.
            limit_s: Seconds that it may take; None for as long as it likes.

        Raises:
            OverdueError: it took more than `limit_s` seconds.
            PolicyExitError: it raised what is no `Exception`. Ctrl-C of the user is raised as it is.
        """
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(
                target=_serve, args=(self._calls, self._adopted), name="policy", daemon=True
            ).start()
        box: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self._calls.put(lambda: box.put(_attempt(function)))
        try:
            fine, value = box.get(timeout=limit_s)
        except queue.Empty:
            self.close()
            raise OverdueError(f"no answer within {limit_s:g} s") from None
        if not fine:
            raise value if isinstance(value, Exception) else PolicyExitError(value) from value
        result: R = value
        return result

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(
    calls: queue.SimpleQueue[Callable[[], None] | None], adopted: tuple[contextvars.Context, bool] | None
) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        if adopted is None:
            _work(calls)
        else:
            context, gradients = adopted
            if not gradients and (torch := sys.modules.get("torch")):
                torch.set_grad_enabled(False)
            # A copy, for a thread that was left behind may still be in the first.
            context.copy().run(_work, calls)
    finally:
        with suppress(RuntimeError):  # a policy that left it running
            loop.close()


def _work(calls: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()


def _attempt(function: Callable[[], R]) -> tuple[bool, R | BaseException]:
    try:
        return True, function()
    except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, SystemExit too
        return False, error
