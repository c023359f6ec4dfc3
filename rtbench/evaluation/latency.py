"""Simulated time: the control period, and the thinking time that a policy is charged.

Time is counted in ticks of 1/240 s, the simulator's step, so that budgets are exact integers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rtbench.core.errors import ContentError

TICKS_PER_SECOND = 240
HORIZON_HZ = 3
"""`Episode.horizon` counts steps of this rate [Hz], whatever rate the run is played at."""
OPTION = "--latency"


@dataclass(frozen=True)
class Latency:
    """Thinking time of each decision, during which the world goes on with the last command."""

    milliseconds: tuple[float, ...] = ()
    """Cycled over the decisions of an episode, starting anew in each; empty: the world waits."""
    measured: bool = False
    """Each decision is charged the time that the call of the policy took, the way to a server included."""
    recorded: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Key of an episode -> what its decisions took [ms], of a measured run that is played again."""

    def ticks(self, decision: int) -> int:
        """Ticks charged to the decision of that number (from 0) before it is asked for, rounded up."""
        return _ticks(self.milliseconds[decision % len(self.milliseconds)]) if self.milliseconds else 0

    def measured_ticks(self, seconds: float) -> int:
        """Ticks charged to a decision that took so long; 0 where what it takes is not charged."""
        return _ticks(milliseconds(seconds)) if self.measured else 0

    def of(self, episode: str) -> Latency:
        """The latency of the episode of that key."""
        return Latency(self.recorded[episode]) if episode in self.recorded else self

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read 'none', 'measured', a number of milliseconds, or the path of a recorded trace.

        A trace is a JSON list of milliseconds, or text with one number a line and '#' comments.

        Raises:
            ContentError: neither, or a value that is not a number of at least 0.
        """
        if text == "none":
            return cls()
        if text == "measured":
            return cls(measured=True)
        try:
            values: list[object] = [float(text)]
        except ValueError:
            return cls(_checked(text, _read_trace(Path(text))))
        return cls(_checked(OPTION, values))


NO_LATENCY = Latency()


def milliseconds(seconds: float) -> float:
    """A time as it is recorded [ms]: charged is what the record says, so that it can be played again."""
    return round(1000 * seconds, 3)


def _ticks(charged_ms: float) -> int:
    # 1000/3 ms must be 80 ticks, not 81 by the last bit of a float.
    return math.ceil(charged_ms * TICKS_PER_SECOND / 1000 - 1e-9)


@dataclass(frozen=True)
class Pace:
    """How simulated time passes in an episode."""

    latency: Latency = NO_LATENCY
    """Thinking time charged before each action takes effect."""
    control_hz: int = 3
    """Control rate [Hz]; divides 240."""

    def __post_init__(self) -> None:
        """Refuse rates at which a control step is no whole number of ticks."""
        if self.control_hz < 1 or TICKS_PER_SECOND % self.control_hz:
            rates = ", ".join(str(r) for r in range(1, 61) if TICKS_PER_SECOND % r == 0)
            raise ContentError("--control-hz", str(self.control_hz), f"must divide 240; such as {rates}.")

    @property
    def period(self) -> int:
        """Ticks of one control step."""
        return TICKS_PER_SECOND // self.control_hz

    def again(self, taken: Iterable[tuple[str, tuple[float, ...]]]) -> Pace:
        """The pace at which episodes are played again, of their keys and what their decisions took [ms]."""
        if not self.latency.measured:
            return self
        return replace(self, latency=Latency(recorded=dict(taken)))

    @staticmethod
    def budget(horizon: int) -> int:
        """Ticks that an episode of that horizon may last: a slow policy gets fewer decisions in them."""
        return horizon * TICKS_PER_SECOND // HORIZON_HZ


REAL_TIME = Pace()
"""3 Hz, and a world that waits while the policy thinks."""


def _read_trace(path: Path) -> list[object]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        reason = "expected 'none', 'measured', milliseconds, or the path of a file with a list of them."
        raise ContentError(OPTION, str(path), reason) from None
    if not text.lstrip().startswith("["):
        return [word for line in text.splitlines() for word in line.split("#")[0].split()]
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ContentError(path, f"line {error.lineno}", f"not valid JSON: {error.msg}.") from None
    return list(values)


def _checked(place: str, values: list[object]) -> tuple[float, ...]:
    checked = []
    for number, value in enumerate(values):
        try:
            ms = float(value) if isinstance(value, str | int | float) else math.nan
        except ValueError:
            ms = math.nan
        if not 0 <= ms < math.inf:
            reason = f"{value!r} is no number of milliseconds of at least 0."
            raise ContentError(place, f"value {number + 1}", reason)
        checked.append(ms)
    if not checked:
        raise ContentError(place, "", "holds no numbers; use 'none' for no latency.")
    return tuple(checked)
