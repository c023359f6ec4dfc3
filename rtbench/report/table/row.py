"""Rows of a table: a policy, with all its runs that belong together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.core.errors import RunError
from rtbench.result.control_rate import KEEPS_UP
from rtbench.result.identity import deciding
from rtbench.result.scores import Scores
from rtbench.result.summary import read_summary

if TYPE_CHECKING:
    import pandas as pd

    from rtbench.result.metadata import RunMetadata

REFERENCES = {"oracle": "ceiling", "random": "floor", "noop": "floor"}
"""Reference policies, and whether they are a ceiling or a floor."""
COLUMNS = (
    "key", "split", "axis", "skill", "task", "counts_as", "valid", "success", "decisions", "policy_s",
    "state", "image", "version",
)  # fmt: skip
"""Columns kept of a run's episodes: hundreds of runs must fit in memory. `version` is the task's hash."""
_EPISODES = ("suite", "episodes_hash", "content_hash")
"""Settings that name a run's choice of episodes. They identify no row; tasks are compared one by one."""
_DIGITS = 4
"""Fewest digits of a run's id that are shown."""


@dataclass(frozen=True, eq=False)
class Part:
    """One run, as far as a table needs it."""

    path: Path
    """Its folder."""
    meta: RunMetadata
    """run.json, without the entries per episode."""
    frame: pd.DataFrame
    """One row an episode, `COLUMNS`; `success` by the rule of the table."""
    in_time: float | None
    """Share of the decisions within a control period; None where the run does not say."""
    notes: tuple[str, ...] = ()
    """Notes on peculiarities of the run."""

    @property
    def valid(self) -> pd.DataFrame:
        """The episodes that have an outcome."""
        return self.frame[self.frame["valid"]]

    @cached_property
    def identity(self) -> str:
        """Identity of the runs of one row, as JSON: all that affects results, but the choice of episodes."""
        shared = {name: value for name, value in deciding(self.meta).items() if name not in _EPISODES}
        return json.dumps(shared | {"arm": self.meta.arm}, sort_keys=True)


def part(scores: Scores, rule: str) -> Part:
    """A run, reduced to the data that a table needs.

    Args:
        scores: The run.
        rule: Rule of success: success, ever or held.
    """
    tasks = scores.meta.tasks
    versions = scores.frame["task"].astype("str").map(lambda task: tasks.get(task, "")).astype("str")
    frame = scores.frame.assign(success=scores.frame[rule], version=versions)[list(COLUMNS)]
    meta = scores.meta.replace(novelties=None)
    return Part(scores.path, meta, frame, _in_time(scores), tuple(scores.notes))


@dataclass(frozen=True)
class Entrant:
    """A row of a table before counting."""

    policy: str
    """Name of the policy."""
    parts: tuple[Part, ...]
    """Its runs, which share no episode."""
    mark: str = ""
    """Mark that distinguishes it from other rows of the policy: the beginning of a run's id, or a folder."""

    @property
    def name(self) -> str:
        """Name of the row: the policy, its ablation arm, and the mark."""
        arm = self.parts[0].meta.arm
        told = f", {arm} instructions" if arm else ""
        return f"{self.policy}{told}" + (f" ({self.mark})" if self.mark else "")

    @property
    def reference(self) -> str:
        """'ceiling' or 'floor' for a reference policy, else ''."""
        return REFERENCES.get(self.policy, "")

    @property
    def hz(self) -> float | None:
        """Decisions a second of the policy's own time [Hz], over all episodes with an outcome."""
        decisions = sum(int(one.valid["decisions"].sum()) for one in self.parts)
        seconds = sum(float(one.valid["policy_s"].sum()) for one in self.parts)
        return decisions / seconds if seconds > 0 else None

    @property
    def met(self) -> bool | None:
        """Whether the policy kept up with the control rate; None where a run does not say."""
        shares = [(one.in_time, int(one.valid["decisions"].sum())) for one in self.parts]
        total = sum(count for _, count in shares)
        if not total or any(share is None and count for share, count in shares):
            return None
        return sum(share * count for share, count in shares if share is not None) / total >= KEEPS_UP


def entrants(parts: Iterable[Part]) -> list[Entrant]:
    """Rows of a table, in the order of the first run of each.

    Runs of one identity (`Part.identity`) are one row. Those of them that have an episode in common with
    another stand in a row each, because one of two results of an episode would have to be dropped; so do runs
    of one policy with other settings. A run that is given twice counts once.
    """
    groups: dict[str, list[Part]] = {}
    seen: set[Path] = set()
    for one in parts:
        place = one.path.resolve()
        if place not in seen:
            groups.setdefault(one.identity, []).append(one)
        seen.add(place)
    found = [entrant for group in groups.values() for entrant in _pool(group)]
    return _marked(found)


def _pool(group: Sequence[Part]) -> list[Entrant]:
    """The rows of runs of one identity."""
    import pandas as pd

    policy = group[0].meta.policy.name
    if len(group) == 1:
        return [Entrant(policy, (group[0],))]
    keys = pd.concat([one.frame["key"] for one in group], keys=range(len(group)))
    repeated = keys[keys.duplicated(keep=False)].index.get_level_values(0)
    alone = set(repeated) | _other_tasks(group)
    together = [one for number, one in enumerate(group) if number not in alone]
    rows = [Entrant(policy, tuple(together))] if together else []
    rows += [Entrant(policy, (group[number],)) for number in sorted(alone)]
    return sorted(rows, key=lambda row: group.index(row.parts[0]))


def _other_tasks(group: Sequence[Part]) -> set[int]:
    """Numbers of the runs that played a task in another version than the first run that has it."""
    hashes: dict[str, str] = {}
    other = set()
    for number, one in enumerate(group):
        for task, version in one.meta.tasks.items():
            if hashes.setdefault(task, version) != version:
                other.add(number)
    return other


def _marked(found: Sequence[Entrant]) -> list[Entrant]:
    """The same with a mark wherever a name occurs twice."""
    names = [entrant.name for entrant in found]
    ids = [entrant.parts[0].meta.id for entrant in found]
    return [
        entrant
        if names.count(name) == 1
        else Entrant(entrant.policy, entrant.parts, _mark(entrant.parts[0], ids))
        for entrant, name in zip(found, names, strict=True)
    ]


def _mark(first: Part, ids: Sequence[str]) -> str:
    """The shortest beginning of the run's id that no other has; the folder where two have the same id."""
    own = first.meta.id
    for digits in range(_DIGITS, len(own) + 1):
        if sum(other.startswith(own[:digits]) for other in ids) == 1:
            return own[:digits]
    return str(first.path)


def _in_time(scores: Scores) -> float | None:
    """Share of decisions in time, from the run's summary, if that is of exactly these episodes."""
    try:
        summary = read_summary(scores.path)
    except RunError:
        return None
    valid = scores.frame[scores.frame["valid"]]
    fresh = summary is not None and summary.hz.decisions == int(valid["decisions"].sum())
    return summary.hz.in_time if summary and fresh else None
