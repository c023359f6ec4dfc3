"""Table of policies: computes its numbers, independent of the output format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtbench.analysis.noise_floor import Reruns, read_reruns
from rtbench.core.errors import RunError, UnknownNameError
from rtbench.core.split import LEFT_OUT
from rtbench.report.table.comparability import Agreement, agree
from rtbench.report.table.pairwise import Verdict, count_pairs, judge
from rtbench.report.table.published_rows import Block, blocks
from rtbench.report.table.row import REFERENCES, Entrant, Part, entrants
from rtbench.stats import rate, wilson, wilson_clustered

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("seen", "novel", "emergent")
"""Order of splits; others follow by name."""
OVERALL, MACRO = "overall", "macro"
CONFIDENCE = 0.95
ALPHA = 0.05


@dataclass(frozen=True)
class Options:
    """Options of a table."""

    by: str = "split"
    """Kind of the columns, one of `rtbench.analysis.pairing.GROUPS`."""
    rule: str = "success"
    """One of `rtbench.analysis.pairing.RULES`: success at the end, ever, or held a second more."""
    splits: tuple[str, ...] = ()
    """Only episodes that count under these for their policy; all where empty."""
    published: bool = False
    """Whether to show published figures below, where a column has a comparable counterpart."""
    allow_partial: bool = False
    """Whether to compare policies on the episodes whose fingerprints agree, where some do not."""
    references: bool = False
    """Whether to give letters to oracle, random and noop too."""
    sort: str = "given"
    """Order of the policies: given, name or rate."""


@dataclass(frozen=True)
class Cell:
    """A policy in a column. Rates are shares, None where nothing was measured."""

    successes: int | None
    """Successes; None for a mean."""
    n: int
    """Episodes with an outcome."""
    errors: int
    """Episodes without one; they are neither success nor failure."""
    rate: float | None
    """Successes of `n`."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end."""
    letters: str = ""
    """Compact letters within the column."""
    best: bool = False
    """Not significantly different from the highest rate of the column, while some other policy is."""


@dataclass(frozen=True)
class Column:
    """A column, and how its policies were tested."""

    name: str
    """'overall', 'macro', or a group's name."""
    paired: int = 0
    """Pairs of policies tested on shared episodes."""
    unpaired: int = 0
    """Pairs tested as independent samples."""
    least: float | None = None
    """Least detectable difference of rates, 0 to 1, in the most favourable case; None without a test."""


@dataclass(frozen=True)
class Row:
    """A policy."""

    name: str
    """Its name, unique in the table."""
    policy: str
    """Name of the policy alone."""
    runs: tuple[str, ...]
    """Ids of its runs."""
    reference: str
    """'ceiling', 'floor' or ''."""
    cells: tuple[Cell | None, ...]
    """One cell per column; None where it played no episode of it."""
    hz: float | None
    """Decisions a second of its own time [Hz]."""
    met: bool | None
    """Whether it kept up with the control rate; None where that is not known."""
    by_task: tuple[float, float] | None = None
    """Interval of the overall rate clustered by task; None where no two episodes share a task, or where all
    ended alike."""
    tasks: int = 0
    """Its tasks that have an episode with an outcome."""
    reruns: Reruns | None = None
    """How often reruns of it end alike, where that was measured with `rtbench run --repeat`."""


@dataclass(frozen=True)
class Table:
    """Policies by groups of episodes."""

    options: Options
    """Its options."""
    columns: tuple[Column, ...]
    """Overall, macro, and the groups."""
    rows: tuple[Row, ...]
    """Policies, those of `REFERENCES` last."""
    skills: int
    """Skills behind 'macro'."""
    control_hz: tuple[int, ...]
    """Control rates of the runs [Hz]."""
    blocks: tuple[Block, ...] = ()
    """Figures of papers."""
    notes: tuple[str, ...] = ()
    """Notes on these runs, in sentences."""

    @property
    def tested(self) -> bool:
        """Whether any column has letters."""
        return any(column.paired or column.unpaired for column in self.columns)


def tabulate(parts: Iterable[Part], options: Options = Options()) -> Table:
    """The table of some runs.

    Args:
        parts: Runs, see `rtbench.report.table.row.part`; the same run may occur twice.
        options: What to show.

    Raises:
        RunError: no run has any episode, or none of these splits.
        UnknownNameError: a split that no episode counts under.
    """
    found = entrants(parts)
    if not any(len(one.frame) for entrant in found for one in entrant.parts):
        raise RunError("no run given has an episode yet; play some with `rtbench run`, or give other runs.")
    found = _ordered(found, options)
    episodes = _stacked(found, options)
    agreement = agree(found, episodes, allow_partial=options.allow_partial)
    grid = _Grid(found, episodes, agreement, options)
    groups = _groups(episodes, options.by)
    columns, cells = [], []
    for name, rows in {OVERALL: np.ones(len(episodes), dtype=bool), **groups}.items():
        column, made = grid.column(name, rows)
        columns.append(column)
        cells.append(made)
    columns.insert(1, Column(MACRO))
    cells.insert(1, grid.macro())
    return Table(
        options=options,
        columns=tuple(columns),
        rows=tuple(
            _row(entrant, [c[i] for c in cells], episodes[episodes["row"] == i])
            for i, entrant in enumerate(found)
        ),
        skills=episodes["skill"].nunique(),
        control_hz=tuple(sorted({p.meta.settings.control_hz for e in found for p in e.parts})),
        blocks=blocks(_counterparts(episodes, groups, options.by)) if options.published else (),
        notes=(*_notes(found, episodes), *agreement.notes),
    )


@dataclass(frozen=True)
class _Grid:
    """All episodes of all rows, to be counted column by column."""

    found: Sequence[Entrant]
    episodes: pd.DataFrame
    agreement: Agreement
    options: Options

    def column(self, name: str, rows: NDArray[np.bool_]) -> tuple[Column, list[Cell | None]]:
        """A column of the episodes chosen, with its tests."""
        size = len(self.found)
        chosen = self.episodes[rows]
        counts = zip(*_counts(chosen, size), strict=True)
        verdict = self._verdict(rows)
        cells = [
            _cell((int(played), int(n), int(k)), letters, best=bool(best)) if played else None
            for (played, n, k), letters, best in zip(counts, verdict.letters, verdict.best, strict=True)
        ]
        return Column(name, verdict.paired, verdict.unpaired, verdict.least), cells

    def macro(self) -> list[Cell | None]:
        """Means of the skills' rates; None where a policy did not play them all."""
        size = len(self.found)
        skills = [self.episodes[self.episodes["skill"] == name] for name in self.episodes["skill"].unique()]
        by_skill = [zip(*_counts(chosen, size), strict=True) for chosen in skills]
        return [
            _mean([(int(p), int(n), int(k)) for p, n, k in counts]) for counts in zip(*by_skill, strict=True)
        ]

    def _verdict(self, rows: NDArray[np.bool_]) -> Verdict:
        usable = self.episodes[rows & self.agreement.usable & self.episodes["valid"].to_numpy()]
        row, episode, success = (usable[name].to_numpy() for name in ("row", "episode", "success"))
        entered = [self.options.references or not entrant.reference for entrant in self.found]
        counts = count_pairs(row, episode, success, len(self.found))
        return judge(counts, self.agreement.comparable & np.array(entered), ALPHA)


def _ordered(found: Sequence[Entrant], options: Options) -> list[Entrant]:
    """Policies in the order of the options, then references in the order of `REFERENCES`."""

    def order(entrant: Entrant) -> tuple[int, float, str]:
        last = 1 + list(REFERENCES).index(entrant.policy) if entrant.reference else 0
        if options.sort == "name":
            return last, 0.0, entrant.name
        if options.sort == "rate":
            valid = [one.valid["success"] for one in entrant.parts]
            share = rate(sum(int(v.sum()) for v in valid), sum(map(len, valid)))
            return last, -(-1.0 if share is None else share), entrant.name
        return last, 0.0, ""

    return sorted(found, key=order)


def _stacked(found: Sequence[Entrant], options: Options) -> pd.DataFrame:
    """All episodes that are shown, with the number of their row and of the episode."""
    import pandas as pd

    frames = [one.frame.assign(row=i) for i, entrant in enumerate(found) for one in entrant.parts]
    # An empty frame has no dtypes and would change those of the others.
    episodes = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    if options.splits:
        known = set(episodes["counts_as"].unique())
        for split in options.splits:
            if split not in known:
                raise UnknownNameError("split", split, known - {LEFT_OUT}, where="--split")
        episodes = episodes[episodes["counts_as"].isin(options.splits)].reset_index(drop=True)
    return episodes.assign(episode=pd.factorize(episodes["key"])[0])


def _groups(episodes: pd.DataFrame, by: str) -> dict[str, NDArray[np.bool_]]:
    """Column -> which episodes are in it, in the order of the columns."""
    counted = (episodes["counts_as"] != LEFT_OUT).to_numpy()
    if by == "split":
        names = sorted(episodes["counts_as"][counted].unique(), key=_split_order)
        return {name: (episodes["counts_as"] == name).to_numpy() for name in names}
    # As in a run's own summary: training data matters only for splits that claim novelty.
    kept = counted if by == "axis" else np.ones(len(episodes), dtype=bool)
    first = episodes[kept].drop_duplicates(by).set_index(by)["split"]
    names = sorted(first.index, key=lambda name: (_split_order(first[name]) if by == "axis" else (), name))
    return {name: (episodes[by] == name).to_numpy() & kept for name in names}


def _split_order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS)), split


def _counterparts(episodes: pd.DataFrame, groups: Mapping[str, NDArray[np.bool_]], by: str) -> dict[str, str]:
    """Column -> the one SPLIT/AXIS that it contains, without which it has no comparable counterpart."""
    if by not in ("split", "axis"):
        return {}
    found = {}
    for name, rows in groups.items():
        inside = episodes[rows]
        places = set(inside["split"] + "/" + inside["axis"])
        if len(places) == 1 and (inside["split"] == inside["counts_as"]).all():
            found[name] = places.pop()
    return found


def _counts(episodes: pd.DataFrame, size: int) -> tuple[NDArray[np.int64], ...]:
    """By row: episodes, those with an outcome, and successes; int64[size] each."""
    row, valid = episodes["row"].to_numpy(), episodes["valid"].to_numpy()
    won = valid & episodes["success"].to_numpy()
    return tuple(np.bincount(row[which], minlength=size) for which in (valid | True, valid, won))


def _cell(counts: tuple[int, int, int], letters: str, *, best: bool) -> Cell:
    """A cell of counts: episodes, those with an outcome, successes."""
    played, n, k = counts
    low, high = wilson(k, n, CONFIDENCE) if n else (None, None)
    return Cell(k, n, played - n, rate(k, n), low, high, letters, best)


def _mean(groups: Sequence[tuple[int, int, int]]) -> Cell | None:
    """The mean of the rates of some groups (episodes, with an outcome, successes), with its interval.

    G. Y. Zou and A. Donner, Construction of confidence limits about effect measures, Statistics in Medicine
    27 (2008) 1693-1702: the distances from each group's rate to the ends of its own interval, here Wilson's,
    add up as variances do.
    """
    if not all(played for played, _, _ in groups):
        return None
    n, played = sum(valid for _, valid, _ in groups), sum(total for total, _, _ in groups)
    if not all(valid for _, valid, _ in groups):
        return Cell(None, n, played - n, None, None, None)
    rates = [k / valid for _, valid, k in groups]
    ends = [wilson(k, valid, CONFIDENCE) for _, valid, k in groups]
    mean = math.fsum(rates) / len(rates)
    below = math.hypot(*(p - low for p, (low, _) in zip(rates, ends, strict=True))) / len(rates)
    above = math.hypot(*(high - p for p, (_, high) in zip(rates, ends, strict=True))) / len(rates)
    return Cell(None, n, played - n, mean, max(0.0, mean - below), min(1.0, mean + above))


def _row(entrant: Entrant, cells: Sequence[Cell | None], episodes: pd.DataFrame) -> Row:
    ids = tuple(one.meta.id for one in entrant.parts)
    measured = [found for one in entrant.parts if (found := read_reruns(one.path))]
    valid = episodes[episodes["valid"]]
    names = valid["task"].to_numpy(object).astype(str)
    by_task = wilson_clustered(valid["success"].to_numpy(bool), names, CONFIDENCE)
    return Row(
        entrant.name, entrant.policy, ids, entrant.reference, tuple(cells), entrant.hz, entrant.met,
        by_task, len(np.unique(names)), next(iter(measured), None),
    )  # fmt: skip


def _notes(found: Sequence[Entrant], episodes: pd.DataFrame) -> list[str]:
    """Notes on peculiarities of these runs."""
    notes = [note for entrant in found for one in entrant.parts for note in one.notes]
    for entrant in found:
        played = sum(len(one.frame) for one in entrant.parts)
        planned = sum(one.meta.episodes for one in entrant.parts)
        if played < planned:
            notes.append(f"{entrant.name}: unfinished, {played} of {planned} episodes.")
    trained = episodes.loc[episodes["counts_as"] == LEFT_OUT, "row"].to_numpy()
    for entrant, count in zip(found, np.bincount(trained, minlength=len(found)), strict=True):
        if count:
            notes.append(
                f"{entrant.name}: {count} episodes that its card was trained on are in no split or axis."
            )
    sets = episodes.groupby("row")["episode"].agg(frozenset)
    if len({*sets, *(frozenset() for i in range(len(found)) if i not in sets.index)}) > 1:
        notes.append("The policies did not all play the same episodes; each rate is of its policy's own.")
    return notes
