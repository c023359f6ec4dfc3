"""Facts in words alone: names in other languages, uses, kinds, sums, comparisons of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtbench.core.errors import RtbenchError
from rtbench.data.vision_language import Pair
from rtbench.data.vqa.asking import NUMBERS
from rtbench.data.vqa.knowledge import Knowledge
from rtbench.task.library import BUNDLED
from rtbench.task.object_entry import ObjectEntry

EMOJI_LANGUAGES = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru", "tr", "zh")
"""Languages of the package `emoji` besides English."""
_NAME = re.compile(r":([a-z]+):")
"""One word: longer names are mostly people with a colour of skin, families and flags."""


class FactsError(RtbenchError):
    """A package is missing."""


def facts(known: Knowledge, sets: tuple[str, ...], *, emoji: bool = False) -> Iterator[Pair]:
    """All facts about the objects of those sets, in a fixed order; with `emoji`, names from that package.

    Raises:
        FactsError: the package is not there.
    """
    for entry in BUNDLED.things().values():
        if entry.set in sets:
            yield from _of_thing(known, entry)
    for group in ("colors", "kinds", "drawers"):
        for english, row in known.words[group].items():
            for language, word in row.items():
                text = english.replace("_", " ")
                yield Pair(f"{word} = ?", text, kind="translation", language=language)
    yield from _numbers()
    if emoji:
        yield from _emoji()


def _of_thing(known: Knowledge, entry: ObjectEntry) -> Iterator[Pair]:
    text, fact = entry.names[0], known.fact(entry.name)
    for language in known.languages:
        if word := known.name(entry.name, language):
            yield Pair(f"{word} = ?", text, kind="translation", language=language)
    for use in fact.uses:
        yield Pair(f"with what do you {use}?", text, kind="use")
    for told in (*fact.also, *fact.told):
        yield Pair(f"what is meant by: {told}?", text, kind="phrase")
    for tag in entry.tags:
        if tag in known.kinds:
            yield Pair(f"what kind of thing is {text}?", known.kinds[tag][0], kind="kind")
        if tag in known.properties:
            yield Pair(f"what can be said of {text}?", known.properties[tag][0], kind="property")
    if color := known.color(entry):
        yield Pair(f"which color has {text}?", color, kind="color")


def _numbers() -> Iterator[Pair]:
    """Sums and differences of digits that are digits again, and what is more."""
    for a in range(10):
        for b in range(10):
            if a + b < 10:
                yield Pair(f"{a} plus {b} is?", str(a + b), kind="sum")
                yield Pair(f"{NUMBERS[a]} and {NUMBERS[b]} is?", str(a + b), kind="sum")
            if a >= b:
                yield Pair(f"{NUMBERS[a]} minus {NUMBERS[b]} is?", str(a - b), kind="sum")
            if a != b:
                yield Pair(f"is {a} more than {b}?", "yes" if a > b else "no", kind="compare")


def _emoji() -> Iterator[Pair]:
    try:
        from emoji import EMOJI_DATA, config
    except ModuleNotFoundError:
        raise FactsError(
            "--emoji needs the package emoji, which is not installed; install it with "
            "pip install 'rtbench[train]', or leave --emoji out."
        ) from None
    for language in EMOJI_LANGUAGES:
        config.load_language(language)
    for names in EMOJI_DATA.values():
        found = _NAME.fullmatch(str(names.get("en", "")))
        if found is None:
            continue
        for language in EMOJI_LANGUAGES:
            word = str(names.get(language, "")).strip(":").replace("_", " ")
            if word:
                yield Pair(f"{word} = ?", found[1], kind="translation", language=language)
