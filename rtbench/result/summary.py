"""What a run's records say, in numbers: the content of summary.json.

An error is neither success nor failure. Each group has its rate among the episodes that have an outcome,
and, for the cautious, the rate that counts errors as failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rtbench.core.episode import Outcome
from rtbench.core.split import LEFT_OUT, Novelties, splits_of
from rtbench.result.control_rate import hz
from rtbench.result.jsonl import SCHEMA
from rtbench.result.record import Record
from rtbench.stats import Pairs, macro, mcnemar, newcombe_paired, percentile, rate, wilson

TERMINATIONS = ("on_time", "early", "late", "missing")
CONFIDENCE = 0.95


def summarise(
    records: Sequence[Record], planned: int, control_hz: int, novelties: Novelties | None = None
) -> dict[str, Any]:
    """The summary of a run of which `planned` episodes were asked for.

    Args:
        records: One an episode.
        planned: Episodes asked for.
        control_hz: Control rate [Hz].
        novelties: Of `rtbench.task.training_coverage.TrainingCoverage`; None where the policy's card says
            nothing of its training.

    'skills' and 'overall' have all episodes. 'axes', 'splits' and 'drops' leave out those that a card's
    training makes no test of what they are to test; 'left_out' has these.
    """
    by_skill = _by(records, lambda record: record.episode.skill)
    splits = splits_of({record.key: record.episode for record in records}, novelties)
    left_out = [record for record in records if splits[record.key] == LEFT_OUT]
    counted = [record for record in records if splits[record.key] != LEFT_OUT]
    skills = {skill: group(found) for skill, found in by_skill.items()}
    macros = ("rate", "rate_errors_as_failures", "ever_rate", "held_rate", "progress")
    return {
        "schema": SCHEMA,
        "planned": planned,
        "complete": len(records) == planned,
        "overall": group(records),
        "macro": {name: _rounded(macro(g[name] for g in skills.values())) for name in macros},
        "skills": skills,
        "axes": {axis: group(found) for axis, found in _by(counted, lambda r: r.episode.axis).items()},
        "splits": {split: group(found) for split, found in _by(counted, lambda r: splits[r.key]).items()},
        "splits_by": "suite" if novelties is None else "card",
        "left_out": group(left_out),
        "drops": drops(records, counted),
        "hz": hz(records, control_hz),
    }


def drops(records: Iterable[Record], perturbed: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """By axis: how success differs from that of the unperturbed twins, where the run has both.

    Args:
        records: All records, twins among them.
        perturbed: Records to compare with their twins; a control arm's twins are another run's.
    """
    twins = {record.key: record for record in records}
    paired = [
        (twins[record.episode.twin], record)
        for record in perturbed
        if record.episode.twin in twins and not record.episode.arm
    ]
    axes = dict.fromkeys(record.episode.axis for _, record in paired)
    return {axis: drop([pair for pair in paired if pair[1].episode.axis == axis]) for axis in axes}


def drop(paired: Iterable[tuple[Record, Record]]) -> dict[str, Any]:
    """What pairs of records say, the reference first; pairs with an error tell nothing and are counted apart.

    Gives counts and rates of both, the drop (reference less the other) with Newcombe's paired interval, and
    the exact both-sided p of McNemar's test. Rates are None where there is no pair.
    """
    found = list(paired)
    outcomes = [(a.outcome.end, b.outcome.end) for a, b in found if a.outcome and b.outcome]
    pairs = Pairs.count(outcomes)
    n = pairs.n
    return {
        "pairs": n,
        "errors": len(found) - n,
        "twin_successes": pairs.first,
        "successes": pairs.second,
        "lost": pairs.first_only,
        "gained": pairs.second_only,
        "twin_rate": _rounded(rate(pairs.first, n)),
        "rate": _rounded(rate(pairs.second, n)),
        "drop": _rounded(rate(pairs.first - pairs.second, n)),
        "interval": [round(bound, 6) for bound in newcombe_paired(pairs, CONFIDENCE)],
        "p": round(mcnemar(pairs), 6),
    }


def group(records: Iterable[Record]) -> dict[str, Any]:
    """Counts, rates, intervals and median steps of some records; None where nothing was measured."""
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
        "interval": interval(successes, valid),
        "rate_errors_as_failures": _rounded(rate(successes, n)),
        "interval_errors_as_failures": interval(successes, n),
        "ever": ever,
        "ever_rate": _rounded(rate(ever, valid)),
        "held": held,
        "held_rate": _rounded(rate(held, valid)),
        "progress": _rounded(progress),
        "steps": _rounded(percentile([o.steps for o in outcomes], 0.5)),
        "true_at_reset": sum(record.true_at_reset for record in found),
        "terminations": {name: count(lambda o, name=name: o.termination == name) for name in TERMINATIONS},  # type: ignore[misc]
        "events": dict(sum((Counter(o.events) for o in outcomes), Counter())),
        "faults": dict(Counter(record.error.kind for record in found if record.error)),
    }


def interval(k: int, n: int) -> list[float]:
    """Wilson's interval of a rate, low and high, rounded for a file."""
    return [round(bound, 6) for bound in wilson(k, n, CONFIDENCE)]


def _by(records: Iterable[Record], name: Callable[[Record], str]) -> dict[str, list[Record]]:
    """Records by name, in order of the first of each."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(name(record), []).append(record)
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
