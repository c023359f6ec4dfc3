"""Pairing of two runs by their shared episodes, and checks that the runs are comparable.

Episodes are paired by their keys, which fix the initial state. Equal fingerprints show that they began alike.
Equal hashes of their tasks and equal versions of the simulator show that success means the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.errors import NotComparableError, UnknownNameError
from rtbench.result.columns import EPISODE_COLUMNS
from rtbench.stats import Pairs

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rtbench.result.metadata import RunMetadata
    from rtbench.result.scores import Scores

RULES = ("success", "ever", "held")
"""Rules of success: columns of `rtbench.result.scores.Scores.frame`."""
GROUPS = ("split", "axis", "skill", "task")
"""Columns by which episodes are grouped, from the coarsest to the finest."""
SHARED = 0.5
"""Runs that share fewer of the smaller one's episodes are compared as independent samples."""
_EPISODE = ("key", *EPISODE_COLUMNS)
_SIDES = ("valid", "error", "steps", "video", "order")


@dataclass(frozen=True)
class Joined:
    """Two runs side by side: the baseline first, the candidate second."""

    first: Scores
    """The baseline."""
    second: Scores
    """The candidate."""
    rows: pd.DataFrame
    """One row an episode that both have; none where they are not paired.

    Columns: key and `rtbench.result.columns.EPISODE_COLUMNS`; first and second (bool: success by the rule;
    False where there is no outcome); valid_, error_, steps_, video_ and order_ followed by first or second,
    as in `rtbench.result.scores.Scores.frame`.
    """
    paired: bool
    """Whether they share episodes. If not, both frames are independent samples."""
    rule: str = "success"
    """Rule of success; one of `RULES`."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Reason why episodes are not compared -> their number."""
    notes: tuple[str, ...] = ()
    """Notes for the reader, in sentences."""

    def where(self, **wanted: str) -> Joined:
        """Only the episodes of a split, axis, skill or task; a value '' keeps all.

        Raises:
            UnknownNameError: no episode of either run has that value.
        """
        kept = self
        for column, value in wanted.items():
            if value:
                kept = kept._only(column, value)
        return kept

    def _only(self, column: str, value: str) -> Joined:
        frames = {"first": self.first.frame, "second": self.second.frame}
        there = {str(known) for frame in frames.values() for known in frame[column].unique()}
        if value not in there:
            raise UnknownNameError(column, value, there, where=f"{self.first.path}, {self.second.path}")
        sides = {
            side: replace(getattr(self, side), frame=frame[frame[column] == value])
            for side, frame in frames.items()
        }
        rows = self.rows[self.rows[column] == value] if self.paired else self.rows
        return replace(self, rows=rows, **sides)

    @property
    def both(self) -> pd.DataFrame:
        """The rows in which both have an outcome."""
        return self.rows[self.rows["valid_first"] & self.rows["valid_second"]]

    @property
    def pairs(self) -> Pairs:
        """The pairs in which both have an outcome."""
        return pairs_of(self.both)

    @property
    def counts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Successes and episodes with an outcome, of the first and of the second, as independent samples."""
        frames = [run.frame[run.frame["valid"]] for run in (self.first, self.second)]
        first, second = [(int(frame[self.rule].sum()), len(frame)) for frame in frames]
        return first, second


def pairs_of(rows: pd.DataFrame) -> Pairs:
    """The four counts of rows that have columns 'first' and 'second'."""
    first, second = rows["first"].to_numpy(bool), rows["second"].to_numpy(bool)
    both = int((first & second).sum())
    return Pairs(both, int(first.sum()) - both, int(second.sum()) - both, int((~first & ~second).sum()))


def join(first: Scores, second: Scores, *, rule: str = "success", allow_partial: bool = False) -> Joined:
    """Pair two runs by the keys of their episodes.

    Args:
        first: The baseline.
        second: The candidate.
        rule: Rule of success; one of `RULES`.
        allow_partial: Leave out episodes that differ, instead of refusing.

    Raises:
        UnknownNameError: no such rule.
        NotComparableError: a run is empty; versions, settings, tasks or initial states differ, or, with
            `allow_partial`, no episode is left.
    """
    if rule not in RULES:
        raise UnknownNameError("rule", rule, RULES)
    for run in (first, second):
        if run.frame.empty:
            raise NotComparableError(f"{run.path}: has no episodes yet; there is nothing to compare.")
    notes = check(first.meta, second.meta, allow_partial=allow_partial)
    mine, yours = _shared(first.frame, second.frame)
    sizes = len(first.frame), len(second.frame)
    if len(mine) < SHARED * min(sizes):
        said = f"only {len(mine)}" if len(mine) else "no"
        note = f"They share {said} episodes: compared as independent samples, which see less than pairs do."
        rows = _rows(first, second, mine[:0], yours[:0], rule)
        return Joined(first, second, rows, paired=False, rule=rule, notes=(*notes, note))
    agree, why = _agreeing(first, second, mine, yours)
    told = f"{first.path} and {second.path}: of {len(mine)} shared episodes, {_told(why)}"
    if why and not allow_partial:
        raise NotComparableError(f"{told}: they did not play the same. --allow-partial compares the others.")
    if not agree.any():
        raise NotComparableError(f"{told}: none is left to compare; play the baseline again.")
    left_out = {"only in the first": sizes[0] - len(mine), "only in the second": sizes[1] - len(mine)}
    counted = {reason: count for reason, count in (left_out | why).items() if count}
    rows = _rows(first, second, mine[agree], yours[agree], rule)
    return Joined(first, second, rows, paired=True, rule=rule, left_out=counted, notes=tuple(notes))


def check(first: RunMetadata, second: RunMetadata, *, allow_partial: bool = False) -> list[str]:
    """Compare two run.json before any episode; return notes on differences that do not prevent a comparison.

    Raises:
        NotComparableError: control rates, environments or robots differ; or versions, render profiles or
            contents do and `allow_partial` does not say to go by the fingerprints.
    """
    settings = first.settings, second.settings
    for what, name in (("control rates [Hz]", "control_hz"), ("environments", "factory")):
        a, b = (getattr(used, name) for used in settings)
        if a != b:
            raise NotComparableError(f"{what} differ: {a} and {b}; play one of the two again.")
    _check_robots(first, second)
    found = _differences(first, second)
    if found and not allow_partial:
        raise NotComparableError(
            f"{'; '.join(found)}. Play the baseline again, or compare what agrees with --allow-partial."
        )
    if len({(used.latency_ms, used.latency_measured) for used in settings}) > 1:
        told = " and ".join(used.latency for used in settings)
        found.append(f"thinking time charged to the simulation differs: {told}")
    a, b = first.simulator.code, second.simulator.code
    if a and b and a != b:
        found.append(f"the simulation's code differs ({a} and {b}) under one version")
    return [f"{sentence}." for sentence in found]


def _check_robots(first: RunMetadata, second: RunMetadata) -> None:
    """Refuse runs of different robots; runs made before robots were recorded are of the default one."""
    mine, yours = (set(run.robots) or {DEFAULT_ROBOT} for run in (first, second))
    if mine != yours:
        told = " and ".join(", ".join(sorted(robots)) for robots in (mine, yours))
        raise NotComparableError(f"robots differ: {told}; play one of the two again with --robot.")
    for name in sorted(first.robots.keys() & second.robots.keys()):
        if first.robots[name] != second.robots[name]:
            a, b = first.robots[name][:12], second.robots[name][:12]
            raise NotComparableError(
                f"descriptions of the robot {name} differ: {a} and {b}; play one of the two again."
            )


def _differences(first: RunMetadata, second: RunMetadata) -> list[str]:
    found = []
    for package in ("mujoco", "rtbench"):
        a, b = (getattr(one.simulator, package) for one in (first, second))
        if a != b:
            found.append(f"versions of {package} differ: {a or 'a checkout'} and {b or 'a checkout'}")
    a, b = first.settings.profile, second.settings.profile
    if first.settings.cameras and second.settings.cameras and a != b:
        found.append(f"render profiles differ: {a} and {b}")
    mine, yours = first.tasks, second.tasks
    if changed := sorted(task for task in mine.keys() & yours.keys() if mine[task] != yours[task]):
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        found.append(f"{len(changed)} tasks are not what they were: {', '.join(changed[:3])}{more}")
    elif not (mine and yours) and first.content_hash != second.content_hash:
        found.append("the content (envs/ or tasks/) differs")
    return found


def _shared(first: pd.DataFrame, second: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the first and of the second that have the same key."""
    import pandas as pd

    places = pd.Index(first["key"]).get_indexer(pd.Index(second["key"]))
    return places[places >= 0], np.flatnonzero(places >= 0)


def _agreeing(
    first: Scores, second: Scores, mine: NDArray[np.int64], yours: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Shared episodes that began alike and are of the same task, and reasons why the others do not count.

    A fingerprint that one side lacks, as after an error or without images, is ignored.
    """
    agree = np.ones(len(mine), bool)
    why = {}
    for what, column in (("another settled state", "state"), ("another first frame", "image")):
        a = first.frame[column].to_numpy(object)[mine]
        b = second.frame[column].to_numpy(object)[yours]
        differ = (a != b) & (a != "") & (b != "") & agree
        if differ.any():
            why[what] = int(differ.sum())
        agree &= ~differ
    hashes = first.meta.tasks, second.meta.tasks
    changed = [task for task in hashes[0].keys() & hashes[1].keys() if hashes[0][task] != hashes[1][task]]
    differ = first.frame["task"].isin(changed).to_numpy()[mine] & agree
    if differ.any():
        why["another task"] = int(differ.sum())
    return agree & ~differ, why


def _rows(
    first: Scores, second: Scores, mine: NDArray[np.int64], yours: NDArray[np.int64], rule: str
) -> pd.DataFrame:
    import pandas as pd

    a, b = first.frame.iloc[mine], second.frame.iloc[yours].set_axis(range(len(yours)))
    a = a.set_axis(range(len(mine)))
    columns = {name: a[name] for name in _EPISODE} | {"first": a[rule], "second": b[rule]}
    for name in _SIDES:
        columns |= {f"{name}_first": a[name], f"{name}_second": b[name]}
    return pd.DataFrame(columns)


def _told(why: Mapping[str, int]) -> str:
    return ", ".join(f"{count} have {what}" for what, count in why.items())
