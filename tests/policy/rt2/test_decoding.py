"""Tokens are read when it is asked what follows them."""

import torch

from rtbench.policy.rt2.decoding import LazyReading


class Reading(LazyReading):
    """Keeps what it has read, and how often."""

    def __init__(self):
        super().__init__()
        self.passes = []

    def _read(self, ids):
        self.passes.append(list(ids))
        return torch.tensor([float(ids[-1])])

    def last(self):
        return float(self._last())


def test_what_nothing_follows_is_not_read():
    reading = Reading()
    reading.read([1, 2])
    assert reading.passes == []
    assert reading.last() == 2
    reading.read([3])
    reading.read([4, 5])
    assert reading.passes == [[1, 2]]
    assert reading.last() == reading.last() == 5
    assert reading.passes == [[1, 2], [3, 4, 5]]
