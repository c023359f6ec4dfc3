"""Goals of several parts: the oracle finds an order in which nothing is undone, from any state on the way."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.action import MODE, RTBENCH, Mode, idle
from rtbench.core.seeding import generator
from rtbench.policy.oracle import oracle_action
from rtbench.policy.oracle.footprint import Footprint
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.planner import _WORK, next_step
from rtbench.policy.oracle.predicted_world import done, would_hold
from rtbench.policy.oracle.subgoal import PLACES, RELATIONS, jobs_of, left_to_do
from rtbench.task.library import Library
from rtbench.task.predicate import PREDICATES, evaluate
from rtbench.task.skill import parse_goal
from rtbench.task.task import Goal, Start, Task
from tests.helpers.fake_world import FakeWorld


@pytest.fixture
def set_up(kitchen, episode_of, monkeypatch):
    """set_up(goal, place, seed=0, **start): begin an episode of a task that is made up here."""

    def begin(goal, place, seed=0, **start):
        scene = start.pop("scene", "office_kitchen")
        tree = parse_goal(goal)
        task = Task("made/up-v0", "made", scene, tuple(place), tree, Start(place=place, **start), ("x",), 250)
        monkeypatch.setattr(Library, "task", lambda *_: task)
        episode = episode_of("drive/side_counter-v0", seed)
        kitchen.begin(dataclasses.replace(episode, task=task.id, scene=scene, objects=task.objects))
        return kitchen

    return begin


def on_counter(*names):
    return dict.fromkeys(names, "counter")


def finish(kitchen, horizon):
    """Let the oracle play to its own end."""
    for _ in range(horizon):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            break
    assert kitchen.success(), kitchen.leaves()
    assert kitchen.terminated


FRUIT_AND_DRAWERS = {
    "all": [{"in": ["apple", "white_bowl"]}, {"closed": "top_drawer"}, {"closed": "bottom_drawer"}]
}
GOALS = {
    "put in and shut": (
        {"in": ["sponge", "top_drawer"], "closed": "top_drawer"},
        on_counter("sponge"),
        {},
        70,
    ),
    "two drawers, one over the other": (
        {"all": [{"in": ["apple", "top_drawer"]}, {"in": ["sponge", "bottom_drawer"]},
                 {"closed": "top_drawer"}, {"closed": "bottom_drawer"}]},
        on_counter("apple", "sponge"),
        {},
        140,
    ),
    "from one drawer into another": (
        {"in": ["apple", "bottom_drawer"], "closed": "top_drawer"},
        {"apple": "top_drawer"},
        {"drawers": {"top_drawer": 0.24}},
        100,
    ),
    "fruit in the bowl, all drawers shut": (
        FRUIT_AND_DRAWERS,
        on_counter("apple", "white_bowl"),
        {"drawers": {"top_drawer": 0.2, "bottom_drawer": 0.2}},
        80,
    ),
    "two into one bowl": (
        {"all": [{"in": [name, "white_bowl"]} for name in ("orange", "rxbar_chocolate")]},
        on_counter("orange", "rxbar_chocolate", "white_bowl"),
        {},
        80,
    ),
    "stood up, and something near it": (
        {"all": [{"near": ["apple", "coke_can"]}, {"upright": "coke_can"}]},
        on_counter("apple", "coke_can"),
        {"lying": ("coke_can",), "apart": (("apple", "coke_can"),)},
        80,
    ),
    "each on a mat of its own, whichever": (
        {"all": [{"any": [{"on": [a, mat]} for mat in ("heart", "star")]} for a in ("apple", "orange")]},
        on_counter("apple", "orange", "heart", "star"),
        {},
        60,
    ),
    "in the hand at the end": (
        {"all": [{"lifted": "sponge"}, {"in": ["apple", "white_bowl"]}, {"closed": "top_drawer"}]},
        on_counter("sponge", "apple", "white_bowl"),
        {"drawers": {"top_drawer": 0.2}},
        80,
    ),
    "between two": (
        {"between": ["apple", "coke_can", "sponge"], "on": ["apple", "counter"]},
        on_counter("apple", "coke_can", "sponge"),
        {"apart": (("coke_can", "sponge"),)},
        40,
    ),
    "in the sink": (
        {"all": [{"in": ["white_mug", "sink"]}, {"in": ["sink_plug", "sink"]}]},
        on_counter("white_mug", "sink_plug"),
        {"scene": "sink_counter"},
        70,
    ),
    "left of it on a desk": (
        {"left_of": ["stapler", "mouse"], "near": ["stapler", "mouse"], "on": ["stapler", "counter"]},
        on_counter("stapler", "mouse"),
        {"scene": "office_desk"},
        50,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOALS)
def test_goals_of_several_parts_are_reached(set_up, name):
    goal, place, start, horizon = GOALS[name]
    finish(set_up(goal, place, 1, **start), horizon)


@pytest.mark.parametrize("steps", [12, 25])
def test_it_goes_on_where_another_has_left_off(set_up, steps):
    """With something in the hand, or half a drawer open."""
    goal, place, start, horizon = GOALS["put in and shut"]
    kitchen = set_up(goal, place, 2, **start)
    for _ in range(steps):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
    random = generator("plan", "takeover", steps)
    for _ in range(6):
        kitchen.advance(np.append(random.integers(0, 256, 10), 0))
    finish(kitchen, 2 * horizon)


def test_what_is_done_is_left_alone(set_up):
    kitchen = set_up(*GOALS["put in and shut"][:2], drawers={"top_drawer": 0.24}, seed=3)
    goal = kitchen.task.goal
    for _ in range(60):
        before = {str(job.goal) for job in left_to_do(View(kitchen), goal)}
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        after = {str(job.goal) for job in left_to_do(View(kitchen), goal)}
        assert len(after) <= len(before) or "closed(top_drawer)" in str(after - before), (before, after)
        if kitchen.terminated:
            break
    assert kitchen.success()


def test_things_come_before_drawers_and_what_is_held_comes_last(set_up):
    first = [{"at": "side_counter"}, {"lifted": "sponge"}, {"closed": "bottom_drawer"}]
    goal = {
        "all": [*first, {"closed": "top_drawer"}, {"near": ["apple", "coke_can"]}, {"upright": "coke_can"}]
    }
    kitchen = set_up(
        goal,
        on_counter("sponge", "apple", "coke_can"),
        lying=("coke_can",),
        apart=(("apple", "coke_can"),),
        drawers={"top_drawer": 0.2, "bottom_drawer": 0.2},
    )
    names = [job.name for job in left_to_do(View(kitchen), kitchen.task.goal)]
    assert names == ["coke_can", "apple", "top_drawer", "bottom_drawer", "sponge", "side_counter"]


def test_drawers_are_opened_from_the_bottom(set_up):
    kitchen = set_up({"all": [{"open": d} for d in ("top_drawer", "bottom_drawer", "middle_drawer")]}, {})
    names = [job.name for job in left_to_do(View(kitchen), kitchen.task.goal)]
    assert names == ["bottom_drawer", "middle_drawer", "top_drawer"]
    finish(kitchen, 60)


def test_of_alternatives_the_one_at_hand_is_taken(set_up):
    goal = {"any": [{"in": ["apple", "white_bowl"]}, {"in": ["orange", "white_bowl"]}]}
    kitchen = set_up(goal, on_counter("apple", "orange", "white_bowl"))
    view = View(kitchen)
    far = max(
        ("apple", "orange"), key=lambda o: np.linalg.norm(kitchen.world.pose(o).position - view.hand.position)
    )
    for _ in range(25):
        action = next_step(View(kitchen), Goal("lifted", (far,)))
        if action is None:
            break
        kitchen.advance(RTBENCH.encode(action))
    assert kitchen.world.held(far)
    (job,) = jobs_of(View(kitchen), kitchen.task.goal)
    assert job.name == far
    finish(kitchen, 40)
    assert evaluate(Goal("in", (far, "white_bowl")), kitchen.world)


def test_what_cannot_be_reached_is_no_crash_and_no_end(set_up):
    kitchen = set_up(
        {"on": ["apple", "heart"], "near": ["apple", "star"]}, on_counter("apple", "heart", "star")
    )
    joint = kitchen.world._data.joint("star:free")
    joint.qpos[:3] = [-1.5, 0.0, 0.1]
    for _ in range(40):
        action = oracle_action(kitchen)
        assert action[MODE] != Mode.TERMINATE
        kitchen.advance(RTBENCH.encode(action))
    kitchen.advance(RTBENCH.encode(idle()))
    assert not kitchen.success()


def test_it_has_a_way_to_every_predicate():
    placed = {*PLACES, *RELATIONS, *_WORK}
    ours = {name for name in PREDICATES if not name.startswith("simpler_")}
    assert ours - placed == {"released", "still"}, "these come with the others"


def test_what_only_moves_is_done():
    world = FakeWorld()
    can = world.stand("can")
    can.speed = 0.5
    goal = Goal("on", ("can", "counter"))
    assert not evaluate(goal, world)
    assert done(world, goal)
    can.position[2] += 0.3
    assert not done(world, goal)


@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3))
def test_what_would_hold_does_hold_once_it_is_so(x, y):
    world = FakeWorld()
    world.stand("a")
    world.stand("b", 0.05, 0.1)
    for name in ("near", "left_of", "nearer"):
        goal = Goal(name, ("a", "b"))
        expected = would_hold(world, goal, "a", np.array([x, y, 0.0]))
        moved = FakeWorld()
        moved.stand("a", x, y)
        moved.stand("b", 0.05, 0.1)
        assert evaluate(goal, moved) == expected
        assert world.pose("a").position[0] == 0.0


rectangles = st.builds(
    lambda x, y, a, b, yaw, disc: Footprint(np.array([x, y]), np.array([a, a if disc else b]), yaw, disc),
    *[st.floats(-0.2, 0.2)] * 2, *[st.floats(0.01, 0.1)] * 2, st.floats(-3, 3), st.booleans(),
)  # fmt: skip


@given(a=rectangles, b=rectangles)
def test_gaps_are_mutual_and_never_more_than_the_distance_of_any_two_points(a, b):
    assert a.gap(b) == pytest.approx(b.gap(a), abs=1e-9)
    for corner in corners(b):
        assert a.gap(b) <= a.distance(corner) + 1e-9


def corners(shape):
    if shape.round:
        turns = np.linspace(0, 2 * np.pi, 8)
        return shape.center + shape.half[0] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    signs = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])
    return shape.center + (signs * shape.half) @ shape.axes


@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3))
def test_a_point_inside_is_at_a_negative_distance(x, y):
    shape = Footprint(np.zeros(2), np.array([0.1, 0.2]), 0.0, round=False)
    inside = abs(x) < 0.1 and abs(y) < 0.2
    assert (shape.distance(np.array([x, y])) < 0) == inside
