"""Places for replicas."""

import pytest

from rtbench.core.errors import RunError
from rtbench.evaluation.cluster.shape import Machine, Seat, seats


def shape(*machines, jobs=None, replicas=None, in_workers=False):
    named = [Machine(f"m{i}", *has) for i, has in enumerate(machines)]
    found = seats(named, jobs=jobs, replicas=replicas, in_workers=in_workers)
    return [(seat.machine, seat.workers, seat.cpus, seat.gpus) for seat in found]


def test_a_replica_for_at_most_eight_cores():
    assert shape((2,)) == [("m0", 2, 2, 0)]
    assert shape((20,)) == [("m0", 7, 6, 0), ("m0", 7, 6, 0), ("m0", 6, 6, 0)]
    assert shape((8,), (4,)) == [("m0", 8, 8, 0), ("m1", 4, 4, 0)]


def test_a_replica_for_each_graphics_card_and_none_elsewhere():
    assert shape((16, 2), (32, 0)) == [("m0", 8, 8, 1), ("m0", 8, 8, 1)]
    assert shape((16, 2), (4, 0), in_workers=True) == [
        ("m0", 8, 8, 0), ("m0", 8, 8, 0), ("m1", 4, 4, 0)
    ]  # fmt: skip


def test_jobs_and_replicas_are_kept():
    assert shape((2,), jobs=2, replicas=2) == [("m0", 1, 1, 0), ("m0", 1, 1, 0)]
    assert shape((2,), jobs=4) == [("m0", 4, 2, 0)]
    assert shape((16, 1), replicas=2) == [("m0", 8, 8, 0.5), ("m0", 8, 8, 0.5)]
    assert shape((1,), replicas=2, jobs=2) == [("m0", 1, 0.5, 0), ("m0", 1, 0.5, 0)]
    assert len(shape((8,), (8,), jobs=1)) == 1
    assert [seat[0] for seat in shape((8,), (2,), replicas=5)] == ["m0"] * 4 + ["m1"]


def test_a_cluster_without_cores_is_refused():
    with pytest.raises(RunError, match="ray status"):
        shape((0, 8))
    assert seats([Machine("a", 1)], jobs=3, replicas=None, in_workers=True) == (Seat("a", 3, 1.0),)
