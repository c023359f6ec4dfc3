"""What a run scored, one row an episode, read without what only a second simulation needs.

A record is mostly tokens, hashes and times. Leaving these undecoded, 100,000 episodes are read in a second.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Episode
from rtbench.core.split import Novelties, splits_of
from rtbench.result.columns import EPISODE_COLUMNS, EPISODE_NUMBERS
from rtbench.result.folder import EPISODES, read_metadata
from rtbench.result.jsonl import check, read_lines
from rtbench.result.metadata import RunMetadata

if TYPE_CHECKING:
    import pandas as pd

_EPISODE = attrgetter(*(f"episode.{name}" for name in EPISODE_COLUMNS))


# An Episode that the garbage collector need not look at: of 100,000 it makes one second half a second.
_Episode: Any = msgspec.defstruct(
    "_Episode",
    [
        (f.name, kind) if f.default is MISSING else (f.name, kind, f.default)
        for f, kind in zip(fields(Episode), get_type_hints(Episode).values(), strict=True)
    ],
    namespace={"key": Episode.key},
    gc=False,
)


class _Outcome(msgspec.Struct, gc=False):
    ever: bool = False
    end: bool = False
    held: bool = False
    steps: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    termination: str = ""


class _Error(msgspec.Struct, gc=False):
    kind: str = ""


class _Times(msgspec.Struct, gc=False):
    policy: tuple[Annotated[float, msgspec.Meta(ge=0)], ...] = ()


class _Line(msgspec.Struct, gc=False):
    """What is wanted of a record; the rest is skipped over."""

    schema: int
    key: str
    episode: _Episode
    outcome: _Outcome | None
    error: _Error | None
    fingerprint: dict[str, str]
    times: _Times
    video: str | None


_DECODER = msgspec.json.Decoder(_Line)
_NOTHING, _NO_ERROR = _Outcome(), _Error()


@dataclass(frozen=True)
class Scores:
    """What a run scored."""

    path: Path
    """The run's folder."""
    meta: RunMetadata
    """run.json."""
    frame: pd.DataFrame
    """One row an episode, sorted by key, keys unique, numbered from 0.

    Columns: key; suite, split, axis, skill, task, scene, instruction, language, seed, variant, horizon, twin,
    arm (the episode); counts_as (split for this policy; see `rtbench.core.split.split_of`); valid (it has an
    outcome); success, ever, held (False where not valid); steps (0 where not valid); termination; error
    (its kind, '' for none); decisions and policy_s (how many, and their sum [s]); policy_ms (their median,
    NaN for none); order (place in the file); state and image (fingerprints, '' for none); video.
    """
    notes: tuple[str, ...] = ()
    """What was odd about the file."""

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.meta.policy.name

    @property
    def id(self) -> str:
        """The run's id."""
        return self.meta.id

    @cached_property
    def identity(self) -> str:
        """Equal for runs of the same policy: its name, code, arguments and weights."""
        return msgspec.json.encode(self.meta.policy.as_dict(), order="sorted").decode()


def load_scores(path: str | Path) -> Scores:
    """Read what a run scored; it may still be running.

    Raises:
        RunError: no run there, or a damaged one.
        SchemaError: a run in a form that this rtbench does not read.
    """
    folder = Path(path)
    meta = read_metadata(folder)
    reading = read_lines(folder / EPISODES, _parse)
    return Scores(folder, meta, _frame(reading.records, meta.novelties), reading.notes)


def labels(runs: Sequence[Scores]) -> list[str]:
    """What to call each run beside the others: its policy, with the id where several runs have that name."""
    names = [run.name for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} {run.id[:6]}"
        for name, run in zip(names, runs, strict=True)
    ]


def _parse(text: bytes) -> _Line:
    line = _DECODER.decode(text)
    check(line.schema, line.key, line.episode)
    if (line.outcome is None) == (line.error is None):
        raise ValueError("exactly one of 'outcome' and 'error' must be there")
    outcome = line.outcome or _NOTHING
    if not outcome.held <= outcome.end <= outcome.ever:
        raise ValueError("the goal was held, but not true at the end, or true at the end, but never")
    return line


def _frame(rows: Sequence[_Line], novelties: Novelties | None) -> pd.DataFrame:
    import pandas as pd

    def texts(values: Iterable[str]) -> Any:
        return pd.array(list(values), dtype="str")

    columns: dict[str, Any] = {"key": texts(row.key for row in rows)}
    # All fields of an episode in one sweep: one sweep a field takes three times as long.
    of_episode = zip(*map(_EPISODE, rows), strict=True) if rows else [()] * len(EPISODE_COLUMNS)
    for name, values in zip(EPISODE_COLUMNS, of_episode, strict=True):
        columns[name] = np.array(values, np.int64) if name in EPISODE_NUMBERS else texts(values)
    splits = splits_of({row.key: row.episode for row in rows}, novelties)
    outcomes = [row.outcome or _NOTHING for row in rows]
    columns |= {
        "counts_as": texts(splits[row.key] for row in rows),
        "valid": np.array([row.outcome is not None for row in rows], bool),
        "success": np.array([outcome.end for outcome in outcomes], bool),
        "ever": np.array([outcome.ever for outcome in outcomes], bool),
        "held": np.array([outcome.held for outcome in outcomes], bool),
        "steps": np.array([outcome.steps for outcome in outcomes], np.int64),
        "termination": texts(outcome.termination for outcome in outcomes),
        "error": texts((row.error or _NO_ERROR).kind for row in rows),
        **_decisions([row.times.policy for row in rows]),
        "order": np.arange(len(rows)),
        "state": texts(row.fingerprint.get("state", "") for row in rows),
        "image": texts(row.fingerprint.get("frame", "") for row in rows),
        "video": texts(row.video or "" for row in rows),
    }
    # Sorted at the end and not before: objects are read fastest in the order in which they were made.
    return pd.DataFrame(columns).sort_values("key", ignore_index=True)


def _decisions(policy: Sequence[tuple[float, ...]]) -> dict[str, NDArray[Any]]:
    """How many decisions there were in each episode, their sum [s] and their median [ms]."""
    counts = np.array([len(ms) for ms in policy], np.int64)
    times = np.fromiter(itertools.chain.from_iterable(policy), np.float64, counts.sum())
    rows = np.repeat(np.arange(len(counts)), counts)
    times = times[np.lexsort((times, rows))]
    starts = np.cumsum(counts) - counts
    some = counts > 0
    medians = np.full(len(counts), np.nan)
    low, high = (starts + (counts - 1) // 2)[some], (starts + counts // 2)[some]
    medians[some] = (times[low] + times[high]) / 2
    seconds = np.bincount(rows, times, minlength=len(counts)) / 1000
    return {"decisions": counts, "policy_s": seconds, "policy_ms": medians}
