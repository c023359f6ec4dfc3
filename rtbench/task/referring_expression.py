"""Referring expressions: descriptions that identify one object among those present.

"The smallest number", "the can that is not red", "the leftmost bottle": an instruction may describe a thing
instead of naming it. A reference holds the meaning of such a description as data, so that it can be checked.
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
"""Extremes that depend on positions: the predicate that compares two objects, and whether the other object
is its first argument."""


class Described(Protocol):
    """The attributes of an object that a reference uses."""

    @property
    def tags(self) -> Collection[str]:
        """Kinds, colours, uses."""
        ...

    @property
    def value(self) -> int | None:
        """Number that it shows."""
        ...


class Reference(BaseModel):
    """A description of one object. Every part that is given must hold for it."""

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
        """Whether the object's own attributes fit, whatever the other objects are."""
        return (
            set(self.tags) <= set(thing.tags)
            and not set(self.without) & set(thing.tags)
            and (self.value is None or thing.value == self.value)
        )

    def candidates(self, things: Mapping[str, Described]) -> tuple[str, ...]:
        """Names of the objects that fit; positions are unknown, so only extremes of numbers count."""
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
        """Predicates with arguments that must hold at the start for the description to fit only one object.

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
