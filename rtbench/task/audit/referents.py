"""Audit of referents: instructions name only objects that are present, and identify the goal's objects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtbench.task.audit.interpretation import Reading, goal_objects, needed
from rtbench.task.suite import Catalogue
from rtbench.task.task import Goal, Task

_RELATION = re.compile(
    r"\b(?:between|left|right|near|next|beside|behind|front|other|but|not|no|nor|except|than|same|instead|from|"
    r"away|closest|nearest|farthest|matches|like|and|or|with)\b"
)
"""Words that may introduce an object that the goal is not about."""
_BESIDE = re.compile(r"\b(?:near|next to|close to|beside|alongside|left of|right of)(?: an?| the)? $")
"""Words before the name of the object that another one is put next to."""
_OTHER_COUNTER = re.compile(r"\bother (?:counter|one)\b")
_ALL = re.compile(r"\b(?:drawers|every|each|all|both|no|any)\b")


def faults_of_text(reading: Reading) -> Iterator[str]:
    """Faults of the names in one English text."""
    yield from _names(reading)
    yield from _unsaid(reading)
    yield from _swapped(reading)


def faults_of_means(task: Task, catalogue: Catalogue) -> Iterator[str]:
    """Faults of a task's descriptions."""
    present = {name: catalogue.objects[name] for name in task.present}
    given = task.start.given.leaves() if task.start.given else ()
    for name, reference in task.means.items():
        found = reference.candidates(present)
        others = [other for other in found if other != name]
        if name not in found:
            yield f"'means' does not fit {name!r} itself; correct the description or the object's tags."
        elif not reference.spatial and others:
            fitting = " and ".join(sorted(others))
            yield f"'means' fits {fitting} as well as {name!r}; describe it better or change the foils."
        elif reference.spatial and not others:
            yield f"{name!r} is the only thing that fits, so that its place says nothing; add foils."
        elif reference.spatial:
            layout = [Goal(leaf[0], leaf[1:]) for leaf in reference.layout(name, others)]
            open_ = next((leaf for leaf in layout if leaf not in given), None)
            if open_ is not None:
                yield f"'means' tells {name!r} by its place, but {open_} is not given; put it under 'given'."


def faults_of_other_objects(task: Task, catalogue: Catalogue) -> Iterator[str]:
    """Faults of the objects beside those that the goal is about."""
    present = {name: catalogue.objects[name] for name in task.present}
    own = goal_objects(task)
    for reference in task.every:
        fitting = {name for name, thing in present.items() if reference.fits(thing)}
        left_out = sorted(fitting - own)
        if left_out:
            yield f"'every' fits {left_out[0]!r}, which the goal is not about; add it to the goal or drop it."
        if not fitting:
            yield "'every' fits nothing that is there; correct its tags."
    for name in sorted(own - {*task.means}):
        for other in task.present:
            shared = {*present[name].names} & {*present[other].names}
            if other != name and shared:
                yield f"{name!r} and {other!r} are both called {min(shared)!r}; take another or rename one."


def _names(reading: Reading) -> Iterator[str]:
    """Names of absent objects, of two objects at once, or of objects that the task is not about."""
    task = reading.task
    # "The orange drink" names no orange. Without a description, every name counts.
    tags = reading.tags(frozenset(task.present)) if task.means or task.every else frozenset()
    parts = _parts(task)
    for mention in reading.mentions:
        present = mention.may_mean & reading.there
        if mention.aside or (mention.words in tags and not present & {*task.objects}):
            continue
        if not present:
            thing = min(mention.may_mean, key=reading.likelier)
            yield f"names {thing!r}, which is not there; make it a role or foil, or say something else."
        elif len(present) > 1:
            both = " and ".join(sorted(present))
            yield f"names {both} with the same words; give one of them another name."
        elif not present & parts and not (present & {*task.foils} and _RELATION.search(reading.text)):
            yield f"names {min(present)!r}, which the task is not about; name what the goal is about."


def _parts(task: Task) -> frozenset[str]:
    """All objects and fixtures that the task is about."""
    start = task.start
    said = {argument for leaf in task.goal.leaves() for argument in leaf.arguments}
    given = {a for leaf in (start.given.leaves() if start.given else ()) for a in leaf.arguments}
    own = {*task.objects, *start.place.values(), *start.drawers, start.station}
    return frozenset(own | said | (given - {*task.foils}))


def _unsaid(reading: Reading) -> Iterator[str]:
    """Objects and fixtures of the goal that the text neither names nor describes."""
    task, setting = reading.task, reading.catalogue.scenes[reading.task.scene]
    for name in sorted(goal_objects(task) - reading.named - reading.described):
        yield f"does not say that {name!r} is meant; name it, or say under 'means' how it is told."
    # Where the goal has alternatives, the text may leave them open.
    said = {argument for leaf in needed(task.goal) for argument in leaf.arguments}
    for name in sorted((said & {*setting.drawers, *setting.sinks}) - reading.named):
        if not _is_identified(name, reading):
            yield f"does not say that {name!r} is meant; name it."
    begun = {*task.start.place.values(), task.start.station}
    for name in sorted((said & {*setting.surfaces}) - begun - reading.named):
        if not _OTHER_COUNTER.search(reading.text):
            yield f"does not say that {name!r} is meant; name it, or say 'the other counter'."


def _is_identified(drawer: str, reading: Reading) -> bool:
    """Whether "the drawer" or "every drawer" can only mean this one, or all."""
    if _ALL.search(reading.text):
        return True
    return "drawer" in reading.unnamed.split() and {*reading.task.start.drawers} <= {drawer}


def _swapped(reading: Reading) -> Iterator[str]:
    """Texts that exchange the object to move and its target."""
    leaves = [
        leaf for leaf in reading.task.goal.leaves() if leaf.predicate in ("near", "left_of", "right_of")
    ]
    landmarks = {leaf.arguments[1] for leaf in leaves}
    for mention in reading.mentions:
        (name, *more) = mention.may_mean & reading.there or ("",)
        if more or name in landmarks or not _BESIDE.search(reading.text[: mention.start].lower()):
            continue
        other = next((leaf.arguments[1] for leaf in leaves if leaf.arguments[0] == name), "")
        if other in reading.named:
            yield f"moves {other!r} to {name!r}, but the goal moves {name!r} to {other!r}; turn one round."
