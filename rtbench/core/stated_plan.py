"""A plan that a policy states before it acts: a sentence, and where in the picture it wants to act."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place in the head camera's picture."""

    x: float
    """From 0 at the left to 1 at the right."""
    y: float
    """From 0 at the top to 1 at the bottom."""
    thing: str = ""
    """Object of the episode that is nearest to it in the picture; '' where none is near, or before the
    evaluator has looked it up."""
    beside: tuple[str, ...] = ()
    """Others that may be meant as well: they are as near as a place can tell, such as what lies in a bowl."""

    @property
    def things(self) -> tuple[str, ...]:
        """All that it may mean."""
        return (self.thing, *self.beside) if self.thing else ()


@dataclass(frozen=True)
class StatedPlan:
    """A plan, from the step on at which it was stated."""

    step: int
    """Control steps since reset."""
    text: str
    """The plan in words, such as 'move apple near sponge'."""
    places: tuple[Place, ...] = ()
    """Places in the order of the words: of the thing to move, then of where it goes."""
