"""Rules that are reported beside success: how many episodes meet each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rtbench.result.record import Record
from rtbench.result.stored import Count, Number, Share, Stored
from rtbench.stats import wilson

CONFIDENCE = 0.95


class RuleRate(Stored):
    """A rule, beside success in the same episodes."""

    n: Count
    """Episodes with an outcome by this rule."""
    successes: Count
    """Those that meet it."""
    rate: Share
    """Their share."""
    interval: tuple[Number, Number]
    """Of the rate: Wilson's, at 95 %."""
    success_rate: Share
    """Share of successes by the goal in these episodes."""
    skills: dict[str, tuple[Count, Count]]
    """By skill: episodes that meet it, and episodes."""


def rules(records: Iterable[Record]) -> dict[str, RuleRate]:
    """What records say of each rule, by its name; empty where no task has one."""
    found: dict[str, list[tuple[str, bool, bool]]] = {}
    for record in records:
        outcome = record.outcome
        for name, holds in outcome.rules.items() if outcome else ():
            found.setdefault(name, []).append((record.episode.skill, holds, bool(outcome and outcome.end)))
    return {name: _rated(rows) for name, rows in found.items()}


def _rated(rows: Sequence[tuple[str, bool, bool]]) -> RuleRate:
    """The rates of rows of skill, whether the rule holds, and whether the goal does."""
    n, met = len(rows), sum(holds for _, holds, _ in rows)
    low, high = wilson(met, n, CONFIDENCE)
    by_skill: dict[str, list[bool]] = {}
    for skill, holds, _ in rows:
        by_skill.setdefault(skill, []).append(holds)
    return RuleRate(
        n=n,
        successes=met,
        rate=round(met / n, 6),
        interval=(round(low, 6), round(high, 6)),
        success_rate=round(sum(end for _, _, end in rows) / n, 6),
        skills={skill: (sum(held), len(held)) for skill, held in by_skill.items()},
    )
