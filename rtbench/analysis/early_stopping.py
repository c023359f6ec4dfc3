"""When a run against a baseline may stop: as soon as the difference is decided.

A test of fixed size may be looked at once. This one may be looked at after every episode, because its
e-values bound the chance that they *ever* mislead (`rtbench.stats.Sequential`). Two more things are needed
for a run that stops half-way to say the truth: episodes in an order of which every beginning is fair
(`rtbench.task.ordering`), and records that count in that order, not in the order in which they end
(`rtbench.evaluation.reorder_buffer`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtbench.analysis.pairing import check
from rtbench.core.errors import NotComparableError, RunError
from rtbench.result.metadata import Decision, RunMetadata
from rtbench.result.record import Record
from rtbench.result.run import Run
from rtbench.stats import Pairs, Sequential

INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Target:
    """What is to be decided, and at what cost."""

    margin: float
    """By how much the candidate's rate may be lower, from 0 to below 1."""
    alpha: float = 0.05
    """Chance of a wrong verdict, for each of the two."""
    budget_s: float | None = None
    """Seconds of wall time in which episodes are begun; None: as long as it takes."""


class StoppingRule:
    """Compares records with those of a baseline, in the order of a list, and says when that is enough.

    The verdict depends on the list and the records alone: not on the order in which records come, nor on how
    often the run was interrupted. Errors count at their worst: the candidate's as failures, the baseline's as
    successes.
    """

    def __init__(
        self,
        baseline: Run,
        order: Sequence[str],
        target: Target | None = None,
        *,
        allow_partial: bool = False,
    ) -> None:
        """Begin a comparison.

        Args:
            baseline: The run to compare with.
            order: Keys of the episodes in the order in which they count; the baseline has them all.
            target: What to decide; None: nothing, all of the list is wanted.
            allow_partial: Leave out episodes that began differently in the two runs, instead of refusing.
        """
        self._baseline = baseline
        self._first = {record.key: record for record in baseline.records}
        self._order = order
        self._target = target
        self._allow_partial = allow_partial
        self._test = Sequential(target.margin, target.alpha) if target else Sequential(0.0)
        self._come: dict[str, Record] = {}
        self._place = 0
        self._outcomes: Counter[tuple[bool, bool]] = Counter()
        self._changed: frozenset[str] = frozenset()
        self._left_out = 0
        self.notes: tuple[str, ...] = ()

    def begin(self, meta: RunMetadata) -> None:
        """Refuse a run that cannot be compared with the baseline.

        Raises:
            NotComparableError: versions, settings or tasks differ.
            RunError: it is the baseline itself.
        """
        if meta.id == self._baseline.meta.id:
            raise RunError(
                f"{self._baseline.path}: is the very run that this command makes, and cannot be compared "
                "with itself; give another policy, or another baseline with --vs."
            )
        self.notes = tuple(check(self._baseline.meta, meta, allow_partial=self._allow_partial))
        then, now = self._baseline.meta.tasks, meta.tasks
        self._changed = frozenset(task for task in then.keys() & now.keys() if then[task] != now[task])

    def add(self, record: Record) -> bool:
        """Take a record, in any order; whether the records so far are enough.

        Raises:
            NotComparableError: an episode began differently than in the baseline.
        """
        self._come[record.key] = record
        while not self._enough and self._place < len(self._order):
            due = self._come.get(self._order[self._place])
            if due is None:
                break
            self._place += 1
            self._count(self._first[due.key], due)
        return self._enough

    def decision(self) -> Decision | None:
        """What is decided, for run.json; None without a target."""
        if self._target is None:
            return None
        test, budget = self._test, self._target.budget_s
        low, high = test.interval()
        found = Decision(
            verdict=test.verdict or INCONCLUSIVE,
            n=test.n,
            left_out=self._left_out,
            margin=test.margin,
            alpha=test.alpha,
            worse=_short(test.worse),
            holds=_short(test.holds),
            difference=None if test.difference is None else _short(test.difference),
            interval=(_short(low), _short(high)),
            baseline=self._baseline.meta.id,
        )
        return found if budget is None else found.replace(budget_s=budget)

    @property
    def left_out(self) -> int:
        """Episodes that began differently than in the baseline, or whose task has changed since."""
        return self._left_out

    @property
    def pairs(self) -> Pairs:
        """What was compared so far, the baseline first, errors at their worst."""
        return Pairs.count(self._outcomes.elements())

    @property
    def _enough(self) -> bool:
        return self._target is not None and bool(self._test.verdict)

    def _count(self, first: Record, second: Record) -> None:
        differ = _differences(first.fingerprint, second.fingerprint)
        if differ and not self._allow_partial:
            raise NotComparableError(
                f"episode {second.key} ({second.episode.task}) began differently than in the baseline: its "
                f"{' and '.join(differ)} differ; --allow-partial leaves such episodes out."
            )
        if differ or second.episode.task in self._changed:
            self._left_out += 1
            return
        outcomes = (
            first.outcome is None or first.outcome.end,
            second.outcome is not None and second.outcome.end,
        )
        self._outcomes[outcomes] += 1
        self._test.add(*outcomes)


def _short(value: float) -> float:
    """Six digits, for a file."""
    return float(f"{value:.6g}")


def _differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Names of the fingerprints that both have and that differ; images are hashed only where wanted."""
    return [name for name in sorted(first.keys() & second.keys()) if first[name] != second[name]]
