"""What a run's records say, in numbers: the content of summary.json.

An error is neither success nor failure. Each group has its rate among the episodes that have an outcome,
and, for the cautious, the rate that counts errors as failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import Field

from rtbench.core.episode import Outcome
from rtbench.core.split import LEFT_OUT, Novelties, splits_of
from rtbench.result.clipped import Clipped, clipped
from rtbench.result.control_rate import ControlRates, control_rates
from rtbench.result.folder import SUMMARY, read_json, write_json
from rtbench.result.jsonl import SCHEMA
from rtbench.result.metadata import Decision
from rtbench.result.record import Record
from rtbench.result.rules import RuleRate, rules
from rtbench.result.stored import Count, Flag, Number, Positive, Share, Stored
from rtbench.stats import Pairs, macro, mcnemar, newcombe_paired, percentile, rate, wilson, wilson_clustered

TERMINATIONS = ("on_time", "early", "late", "missing")
CONFIDENCE = 0.95


class Group(Stored):
    """What some episodes say together; rates are None where no episode has an outcome."""

    n: Count
    """Episodes."""
    errors: Count
    """Those without an outcome."""
    successes: Count
    """Those whose goal was true at the end."""
    rate: Share | None
    """Successes among the episodes with an outcome."""
    interval: tuple[Number, Number]
    """Of that rate: Wilson's, at 95 %."""
    rate_errors_as_failures: Share | None
    """Successes among all episodes."""
    interval_errors_as_failures: tuple[Number, Number]
    """Of that rate."""
    ever: Count
    """Episodes whose goal was true after any step."""
    ever_rate: Share | None
    """Their share of those with an outcome."""
    held: Count
    """Episodes whose goal stayed true for one more second."""
    held_rate: Share | None
    """Their share of those with an outcome."""
    progress: Share | None
    """Mean share of the goal's leaves true at the end."""
    steps: Positive | None
    """Median of control steps."""
    true_at_reset: Count
    """Episodes whose goal was true before anything was done."""
    terminations: dict[str, Count]
    """How many ended in each of `TERMINATIONS`."""
    events: dict[str, Count]
    """Sums of events, those that occurred."""
    faults: dict[str, Count]
    """Errors by kind."""


class Macro(Stored):
    """Means over skills, each of which counts once; None where no skill has a value."""

    rate: Share | None
    rate_errors_as_failures: Share | None
    ever_rate: Share | None
    held_rate: Share | None
    progress: Share | None


class Drop(Stored):
    """How success differs between pairs of episodes, the reference first; rates are None of no pair."""

    pairs: Count
    """Pairs of which both have an outcome."""
    errors: Count
    """Pairs with an error, which tell nothing."""
    twin_successes: Count
    """Successes of the reference."""
    successes: Count
    """Successes of the others."""
    lost: Count
    """Pairs in which the reference alone succeeded."""
    gained: Count
    """Pairs in which the other alone did."""
    twin_rate: Share | None
    """Rate of the reference."""
    rate: Share | None
    """Rate of the others."""
    drop: Number | None
    """The reference's rate less the others'."""
    interval: tuple[Number, Number]
    """Of the drop: Newcombe's paired interval at 95 %."""
    p: Share
    """Exact both-sided p of McNemar's test."""


class Clustered(Stored):
    """How sure the overall rate is as one of tasks like these, and not of these tasks alone."""

    tasks: Count
    """Tasks that have an episode with an outcome."""
    interval: tuple[Number, Number]
    """Of the rate, at 95 %; see `rtbench.stats.wilson_clustered`."""


class Summary(Stored):
    """summary.json. The order of the fields is that of the file.

    `skills` and `overall` have all episodes. `axes`, `splits` and `drops` leave out those that a card's
    training makes no test of what they are to test; `left_out` has these.
    """

    schema_version: Count = Field(SCHEMA, alias="schema")
    """Form of the file, 'schema' in it."""
    planned: Count
    """Episodes asked for."""
    complete: Flag
    """Whether all of them have a record."""
    overall: Group
    """All episodes."""
    macro: Macro
    """Means over skills."""
    skills: dict[str, Group]
    """By skill."""
    axes: dict[str, Group]
    """By axis."""
    splits: dict[str, Group]
    """By split, as `splits_by` says."""
    splits_by: str
    """suite, or card: what says which split an episode is of."""
    left_out: Group
    """Episodes that were to be novel, and of which the policy was trained on everything."""
    drops: dict[str, Drop]
    """By axis: against unperturbed twins, where the run has both."""
    hz: ControlRates
    """Whether policy, environment and closed loop kept up."""
    decision: Decision | None = None
    """Why a run against a baseline has ended."""
    by_task: Clustered | None = None
    """Of the overall rate; None where no two episodes share a task, or where all ended alike."""
    clipped: dict[str, Clipped] | None = None
    """By dimension of the action: numbers that were clipped; only of a policy that predicts numbers."""
    rules: dict[str, RuleRate] | None = None
    """Rules that are reported beside success, such as 'strict'; only where tasks have any."""


def read_summary(folder: Path) -> Summary | None:
    """What summary.json of a run says; None where there is none.

    Raises:
        RunError: it cannot be read.
    """
    path = folder / SUMMARY
    return Summary.of_json(read_json(path), path) if path.exists() else None


def write_summary(folder: Path, summary: Summary) -> None:
    """Write summary.json.

    Raises:
        RunError: the disk is full, or the folder cannot be written.
    """
    write_json(folder / SUMMARY, summary.as_dict())


def summarise(
    records: Sequence[Record],
    planned: int,
    control_hz: int,
    novelties: Novelties | None = None,
    decision: Decision | None = None,
) -> Summary:
    """The summary of a run of which `planned` episodes were asked for.

    Args:
        records: One an episode.
        planned: Episodes asked for.
        control_hz: Control rate [Hz].
        novelties: Of `rtbench.task.training_coverage.TrainingCoverage`; None where the policy's card says
            nothing of its training.
        decision: Why the run has ended, if it was against a baseline.
    """
    by_skill = _by(records, lambda record: record.episode.skill)
    splits = splits_of({record.key: record.episode for record in records}, novelties)
    left_out = [record for record in records if splits[record.key] == LEFT_OUT]
    counted = [record for record in records if splits[record.key] != LEFT_OUT]
    skills = {skill: group(found) for skill, found in by_skill.items()}
    means = {name: macro(getattr(one, name) for one in skills.values()) for name in Macro.model_fields}
    found = Summary(
        schema=SCHEMA,
        planned=planned,
        complete=len(records) == planned,
        overall=group(records),
        macro=Macro(**{name: _rounded(mean) for name, mean in means.items()}),
        skills=skills,
        axes={axis: group(found) for axis, found in _by(counted, lambda r: r.episode.axis).items()},
        splits={split: group(found) for split, found in _by(counted, lambda r: splits[r.key]).items()},
        splits_by="suite" if novelties is None else "card",
        left_out=group(left_out),
        drops=drops(records, counted),
        hz=control_rates(records, control_hz),
        decision=decision,
        by_task=by_task(records),
    )
    clips, beside = clipped(records), rules(records)
    found = found.replace(clipped=clips) if clips else found
    return found.replace(rules=beside) if beside else found


def by_task(records: Iterable[Record]) -> Clustered | None:
    """The interval of the rate of some records, clustered by task; see `Summary.by_task`."""
    outcomes = [(record.episode.task, record.outcome.end) for record in records if record.outcome]
    tasks = [task for task, _ in outcomes]
    found = wilson_clustered([end for _, end in outcomes], tasks, CONFIDENCE)
    if found is None:
        return None
    return Clustered(tasks=len(set(tasks)), interval=(round(found[0], 6), round(found[1], 6)))


def drops(records: Iterable[Record], perturbed: Iterable[Record]) -> dict[str, Drop]:
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


def drop(paired: Iterable[tuple[Record, Record]]) -> Drop:
    """What pairs of records say, the reference first."""
    found = list(paired)
    outcomes = [(a.outcome.end, b.outcome.end) for a, b in found if a.outcome and b.outcome]
    pairs = Pairs.count(outcomes)
    n = pairs.n
    low, high = newcombe_paired(pairs, CONFIDENCE)
    return Drop(
        pairs=n,
        errors=len(found) - n,
        twin_successes=pairs.first,
        successes=pairs.second,
        lost=pairs.first_only,
        gained=pairs.second_only,
        twin_rate=_rounded(rate(pairs.first, n)),
        rate=_rounded(rate(pairs.second, n)),
        drop=_rounded(rate(pairs.first - pairs.second, n)),
        interval=(round(low, 6), round(high, 6)),
        p=round(mcnemar(pairs), 6),
    )


def group(records: Iterable[Record]) -> Group:
    """Counts, rates, intervals and median steps of some records."""
    found = list(records)
    outcomes = [record.outcome for record in found if record.outcome]
    n, valid = len(found), len(outcomes)

    def count(test: Callable[[Outcome], bool]) -> int:
        return sum(test(outcome) for outcome in outcomes)

    successes, ever, held = count(lambda o: o.end), count(lambda o: o.ever), count(lambda o: o.held)
    progress = sum(o.progress for o in outcomes) / valid if valid else None
    return Group(
        n=n,
        errors=n - valid,
        successes=successes,
        rate=_rounded(rate(successes, valid)),
        interval=interval(successes, valid),
        rate_errors_as_failures=_rounded(rate(successes, n)),
        interval_errors_as_failures=interval(successes, n),
        ever=ever,
        ever_rate=_rounded(rate(ever, valid)),
        held=held,
        held_rate=_rounded(rate(held, valid)),
        progress=_rounded(progress),
        steps=_rounded(percentile([o.steps for o in outcomes], 0.5)),
        true_at_reset=sum(record.true_at_reset for record in found),
        terminations={name: count(lambda o, name=name: o.termination == name) for name in TERMINATIONS},  # type: ignore[misc]
        events=dict(sum((Counter(o.events) for o in outcomes), Counter())),
        faults=dict(Counter(record.error.kind for record in found if record.error)),
    )


def interval(k: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a rate, low and high, rounded for a file."""
    low, high = wilson(k, n, CONFIDENCE)
    return round(low, 6), round(high, 6)


def _by(records: Iterable[Record], name: Callable[[Record], str]) -> dict[str, list[Record]]:
    """Records by name, in order of the first of each."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(name(record), []).append(record)
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
