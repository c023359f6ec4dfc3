"""What questions are made from: a picture, what is known, and a random choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from rtbench.data.vision_language import NamedPlace, Pair
from rtbench.data.vqa.knowledge import Knowledge
from rtbench.data.vqa.picture import Seen, View

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

T = TypeVar("T")


@dataclass(frozen=True)
class Asking:
    """What a question is made from."""

    view: View
    """The picture."""
    known: Knowledge
    """What is known of things."""
    random: np.random.Generator
    """Chooses."""

    @property
    def seen(self) -> list[Seen]:
        """The objects in the picture."""
        return list(self.view.seen.values())

    def one(self, items: Sequence[T]) -> T | None:
        """One of the items; None of none."""
        return items[int(self.random.integers(len(items)))] if items else None

    def say(self, *texts: str) -> str:
        """One of some texts."""
        return texts[int(self.random.integers(len(texts)))]

    def tagged(self, tag: str) -> list[Seen]:
        """The objects in the picture with a tag."""
        return [thing for thing in self.seen if thing.entry and tag in thing.entry.tags]

    def name(self, thing: Seen) -> str:
        """A thing with its article, under one of its English names."""
        also = self.known.fact(thing.name).also
        text = self.say(*also) if also and self.random.random() < 0.3 else thing.text
        return f"the {_shown(thing, text)}"


Maker = Callable[[Asking], Pair | None]


def place(thing: Seen) -> NamedPlace:
    """Where a thing is."""
    return NamedPlace(thing.text, thing.x, thing.y)


def pointed(question: str, things: Sequence[Seen], kind: str, answer: str | None = None) -> Pair:
    """A question that is answered by places, and by the names of what is there."""
    told = ", ".join(thing.text for thing in things) if answer is None else answer
    return Pair(question, told, tuple(place(thing) for thing in things), kind)


def _shown(thing: Seen, text: str) -> str:
    """Cards are often called so."""
    if thing.entry and thing.entry.platform and not text.endswith(("card", "icon", "symbol")):
        return f"{text} card" if len(text) == 1 or text.startswith("letter") else text
    return text
