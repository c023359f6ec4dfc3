"""Records wait for their turn."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.evaluation.reorder_buffer import ReorderBuffer
from tests.helpers.synthetic_runs import episodes, record

RECORDS = [record(e, success=True) for e in episodes(12)]


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_records_leave_in_the_order_of_the_list_as_soon_as_they_can(arrival):
    turns = ReorderBuffer(r.key for r in RECORDS)
    come, left = set(), []
    for place in arrival:
        come.add(place)
        left += turns.take(RECORDS[place])
        due = next((i for i in range(12) if i not in come), 12)
        assert left == RECORDS[:due]
