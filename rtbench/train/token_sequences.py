"""What the decoder is to say in a sample, as ids with their targets: plans, and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.action import BINS
from rtbench.policy.rt2.vocabulary import ANSWER, END, END_OF_WORDS, PAD, PLAN, Vocabulary

IGNORED = -100
"""Target where there is none: in the prompt, in padding, and where nothing is known."""
WORD, PLACE = range(2)
"""Kinds of targets: words and markers; bins of places, which have an order."""


@dataclass(frozen=True)
class Said:
    """One sample's suffix."""

    ids: tuple[int, ...]
    """What is read."""
    targets: tuple[int, ...]
    """What follows each, or `IGNORED`."""
    kinds: tuple[int, ...]
    """Kind of each target."""


@dataclass(frozen=True)
class Batch:
    """The suffixes of a batch, filled up to one length."""

    ids: Tensor
    """int64[B, S]."""
    targets: Tensor
    """int64[B, S]."""
    kinds: Tensor
    """int64[B, S]."""

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(part.to(device) for part in (self.ids, self.targets, self.kinds)))


class Speaker:
    """Makes suffixes with a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, most_words: int) -> None:
        self.vocabulary = vocabulary
        self._most = most_words

    def plan(self, words: str, places: NDArray[np.float32]) -> Said:
        """A plan; places float32[2, 2], x and y, NaN for a place that is not known."""
        return _joined([*self._begun(PLAN, words), *_placed(places)])

    def answer(self, words: str, places: NDArray[np.float32]) -> Said:
        """An answer in words, then places float32[n, 2]."""
        return _joined([*self._begun(ANSWER, words), *_placed(places), (END, WORD, True)])

    def _begun(self, marker: int, words: str) -> list[tuple[int, int, bool]]:
        said = self.vocabulary.encode(words, self._most) if words else []
        # With as many words as may be, their end is not decided but written.
        ends = len(said) < self._most
        return [(marker, WORD, False), *((word, WORD, True) for word in said), (END_OF_WORDS, WORD, ends)]


def batch(said: Sequence[Said]) -> Batch:
    """Suffixes as tensors; at least one."""
    length = max(len(one.ids) for one in said)

    def filled(rows: Iterable[tuple[int, ...]], value: int) -> Tensor:
        return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])

    return Batch(
        filled((one.ids for one in said), PAD),
        filled((one.targets for one in said), IGNORED),
        filled((one.kinds for one in said), WORD),
    )


def place_bins(places: NDArray[np.float32]) -> NDArray[np.int64]:
    """Bins int64[..., 2] of places float32[..., 2], row before column; -1 for one that is not known."""
    known = np.isfinite(places).all(-1, keepdims=True)
    bins = np.clip(np.nan_to_num(places[..., ::-1]) * BINS, 0, BINS - 1).astype(np.int64)
    found: NDArray[np.int64] = np.where(known, bins, -1)
    return found


def _placed(places: NDArray[np.float32]) -> list[tuple[int, int, bool]]:
    """Ids of places; one that is not known is written as the middle of the picture, and is no target."""
    bins = place_bins(places).reshape(-1).tolist()
    return [(BINS // 2 if number < 0 else number, PLACE, number >= 0) for number in bins]


def _joined(parts: Sequence[tuple[int, int, bool]]) -> Said:
    """A suffix of (id, kind, whether it is to be learnt); the last id is a target only."""
    ids = tuple(token for token, _, _ in parts)
    targets = tuple(token if learnt else IGNORED for token, _, learnt in parts[1:])
    kinds = tuple(kind for _, kind, _ in parts[1:])
    return Said(ids[:-1], targets, kinds)
