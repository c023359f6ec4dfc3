"""References: descriptions that single out one object among those present.

"The smallest number", "the can that is not red", "the leftmost bottle": an instruction may describe a thing
instead of naming it. A reference says in data what such a description means, so that it can be checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

Extreme = Literal["", "smallest", "largest", "leftmost", "rightmost", "nearest", "farthest"]
SIDES: dict[str, tuple[str, bool]] = {
    "leftmost": ("left_of", False),
    "rightmost": ("right_of", False),
    "nearest": ("nearer", False),
    "farthest": ("nearer", True),
}
"""Extremes that depend on where things stand: the predicate that compares two things, and whether the
other one comes first in it."""


class Described(Protocol):
    """What a reference looks at."""

    @property
    def tags(self) -> Collection[str]:
        """Kinds, colours, uses."""
        ...

    @property
    def value(self) -> int | None:
        """Number that it shows."""
        ...


class Reference(BaseModel):
    """A description of one object. Every part that is given must be true of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: tuple[str, ...] = ()
    """It has all of these."""
    without: tuple[str, ...] = ()
    """It has none of these."""
    value: int | None = None
    """It shows this number."""
    extreme: Extreme = ""
    """Of those that fit so far, it is the one with the least or greatest number, or the outermost one."""
    between: tuple[str, str] | tuple[()] = ()
    """Of those that fit so far, it is the one between these two."""

    def fits(self, thing: Described) -> bool:
        """Whether all that can be told from the thing alone is true of it."""
        return (
            set(self.tags) <= set(thing.tags)
            and not set(self.without) & set(thing.tags)
            and (self.value is None or thing.value == self.value)
        )

    def candidates(self, things: Mapping[str, Described]) -> tuple[str, ...]:
        """Names of those that fit; where they stand is not known, so only numbers tell extremes."""
        found = tuple(name for name, thing in things.items() if self.fits(thing) and name not in self.between)
        numbers = {name: value for name in found if (value := things[name].value) is not None}
        if self.extreme in ("smallest", "largest") and numbers:
            best = (min if self.extreme == "smallest" else max)(numbers.values())
            return tuple(name for name, value in numbers.items() if value == best)
        return found

    def bound(self, assigned: Mapping[str, str]) -> Reference:
        """The same description with names in place of roles."""
        return self.model_copy(update={"between": tuple(assigned.get(name, name) for name in self.between)})

    def layout(self, meant: str, others: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        """Predicates with arguments that must hold at the start, so that the object meant is the one.

        Args:
            meant: The object that is meant.
            others: The other candidates.
        """
        if self.between:
            return (("between", meant, *self.between),)
        if self.extreme not in SIDES:
            return ()
        predicate, other_first = SIDES[self.extreme]
        return tuple(
            (predicate, other, meant) if other_first else (predicate, meant, other) for other in others
        )

    @property
    def spatial(self) -> bool:
        """Whether it depends on where things stand."""
        return bool(self.between) or self.extreme in SIDES
