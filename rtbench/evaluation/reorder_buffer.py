"""Records in the order of the list, whichever episode ends first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rtbench.result.record import Record


class ReorderBuffer:
    """Holds each record back until those before it in the list have come.

    With several workers short episodes end first. A run that stops at the n-th episode that *ended* has
    too many short ones, and short ones are mostly successes.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        """Note the order of the episodes, by their keys."""
        self._due = deque(keys)
        self._early: dict[str, Record] = {}

    def take(self, record: Record) -> list[Record]:
        """Records whose turn has come with this one, in order; empty while an earlier one is missing."""
        self._early[record.key] = record
        released = []
        while self._due and self._due[0] in self._early:
            released.append(self._early.pop(self._due.popleft()))
        return released
