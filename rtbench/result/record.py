"""Records of episodes: one JSON line each, appended and on the disk before the next begins to count.

A line holds ``schema``, ``key``, ``episode`` (the fields of `Episode`), ``outcome`` (those of `Outcome`) or
``error`` (those of `Fault`), ``convention``, ``tokens`` (base64 of one byte a token, 11 a step), ``hashes``
(8 hex digits of the state hash after each step, joined), ``final_hash``, ``fingerprint``, ``times`` in
milliseconds, ``simulated_s``, ``true_at_reset``, ``video``; of a policy that predicts numbers ``report``; of
one that states plans ``plans`` (those of `StatedPlan`). NaN never occurs.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE
from rtbench.core.episode import HASH_DIGITS, Episode, EpisodeResult, Outcome
from rtbench.core.errors import RunError
from rtbench.core.fault import Fault
from rtbench.core.stated_plan import StatedPlan
from rtbench.result.jsonl import SCHEMA, Reading, check, check_range, read_lines


@dataclass(frozen=True)
class Times:
    """Wall times of an episode [ms]."""

    reset: float = 0.0
    """The reset."""
    policy: tuple[float, ...] = ()
    """Each decision in the policy; slots decided in one batch each have the batch's time."""
    env: tuple[float, ...] = ()
    """Each step in the environment, rendering included."""
    loop: tuple[float, ...] = ()
    """Each turn of the closed loop, waiting for the policy's other slots included."""
    slots: tuple[int, ...] = ()
    """Slots that each decision's call of the policy answered [1]; empty in runs of before 0.3.0."""


@dataclass(frozen=True)
class Record:
    """What is kept of an episode."""

    episode: Episode
    """The episode."""
    convention: str
    """Action convention of the tokens."""
    outcome: Outcome | None = None
    """What the simulator said; None after an error."""
    error: Fault | None = None
    """Why there is no outcome."""
    tokens: bytes = b""
    """One byte a token, 11 a step; after an error, those acted before it."""
    hashes: str = ""
    """8 hex digits of the state hash after each step, joined."""
    final_hash: str = ""
    """Hash of the full state at the end; '' after an error."""
    fingerprint: dict[str, str] = field(default_factory=dict)
    """Hashes of the settled state and of the first frame."""
    times: Times = Times()
    """Wall times."""
    simulated_s: float = 0.0
    """Simulated time used [s]."""
    true_at_reset: bool = False
    """The goal was true before anything was done."""
    video: str | None = None
    """Name of the video file."""
    report: dict[str, Any] = field(default_factory=dict)
    """What the policy says of the episode, such as numbers that were clipped; in the line only where there is
    any. See `rtbench.policy.continuous.policy.MappedPolicy.episode_report`."""
    plans: tuple[StatedPlan, ...] = ()
    """Plans that the policy stated, each once, from the step on at which it did."""

    @property
    def key(self) -> str:
        """The episode's key."""
        return self.episode.key

    @property
    def token_rows(self) -> NDArray[np.int64]:
        """Tokens int64[steps, 11], in the order of the convention."""
        return np.frombuffer(self.tokens, dtype=np.uint8).astype(np.int64).reshape(-1, SIZE)

    @property
    def step_hashes(self) -> tuple[str, ...]:
        """State hash after each step, first 8 hex digits."""
        return tuple(self.hashes[i : i + HASH_DIGITS] for i in range(0, len(self.hashes), HASH_DIGITS))

    def line(self) -> bytes:
        """The record as one line of JSON, newline included."""
        data = {
            "schema": SCHEMA,
            "key": self.key,
            **asdict(self),
            "tokens": base64.b64encode(self.tokens).decode(),
        }
        if not self.report:
            del data["report"]
        if not self.plans:
            del data["plans"]
        if self.outcome and not self.outcome.rules:
            del data["outcome"]["rules"]
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return text.encode() + b"\n"


def of_result(episode: Episode, convention: str, result: EpisodeResult, video: str | None) -> Record:
    """The record of a finished episode."""
    trace = result.trace
    return Record(
        episode=episode,
        convention=convention,
        outcome=result.outcome,
        tokens=np.array(trace.tokens, dtype=np.uint8).tobytes(),
        hashes="".join(trace.hashes),
        final_hash=result.final_hash,
        fingerprint=result.fingerprint,
        times=Times(
            _ms([trace.reset_s])[0],
            _ms(trace.policy_s),
            _ms(trace.env_s),
            _ms(trace.loop_s),
            tuple(trace.slots),
        ),
        simulated_s=round(result.simulated_s, 6),
        true_at_reset=result.true_at_reset,
        video=video,
    )


def of_fault(episode: Episode, convention: str, fault: Fault, tokens: list[list[int]]) -> Record:
    """The record of an episode that is an error."""
    # A broken policy may have acted on numbers that are no bytes; those stand in the fault's message.
    rows = [row for row in tokens if len(row) == SIZE and all(0 <= t < 256 for t in row)]
    return Record(episode, convention, error=fault, tokens=bytes(t for row in rows for t in row))


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A record as it is written."""

    schema: int
    key: str
    episode: Episode
    convention: str
    outcome: Outcome | None
    error: Fault | None
    tokens: bytes
    hashes: str
    final_hash: str
    fingerprint: dict[str, str]
    times: Times
    simulated_s: float
    true_at_reset: bool
    video: str | None
    report: dict[str, Any] = msgspec.field(default_factory=dict)
    plans: tuple[StatedPlan, ...] = ()


_FIELDS = tuple(field.name for field in fields(Record))
_HEX = re.compile(rf"(?:[0-9a-f]{{{HASH_DIGITS}}})*")
_DECODER = msgspec.json.Decoder(_Line)


def read_records(path: Path) -> Reading[Record]:
    """Read `episodes.jsonl`; changes nothing.

    Raises:
        RunError: no such file, or a line that is damaged (other than a last one cut off).
        SchemaError: another schema.
    """
    return read_lines(path, _parse)


def repair(path: Path) -> Reading[Record]:
    """Read `episodes.jsonl` and make it fit to be appended to.

    A last line cut off is moved to the side file `episodes.jsonl.cut`; a lost newline is added.
    """
    reading = read_records(path)
    try:
        if reading.cut:
            side = path.with_name(path.name + ".cut")
            with side.open("ab") as file:
                file.write(reading.cut + b"\n")
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size - len(reading.cut))
                os.fsync(file.fileno())
        elif path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be repaired: {error.strerror}.") from None
    return reading


def _ms(seconds: list[float]) -> tuple[float, ...]:
    return tuple(round(1000 * s, 3) for s in seconds)


def _parse(text: bytes) -> Record:
    line = _DECODER.decode(text)
    check(line.schema, line.key, line.episode)
    if (line.outcome is None) == (line.error is None):
        raise ValueError("exactly one of 'outcome' and 'error' must be there")
    _check_numbers(line)
    return Record(**{name: getattr(line, name) for name in _FIELDS})


_FASTEST = 8
"""Most steps of an episode, as a factor of its horizon: that counts steps at 3 Hz, and 24 Hz is the most."""


def _check_numbers(line: _Line) -> None:
    """Refuse numbers outside of their ranges, and parts that do not fit one another, with a ValueError."""
    times, outcome = line.times, line.outcome
    check_range("times.reset", times.reset)
    for name, values in (("policy", times.policy), ("env", times.env), ("loop", times.loop)):
        check_range(f"times.{name}", min(values, default=0))
    check_range("times.slots", min(times.slots, default=1), least=1)
    check_range("simulated_s", line.simulated_s)
    if len(line.tokens) % SIZE:
        raise ValueError(f"{len(line.tokens)} tokens, expected {SIZE} a step")
    if not _HEX.fullmatch(line.hashes):
        raise ValueError(f"hashes are not {HASH_DIGITS} hex digits a step")
    for plan in line.plans:
        check_range("plans.step", plan.step, most=_FASTEST * line.episode.horizon)
    if outcome is None:
        return
    check_range("outcome.steps", outcome.steps, most=_FASTEST * line.episode.horizon)
    check_range("outcome.progress", outcome.progress, most=1)
    for event, count in outcome.events.items():
        check_range(f"outcome.events.{event}", count, most=2**31 - 1)
    if not outcome.held <= outcome.end <= outcome.ever:
        raise ValueError("the goal was held, but not true at the end, or true at the end, but never")
    for name, found, each in (("tokens", line.tokens, SIZE), ("hashes", line.hashes, HASH_DIGITS)):
        if found and len(found) != each * outcome.steps:
            raise ValueError(f"{len(found) // each} steps of {name}, but the outcome has {outcome.steps}")
