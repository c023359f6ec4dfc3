"""What becomes of records as they come: put in order, kept, counted, until it is enough or too much fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from rtbench.evaluation.ending import TooManyErrorsError
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.progress import Reporter
from rtbench.evaluation.reorder_buffer import ReorderBuffer
from rtbench.result.record import Record


class Tally:
    """Takes each record once."""

    def __init__(
        self, sink: Callable[[Record], bool], reporter: Reporter, limits: Limits,
        order: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        """Take none yet.

        Args:
            sink: Keeps a record; says whether that is enough.
            reporter: Told of each.
            limits: How many may be errors.
            order: Keys of episodes, in whose order records count; None: as they come.
        """
        self._sink = sink
        self._reporter = reporter
        self._limits = limits
        self._buffer = None if order is None else ReorderBuffer(order)
        self._faults: Counter[str] = Counter()
        self.enough = False
        """Whether the run may end at once."""
        self.ended = 0
        """Records that were kept."""

    def add(self, record: Record) -> None:
        """Take a record.

        Raises:
            TooManyErrorsError: see `Limits`.
        """
        for due in self._buffer.take(record) if self._buffer else [record]:
            if self.enough:
                return
            self._count(due)

    def _count(self, record: Record) -> None:
        self.enough = self._sink(record)
        self.ended += 1
        self._reporter.episode(record.outcome.end if record.outcome else None)
        if record.error is None or self.enough:
            return
        self._faults[f"{record.error.kind}: {record.error.message}"] += 1
        errors, limits = self._faults.total(), self._limits
        if self.ended >= limits.error_least and errors > limits.error_share * self.ended:
            cause, times = self._faults.most_common(1)[0]
            raise TooManyErrorsError(
                f"{errors} of {self.ended} episodes were errors; most often ({times}): {cause} "
                "The tracebacks are in episodes.jsonl."
            )
