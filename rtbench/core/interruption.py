"""Ctrl-C and SIGTERM: the first one counts, and those after it do not disturb what is cleaned up then."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any, Self

PATIENCE_S = 10.0
"""Seconds after the first signal in which others are ignored: an impatient user sends three. After that they
are handled again, for then something hangs."""

Handler = Callable[[int, FrameType | None], Any]


class FirstSignal:
    """Handles signals in a `with` statement; in any thread but the main one it does nothing."""

    def __init__(self, handlers: Mapping[int, Handler | None]) -> None:
        """Note handlers by signal, None for that of the code before; at the end those are put back."""
        self._handlers = handlers
        self._before: dict[int, Any] = {}
        self._came: float | None = None

    def __enter__(self) -> Self:
        # Python lets no other thread set handlers.
        if threading.current_thread() is threading.main_thread():
            for number in self._handlers:
                # What a shell starts in the background ignores Ctrl-C, and is to go on ignoring it. None: a
                # handler that is not Python's.
                if signal.getsignal(number) not in {signal.SIG_IGN, None}:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._came is not None and now - self._came < PATIENCE_S:
            return
        self._came = now
        handler = self._handlers[number] or self._before[number]
        if callable(handler):
            handler(number, frame)
        else:
            signal.default_int_handler(number, frame)
