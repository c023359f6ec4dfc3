"""Typing errors for robustness tests: misspelt words that a reader still understands.

A misspelt word keeps its first letter. Of the known words with that letter, only the intended one is a single
slip away: next to "battle", "bottle" never becomes "bttle".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

SHORTEST = 3
"""Shorter words are not misspelt, because they would not be recognised [letters]."""
SHORTEST_TO_HURT = 6
"""Least length of words from which a letter is dropped or replaced: "place" would be "pace" or "plave"."""

_WORD = re.compile(r"[a-z]+")
_MARKS = ",.?!:"
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    key: row[max(0, k - 1) : k] + row[k + 1 : k + 2] for row in _ROWS for k, key in enumerate(row)
}  # fmt: skip
"""Key -> the keys left and right of it."""


def misspell(text: str, count: int, random: np.random.Generator, known: frozenset[str] = frozenset()) -> str:
    """The text with a slip in each of `count` words, or in as many as can be misspelt.

    Args:
        text: An English instruction. Words with digits, apostrophes or hyphens are kept.
        count: Words to misspell.
        random: Generator that draws words and slips.
        known: Words that a misspelt word must not resemble, besides those of the text.
    """
    pieces = text.split(" ")
    words = [piece.rstrip(_MARKS) for piece in pieces]
    index = _by_initial(known)
    for k in random.permutation(len(words)):
        word = words[int(k)]
        if count and len(word) >= SHORTEST and _WORD.fullmatch(word):
            others = [other for other in (*index.get(word[0], ()), *words) if other != word]
            slip = _readable(word, others, random)
            pieces[int(k)] = slip + pieces[int(k)][len(word) :]
            count -= slip != word
    return " ".join(pieces)


def slips(word: str) -> tuple[str, ...]:
    """All results of one slip in a word: neighbours swapped, a letter doubled, dropped, or the next key."""
    made = [word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(1, len(word) - 1)]
    made += [word[:k] + word[k] + word[k:] for k in range(1, len(word))]
    if len(word) >= SHORTEST_TO_HURT:
        made += [word[:k] + word[k + 1 :] for k in range(1, len(word))]
        made += [word[:k] + key + word[k + 1 :] for k in range(1, len(word)) for key in _BESIDE[word[k]]]
    return tuple(dict.fromkeys(slip for slip in made if slip != word))


def one_slip_apart(first: str, second: str) -> bool:
    """Whether the words are equal but for one letter more, less or replaced, or two neighbours swapped."""
    start = _common(first, second)
    rest, other = first[start:], second[start:]
    end = _common(rest[::-1], other[::-1])
    left, right = rest[: len(rest) - end], other[: len(other) - end]
    return max(len(left), len(right)) <= 1 or (len(left) == 2 and left == right[::-1])


def _readable(word: str, others: Sequence[str], random: np.random.Generator) -> str:
    """The word with a slip that resembles no other word; unchanged where each slip would."""
    made = slips(word)
    drawn = (made[int(k)] for k in random.permutation(len(made)))
    return next((slip for slip in drawn if not any(one_slip_apart(slip, other) for other in others)), word)


def _common(first: str, second: str) -> int:
    """How many letters both begin with."""
    shorter = min(len(first), len(second))
    return next((k for k in range(shorter) if first[k] != second[k]), shorter)


@lru_cache(maxsize=8)
def _by_initial(words: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The words by their first letter, which a slip does not change."""
    found: dict[str, list[str]] = {}
    for word in sorted(words):
        found.setdefault(word[:1], []).append(word)
    return {letter: tuple(group) for letter, group in found.items()}
