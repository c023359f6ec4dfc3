"""Audit of spelling: words of an instruction that are in no dictionary.

Dictionaries come with pyspellchecker and need no network. They are for checks, never for drawing an episode:
another version of them must not change one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spellchecker import SpellChecker

DICTIONARIES = ("ar", "de", "en", "es", "fr", "it", "nl", "pt")
"""Languages whose dictionary is large enough; the Russian one lacks most inflected forms."""

_WRITTEN = re.compile(r"[^\W_][\w'\u2019-]*")
_PIECE = re.compile(r"[^\W_]+")


def has_dictionary(language: str) -> bool:
    """Whether words of the language, a BCP 47 tag, can be looked up."""
    return language.split("-", maxsplit=1)[0] in DICTIONARIES


def unknown_words(text: str, language: str, vocabulary: Collection[str] = ()) -> list[str]:
    """Words of the text that neither dictionary nor vocabulary has, in order, each once.

    Nothing where the language has no dictionary. Words with digits are names; case does not count. A word
    with an apostrophe or hyphen is known where it is known as a whole or all of its parts are.

    Args:
        text: The instruction.
        language: Its BCP 47 tag.
        vocabulary: Further words that are right, such as names of objects, in lower case.
    """
    if not has_dictionary(language):
        return []
    dictionary = _dictionary(language.split("-", maxsplit=1)[0])

    def known(word: str) -> bool:
        return word in vocabulary or word in dictionary or len(word) == 1 or not word.isalpha()

    found = dict.fromkeys(word.strip("'\u2019-").lower() for word in _WRITTEN.findall(text))
    return [word for word in found if not (word in vocabulary or all(map(known, _PIECE.findall(word))))]


@lru_cache(maxsize=len(DICTIONARIES))
def _dictionary(language: str) -> SpellChecker:
    from spellchecker import SpellChecker

    return SpellChecker(language=language, distance=1)
