"""The progress of a run: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from rtbench.core.terminal import VisibleConsole
from rtbench.core.text import visible

PLAIN_EVERY_S = 5.0
"""Seconds between plain lines."""


class Reporter(Protocol):
    """Receives the progress of a run."""

    def begin(self, total: int, done: int) -> None:
        """A run of `total` episodes of which `done` were there already."""
        ...

    def episode(self, success: bool | None) -> None:
        """An episode has ended; None for an error."""
        ...

    def say(self, text: str) -> None:
        """Something the user should read."""
        ...


class Silent:
    """Says nothing."""

    def begin(self, total: int, done: int) -> None:
        """Ignore it."""

    def episode(self, success: bool | None) -> None:
        """Ignore it."""

    def say(self, text: str) -> None:
        """Ignore it."""


class ProgressCount:
    """Counts of outcomes, rate of episodes, and time left."""

    def __init__(self) -> None:
        self.total = self.before = self.successes = self.failures = self.errors = 0
        self._start = time.monotonic()

    def begin(self, total: int, done: int) -> None:
        """Start the clock."""
        self.total, self.before, self._start = total, done, time.monotonic()

    def count(self, success: bool | None) -> None:
        """Count an episode."""
        self.errors += success is None
        self.successes += success is True
        self.failures += success is False

    @property
    def fresh(self) -> int:
        """Episodes played in this session."""
        return self.successes + self.failures + self.errors

    def line(self) -> str:
        """Such as '12/80 episodes, 11 of 12 succeeded, 1 error, 48.0 a minute, 1:25 left'."""
        elapsed = time.monotonic() - self._start
        rate = self.fresh / elapsed if elapsed > 0 else 0.0
        errors = f", {self.errors} error{'s' * (self.errors != 1)}" if self.errors else ""
        done = self.before + self.fresh
        text = f"{done}/{self.total} episodes, {self.successes} of {self.fresh} succeeded{errors}"
        if not self.fresh:
            return text
        speed = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
        return f"{text}, {speed}, {clock((self.total - done) / rate)} left"


class Display:
    """Shows the progress of a run on a console; use it in a `with` statement."""

    def __init__(self, console: VisibleConsole) -> None:
        self._console = console
        self._count = ProgressCount()
        self._printed_at = time.monotonic()
        self._printed = 0
        """Episodes of this session in the last plain line."""
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(*_bar_columns(), console=console, transient=True)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        elif self._count.fresh > self._printed:
            self._print_line()

    def begin(self, total: int, done: int) -> None:
        """Show the start, and how much was there already."""
        self._count.begin(total, done)
        if done:
            self.say(f"continuing: {done} of {total} episodes are done")
        if self._bar:
            self._bar.add_task("", total=total, completed=done)

    def episode(self, success: bool | None) -> None:
        """Count an episode and show it."""
        self._count.count(success)
        if self._bar:
            text = self._count.line().partition(", ")[2]
            self._bar.update(self._bar.task_ids[0], advance=1, description=text)
        elif time.monotonic() - self._printed_at >= PLAIN_EVERY_S:
            self._print_line()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(visible(text, lines=True), highlight=False, markup=False, soft_wrap=True)

    def _print_line(self) -> None:
        self._printed_at, self._printed = time.monotonic(), self._count.fresh
        self.say(self._count.line())


def _bar_columns() -> tuple[ProgressColumn, ...]:
    """What the bar shows. Where there is little room the bar itself gives way, not the numbers."""
    return (
        BarColumn(),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.description}"),
    )


@contextmanager
def shown(reporter: Reporter | None) -> Iterator[Reporter]:
    """The reporter; for None a display on stderr if that is a terminal or a notebook's, else silence."""
    if reporter is not None:
        yield reporter
    elif in_notebook():
        # A bar would need ipywidgets, so lines.
        with Display(VisibleConsole(stderr=True, force_jupyter=False, force_terminal=False)) as display:
            yield display
    elif sys.stderr.isatty():
        with Display(VisibleConsole(stderr=True)) as display:
            yield display
    else:
        yield Silent()


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def clock(seconds: float) -> str:
    """'1:25' or '2:03:00'."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
