"""The process of a command: its output streams, its reaction to Ctrl-C, and its exit code.

Exit codes are verdicts, and libraries would exit with 1, a regression's code, where a pipe is closed. So a
stream here raises an error of ours, which nobody but `rtbench.cli.main` catches.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from types import FrameType
from typing import IO, Any, NoReturn

from rtbench.core import early_interrupt
from rtbench.core.errors import Exit
from rtbench.core.interruption import FirstSignal


class OutputError(Exception):
    """Standard output cannot be written; no OSError, for libraries catch those."""

    def __init__(self, error: OSError) -> None:
        self.closed = error.errno == errno.EPIPE
        """Whether who read it has gone, as `head` does."""
        super().__init__(f"standard output cannot be written: {error.strerror}.")

    @property
    def exit_code(self) -> Exit:
        """The shell's code for a closed pipe, else one of its own."""
        return Exit.BROKEN_PIPE if self.closed else Exit.OUTPUT


class _Output(io.FileIO):
    """A copy of standard output's descriptor, so that a policy may close that one."""

    def write(self, data: Any) -> int:
        """Write bytes, or raise an `OutputError`; what comes after one is dropped."""
        try:
            return super().write(data)
        except OSError as error:
            _drop(self.fileno())
            raise OutputError(error) from None


class _Messages(io.FileIO):
    """A copy of standard error's descriptor. Where it cannot be written, the exit code has to do."""

    def write(self, data: Any) -> int:
        """Write bytes; drop them where that fails."""
        try:
            return super().write(data)
        except OSError:
            return len(data)


class _Text(io.TextIOWrapper):
    """Text that is written to the end of the process, though a policy closes `sys.stdout`."""

    def close(self) -> None:
        """Flush only."""
        self.flush()


def open_streams() -> None:
    """Put streams of ours in the place of `sys.stdout` and `sys.stderr`."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file that is opened would get its number, and what others print.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _text(_Output(os.dup(1), "w"), sys.stdout)
    sys.stderr = _text(_Messages(os.dup(2), "w"), sys.stderr)


def flush() -> Exit | None:
    """Write what is still in the buffers; the exit code where that fails."""
    sys.stderr.flush()
    try:
        sys.stdout.flush()
    except OutputError as error:
        return report(error)
    return None


def report(error: OutputError) -> Exit:
    """Say why standard output failed, unless a reader had enough; gives the exit code."""
    if not error.closed:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
    return error.exit_code


def interruptible() -> FirstSignal:
    """For a `with` statement in which Ctrl-C raises KeyboardInterrupt once, and never shows a traceback."""
    sys.unraisablehook = _unraisable
    return FirstSignal({signal.SIGINT: _interrupt})


def leave(code: int) -> NoReturn:
    """End at once. Other threads may be within libraries, which do not survive Python's own ending."""
    failed = flush()
    os._exit(failed or code)


def came_from(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an exception was raised because of one of a kind."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _text(raw: io.FileIO, before: IO[str] | None) -> _Text:
    encoding = getattr(before, "encoding", None) or "utf-8"
    # Names of files need not be UTF-8, and not every terminal can show what a table holds.
    return _Text(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=raw.isatty())


def _drop(descriptor: int) -> None:
    """Let whatever is still written to it go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor, inheritable=False)
    os.close(nowhere)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not within an import, whose code may take it for an error of its own."""
    if _interrupt_raised or _importing(frame):
        early_interrupt.leave()
    _interrupt_raised.append(number)
    raise KeyboardInterrupt


_interrupt_raised: list[int] = []
"""Not empty after the first Ctrl-C."""


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


def _unraisable(unraisable: Any) -> None:
    """Python drops a KeyboardInterrupt that comes in a destructor, and shows a traceback."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        early_interrupt.leave()
    sys.__unraisablehook__(unraisable)
