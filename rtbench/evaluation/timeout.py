"""Calls with a time limit, for code that may hang and cannot be killed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

R = TypeVar("R")


class OverdueError(Exception):
    """A call took longer than its limit; not a TimeoutError, which the called code may raise itself."""


class Watchdog:
    """Runs calls one after another in a thread of its own, and gives up on those that take too long.

    The thread is kept between calls, for libraries that bind their state to a thread. A call that timed out
    goes on in its abandoned thread, for Python can kill none; the next call gets a new one.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None

    def call(self, function: Callable[[], R], limit_s: float) -> R:
        """The function's value; whatever it raises is raised here.

        Raises:
            OverdueError: it took more than `limit_s` seconds.
        """
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name="policy", daemon=True).start()
        box: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self._calls.put(lambda: box.put(_attempt(function)))
        try:
            fine, value = box.get(timeout=limit_s)
        except queue.Empty:
            self.close()
            raise OverdueError(f"no answer within {limit_s:g} s") from None
        if not fine:
            raise value
        result: R = value
        return result

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(calls: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()


def _attempt(function: Callable[[], R]) -> tuple[bool, R | BaseException]:
    try:
        return True, function()
    except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, SystemExit too
        return False, error
