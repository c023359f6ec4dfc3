"""Predicates hold exactly where their definitions say, however the world is turned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import UnknownNameError
from rtbench.core.world import Region
from rtbench.task import predicate
from rtbench.task.predicate import PREDICATES, GoalError, check_goal, evaluate, footprint_gap, leaves
from rtbench.task.task import Goal
from tests.helpers.fake_world import COUNTER_TOP, FakeThing, FakeWorld, quaternion

KNOWN = {
    "object": ("apple", "sponge", "orange", "white_bowl", "heart"),
    "receptacle": ("white_bowl", "top_drawer", "sink"),
    "surface": ("counter", "side_counter", "heart"),
    "drawer": ("top_drawer",),
    "station": ("counter",),
}
DRAWERS = ("top_drawer", "middle_drawer", "bottom_drawer")
angles = st.floats(-math.pi, math.pi)
spots = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))


def leaf(name: str, *arguments: str) -> Goal:
    return Goal(name, arguments)


def bowl_world(bottom: float, x: float = 0.0) -> FakeWorld:
    """A can whose lowest point is `bottom` above the counter, and a bowl 8 mm to 65 mm above it."""
    world = FakeWorld()
    world.stand("can", x).position[2] += bottom
    center = np.array([0.0, 0.0, COUNTER_TOP + (0.008 + 0.065) / 2])
    world.cavities["bowl"] = Region(center, np.array([0.079, 0.079, (0.065 - 0.008) / 2]), round=True)
    return world


@given(height=st.floats(0, 0.3), held=st.booleans())
def test_lifted_needs_a_grip_and_five_centimetres(height, held):
    world = FakeWorld()
    world.stand("can", held=held).position[2] += height
    if abs(height - 0.05) > 1e-9:
        assert predicate.lifted(world, "can") == (held and height >= 0.05)


@given(x=st.floats(-0.6, 0.6), y=st.floats(-1.2, 1.2), turn=angles)
def test_on_follows_the_footprint(x, y, turn):
    world = FakeWorld()
    world.stand("can", x, y, quaternion=quaternion((0, 0, 1), turn))
    assert predicate.on(world, "can", "counter") == (abs(x) <= 0.35 and abs(y) <= 0.8)
    assert not predicate.on(world, "can", "side_counter")


def test_on_needs_rest_contact_and_height():
    world = FakeWorld()
    can = world.stand("can")
    assert predicate.on(world, "can", "counter")
    can.speed = 0.1
    assert not predicate.on(world, "can", "counter")
    can.speed = 0.0
    can.position[2] += 0.01
    assert not predicate.on(world, "can", "counter"), "1 cm up and touching nothing"
    world.contacts.add(frozenset(("can", "counter")))
    assert predicate.on(world, "can", "counter")
    can.position[2] += 0.01
    assert not predicate.on(world, "can", "counter"), "2 cm up, as in a bowl that touches the counter"


@pytest.mark.parametrize(
    ("bottom", "x", "is_in", "is_out"),
    [
        (0.008, 0.0, True, False),  # standing in the bowl, its centre above the rim
        (0.006, 0.0, True, False),  # sunk into the contact
        (0.050, 0.0, True, False),
        (0.060, 0.0, False, False),  # lying across the rim
        (0.070, 0.0, False, True),  # held above it
        (0.000, 0.0, False, True),  # on the counter, leaning over the bowl
        (0.008, 0.09, False, True),  # beside it
    ],
)
def test_in_and_out(bottom, x, is_in, is_out):
    world = bowl_world(bottom, x)
    assert predicate.inside(world, "can", "bowl") == is_in
    assert predicate.out(world, "can", "bowl") == is_out


@given(bottom=st.floats(-0.1, 0.3), x=st.floats(-0.2, 0.2), speed=st.sampled_from([0.0, 0.5]))
def test_nothing_is_in_and_out(bottom, x, speed):
    world = bowl_world(bottom, x)
    world.things["can"].speed = speed
    assert not (predicate.inside(world, "can", "bowl") and predicate.out(world, "can", "bowl"))
    assert not (speed and predicate.inside(world, "can", "bowl"))


@given(gap=st.floats(-0.05, 0.3) | st.sampled_from([0.0599, 0.0601]), direction=angles, at=spots)
def test_gap_of_round_things_is_the_same_in_every_direction(gap, direction, at):
    world = FakeWorld()
    world.stand("a", *at)
    distance = 2 * 0.033 + gap
    world.stand("b", at[0] + distance * math.cos(direction), at[1] + distance * math.sin(direction))
    assert footprint_gap(world.box("a"), world.box("b")) == pytest.approx(gap, abs=1e-9)
    if abs(gap - 0.06) > 1e-9:
        assert predicate.near(world, "a", "b") == (gap <= 0.06)


@given(a=spots, b=spots, turn=angles, half=st.floats(0.01, 0.1), up=st.floats(0, 0.2))
def test_near_is_mutual_and_level(a, b, turn, half, up):
    world = FakeWorld()
    world.stand("a", *a, half=np.array([half, 0.03, 0.02]), quaternion=quaternion((0, 0, 1), turn))
    world.stand("b", *b).position[2] += up
    assert predicate.near(world, "a", "b") == predicate.near(world, "b", "a")
    if up > predicate.LEVEL + 1e-9:
        assert not predicate.near(world, "a", "b")


def test_gap_of_facing_boxes_is_the_true_one():
    world = FakeWorld()
    world.stand("a", 0.0, 0.0, half=np.array([0.07, 0.03, 0.02]))
    world.stand("b", 0.0, 0.11, half=np.array([0.07, 0.03, 0.02]))
    assert footprint_gap(world.box("a"), world.box("b")) == pytest.approx(0.05)
    assert footprint_gap(world.box("a"), world.box("a")) < 0, "a thing overlaps itself"


def test_on_a_mat_is_not_on_the_counter():
    world = FakeWorld()
    world.stand("heart", half=np.array([0.055, 0.055, 0.002]))
    top = np.array([0.0, 0.0, COUNTER_TOP + 0.004])
    world.tops["heart"] = Region(top, np.array([0.055, 0.055, 0.0]))
    can = world.stand("can")
    can.position[2] += 0.004
    assert predicate.on(world, "can", "heart")
    assert predicate.upright(world, "can")
    assert not predicate.on(world, "can", "counter")
    assert not predicate.on(world, "heart", "heart")
    can.position[1] = 0.06
    assert not predicate.on(world, "can", "heart"), "its centre is beside the mat"
    assert predicate.near(world, "can", "heart")


def turned_world(turn: float, **things: tuple[float, float]) -> FakeWorld:
    """Cans at (ahead, left) [m] of the middle of a counter that is turned about the vertical."""
    world = FakeWorld()
    world.tops = {"counter": Region(np.array([0.3, -0.2, COUNTER_TOP]), np.array([0.6, 0.9, 0.0]), turn)}
    c, s = math.cos(turn), math.sin(turn)
    world.stations = {"counter": np.array([0.3 - c, -0.2 - s, turn])}
    for name, (x, y) in things.items():
        world.stand(name, 0.3 + c * x - s * y, -0.2 + s * x + c * y)
    return world


@given(a=spots, b=spots, turn=angles)
def test_left_and_right_are_the_robots_at_whatever_counter(a, b, turn):
    world = turned_world(turn, a=a, b=b)
    further = a[1] - b[1]
    if abs(abs(further) - predicate.ASIDE) > 1e-9:
        assert predicate.left_of(world, "a", "b") == (further >= predicate.ASIDE)
        assert predicate.right_of(world, "a", "b") == (-further >= predicate.ASIDE)
    assert predicate.left_of(world, "a", "b") == predicate.right_of(world, "b", "a")


@given(a=spots, b=spots, turn=angles)
def test_the_nearer_one_is_so_in_both_senses(a, b, turn):
    world = turned_world(turn, a=a, b=b)
    closer = math.hypot(a[0] + 1, a[1]) - math.hypot(b[0] + 1, b[1])
    if abs(b[0] - a[0] - predicate.ASIDE) > 1e-9 and abs(closer) > 1e-9:
        assert predicate.nearer(world, "a", "b") == (b[0] - a[0] >= predicate.ASIDE and closer <= 0)
    assert not (predicate.nearer(world, "a", "b") and predicate.nearer(world, "b", "a"))


@given(a=spots, b=spots, c=spots, turn=angles)
def test_between_is_the_same_from_both_ends_and_however_turned(a, b, c, turn):
    world = turned_world(turn, a=a, b=b, c=c)
    to_b, to_c = np.subtract(b, a), np.subtract(c, a)
    lengths = float(np.linalg.norm(to_b) * np.linalg.norm(to_c))
    if lengths > 1e-6:
        angle = math.degrees(math.acos(min(1.0, max(-1.0, float(to_b @ to_c) / lengths))))
        if abs(angle - 135) > 1e-3:
            assert predicate.between(world, "a", "b", "c") == (angle > 135)
    assert predicate.between(world, "a", "b", "c") == predicate.between(world, "a", "c", "b")
    others = [predicate.between(world, *names) for names in (("b", "a", "c"), ("c", "a", "b"))]
    assert not (predicate.between(world, "a", "b", "c") and any(others)), "one of three is in the middle"


def test_nothing_is_between_a_thing_and_the_place_it_stands_on():
    world = turned_world(0.0, a=(0.0, 0.0), b=(0.0, 0.0), c=(0.0, 0.3))
    assert not predicate.between(world, "a", "b", "c")


@given(lean=st.floats(0, math.pi), heading=angles, spin=angles)
def test_tilt_is_the_angle_of_the_axis_whatever_the_heading(lean, heading, spin):
    world = FakeWorld()
    axis = (math.cos(heading), math.sin(heading), 0.0)
    w1, v1 = math.cos(lean / 2), math.sin(lean / 2) * np.array(axis)
    w2, v2 = math.cos(spin / 2), math.sin(spin / 2) * np.array([0.0, 0.0, 1.0])
    q = np.array([w1 * w2 - v1 @ v2, *(w1 * v2 + w2 * v1 + np.cross(v1, v2))])
    world.stand("can", quaternion=q)
    assert predicate.tilt(world, "can") == pytest.approx(lean, abs=1e-6)
    upright, toppled = predicate.upright(world, "can"), predicate.toppled(world, "can")
    assert upright == (predicate.tilt(world, "can") < math.radians(10))
    assert toppled == (predicate.tilt(world, "can") > math.radians(70))


@pytest.mark.parametrize(("name", "lean"), [("upright", 0.0), ("toppled", math.pi / 2)])
def test_standing_and_lying_need_a_counter_and_rest(name, lean):
    world = FakeWorld()
    can = world.stand("can", quaternion=quaternion((1, 0, 0), lean))
    holds = PREDICATES[name].holds
    assert holds(world, "can")
    can.speed = 0.1
    assert not holds(world, "can")
    can.speed = 0.0
    can.position[2] += 0.2
    assert not holds(world, "can"), "in the hand"
    world.things["can"] = FakeThing(np.array([0.0, 3.0, 0.061]), quaternion=can.quaternion)
    assert not holds(world, "can"), "on the floor"


@given(st.floats(0, 0.4))
def test_a_drawer_is_open_or_closed_or_between(opening):
    world = FakeWorld(openings={"top_drawer": opening})
    assert predicate.is_open(world, "top_drawer") == (opening >= 0.15)
    assert predicate.is_closed(world, "top_drawer") == (opening <= 0.02)


@given(turns=st.integers(-3, 3), off=st.floats(-0.5, 0.5), ahead=st.floats(0, 0.4), heading=angles)
def test_at_ignores_full_turns(turns, off, ahead, heading):
    station = np.array([1.0, -2.0, 3.0])
    moved = [ahead * math.cos(heading), ahead * math.sin(heading), off + turns * 2 * math.pi]
    world = FakeWorld(base_pose=station + moved, stations={"counter": station})
    if abs(ahead - 0.15) > 1e-9 and abs(abs(off) - 0.2) > 1e-9:
        assert predicate.at(world, "counter") == (ahead <= 0.15 and abs(off) <= 0.2)


def test_released_is_about_the_robot_only():
    world = FakeWorld()
    world.stand("can")
    assert predicate.released(world, "can")
    world.contacts.add(frozenset(("can", "robot")))
    assert not predicate.released(world, "can")


def goals(depth: int = 3) -> st.SearchStrategy[Goal]:
    leaf_ = st.builds(leaf, st.sampled_from(["open", "closed"]), st.sampled_from(DRAWERS))
    return st.recursive(
        leaf_,
        lambda inner: st.builds(
            lambda name, children: Goal(name, children=tuple(children)),
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=8,
    )


@given(goal=goals(), openings=st.lists(st.sampled_from([0.0, 0.1, 0.2]), min_size=3, max_size=3))
def test_goals_combine_as_logic_does(goal, openings):
    world = FakeWorld(openings=dict(zip(DRAWERS, openings, strict=True)))
    values = leaves(goal, world)

    def expected(node: Goal) -> bool:
        if node.children:
            return {"all": all, "any": any}[node.predicate](map(expected, node.children))
        return values[str(node)]

    for name, holds in values.items():
        predicate_, drawer = name.rstrip(")").split("(")
        assert (
            holds
            == {"open": world.openings[drawer] >= 0.15, "closed": world.openings[drawer] <= 0.02}[predicate_]
        )
    assert evaluate(goal, world) == expected(goal)


@pytest.mark.parametrize(
    ("goal", "error", "fragments"),
    [
        (leaf("lift", "apple"), UnknownNameError, ["predicate 'lift'", "'lifted'"]),
        (leaf("lifted", "aple"), UnknownNameError, ["object 'aple'", "'apple'"]),
        (leaf("on", "apple", "conter"), UnknownNameError, ["surface 'conter'", "'counter'"]),
        (leaf("open", "counter"), UnknownNameError, ["drawer 'counter'", "top_drawer"]),
        (leaf("in", "apple", "sponge"), UnknownNameError, ["receptacle 'sponge'", "white_bowl"]),
        (leaf("on", "apple"), GoalError, ["takes 2", "object, surface"]),
        (leaf("near", "apple", "apple"), GoalError, ["2 different"]),
        (leaf("between", "apple", "sponge", "apple"), GoalError, ["3 different"]),
        (leaf("on", "apple", "hart"), UnknownNameError, ["surface 'hart'", "'heart'"]),
        (leaf("in", "apple", "zink"), UnknownNameError, ["receptacle 'zink'", "'sink'"]),
        (leaf("in", "objct", "sink"), UnknownNameError, ["object 'objct'", "'object'"]),
        (Goal("all"), GoalError, ["list of one or more"]),
        (Goal("all", children=(leaf("still", "aple"),)), UnknownNameError, ["object 'aple'"]),
    ],
)
def test_bad_goals_are_refused_with_the_nearest_match(goal, error, fragments):
    with pytest.raises(error) as caught:
        check_goal(goal, KNOWN, where="mine.yaml: skill", roles=("object", "target"))
    for fragment in ["mine.yaml: skill", *fragments]:
        assert fragment in str(caught.value)


def test_good_goals_pass_and_every_predicate_explains_itself():
    players = {"object": ["apple", "sponge", "orange"]}
    for name, entry in PREDICATES.items():
        pool = {kind: list(players.get(kind, names)) for kind, names in KNOWN.items()}
        check_goal(Goal("any", children=(leaf(name, *(pool[kind].pop(0) for kind in entry.kinds)),)), KNOWN)
        assert entry.summary.endswith("."), name
