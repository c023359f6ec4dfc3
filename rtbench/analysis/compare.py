"""Comparison of runs with a baseline: differences of rates, intervals, tests and flips.

The first run is the baseline. Every other one is a candidate and paired with it, episode by episode, where
they share episodes. Differences are the candidate's rate less the baseline's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rtbench.analysis.pairing import GROUPS, Joined, join
from rtbench.core.errors import NotComparableError
from rtbench.result.html_table import html_table, percent, percent_range
from rtbench.result.scores import Scores, labels, load_scores
from rtbench.stats import (
    boschloo,
    clustered,
    holm,
    letters,
    mcnemar,
    mcnemar_many,
    newcombe,
    newcombe_paired_many,
    rate,
)

if TYPE_CHECKING:
    import pandas as pd

OVERALL = "overall"
ADJUSTMENT = "adjusted by Holm over the groups of each kind (split, axis, skill, task)"
"""How p values are adjusted, as every output says it; see `adjusted`."""


class CompareError(NotComparableError):
    """Too few runs to compare."""


@dataclass(frozen=True)
class Contrast:
    """A baseline and a candidate in one group of episodes."""

    by: str
    """Kind of group: 'overall', or one of `rtbench.analysis.pairing.GROUPS`."""
    group: str
    """Name of the group, such as a skill; 'all' for overall."""
    candidate: str
    """Label of the candidate."""
    paired: bool
    """Whether the numbers are of pairs; if not, they are of two independent samples."""
    first: tuple[int, int]
    """Successes and episodes of the baseline."""
    second: tuple[int, int]
    """Successes and episodes of the candidate."""
    lost: int
    """Pairs in which the baseline alone succeeded."""
    gained: int
    """Pairs in which the candidate alone did."""
    errors: tuple[int, int]
    """Episodes without an outcome, of the baseline and of the candidate. They are left out."""
    interval: tuple[float, float]
    """Newcombe's interval of the difference, of pairs or of independent samples."""
    p: float
    """Exact two-sided p value: McNemar's for pairs, Boschloo's for independent samples."""
    p_holm: float = 1.0
    """The p value adjusted by Holm over all contrasts with this `by`; see `adjusted`."""

    @property
    def difference(self) -> float | None:
        """The candidate's rate less the baseline's; None where either has no outcome."""
        first, second = rate(*self.first), rate(*self.second)
        return None if first is None or second is None else second - first

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        rates = {"first_rate": rate(*self.first), "second_rate": rate(*self.second)}
        return {**asdict(self), **rates, "difference": self.difference}


@dataclass(frozen=True)
class Mean:
    """Mean difference over tasks, each of which counts once; the basis of a claim about similar tasks."""

    candidate: str
    """Label of the candidate."""
    tasks: int
    """Tasks that both have played."""
    difference: float
    """Mean over the tasks of the candidate's rate less the baseline's."""
    interval: tuple[float, float] | None
    """Bootstrap over whole tasks; None with fewer than two."""


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison of runs."""

    labels: tuple[str, ...]
    """Names of the runs, the baseline's first."""
    joined: tuple[Joined, ...]
    """The baseline with each candidate."""
    contrasts: tuple[Contrast, ...]
    """Overall first, then by split, axis, skill and task; within each by group, then by candidate."""
    means: tuple[Mean, ...]
    """One a candidate that shares episodes with the baseline."""
    letters: tuple[str, ...]
    """Compact letters: runs that share none differ. Empty for two runs, and where some cannot be compared."""
    confidence: float
    """Confidence of the intervals, 0 to 1."""
    notes: tuple[str, ...]
    """Notes for the reader, in sentences."""

    def by(self, kind: str) -> tuple[Contrast, ...]:
        """The contrasts overall, or by split, axis, skill or task."""
        return tuple(contrast for contrast in self.contrasts if contrast.by == kind)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for programs; flips included."""
        runs = [self.joined[0].first, *(joined.second for joined in self.joined)]
        return {
            "runs": [
                {"label": label, "id": run.id, "path": str(run.path), "policy": run.meta.policy.as_dict()}
                for label, run in zip(self.labels, runs, strict=True)
            ],
            "rule": self.joined[0].rule,
            "confidence": self.confidence,
            "contrasts": [contrast.as_dict() for contrast in self.contrasts],
            "means": [asdict(mean) for mean in self.means],
            "letters": list(self.letters),
            "left_out": {
                label: dict(joined.left_out)
                for label, joined in zip(self.labels[1:], self.joined, strict=True)
            },
            "flips": {
                label: flips(joined).to_dict("records")
                for label, joined in zip(self.labels[1:], self.joined, strict=True)
            },
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        """Differences overall and by skill, for notebooks."""
        rows = [
            (
                f"{c.candidate}, {c.group}",
                percent(rate(*c.first)),
                percent(rate(*c.second)),
                "-" if c.difference is None else f"{100 * c.difference:+.1f}",
                percent_range(*c.interval, sign=True),
                f"{c.p_holm:.3g}",
                *((f"{c.lost}", f"{c.gained}") if c.paired else ("-", "-")),
            )
            for c in (*self.by(OVERALL), *self.by("skill"))
        ]
        rates = ("baseline %", "candidate %", "difference", f"{100 * self.confidence:g} % CI", "p (Holm)")
        head = ("candidate, episodes", *rates, "lost", "gained")
        return html_table(f"against {self.labels[0]}", head, rows, self.notes)


def compare(
    runs: Sequence[Scores | str | Path],
    *,
    rule: str = "success",
    only: dict[str, str] | None = None,
    allow_partial: bool = False,
    confidence: float = 0.95,
) -> Comparison:
    """Compare candidates with a baseline.

    Args:
        runs: The baseline, then one candidate or more: scores, or folders of runs.
        rule: What counts as a success: 'success', 'ever' or 'held'.
        only: Compare only the episodes of this split, axis, skill or task.
        allow_partial: Leave out episodes that differ, instead of refusing.
        confidence: Of the intervals.

    Raises:
        CompareError: fewer than two runs.
        RunError: a folder that holds no run, or a damaged one.
        NotComparableError: runs that did not play the same; see `rtbench.analysis.pairing.join`.
        UnknownNameError: a rule, split, axis, skill or task that there is not.
    """
    if len(runs) < 2:
        raise CompareError("a comparison needs a baseline and at least one other run.")
    scores = [load_scores(run) if isinstance(run, str | Path) else run for run in runs]
    names = tuple(labels(scores))
    joined = tuple(
        join(scores[0], run, rule=rule, allow_partial=allow_partial).where(**(only or {}))
        for run in scores[1:]
    )
    found = adjusted(
        [
            contrast
            for by in (OVERALL, *GROUPS)
            for name, j in zip(names[1:], joined, strict=True)
            for contrast in contrasts(j, by, name, confidence)
        ]
    )
    marks, note = _letters(scores, joined, only or {}, 1 - confidence) if len(scores) > 2 else ((), "")
    said = dict.fromkeys(note for j in joined for note in (*j.notes, *j.first.notes, *j.second.notes))
    said |= dict.fromkeys(_stopped(name, run) for name, run in zip(names, scores, strict=True))
    return Comparison(
        labels=names,
        joined=joined,
        contrasts=tuple(found),
        means=tuple(_means(names[1:], joined, confidence)),
        letters=marks,
        confidence=confidence,
        notes=tuple(filter(None, (*said, note))),
    )


def contrasts(joined: Joined, by: str, candidate: str = "", confidence: float = 0.95) -> list[Contrast]:
    """The contrasts of two runs, one a group, in order of the groups' names; p values are not adjusted.

    Args:
        joined: The runs.
        by: 'overall', or one of `rtbench.analysis.pairing.GROUPS`.
        candidate: Name of the second run; its policy's name where ''.
        confidence: Of the intervals.
    """
    name = candidate or joined.second.name
    if joined.paired:
        return _paired(joined, by, name, confidence)
    return list(_independent(joined, by, name, confidence))


def adjusted(found: Sequence[Contrast]) -> list[Contrast]:
    """The same contrasts with their adjusted p values: Holm's method over those of one kind (`Contrast.by`).

    Every comparison, gate and report adjusts by this function. The kinds are adjusted apart, because they
    cut the same episodes in several ways, and their p values depend on each other.
    """
    p: dict[str, Iterator[float]] = {}
    for by in dict.fromkeys(contrast.by for contrast in found):
        values = holm([contrast.p for contrast in found if contrast.by == by])
        p[by] = iter(values.tolist())
    return [replace(contrast, p_holm=next(p[contrast.by])) for contrast in found]


def flips(joined: Joined) -> pd.DataFrame:
    """Episodes in which only one run succeeded: lost ones first, then by task and key.

    Columns: change ('lost' or 'gained'), key, split, axis, skill, task, instruction, steps_first,
    steps_second, video_first, video_second (paths, '' where there is none).
    """
    both = joined.both
    changed = both[both["first"] != both["second"]]
    changed = changed.assign(change=np.where(changed["first"], "lost", "gained"))
    for side, run in (("first", joined.first), ("second", joined.second)):
        folder = run.path / "videos"
        changed[f"video_{side}"] = [str(folder / name) if name else "" for name in changed[f"video_{side}"]]
    columns = ["change", "key", "split", "axis", "skill", "task", "instruction"]
    columns += [f"{what}_{side}" for what in ("steps", "video") for side in ("first", "second")]
    order = changed.sort_values(["change", "task", "key"], ascending=[False, True, True])
    return order[columns].reset_index(drop=True)


def _paired(joined: Joined, by: str, name: str, confidence: float) -> list[Contrast]:
    rows = joined.rows
    valid = {side: rows[f"valid_{side}"].to_numpy(bool) for side in ("first", "second")}
    both = valid["first"] & valid["second"]
    a, b = rows["first"].to_numpy(bool), rows["second"].to_numpy(bool)
    groups, which = _grouped(rows, by)

    def count(chosen: Any) -> Any:
        return np.bincount(which[chosen], minlength=len(groups))

    four = [count(both & x & y) for x in (a, ~a) for y in (b, ~b)]
    low, high = newcombe_paired_many(*four, confidence=confidence)
    p = mcnemar_many(four[1], four[2])
    errors = count(~valid["first"]), count(~valid["second"])
    found = []
    for k, group in enumerate(groups):
        yes, lost, gained, no = (int(counts[k]) for counts in four)
        n = yes + lost + gained + no
        found.append(
            Contrast(
                by=by, group=group, candidate=name, paired=True,
                first=(yes + lost, n), second=(yes + gained, n), lost=lost, gained=gained,
                errors=(int(errors[0][k]), int(errors[1][k])),
                interval=(0.0 - float(high[k]), 0.0 - float(low[k])), p=float(p[k]),
            )
        )  # fmt: skip
    return found


def _independent(joined: Joined, by: str, name: str, confidence: float) -> Iterator[Contrast]:
    frames = joined.first.frame, joined.second.frame
    groups = sorted({group for frame in frames for group in _grouped(frame, by)[0]})
    for group in groups:
        parts = [frame if by == OVERALL else frame[frame[by] == group] for frame in frames]
        first, second = ((int(part[joined.rule].sum()), int(part["valid"].sum())) for part in parts)
        low, high = newcombe(first, second, confidence)
        yield Contrast(
            by=by, group=group, candidate=name, paired=False, first=first, second=second, lost=0, gained=0,
            errors=(int((~parts[0]["valid"]).sum()), int((~parts[1]["valid"]).sum())),
            interval=(0.0 - high, 0.0 - low), p=boschloo(first, second),
        )  # fmt: skip


def _grouped(frame: pd.DataFrame, by: str) -> tuple[list[str], Any]:
    """Names of the groups in order, and the number of its group for each row."""
    import pandas as pd

    if by == OVERALL:
        return ["all"], np.zeros(len(frame), np.int64)
    codes, names = pd.factorize(frame[by], sort=True)
    return [str(name) for name in names], codes


def _means(names: Sequence[str], joined: Sequence[Joined], confidence: float) -> Iterator[Mean]:
    for name, j in zip(names, joined, strict=True):
        rows = j.both
        if rows.empty:
            continue
        difference = rows["second"].astype("int64") - rows["first"].astype("int64")
        yield Mean(
            candidate=name,
            tasks=int(rows["task"].nunique()),
            difference=float(difference.groupby(rows["task"].astype(object)).mean().mean()),
            interval=clustered(
                difference, rows["task"].to_numpy(object).astype(str), "compare",
                confidence=confidence, macro=True,
            ),
        )  # fmt: skip


def _stopped(name: str, run: Scores) -> str:
    """A note on a run that stopped as soon as its own comparison was decided; '' for any other."""
    decision = run.meta.decision
    if decision is None or decision.verdict not in ("pass", "regression"):
        return ""
    return f"{name} stopped when it was decided: numbers for a fixed number of episodes flatter the verdict."


def _letters(
    runs: Sequence[Scores], joined: Sequence[Joined], only: dict[str, str], alpha: float
) -> tuple[tuple[str, ...], str]:
    """Letters of all runs, by exact tests of all pairs adjusted by Holm, and the reason if there are none."""
    rule = joined[0].rule
    every = list(combinations(range(len(runs)), 2))
    p = []
    for i, k in every:
        try:
            j = joined[k - 1] if i == 0 else join(runs[i], runs[k], rule=rule).where(**only)
        except NotComparableError as error:
            return (), f"No letters: {error}"
        p.append(mcnemar(j.pairs) if j.paired else boschloo(*j.counts))
    differ = np.zeros((len(runs), len(runs)), bool)
    for (i, k), value in zip(every, holm(p), strict=True):
        differ[i, k] = differ[k, i] = value < alpha
    counted = [joined[0].counts[0], *(j.counts[1] for j in joined)]
    order = sorted(range(len(runs)), key=lambda i: -(rate(*counted[i]) or 0.0))
    return tuple(letters(differ, order)), ""
