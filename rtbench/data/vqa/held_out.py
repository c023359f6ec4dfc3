"""What is kept out of vision-language data, and how much of the emergent suite's words it has nevertheless.

The data plays the part of the web: it may know what a hammer is for, but none of the sentences that the
policy is tested with. Whole instructions are looked for in what was made, and the words are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtbench.data.vision_language import Pair
from rtbench.data.vqa.asking import NUMBERS
from rtbench.data.vqa.picture import SCENE, SETS
from rtbench.task.library import BUNDLED, Library

SUITES = ("novel", "emergent")
"""Suites whose instructions, scenes, variants and textures are held out."""
SEEN = "seen"
_SUM = re.compile(rf"\b({'|'.join(NUMBERS)}|[0-9])\b")
_PACKED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
"""Scripts that have no blanks between words; pairs of signs are their words."""


@dataclass(frozen=True)
class HeldOut:
    """What no pair may have."""

    instructions: frozenset[str]
    """Instructions of the held-out suites that the suite seen does not have too, as `plain` text.

    Some of them are plans of held-out pairs of a skill and its objects: 'pick orange can'."""
    operands: frozenset[frozenset[int]]
    """Numbers that the emergent suite calculates with, two and two."""
    scenes: tuple[str, ...]
    """Scenes of those suites that are not of the suite seen."""
    variants: tuple[str, ...]
    """Perturbations of scenes; all that there are."""
    sets: tuple[str, ...]
    """Sets of objects that are not drawn."""

    def __contains__(self, pair: Pair) -> bool:
        """Whether a pair says a held-out instruction, or calculates what one does."""
        return (
            plain(pair.question) in self.instructions
            or plain(pair.answer) in self.instructions
            or (pair.kind == "sum" and _numbers(pair.question) in self.operands)
        )

    def summary(self) -> dict[str, Any]:
        """What is written into the file."""
        return {
            "suites": list(SUITES),
            "instructions": len(self.instructions),
            "operands": sorted(sorted(pair) for pair in self.operands),
            "scenes": list(self.scenes),
            "variants": list(self.variants),
            "sets": list(self.sets),
        }


def held_out(library: Library = BUNDLED) -> HeldOut:
    """What the suites `SUITES` of a library hold out."""
    texts = {suite: _plain(suite, library) for suite in (SEEN, *SUITES)}
    calculated = {_numbers(text) for text in texts["emergent"]}
    return HeldOut(
        instructions=frozenset.union(*(texts[suite] for suite in SUITES)) - texts[SEEN],
        operands=frozenset(pair for pair in calculated if pair),
        scenes=tuple(sorted(set(library.scenes()) - {SCENE})),
        variants=tuple(sorted(name for name in library.variants() if name)),
        sets=tuple(sorted({thing.set for thing in library.things().values()} - set(SETS))),
    )


@cache
def instructions(name: str, library: Library = BUNDLED) -> Mapping[str, set[str]]:
    """All instructions of the suite of that name, by axis."""
    suite = library.suite(name)
    found = dict[str, set[str]]()
    for axis, rules in suite.entry.axes.items():
        texts = found.setdefault(axis, set())
        wordings = [suite.catalogue.wordings[name] for name in rules.wordings]
        for task in suite.tasks(axis):
            if not wordings:
                texts.update(task.templates)
            for wording in wordings:
                if wording.covers(task):
                    texts.update(wording.instructions(task))
    return found


def _plain(name: str, library: Library) -> frozenset[str]:
    return frozenset(plain(text) for found in instructions(name, library).values() for text in found)


@dataclass(frozen=True)
class Overlap:
    """How many of an axis' words the data has."""

    axis: str
    """Axis of the emergent suite."""
    words: int
    """Different words of its instructions that no instruction of the suite seen has."""
    known: int
    """Those of them that are in questions or answers."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.known / self.words if self.words else 0.0


def overlap(pairs: Iterable[Pair], library: Library = BUNDLED) -> list[Overlap]:
    """The overlap of words with each axis of the emergent suite."""
    have = {word for pair in pairs for word in (*words(pair.question), *words(pair.answer))}
    seen = {word for found in instructions(SEEN, library).values() for t in found for word in words(t)}
    asked: Mapping[str, set[str]] = {
        axis: {word for text in found for word in words(text)} - seen
        for axis, found in instructions("emergent", library).items()
    }
    return [Overlap(axis, len(found), len(found & have)) for axis, found in asked.items()]


def words(text: str) -> list[str]:
    """The words of a text, without capitals; of scripts without blanks, pairs of signs."""
    found = list[str]()
    for word in re.findall(r"[^\W_]+", text.lower()):
        rest = _PACKED.sub(" ", word)
        found += rest.split()
        for run in _PACKED.findall(word):
            found += [run[k : k + 2] for k in range(max(1, len(run) - 1))]
    return found


def plain(text: str) -> str:
    """A text without capitals, marks and double blanks, to compare it with others."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _numbers(text: str) -> frozenset[int]:
    """The numbers of a text of two; empty if it has fewer or more."""
    found = _SUM.findall(text.lower())
    values = [NUMBERS.index(word) if word in NUMBERS else int(word) for word in found]
    return frozenset(values) if len(values) == 2 else frozenset()
