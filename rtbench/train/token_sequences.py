"""What the model is to say in a sample, as ids with their targets: plans with actions, and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.action import BINS
from rtbench.policy.rt2.action_layout import ActionLayout
from rtbench.policy.rt2.vocabulary import ACTION, ANSWER, END, END_OF_WORDS, PAD, PLAN, Vocabulary

IGNORED = -100
"""Target where there is none: in the prompt, in padding, and where nothing is known."""
WORD, PLACE, BIN, MODE = range(4)
"""Kinds of targets: words and markers; bins of places and of actions, which have an order; the mode."""


@dataclass(frozen=True)
class Said:
    """One sample's suffix."""

    ids: tuple[int, ...]
    """What is read."""
    targets: tuple[int, ...]
    """What follows each, or `IGNORED`."""
    kinds: tuple[int, ...]
    """Kind of each target."""
    action: int = -1
    """Position whose target is the first bin of an action; -1 without one."""

    def without_words(self) -> Said:
        """The same with nothing but its action as target: for a sample whose instruction is hidden."""
        kept = [
            target if kind in {BIN, MODE} else IGNORED
            for target, kind in zip(self.targets, self.kinds, strict=True)
        ]
        return replace(self, targets=tuple(kept))


@dataclass(frozen=True)
class Batch:
    """The suffixes of a batch, filled up to one length."""

    ids: Tensor
    """int64[B, S]."""
    targets: Tensor
    """int64[B, S]."""
    kinds: Tensor
    """int64[B, S]."""
    actions: Tensor
    """int64[B]: see `Said.action`."""

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(part.to(device) for part in (self.ids, self.targets, self.kinds, self.actions)))


class Speaker:
    """Makes suffixes with a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, layout: ActionLayout, most_words: int) -> None:
        self.vocabulary, self.layout = vocabulary, layout
        self._most = most_words

    def plan(self, words: str, places: NDArray[np.float32]) -> Said:
        """A plan alone; places float32[2, 2], x and y, NaN for a place that is not known."""
        return _joined([*self._begun(PLAN, words), *_placed(places)])

    def robot(self, words: str, places: NDArray[np.float32], tokens: NDArray[np.int64]) -> Said:
        """A plan and its action, which is given as the convention's tokens int64[11]."""
        return _joined([*self._begun(PLAN, words), *_placed(places), *self._acted(tokens)])

    def action(self, tokens: NDArray[np.int64]) -> Said:
        """An action without a plan."""
        return _joined(self._acted(tokens))

    def answer(self, words: str, places: NDArray[np.float32]) -> Said:
        """An answer in words, then places float32[n, 2]."""
        return _joined([*self._begun(ANSWER, words), *_placed(places), (END, WORD, True)])

    def _begun(self, marker: int, words: str) -> list[tuple[int, int, bool]]:
        said = self.vocabulary.encode(words, self._most) if words else []
        # With as many words as may be, their end is not decided but written.
        ends = len(said) < self._most
        return [(marker, WORD, False), *((word, WORD, True) for word in said), (END_OF_WORDS, WORD, ends)]

    def _acted(self, tokens: NDArray[np.int64]) -> list[tuple[int, int, bool]]:
        bins = self.layout.of_tokens(tokens).tolist()
        kinds = [MODE if place == self.layout.mode else BIN for place in range(len(bins))]
        return [(ACTION, WORD, False), *((b, kind, True) for b, kind in zip(bins, kinds, strict=True))]


def batch(said: Sequence[Said]) -> Batch:
    """Suffixes as tensors; at least one."""
    length = max(len(one.ids) for one in said)

    def filled(rows: Iterable[tuple[int, ...]], value: int) -> Tensor:
        return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])

    return Batch(
        filled((one.ids for one in said), PAD),
        filled((one.targets for one in said), IGNORED),
        filled((one.kinds for one in said), WORD),
        torch.tensor([one.action for one in said]),
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
    acts = ids.index(ACTION) if ACTION in ids else -1
    return Said(ids[:-1], targets, kinds, acts)
