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
    """'things', 'colors' or 'kinds' -> entry -> language -> word."""
    ends: Mapping[str, Mapping[str, str]]
    """Language -> end of a feminine word -> its end in the accusative; see `moved`."""
    phrases: Mapping[str, Mapping[str, tuple[str, ...]]]
    """'where', 'pick', 'near' or 'into' -> language -> sentences with {a} and {b}."""

    def fact(self, name: str) -> Fact:
        """What is known of an object; nothing is a `Fact` too."""
        return self.things.get(name, Fact())

    def color(self, entry: ObjectEntry) -> str:
        """The colour of an object; '' if it has none, or several."""
        found = [self.colors[tag] for tag in entry.tags if tag in self.colors]
        return found[0] if len(found) == 1 else ""

    def name(self, thing: str, language: str) -> str:
        """The object's name in a language; '' where it has none."""
        return self.words["things"].get(thing, {}).get(language, "")


def moved(name: str, language: str) -> str:
    """A name as what is moved: the accusative of German, Russian and Polish by rules of thumb."""
    if language == "de" and name.startswith("der "):
        return f"den {name.removeprefix('der ')}".replace("e Becher", "en Becher")
    ends = knowledge().ends.get(language, {})
    first, *rest = name.split(" ")
    end = _end(first, ends)
    if not end:
        return name
    # After an adjective, which has two letters more, comes what agrees with it; after a noun a genitive.
    rest = (
        [word.removesuffix(e) + ends[e] if (e := _end(word, ends)) else word for word in rest]
        if (end in ("ая", "яя", "ła"))
        else rest
    )
    return " ".join([first.removesuffix(end) + ends[end], *rest])


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
