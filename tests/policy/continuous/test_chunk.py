"""Chunks are used in their order, overlapping ones averaged, and wrong ones refused in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import ActionError
from rtbench.policy.continuous.chunk import ChunkQueue, check_chunks, ensembled
from rtbench.policy.continuous.mapping import ActionMapping, Chunk


def played(queue, steps, length):
    """Numbers of each step: 100 times the step of the prediction, and the step that it is for."""
    found = []
    for now in range(steps):
        if queue.empty:
            queue.push(np.array([[100.0 * now, now + k] for k in range(length)]))
        found.append(queue.pop())
    return np.array(found)


@given(st.integers(1, 8), st.data(), st.integers(1, 30))
def test_every_action_is_for_its_step_and_of_the_last_prediction(length, data, steps):
    execute = data.draw(st.integers(1, length))
    found = played(ChunkQueue(execute), steps, length)
    np.testing.assert_array_equal(found[:, 1], np.arange(steps))
    np.testing.assert_array_equal(found[:, 0], [100 * (k - k % execute) for k in range(steps)])


def test_all_of_a_chunk_is_executed_unless_told_otherwise():
    found = played(ChunkQueue(None), 7, 3)
    np.testing.assert_array_equal(found[:, 0], [0, 0, 0, 300, 300, 300, 600])


@given(st.integers(1, 6), st.data(), st.floats(0, 2))
def test_overlapping_chunks_are_averaged_for_their_own_step(length, data, decay):
    execute = data.draw(st.integers(1, length))
    found = played(ChunkQueue(execute, decay), 20, length)
    np.testing.assert_allclose(found[:, 1], np.arange(20))


def test_the_ensemble_is_that_of_act():
    """As `imitate_episodes.py`: exp(-k * i) over the predictions for the step, i = 0 for the oldest."""
    queue, k, table = ChunkQueue(1, 0.01), 0.01, np.full((30, 40), np.nan)
    rng = np.random.default_rng(0)
    for t in range(20):
        chunk = rng.normal(size=(8, 1))
        table[t, t : t + 8] = chunk[:, 0]
        queue.push(chunk)
        here = table[:, t][~np.isnan(table[:, t])]
        weights = np.exp(-k * np.arange(len(here)))
        assert queue.pop()[0] == pytest.approx(here @ weights / weights.sum())


def test_a_decay_of_zero_is_octos_mean():
    assert ensembled(np.array([[1.0], [2.0], [6.0]]), 0.0) == pytest.approx([3.0])


@pytest.mark.parametrize(("answer", "chunk", "words"), [
    (np.zeros((2, 0, 7)), {}, "a chunk of length 0; expected at least one action"),
    (np.zeros((2, 3, 6)), {}, r"shape \(2, 3, 6\); expected \(2, H, 7\) or \(2, 7\) for position rot"),
    (np.zeros((3, 7)), {}, r"shape \(3, 7\)"),
    (np.zeros((2, 3, 7)), {"execute": 4}, "chunks of 3 actions, of which 4 are to be executed"),
    (np.zeros((2, 3, 7)), {"length": 8}, "chunks of 3 actions; the mapping says 8"),
    (np.full((2, 7), np.nan), {}, "predict gave nan for number 0 of action 0"),
    (np.array([["a"] * 7] * 2), {}, "dtype <U1"),
    (np.array([[None] * 7] * 2), {}, "dtype object"),
    ([[1.0], [1.0, 2.0]], {}, "predict returned no array"),
])  # fmt: skip
def test_wrong_answers_are_told(answer, chunk, words):
    with pytest.raises(ActionError, match=words):
        check_chunks(answer, 2, ActionMapping(chunk=Chunk(**chunk)))
