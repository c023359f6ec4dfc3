"""Many tests at once: Holm, letters; and the bootstrap over tasks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from rtbench.core.seeding import generator
from rtbench.stats import clustered, holm, letters

MATRICES = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.booleans(), min_size=n * n, max_size=n * n).map(lambda x: np.reshape(x, (n, n))),
        st.permutations(range(n)),
    )
)


@pytest.mark.parametrize(
    "p", [[0.04], [0.01, 0.04, 0.03], [0.2, 0.2, 0.001, 1.0, 0.0], np.geomspace(1, 1e-4, 40)]
)
def test_holm_agrees_with_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p):
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p))).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_holm_of_nothing_and_of_nonsense():
    assert holm([]).shape == (0,)
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="p value"):
            holm([0.5, p])


def symmetric(upper):
    above = np.triu(upper, 1)
    return above | above.T


def shared(found):
    """Which policies share a letter, bool[n, n]."""
    sets = [set(each.split()) if " " in "".join(found) else set(each) for each in found]
    return np.array([[bool(a & b) for b in sets] for a in sets])


@settings(max_examples=100)
@given(MATRICES)
def test_two_policies_share_a_letter_exactly_if_they_do_not_differ(case):
    differ, order = symmetric(case[0]), case[1]
    found = letters(differ, order)
    assert (shared(found) == ~differ).all()
    assert found[order[0]].startswith("a")


@settings(max_examples=50)
@given(MATRICES)
def test_no_letter_is_idle_and_none_is_missing(case):
    """Each letter joins some pair that no other does, or is a policy's only one; no group could be larger."""
    differ = symmetric(case[0])
    found = letters(differ, case[1])
    for name in set("".join(found)):
        assert (shared([each.replace(name, "") for each in found]) != ~differ).any()
        group = [name in each for each in found]
        assert all(inside == (not row[group].any()) for inside, row in zip(group, differ, strict=True))


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.01, 0.5))
def test_ranked_policies_read_in_order(rates, width):
    """Where policies differ by their distance alone, each letter is one stretch of the ranking."""
    values = np.array(rates)
    order = np.argsort(-values, kind="stable").tolist()
    found = letters(np.abs(values[:, None] - values) > width, order)
    ranked = [found[i] for i in order]
    for name in set("".join(ranked).replace(" ", "")) if " " not in "".join(ranked) else ():
        at = [i for i, each in enumerate(ranked) if name in each]
        assert at == list(range(at[0], at[-1] + 1))
    firsts = [each.split()[0] if " " in each else each[0] for each in ranked]
    assert firsts == sorted(firsts, key=lambda name: (len(name), name))


def test_letters_by_hand():
    """Policy 2 is best and differs from 0; 1 lies between."""
    differ = symmetric(np.array([[0, 0, 1], [0, 0, 0], [0, 0, 0]], bool))
    assert letters(differ, [2, 1, 0]) == ["b", "ab", "a"]
    assert letters(np.zeros((3, 3), bool), [0, 1, 2]) == ["a", "a", "a"]


def test_more_than_26_letters_have_two_and_stand_apart():
    found = letters(~np.eye(60, dtype=bool), range(60))
    assert found[25:28] + found[51:53] == ["z", "aa", "ab", "az", "ba"]
    chain = np.abs(np.subtract.outer(np.arange(60), np.arange(60))) > 1
    assert letters(chain, range(60))[26:28] == ["z aa", "aa ab"]


def test_two_hundred_policies_do_not_blow_up():
    """Each differs from one other alone: there are 2^100 largest groups, and few are needed."""
    differ = np.zeros((200, 200), bool)
    for i in range(0, 200, 2):
        differ[i, i + 1] = differ[i + 1, i] = True
    found = letters(differ, range(200))
    assert (shared(found) == ~differ).all()
    assert len(set(" ".join(found).split())) < 100


@pytest.mark.parametrize(
    ("differ", "order"),
    [
        (np.ones((2, 2), bool), [0, 1]),
        (np.array([[0, 1], [0, 0]], bool), [0, 1]),
        (np.zeros((2, 3), bool), [0, 1]),
        (np.zeros((2, 2), bool), [0, 0]),
    ],
)
def test_matrices_that_are_none_are_refused(differ, order):
    with pytest.raises(ValueError):
        letters(differ, order)


def tasks(k, mean, *names):
    """20 outcomes for each of k tasks, whose rates are drawn from a beta distribution."""
    random = generator("test bootstrap", k, *names)
    rates = random.beta(4 * mean, 4 * (1 - mean), k)
    return (random.random((k, 20)) < rates[:, None]).ravel(), np.repeat(np.arange(k), 20)


@pytest.mark.parametrize(("k", "mean"), [(6, 0.7), (12, 0.9)])
def test_the_bootstrap_holds_the_mean_as_often_as_it_says(k, mean):
    held = 0
    for run in range(200):
        interval = clustered(*tasks(k, mean, run), run, within=(0, 1))
        held += interval is not None and interval[0] <= mean <= interval[1]
    assert held >= 0.91 * 200  # 0.94 but for two standard errors of 200 runs


def test_the_bootstrap_is_seeded_by_its_names():
    values, clusters = tasks(10, 0.6)
    assert clustered(values, clusters, "a") == clustered(values, clusters.astype(str), "a")
    assert clustered(values, clusters, "a") != clustered(values, clusters, "b")


def test_more_confidence_is_wider_and_equal_tasks_count_once():
    values, clusters = tasks(10, 0.6)
    narrow, wide = (clustered(values, clusters, "a", confidence=c) for c in (0.8, 0.99))
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]
    assert clustered(values, clusters, "a", macro=True) == pytest.approx(clustered(values, clusters, "a"))
    more = np.append(values, np.ones(500)), np.append(clusters, np.zeros(500, int))
    low, high = clustered(*more, "a", macro=True)
    assert low < np.mean([values[clusters == t].mean() for t in range(1, 10)]) < high < 0.95


@pytest.mark.parametrize("values", [[], [1.0], [0.0, 1.0], [1.0, 1.0]])
def test_no_spread_is_no_interval(values):
    assert clustered(values, ["one"] * len(values)) is None
    assert clustered([1.0] * 30, np.arange(30) // 3) is None


@pytest.mark.parametrize(("k", "lost", "won"), [(80, 0.01, 0.01), (80, 0.02, 0.02), (12, 0.0, 0.1)])
def test_it_holds_the_mean_where_few_tasks_differ(k, lost, won):
    """With standard errors of nothing for most resamples, an interval excluded 0 at the first flip."""
    held, found = 0, 0
    for run in range(200):
        draw = generator("few differ", k, str(lost), str(won), run).random(k)
        values = np.where(draw < lost, -1.0, np.where(draw < lost + won, 1.0, 0.0))
        interval = clustered(values, np.arange(k), run)
        found += interval is not None
        held += interval is not None and interval[0] - 1e-12 <= won - lost <= interval[1] + 1e-12
    assert held >= 0.92 * found  # 0.95 but for two standard errors of some 150 intervals


@pytest.mark.parametrize(("most", "flips"), [(79, [-1.0]), (79, [1.0]), (78, [-1.0, 1.0])])
def test_a_flip_among_many_tasks_is_no_whole_range(most, flips):
    low, high = clustered([0.0] * most + flips, np.arange(80))
    assert -0.1 < low < 0 < high < 0.1
    # Tasks that are played more often count for more where values are averaged.
    often = np.repeat(np.arange(80), [1] * 79 + [3])
    low, high = clustered(np.append([0.0] * most + flips, flips[-1:] * 2), often)
    assert -0.3 < low < -0.1 < 0.1 < high < 0.3


def test_the_share_of_tasks_counts_from_the_value_that_most_have():
    low, high = clustered([0.5] + [1.0] * 40, np.arange(41), within=(0, 1))
    assert 0.85 < low < 0.9
    assert high == 1


def test_two_tasks_leave_everything_possible():
    assert clustered([0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1], within=(0, 1)) == (0, 1)
