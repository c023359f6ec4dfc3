"""A run that was written down: its records, a frame of them, a summary and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rtbench.core.episode import EVENTS
from rtbench.core.split import splits_of
from rtbench.result.columns import EPISODE_COLUMNS, OUTCOME_COLUMNS, OUTCOME_FLAGS
from rtbench.result.folder import EPISODES, read_metadata
from rtbench.result.html_table import html_table, percent, percent_range
from rtbench.result.metadata import RunMetadata
from rtbench.result.record import Record, read_records
from rtbench.result.summary import Summary, summarise

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A run folder as read."""

    path: Path
    """The folder."""
    meta: RunMetadata
    """run.json: policy, settings, versions, commands, machines."""
    records: tuple[Record, ...]
    """One record an episode, in the order in which they ended."""
    notes: tuple[str, ...] = ()
    """What was odd about the file."""

    @cached_property
    def summary(self) -> Summary:
        """Counts, rates, intervals and control rates, overall and by skill."""
        meta = self.meta
        return summarise(self.records, meta.episodes, meta.settings.control_hz, meta.novelties, meta.decision)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row an episode, in order of their keys, so that two runs of a suite line up.

        Columns: key, the episode's fields (objects joined by spaces), success (= end; <NA> for an error),
        ever, end, held, steps, termination, progress, one column for each event, true_at_reset,
        counts_as (the split for this policy; see `rtbench.core.split.split_of`), simulated_s, error and
        error_message ('' where none), policy_ms, env_ms and loop_ms (medians), reset_ms and video.
        """
        import pandas as pd

        splits = splits_of({r.key: r.episode for r in self.records}, self.meta.novelties)
        ordered = sorted(self.records, key=lambda record: record.key)
        rows = pd.DataFrame([{**_row(record), "counts_as": splits[record.key]} for record in ordered])
        types = dict.fromkeys(("success", *OUTCOME_FLAGS), "boolean")
        types |= dict.fromkeys(("steps", *EVENTS), "Int64")
        if rows.empty:
            return rows
        return rows.astype(types)

    def _repr_html_(self) -> str:
        """Success by skill, for notebooks."""
        summary = self.summary
        groups = {**summary.skills, "all episodes": summary.overall}
        rows = [
            (
                name,
                str(group.n),
                str(group.errors),
                percent(group.rate),
                "-" if group.rate is None else percent_range(*group.interval),
                percent(group.held_rate),
                percent(group.ever_rate),
            )
            for name, group in groups.items()
        ]
        head = ("skill", "n", "errors", "success %", "95 % CI", "held %", "ever %")
        title = f"{self.meta.policy.name} on {self.meta.suite}"
        played = f"{len(self.records)} of {summary.planned} episodes; {self.path}"
        return html_table(title, head, rows, (played, *self.notes))


def load_run(path: str | Path) -> Run:
    """Read a run folder; it may still be running.

    Raises:
        RunError: no run there, or a damaged one.
    """
    folder = Path(path)
    meta = read_metadata(folder)
    reading = read_records(folder / EPISODES)
    return Run(folder, meta, reading.records, reading.notes)


def _row(record: Record) -> dict[str, Any]:
    episode, outcome = vars(record.episode), record.outcome
    judged = vars(outcome) if outcome else {}
    events = judged.get("events", {})
    blank = None if outcome is None else 0
    return {
        "key": record.key,
        **{name: episode[name] for name in EPISODE_COLUMNS},
        "objects": " ".join(record.episode.objects),
        "success": judged.get("end"),
        **{name: judged.get(name) for name in OUTCOME_COLUMNS},
        **{name: events.get(name, blank) for name in EVENTS},
        "true_at_reset": record.true_at_reset,
        "simulated_s": record.simulated_s,
        "error": record.error.kind if record.error else "",
        "error_message": record.error.message if record.error else "",
        "policy_ms": _median(record.times.policy),
        "env_ms": _median(record.times.env),
        "loop_ms": _median(record.times.loop),
        "reset_ms": record.times.reset,
        "video": record.video or "",
    }


def _median(values: Sequence[float]) -> float | None:
    """Not `percentile`: NumPy takes 70 microseconds for a handful of numbers."""
    return median(values) if values else None
