"""`Reading`, the interpretation of an English text for one task: which objects it names and describes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rtbench.task.audit.mentions import Mention, Mentions
from rtbench.task.suite import Catalogue
from rtbench.task.task import Goal, Task


@dataclass(frozen=True)
class Reading:
    """One text for one task."""

    text: str
    task: Task
    catalogue: Catalogue
    mentions: tuple[Mention, ...]
    """Objects and fixtures that the text names."""

    @classmethod
    def of(cls, text: str, task: Task, catalogue: Catalogue, mentions: Mentions) -> Reading:
        """Interpret a text; `mentions` finds the names of all objects and of the scene's fixtures."""
        return cls(text, task, catalogue, mentions(text))

    @cached_property
    def there(self) -> frozenset[str]:
        """Objects of every episode, and fixtures."""
        return frozenset((*self.task.present, *self.catalogue.scenes[self.task.scene].fixtures))

    def likelier(self, name: str) -> tuple[bool, str]:
        """A sort key of absent things with one name: those that stand in the task's scene come first."""
        objects = self.catalogue.objects
        near = {self.catalogue.scenes[self.task.scene].distractors}
        near |= {objects[other].set for other in self.task.present}
        return (name in objects and objects[name].set not in near, name)

    @cached_property
    def named(self) -> frozenset[str]:
        """Those of `there` that the text names."""
        return frozenset(name for mention in self.mentions for name in mention.may_mean & self.there)

    @cached_property
    def unnamed(self) -> str:
        """The text without names and marks."""
        rest = self.text
        for mention in self.mentions:
            end = mention.start + len(mention.words)
            rest = rest[: mention.start] + " " * len(mention.words) + rest[end:]
        return re.sub(r"[,.?!:]", " ", rest)

    @cached_property
    def described(self) -> frozenset[str]:
        """Objects that a description means, alone or as one of all of a kind."""
        every = self.task.every
        objects = self.catalogue.objects
        counted = {n for n in self.task.present if any(reference.fits(objects[n]) for reference in every)}
        return frozenset({*self.task.means, *counted})

    def tags(self, names: frozenset[str]) -> frozenset[str]:
        """Tags of any of these objects, as words."""
        found = {tag for name in names for tag in self.catalogue.objects[name].tags}
        return frozenset(tag.removesuffix("_colored").replace("_", " ") for tag in found)


def goal_objects(task: Task) -> frozenset[str]:
    """Objects that the goal is about."""
    return frozenset(a for leaf in task.goal.leaves() for a in leaf.arguments) & {*task.present}


def needed(goal: Goal) -> Iterator[Goal]:
    """Leaves that have to be true, whatever is chosen among alternatives."""
    if not goal.children:
        yield goal
    elif goal.predicate != "any":
        yield from itertools.chain.from_iterable(map(needed, goal.children))
