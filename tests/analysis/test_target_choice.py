"""Target choice and motor skill, from made-up records."""

from dataclasses import replace

import pytest

from rtbench.analysis.target_choice import points_right, target_choice, targets
from rtbench.core.episode import Outcome
from rtbench.core.fault import Fault
from rtbench.core.importing import load_object
from rtbench.core.stated_plan import Place, StatedPlan
from rtbench.result.record import Record
from tests.helpers.paths import HELPERS

episode = load_object(f"{HELPERS / 'fake_env.py'}:episode")
NEAR = ("near(apple, sponge)", "on(apple, counter)", "released(apple)")


def record(goal=NEAR, things=None, *, end=False, touched="", number=0):
    outcome = Outcome(end, end, end, 3, "on_time", float(end), dict.fromkeys(goal, end), touched=touched)
    plans = () if things is None else (StatedPlan(0, "x", tuple(Place(0.5, 0.5, name) for name in things)),)
    about = replace(episode(number), objects=("apple", "sponge", "orange", "bowl"))
    return Record(about, "rtbench", outcome, plans=plans)


def test_targets_are_what_is_moved_and_where_it_goes():
    assert targets(record()) == {"apple": {"sponge"}}
    assert targets(record(("lifted(apple)",))) == {"apple": frozenset()}
    assert targets(record(("closed(top_drawer)",))) == {"top_drawer": frozenset()}
    two = ("in(apple, bowl)", "released(apple)", "in(orange, bowl)")
    assert targets(record(two)) == {"apple": {"bowl"}, "orange": {"bowl"}}
    assert targets(record(("at(side_counter)",))) == {}


@pytest.mark.parametrize(
    ("goal", "things", "right"),
    [
        (NEAR, ("apple", "sponge"), True),
        (NEAR, ("sponge", "apple"), False),
        (NEAR, ("apple", "orange"), False),
        (NEAR, ("apple",), False),
        (NEAR, ("", "sponge"), False),
        (("lifted(apple)",), ("apple", "orange"), True),
        (("lifted(apple)",), None, False),
        (("in(apple, bowl)", "in(orange, bowl)"), ("orange", "bowl"), True),
        (("closed(top_drawer)",), ("top_drawer", ""), True),
    ],
)
def test_pointing_is_right_if_both_places_are(goal, things, right):
    assert points_right(record(goal, things)) is right


@pytest.mark.parametrize(("beside", "right"), [((), False), (("apple",), True), (("orange", "apple"), True)])
def test_a_place_is_that_of_all_things_that_it_cannot_tell_apart(beside, right):
    plan = StatedPlan(0, "x", (Place(0.5, 0.5, "bowl", beside), Place(0.5, 0.5, "sponge")))
    assert points_right(replace(record(NEAR, ()), plans=(plan,))) is right


def test_shares_of_a_run():
    good, bad = ("apple", "sponge"), ("orange", "sponge")
    records = [
        record(things=good, end=True, touched="apple"),
        record(things=good, end=False, touched="apple"),
        record(things=bad, end=False, touched="orange"),
        record(things=bad, end=True, touched="apple"),
        record(things=None, end=True, touched=""),
        record(("at(side_counter)",), things=good, end=True),
        Record(episode(1), "rtbench", error=Fault("policy", "broken")),
    ]
    found = target_choice(records)
    assert (found.success.right, found.success.n) == (3, 5)
    assert (found.pointed.right, found.pointed.n) == (2, 4)
    assert (found.success_if_pointed.right, found.success_if_pointed.n) == (1, 2)
    assert (found.success_if_not_pointed.right, found.success_if_not_pointed.n) == (1, 2)
    assert (found.touched.right, found.touched.n) == (3, 5)
    assert (found.success_if_touched.right, found.success_if_touched.n) == (2, 3)
    assert found.pointed.interval[0] < 0.5 < found.pointed.interval[1]
    assert target_choice([]).success.rate is None
