"""Which ids of a vocabulary are bins of actions and of places, and which may be words of a plan.

Ids are never turned into strings and back: a tokenizer may give other ids for the text of an id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import BINS
from rtbench.core.errors import PolicyError, UnknownNameError

IMAGE_PLACES = 1024
"""Location tokens of PaliGemma on each axis, <loc0000> to <loc1023>."""


@dataclass(frozen=True)
class TokenTable:
    """Ids of a vocabulary by their use; one set of 256 serves all dimensions of an action."""

    bins: NDArray[np.int64]
    """int64[256]: id of each bin of an action."""
    places: NDArray[np.int64]
    """int64[n]: id of each of n places from 0 to 1 along an axis of the image."""
    words: NDArray[np.int64]
    """int64[m]: ids that may be words of a plan, in increasing order."""
    plan: tuple[int, ...]
    """What is written before a plan's words."""
    end_of_words: tuple[int, ...]
    """What ends a plan's words; the first of these is decided by the model, the others follow."""
    action: tuple[int, ...]
    """What is written before an action."""


def locations(vocabulary: Mapping[str, int]) -> NDArray[np.int64]:
    """int64[1024]: ids of PaliGemma's location tokens.

    Raises:
        PolicyError: a vocabulary without them.
    """
    names = [f"<loc{number:04d}>" for number in range(IMAGE_PLACES)]
    if missing := [name for name in names if name not in vocabulary]:
        raise PolicyError(
            f"the tokenizer has no location tokens such as {missing[0]}; give one of PaliGemma."
        )
    return np.array([vocabulary[name] for name in names])


def by_location(vocabulary: Mapping[str, int], _added: Sequence[int]) -> NDArray[np.int64]:
    """Bins as the first 256 location tokens of PaliGemma, int64[256]."""
    return locations(vocabulary)[:BINS]


def least_used(vocabulary: Mapping[str, int], added: Sequence[int]) -> NDArray[np.int64]:
    """Bins as the 256 tokens that are used least, int64[256]: PaLM-E's way.

    A vocabulary of byte pairs is in the order in which pairs were merged, the most frequent first, so that
    its last ids are the rarest. Special and added tokens are not taken, and not the first tokens either,
    which are single bytes or characters.

    Raises:
        PolicyError: fewer than 512 tokens: those taken could not be told from those that texts need.
    """
    plain = sorted(set(vocabulary.values()) - set(added))
    if len(plain) < 2 * BINS:
        raise PolicyError(
            f"the tokenizer has {len(plain)} tokens besides special ones; {BINS} of them cannot be spared "
            f"for actions. Give a tokenizer of at least {2 * BINS}, or the token table 'loc'."
        )
    return np.array(plain[-BINS:])


def by_integer(vocabulary: Mapping[str, int], _added: Sequence[int]) -> NDArray[np.int64]:
    """Bins as the numbers 0 to 255, int64[256]: PaLI-X's way.

    Raises:
        PolicyError: a tokenizer that has not one token for each number, such as Gemma's.
    """
    found = []
    for number in range(BINS):
        names = (f"▁{number}", f"Ġ{number}", str(number))
        token = next((vocabulary[name] for name in names if name in vocabulary), None)
        if token is None:
            raise PolicyError(
                f"the tokenizer has no token for the number {number}, as those that divide numbers into "
                "digits; take the token table 'loc' or 'least-used'."
            )
        found.append(token)
    return np.array(found)


TABLES = {"loc": by_location, "least-used": least_used, "integers": by_integer}
"""Name of a token table -> what finds its 256 ids in a vocabulary."""


def bins_of(name: str, vocabulary: Mapping[str, int], added: Sequence[int]) -> NDArray[np.int64]:
    """Ids of the 256 bins of an action, int64[256].

    Args:
        name: A key of `TABLES`.
        vocabulary: Token -> id.
        added: Ids of special and added tokens.

    Raises:
        UnknownNameError: no such table.
        PolicyError: a vocabulary that has not 256 such ids.
    """
    if name not in TABLES:
        raise UnknownNameError("token table", name, TABLES)
    return distinct(TABLES[name](vocabulary, added))


def distinct(bins: Any) -> NDArray[np.int64]:
    """The ids int64[256], if they are 256 different ones.

    Raises:
        PolicyError: they are not.
    """
    ids = np.asarray(bins, dtype=np.int64)
    if ids.shape != (BINS,) or len(np.unique(ids)) != BINS:
        raise PolicyError(f"{len(np.unique(ids))} different ids for actions; {BINS} are needed.")
    return ids
