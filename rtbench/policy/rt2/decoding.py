"""Constrained decoding: at each place only what is valid there can be chosen.

A plan is bounded words, then two numbers for each of two places; an action is one bin a dimension, of which
the mode has as few as there are modes. What is fixed is written, not decided. So the number of tokens is
bounded, and whatever the logits are, the action is valid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.policy.rt2.action_layout import ActionLayout
from rtbench.policy.rt2.token_table import TokenTable

PLACES = 2
"""Places of a plan: the thing to be moved, and where it goes."""


class Reader(Protocol):
    """A model that has read an image and an instruction, and goes on reading."""

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one."""
        ...

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float[n] of n ids as the next token, from these rows of the output matrix alone."""
        ...

    def ground(self, plan: Plan) -> Plan:
        """The plan with names and places that agree; a model that cannot tell gives it back."""
        ...

    def act(self, plan: Plan | None) -> Tensor | None:
        """Logits float[length, 256] of an action, from a network of its own that follows a plan.

        Without a plan it follows the instruction. None: an action is said as all else is, token by token.
        """
        ...


class LazyReading(ABC):
    """Reads tokens when it is first asked what follows them: what nothing follows is never read."""

    def __init__(self) -> None:
        self._unread: list[int] = []
        self._output = torch.empty(0)

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one."""
        self._unread += ids

    def _last(self) -> Tensor:
        """Output float[width] of the last token that was read, normalised."""
        if self._unread:
            self._output = self._read(self._unread)
            self._unread = []
        return self._output

    @abstractmethod
    def _read(self, ids: Sequence[int]) -> Tensor:
        """Read on, and give the output for the last of these tokens."""


@dataclass(frozen=True)
class Choice:
    """How a token is chosen among those that are valid."""

    temperature: float = 0.0
    """They are drawn with probabilities to the power of 1 / temperature; 0 takes the likeliest."""
    random: np.random.Generator | None = None
    """What draws them."""

    def __call__(self, logits: Tensor, *, draw: bool = True) -> int:
        """Position of the chosen one among logits float[n].

        Args:
            logits: Of the valid ones. Ones that are no number count as minus infinity.
            draw: Whether it may be drawn; otherwise the likeliest is taken.
        """
        found = torch.nan_to_num(logits.float(), nan=-torch.inf)
        if draw and self.temperature and self.random is not None:
            gumbel = self.random.gumbel(size=len(logits))
            found = found + torch.from_numpy(self.temperature * gumbel).to(found)
        return int(found.argmax())


@dataclass(frozen=True)
class Plan:
    """A plan as tokens."""

    words: tuple[int, ...]
    """Ids of its words."""
    places: tuple[int, ...]
    """Numbers of places, row and column of each of `PLACES`; positions in `TokenTable.places`."""

    def ids(self, table: TokenTable) -> list[int]:
        """All of its tokens, with what stands around its words."""
        places = table.places[list(self.places)].tolist()
        return [*table.plan, *self.words, *table.end_of_words, *places]

    def points(self, table: TokenTable) -> list[tuple[float, float]]:
        """Its places as x and y from 0 to 1, each in the middle of what its number stands for."""
        numbers = (np.array(self.places).reshape(-1, 2) + 0.5) / len(table.places)
        return [(float(x), float(y)) for y, x in numbers]


@dataclass(frozen=True)
class Decoder:
    """Decides plans and actions with a table."""

    table: TokenTable
    """Ids by their use."""
    layout: ActionLayout
    """Order of an action's tokens."""
    most_words: int
    """Words of a plan at most."""
    terminate_threshold: float = 0.0
    """Least probability at which an episode is ended; 0: whenever that is the likeliest mode."""
    _words: Tensor = field(init=False, repr=False)
    _places: Tensor = field(init=False, repr=False)
    _bins: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep the ids as tensors."""
        words = np.concatenate([self.table.end_of_words[:1], self.table.words])
        for name, ids in {"words": words, "places": self.table.places, "bins": self.table.bins}.items():
            object.__setattr__(self, f"_{name}", torch.from_numpy(np.asarray(ids, dtype=np.int64)))

    def to(self, device: torch.device) -> Decoder:
        """The same, with its ids on a device."""
        for name in ("_words", "_places", "_bins"):
            object.__setattr__(self, name, getattr(self, name).to(device))
        return self

    def plan(self, reader: Reader, choose: Choice) -> Plan:
        """Decide a plan; as it was decided, it has been read when this returns."""
        reader.read(self.table.plan)
        words: list[int] = []
        while len(words) < self.most_words:
            chosen = choose(reader.logits(self._words))
            if chosen == 0:  # the end
                break
            words.append(int(self._words[chosen]))
            reader.read(words[-1:])
        reader.read(self.table.end_of_words)
        places = []
        for _ in range(2 * PLACES):
            places.append(choose(reader.logits(self._places)))
            reader.read([int(self.table.places[places[-1]])])
        return reader.ground(Plan(tuple(words), tuple(places)))

    def action(
        self, reader: Reader, choose: Choice, plan: Plan | None = None, *, kept: bool = False
    ) -> NDArray[np.int64]:
        """Decide an action: bins int64[length]. The mode is never drawn.

        Args:
            reader: What has read image and instruction.
            choose: How.
            plan: The plan that it follows.
            kept: Whether the plan is an earlier one, which the reader has not read.
        """
        whole = reader.act(plan)
        if plan is not None and kept and whole is None:
            reader.read(plan.ids(self.table))
        ids = list(self.table.action)
        bins: list[int] = []
        for place, count in enumerate(self.layout.counts):
            if whole is None:
                reader.read(ids)
                logits = reader.logits(self._bins[:count])
            else:
                logits = whole[place, :count]
            if place == self.layout.mode:
                logits = self._lasting(logits)
            bins.append(choose(logits, draw=place != self.layout.mode))
            ids = [int(self.table.bins[bins[-1]])]
        return np.array(bins)

    def _lasting(self, modes: Tensor) -> Tensor:
        """Logits float[modes] of which the one that ends the episode counts only if it is likely enough."""
        ends = self.layout.end
        if not self.terminate_threshold or float(modes.float().softmax(-1)[ends]) >= self.terminate_threshold:
            return modes
        lasting = modes.clone()
        lasting[ends] = -torch.inf
        return lasting
