"""Finds the names of objects and fixtures in English texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rtbench.task.skill import Named

COMMON = frozenset(
    {
        "a",
        "an",
        "and",
        "at",
        "can",
        "close",
        "down",
        "for",
        "from",
        "i",
        "in",
        "into",
        "is",
        "it",
        "me",
        "move",
    }
    | {"my", "near", "no", "not", "of", "on", "one", "open", "or", "out", "over", "pick", "place", "please"}
    | {"put", "take", "that", "the", "then", "to", "up", "we", "with", "you"}
)
"""Words that are common in instructions: no object may have such a name."""

_SAID_OF_ABSENT = re.compile(r"\b(?:no|(?:without|as|like|instead of)(?: an?| the)?) $")
"""Before a name: 'there is no hammer here', 'use it as a hammer'."""
_VERB = re.compile(r"\bto $"), re.compile(r" (?:an?|the|my|your|some|it|this)\b")
"""Before and after a word that is a name otherwise: 'to hammer a nail', 'to comb my hair'."""


@dataclass(frozen=True)
class Mention:
    """Words of a text that are the name of an object or fixture."""

    words: str
    may_mean: frozenset[str]
    """Objects and fixtures of that name."""
    start: int
    """Index of its first character in the text."""
    aside: bool
    """Whether it does not claim that the object is present."""


class Mentions:
    """Finds names in English texts, the longest first, so that 'orange can' does not name an orange."""

    def __init__(self, objects: Mapping[str, Named], fixtures: Iterable[str]) -> None:
        self._called: dict[str, set[str]] = {}
        for name, thing in objects.items():
            for words in thing.names:
                self._called.setdefault(words.lower(), set()).add(name)
        for name in fixtures:
            self._called.setdefault(name.replace("_", " "), set()).add(name)
        longest_first = sorted(self._called.keys() - COMMON, key=lambda words: (-len(words), words))
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def __call__(self, text: str) -> tuple[Mention, ...]:
        """All mentions, in order."""
        text = text.lower()
        return tuple(self._mention(match, text) for match in self._pattern.finditer(text))

    def _mention(self, match: re.Match[str], text: str) -> Mention:
        before, after = text[: match.start()], text[match.end() :]
        verb = bool(_VERB[0].search(before) and _VERB[1].match(after))
        aside = verb or bool(_SAID_OF_ABSENT.search(before))
        return Mention(match[0], frozenset(self._called[match[0]]), match.start(), aside)
