"""Ctrl-C and SIGTERM end a training after the current step, not in the middle of it."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Records a first signal to stop; a second one stops at once. Use it in a `with` statement."""

    def __init__(self) -> None:
        self.requested = False
        """Whether a signal came."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Python lets no other thread set handlers.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
