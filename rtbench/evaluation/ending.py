"""How a run ends before its time: stopped by the user, without workers, without its policy, or by errors."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rtbench.core.errors import Exit, RunError
from rtbench.core.interruption import FirstSignal

CONTINUES = "the same command continues the run."


class InterruptedRunError(RunError):
    """The user stopped the run with Ctrl-C."""

    exit_code = Exit.INTERRUPTED


class TerminatedRunError(InterruptedRunError):
    """SIGTERM stopped the run: the scheduler of a cluster sends it when the time is up."""

    exit_code = Exit.TERMINATED


class NoWorkersError(RunError):
    """Workers die, or hang, before they can play."""

    exit_code = Exit.NO_WORKERS


class LostPolicyError(RunError):
    """The policy's server is gone, and does not come back."""

    exit_code = Exit.TOO_MANY_ERRORS


class TooManyErrorsError(RunError):
    """So many episodes were errors that the rest would tell nothing."""

    exit_code = Exit.TOO_MANY_ERRORS


class _Terminated(KeyboardInterrupt):
    """What SIGTERM raises."""


@contextmanager
def stoppable(done: Callable[[], str]) -> Iterator[None]:
    """Make Ctrl-C and SIGTERM errors of the run; `done` says how far it has come, such as '3 of 9 episodes'.

    Raises:
        InterruptedRunError: Ctrl-C.
        TerminatedRunError: SIGTERM.
    """
    # Ctrl-C goes on to the handler before, which raises.
    with FirstSignal({signal.SIGINT: None, signal.SIGTERM: _raise_terminated}):
        try:
            yield
        except _Terminated:
            raise TerminatedRunError(f"stopped by SIGTERM after {done()}; {CONTINUES}") from None
        except KeyboardInterrupt:
            raise InterruptedRunError(f"interrupted after {done()}; {CONTINUES}") from None


def _raise_terminated(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated
