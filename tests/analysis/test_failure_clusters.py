"""Clusters of failures: found where they are, and not where chance alone is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import fisher_exact

from rtbench.analysis.failure_clusters import KINDS, failure_clusters, goal_names, properties
from rtbench.stats import holm, newcombe
from tests.helpers.synthetic_runs import episodes, record

OBJECTS = ("can", "apple", "sponge", "cup")
PLACES = ("top_drawer", "counter")
PLAYED = [
    replace(one, objects=(OBJECTS[k % 4], f"distractor_{k}"), variant="dark" if k % 5 == 0 else "")
    for k, one in enumerate(episodes(120))
]


def played(one, *, success):
    """A record whose goal is about the episode's first object and one of two places."""
    made = record(one, success)
    if made.outcome is None:
        return made
    leaf = f"inside({one.objects[0]}, {PLACES[one.seed % 2]})"
    return replace(made, outcome=replace(made.outcome, subgoals={leaf: success}))


def test_the_properties_are_those_of_the_goal_and_not_of_distractors():
    made = played(PLAYED[5], success=True)
    assert goal_names(made) == ("apple", "counter")
    found = properties(made.episode, goal_names(made))
    assert tuple(found) == KINDS
    assert found["object"] == ("apple",)
    assert found["place"] == ("counter", "office_kitchen")
    assert found["look"] == ("dark", "axis seen")
    assert goal_names(record(PLAYED[0], None)) == ()


def test_an_object_that_fails_is_found_with_its_numbers():
    records = [played(one, success=one.objects[0] != "sponge") for one in PLAYED]
    first, *_ = failure_clusters(records)
    assert (first.kind, first.name) == ("object", "sponge")
    assert (first.failures, first.elsewhere) == ((30, 30), (0, 90))
    assert (first.share, first.lift) == (1.0, None)
    assert first.interval == newcombe((30, 30), (0, 90))
    assert first.keys == tuple(sorted(r.key for r in records if not r.outcome.end))


@pytest.mark.parametrize(
    ("fails", "kind", "name"),
    [
        (lambda one: one.skill == "pick", "skill", "pick"),
        (lambda one: one.variant == "dark", "look", "dark"),
        (lambda one: one.seed % 2 == 0, "place", "top_drawer"),
    ],
)
def test_every_kind_is_found(fails, kind, name):
    random = np.random.default_rng(0)
    records = [played(one, success=random.random() > (0.9 if fails(one) else 0.05)) for one in PLAYED]
    first, *_ = failure_clusters(records)
    assert (first.kind, first.name) == (kind, name)
    assert first.lift > 3
    assert first.interval[0] > 0.5


def test_the_p_value_is_fishers_adjusted_by_holm():
    random = np.random.default_rng(1)
    records = [played(one, success=random.random() > (0.6 if one.skill == "pick" else 0.2)) for one in PLAYED]
    found = failure_clusters(records, alpha=1.0)
    raw = []
    for one in found:
        (a, n), (b, m) = one.failures, one.elsewhere
        raw.append(fisher_exact([[a, n - a], [b, m - b]], alternative="greater").pvalue)
    assert [one.p for one in found] == pytest.approx(list(holm(raw)))


def test_chance_alone_shows_no_cluster():
    random = np.random.default_rng(2)
    shown = sum(
        bool(failure_clusters([played(one, success=bool(end)) for one, end in zip(PLAYED, row, strict=True)]))
        for row in random.random((150, len(PLAYED))) > 0.3
    )
    # 5 % of 150 are 7.5; more than 15 would be chance in one of two hundred.
    assert shown <= 15


def test_properties_of_the_same_episodes_are_one_cluster():
    one_object = [replace(e, objects=("can" if e.skill == "pick" else f"thing_{e.seed}",)) for e in PLAYED]
    found = failure_clusters([played(e, success=e.skill != "pick") for e in one_object])
    assert (found[0].kind, found[0].name, found[0].same) == ("skill", "pick", ("object can",))
    assert all(cluster.name != "can" for cluster in found)


def test_errors_few_episodes_and_equal_outcomes_have_no_cluster():
    assert failure_clusters([]) == []
    assert failure_clusters([record(one, None) for one in PLAYED]) == []
    assert failure_clusters([played(one, success=False) for one in PLAYED]) == []
    assert failure_clusters([played(one, success=k > 2) for k, one in enumerate(PLAYED[:8])]) == []
