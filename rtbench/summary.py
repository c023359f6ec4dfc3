"""What a run's records say, in numbers: the content of summary.json.

An error is neither success nor failure. Each group has its rate among the episodes that have an outcome,
and, for the cautious, the rate that counts errors as failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rtbench.record import SCHEMA, Record
from rtbench.spec import Outcome
from rtbench.stats import macro, rate, wilson
from rtbench.timing import hz

TERMINATIONS = ("on_time", "early", "late", "missing")
CONFIDENCE = 0.95


def summarise(records: Sequence[Record], planned: int, control_hz: int) -> dict[str, Any]:
    """The summary of a run of which `planned` episodes were asked for."""
    skills = {record.episode.skill: None for record in records}
    by_skill = {skill: group(r for r in records if r.episode.skill == skill) for skill in skills}
    macros = ("rate", "rate_errors_as_failures", "ever_rate", "held_rate", "progress")
    return {
        "schema": SCHEMA,
        "planned": planned,
        "complete": len(records) == planned,
        "overall": group(records),
        "macro": {name: _rounded(macro(g[name] for g in by_skill.values())) for name in macros},
        "skills": by_skill,
        "hz": hz(records, control_hz),
    }


def group(records: Iterable[Record]) -> dict[str, Any]:
    """Counts, rates and intervals of some records. A rate is None where nothing was measured."""
    found = list(records)
    outcomes = [record.outcome for record in found if record.outcome]
    n, valid = len(found), len(outcomes)

    def count(test: Callable[[Outcome], bool]) -> int:
        return sum(test(outcome) for outcome in outcomes)

    successes, ever, held = count(lambda o: o.end), count(lambda o: o.ever), count(lambda o: o.held)
    progress = sum(o.progress for o in outcomes) / valid if valid else None
    return {
        "n": n,
        "errors": n - valid,
        "successes": successes,
        "rate": _rounded(rate(successes, valid)),
        "interval": _interval(successes, valid),
        "rate_errors_as_failures": _rounded(rate(successes, n)),
        "interval_errors_as_failures": _interval(successes, n),
        "ever": ever,
        "ever_rate": _rounded(rate(ever, valid)),
        "held": held,
        "held_rate": _rounded(rate(held, valid)),
        "progress": _rounded(progress),
        "true_at_reset": sum(record.true_at_reset for record in found),
        "terminations": {name: count(lambda o, name=name: o.termination == name) for name in TERMINATIONS},  # type: ignore[misc]
        "events": dict(sum((Counter(o.events) for o in outcomes), Counter())),
        "faults": dict(Counter(record.error.kind for record in found if record.error)),
    }


def _interval(k: int, n: int) -> list[float]:
    return [round(bound, 6) for bound in wilson(k, n, CONFIDENCE)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
