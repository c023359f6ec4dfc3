"""What is known of things, and their names in other languages, from the YAML files beside this module.

They were written from the concepts, before anybody looked into the instructions of the suites; see
`rtbench.data.vqa.held_out` for what is measured of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rtbench.task.object_entry import ObjectEntry


@dataclass(frozen=True)
class Fact:
    """What is known of one thing."""

    also: tuple[str, ...] = ()
    """Other names."""
    uses: tuple[str, ...] = ()
    """What one does with it: 'cut paper'."""
    told: tuple[str, ...] = ()
    """What it is, without its name: 'it barks'."""


@dataclass(frozen=True)
class Knowledge:
    """All that questions are made from, besides what is in the picture."""

    kinds: Mapping[str, tuple[str, ...]]
    """Tag of an object -> nouns, the first one the answer."""
    properties: Mapping[str, tuple[str, ...]]
    """Tag of an object -> adjectives, the first one the answer."""
    colors: Mapping[str, str]
    """Tag of an object -> colour."""
    things: Mapping[str, Fact]
    """Object -> what is known of it."""
    languages: tuple[str, ...]
    """Languages besides English, BCP 47."""
    words: Mapping[str, Mapping[str, Mapping[str, str]]]
    """'things', 'colors', 'kinds', 'drawers' or 'sources' -> entry -> language -> word."""
    ends: Mapping[str, Mapping[str, Mapping[str, str]]]
    """'nouns' and so on -> language -> end of a word -> what stands there where it is moved; see `moved`."""
    phrases: Mapping[str, Mapping[str, tuple[str, ...]]]
    """'where', or what is done, as 'pick' -> language -> sentences with {a} and {b}."""

    def fact(self, name: str) -> Fact:
        """What is known of an object; nothing is a `Fact` too."""
        return self.things.get(name, Fact())

    def color(self, entry: ObjectEntry) -> str:
        """The colour of an object; '' if it has none, or several."""
        found = [self.colors[tag] for tag in entry.tags if tag in self.colors]
        return found[0] if len(found) == 1 else ""

    def name(self, thing: str, language: str) -> str:
        """The name of an object or drawer in a language; '' where it has none."""
        row = self.words["things"].get(thing) or self.words["drawers"].get(thing, {})
        return row.get(language, "")

    def source(self, thing: str, language: str) -> str:
        """A bowl or drawer as what something is taken out of, 'aus der ...'; '' where it has no name."""
        return self.words["sources"].get(thing, {}).get(language, "")


def moved(name: str, language: str) -> str:
    """A name as what is moved: the accusative of German, Russian, Polish and Turkish by rules of thumb."""
    if language == "de" and name.startswith("der "):
        return f"den {name.removeprefix('der ')}".replace("e Becher", "en Becher")
    if language == "tr":
        return _turkish(name)
    nouns, adjectives = (knowledge().ends[kind].get(language, {}) for kind in ("nouns", "adjectives"))
    first, *rest = name.split(" ")
    if not rest or not _end(first, adjectives):
        return " ".join([_ended(first, nouns), *rest])  # after a noun comes a genitive
    *between, last = rest
    middle = [_ended(_ended(word, adjectives), nouns) for word in between]
    return " ".join([_ended(first, adjectives), *middle, _ended(last, nouns)])


def _turkish(name: str) -> str:
    """The definite accusative: a vowel that agrees with the last one, after y, or n in 'kola kutusu'."""
    vowels, softer = (knowledge().ends[kind]["tr"] for kind in ("vowels", "softer"))
    if (whole := _ended(name, knowledge().ends["whole"]["tr"])) != name:
        return whole
    *before, word = name.split(" ")
    found = [vowels[letter] for letter in word if letter in vowels]
    vowel = found[-1] if found else "i"
    if word[-1] in vowels:
        return f"{name}{'n' if before and word[-1] in vowels.values() else 'y'}{vowel}"
    return f"{_ended(name, softer) if len(found) > 1 else name}{vowel}"


def _ended(word: str, ends: Mapping[str, str]) -> str:
    """A word with its last letters exchanged, if they are among the ends."""
    end = _end(word, ends)
    return word.removesuffix(end) + ends[end] if end else word


def _end(word: str, ends: Mapping[str, str]) -> str:
    return next((end for end in ends if word.endswith(end)), "")


@cache
def knowledge() -> Knowledge:
    """All of it, read once."""
    known, words, phrases = (_read(name) for name in ("knowledge", "words", "phrases"))
    languages, ends = tuple(words.pop("languages")), phrases.pop("ends")
    return Knowledge(
        kinds={tag: tuple(nouns) for tag, nouns in known["kinds"].items()},
        properties={tag: tuple(adjectives) for tag, adjectives in known["properties"].items()},
        colors=known["colors"],
        things={
            name: Fact(**{key: tuple(texts) for key, texts in fact.items()})
            for name, fact in known["things"].items()
        },
        languages=languages,
        words={
            group: {key: dict(zip(languages, row, strict=True)) for key, row in rows.items()}
            for group, rows in words.items()
        },
        ends=ends,
        phrases={what: {tag: tuple(texts) for tag, texts in by.items()} for what, by in phrases.items()},
    )


def _read(name: str) -> dict[str, Any]:
    text = Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
