"""Target choice apart from motor skill: was the right thing chosen, and if so, was the task done.

A policy that states plans with places chooses by pointing: in its first plan, before it has moved. Any policy
chooses by touching: with the first movable object that it touches. Success is about one share times the
other, and a policy can fail by either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rtbench.result.record import Record
from rtbench.stats import wilson

DRAWER = "_drawer"
"""End of the names of drawers, which can be pointed at as objects can."""


@dataclass(frozen=True)
class Share:
    """A share of episodes."""

    right: int
    """Episodes that count."""
    n: int
    """All of them."""

    @property
    def rate(self) -> float | None:
        """The share, 0 to 1; None of nothing."""
        return self.right / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval at 95 %."""
        return wilson(self.right, self.n)


@dataclass(frozen=True)
class TargetChoice:
    """What a run says about the choice of targets."""

    success: Share
    """Episodes that succeeded, of those that are about a thing."""
    pointed: Share
    """Episodes whose first plan points at the right things, of those with a plan."""
    success_if_pointed: Share
    """Episodes that succeeded, of those whose first plan points at the right things."""
    success_if_not_pointed: Share
    """Likewise of those whose first plan points at others: what is done in spite of the plan."""
    touched: Share
    """Episodes in which a right object was touched first, of those that are about one."""
    success_if_touched: Share
    """Episodes that succeeded, of these."""


def target_choice(records: Iterable[Record]) -> TargetChoice:
    """Target choice and motor skill of a run's episodes. Errors are left out.

    Args:
        records: Records of one run.
    """
    about = [record for record in records if record.outcome and targets(record)]
    planned = [record for record in about if record.plans and record.plans[0].places]
    hit = [record for record in planned if points_right(record)]
    missed = [record for record in planned if not points_right(record)]
    movable = [record for record in about if set(targets(record)) & set(record.episode.objects)]
    touched = [record for record in movable if record.outcome and record.outcome.touched in targets(record)]
    return TargetChoice(
        success=_success(about),
        pointed=Share(len(hit), len(planned)),
        success_if_pointed=_success(hit),
        success_if_not_pointed=_success(missed),
        touched=Share(len(touched), len(movable)),
        success_if_touched=_success(touched),
    )


def targets(record: Record) -> Mapping[str, frozenset[str]]:
    """What an episode's goal asks to be moved, with what it is to be brought to; {} for nothing.

    A thing is an object or a drawer. What has no place in a picture, such as a counter, is left out.
    """
    found: dict[str, set[str]] = {}
    for leaf in record.outcome.subgoals if record.outcome else ():
        first, *others = leaf.partition("(")[2].rstrip(")").split(", ")
        if _is_thing(record, first):
            found.setdefault(first, set()).update(name for name in others if _is_thing(record, name))
    return {name: frozenset(others) for name, others in found.items()}


def points_right(record: Record) -> bool:
    """Whether the first plan's first place is that of a thing to be moved, and its second where it goes.

    Where a thing is to be brought to nothing that has a place, the second does not matter. A place is that of
    all things which it cannot tell apart, see `rtbench.core.stated_plan.Place.beside`.
    """
    if not record.plans or not record.plans[0].places:
        return False
    first, *others = (set(place.things) for place in record.plans[0].places)
    ends = [goes for thing, goes in targets(record).items() if thing in first]
    return any(not goes or (others and others[0] & goes) for goes in ends)


def _is_thing(record: Record, name: str) -> bool:
    return name in record.episode.objects or name.endswith(DRAWER)


def _success(records: Iterable[Record]) -> Share:
    ends = [record.outcome.end for record in records if record.outcome]
    return Share(sum(ends), len(ends))
