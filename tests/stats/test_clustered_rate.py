"""The interval of a rate clustered by task: it covers, and is Wilson's where tasks are alike."""

import numpy as np
import pytest

from rtbench.stats import wilson, wilson_clustered


@pytest.mark.parametrize(("k", "m"), [(12, 2), (12, 8), (30, 4), (100, 3)])
@pytest.mark.parametrize("rate", [0.05, 0.4, 0.8, 0.97])
@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_it_covers_the_rate_of_tasks(k, m, rate, spread):
    """Rates of tasks are drawn from a beta distribution: 0.5 makes most of them nearly 0 or 1."""
    random = np.random.default_rng(int(1000 * rate) + k + m)
    tasks = np.repeat(np.arange(k), m)
    rates = random.beta(rate * spread, (1 - rate) * spread, (500, k))
    covered = shown = plain = 0  # of 500
    for row in rates:
        ends = random.random(k * m) < np.repeat(row, m)
        if found := wilson_clustered(ends, tasks):
            shown += 1
            low, high = wilson(int(ends.sum()), len(ends))
            plain += low <= rate <= high
            covered += found[0] <= rate <= found[1]
    assert covered >= 0.88 * shown
    assert covered > plain


def test_it_is_nearly_wilsons_where_tasks_are_alike():
    tasks = np.repeat(np.arange(100), 4)
    ends = np.tile([True, True, True, False], 100)
    assert wilson_clustered(ends, tasks) == pytest.approx(wilson(300, 400), abs=0.002)


def test_one_failure_among_hundreds_is_no_whole_range():
    ends = np.ones(600)
    ends[5] = 0
    low, high = wilson_clustered(ends, np.arange(600) // 2)
    assert low > 0.98
    assert high < 1


def test_where_it_says_nothing():
    assert wilson_clustered([1, 0, 1], ["a", "b", "c"]) is None
    assert wilson_clustered([1, 0, 1], ["a", "a", "a"]) is None
    assert wilson_clustered([1, 1, 1], ["a", "a", "b"]) is None
    with pytest.raises(ValueError, match="confidence"):
        wilson_clustered([1, 0, 1], ["a", "a", "b"], 1.5)
