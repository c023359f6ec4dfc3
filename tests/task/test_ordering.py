"""Every beginning of the balanced order is a fair sample."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.seeding import generator
from rtbench.task.ordering import balanced
from tests.helpers.synthetic_runs import episode, episodes

LEVELS = ("axis", "skill", "task")
made = st.lists(st.tuples(st.sampled_from("AAAB"), st.sampled_from("xyyz"), st.integers(0, 3)), max_size=80)


def lay(found):
    """Episodes of such axes, skills and tasks."""
    return [
        episode(number, axis=axis, skill=skill, task=f"{skill}/{axis}{task}-v0")
        for number, (axis, skill, task) in enumerate(found)
    ]


def path(one, depth):
    return tuple(getattr(one, level) for level in LEVELS[:depth])


@settings(deadline=None)
@given(made, st.integers(0, 5))
def test_groups_of_every_level_take_turns_in_proportion(found, seed):
    chosen = lay(found)
    order = balanced(chosen, "test", seed)
    assert Counter(e.key for e in order) == Counter(e.key for e in chosen)
    for depth in (1, 2, 3):
        totals, parents = (Counter(path(e, d) for e in order) for d in (depth, depth - 1))
        siblings = Counter(group[:-1] for group in totals)
        seen, above = Counter(), Counter()
        for one in order:
            seen[path(one, depth)] += 1
            above[path(one, depth - 1)] += 1
            for group, total in totals.items():
                share = total / parents[group[:-1]]
                off = abs(seen[group] - share * above[group[:-1]])
                assert off < 1 + siblings[group[:-1]] * share + 1e-9


def test_it_follows_from_the_episodes_and_the_stream_alone():
    chosen = episodes(60)
    order = balanced(chosen, "a")
    assert balanced(chosen[::-1], "a") == order
    assert balanced(chosen, "b") != order
    assert balanced(chosen, "a", 1) != order
    assert balanced([], "a") == []


@pytest.mark.parametrize("n", [1, 7, 20])
def test_every_episode_is_as_likely_as_any_other_to_be_early(n):
    chosen = lay([("A", "x", 0)] * 3 + [("A", "y", 1)] * 5 + [("B", "x", 2)] * 22)
    rounds = 3000
    early = Counter(e.key for seed in range(rounds) for e in balanced(chosen, seed)[:n])
    share = n / len(chosen)
    spread = 5 * np.sqrt(rounds * share * (1 - share))
    assert all(abs(early[e.key] - rounds * share) < spread for e in chosen)


def test_balance_lowers_the_variance_of_a_truncated_rate():
    """What the order is for: tasks are easy or hopeless, and a tenth of the list is played."""
    chosen = lay([("A", skill, task) for skill in "xyz" for task in range(4) for _ in range(25)])
    tasks = sorted({e.task for e in chosen})
    chance = {task: 0.95 if i % 2 else 0.05 for i, task in enumerate(tasks)}
    won = {e.key: generator("win", e.key).random() < chance[e.task] for e in chosen}
    truth = np.mean(list(won.values()))

    def estimates(order):
        return np.array([np.mean([won[e.key] for e in order(seed)[:30]]) for seed in range(400)])

    fair = estimates(lambda seed: balanced(chosen, seed))
    plain = estimates(lambda seed: [chosen[i] for i in generator("plain", seed).permutation(len(chosen))])
    assert abs(fair.mean() - truth) < 4 * fair.std() / 20
    assert fair.var() < 0.5 * plain.var()


def test_a_list_of_thousands_is_ordered_at_once():
    order = balanced(episodes(5000), "long")
    counts = list(accumulate(e.skill == "pick" for e in order))
    assert all(abs(count - (i + 1) / 3) < 2 for i, count in enumerate(counts))
