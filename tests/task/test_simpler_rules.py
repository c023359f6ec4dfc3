"""SIMPLER's rules of success: each holds and fails where the reference's numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from rtbench.core.world import Region
from rtbench.task.predicate import evaluate, note
from rtbench.task.task import Goal
from tests.helpers.fake_world import COUNTER_TOP, FakeWorld

PICK = Goal("simpler_pick", ("can",))
NEAR = Goal("simpler_near", ("can", "bottle"))
CLOSED = Goal("simpler_closed", ("top_drawer",))
PUT = Goal("simpler_in", ("apple", "top_drawer"))


def pick_world() -> FakeWorld:
    world = FakeWorld()
    world.stand("can")
    note(PICK, world)
    return world


def raise_can(world: FakeWorld, height: float, *, held: bool = True) -> bool:
    """The can `height` above its start at the end of a control step; whether the rule holds then."""
    can = world.things["can"]
    can.position[2] = COUNTER_TOP + can.half[2] + height
    can.held = held
    note(PICK, world)
    return evaluate(PICK, world)


def test_no_rule_holds_before_the_first_note_nor_at_reset():
    world = FakeWorld()
    world.stand("can")
    for goal in (PICK, NEAR):
        assert not evaluate(goal, world)
    assert not evaluate(PICK, pick_world())


@pytest.mark.parametrize(
    ("height", "held", "picked"), [(0.011, True, True), (0.009, True, False), (0.05, False, False)]
)
def test_a_can_is_picked_over_one_centimetre_up_in_a_grasp(height, held, picked):
    assert raise_can(pick_world(), height, held=held) == picked


def test_a_can_that_touches_something_else_than_the_robot_is_not_picked():
    world = pick_world()
    world.contacts.add(frozenset(("can", "side_counter")))
    assert not raise_can(world, 0.05)
    world.contacts.clear()
    assert raise_can(world, 0.05)


def test_a_grasp_that_is_lost_ends_the_pick_unless_it_was_high_for_five_steps():
    world = pick_world()
    assert raise_can(world, 0.015)
    assert not raise_can(world, 0.0, held=False)
    for _ in range(4):
        assert raise_can(world, 0.03)
    assert not raise_can(world, 0.0, held=False), "four steps are not enough"
    assert raise_can(world, 0.03)
    assert raise_can(world, 0.0, held=False), "a can that is dropped later still counts"


def test_a_can_let_down_onto_the_table_counts_while_it_is_held():
    world = pick_world()
    assert raise_can(world, 0.03)
    assert raise_can(world, 0.0), "the grasp has not been lost"


def near_world() -> FakeWorld:
    """Can, bottle and sponge 30 cm apart. The can's and the bottle's half diagonals are 4.67 cm each."""
    world = FakeWorld()
    world.stand("can", 0.0, 0.0)
    world.stand("bottle", 0.3, 0.0)
    world.stand("sponge", 0.0, 0.3)
    note(NEAR, world)
    return world


REACH = 2 * float(np.hypot(0.033, 0.033))


@pytest.mark.parametrize(("gap", "near"), [(REACH + 0.095, True), (REACH + 0.105, False)])
def test_near_is_within_half_diagonals_and_ten_centimetres(gap, near):
    world = near_world()
    world.things["can"].position[0] = 0.3 - gap
    assert evaluate(NEAR, world) == near


def test_the_source_has_to_move_by_over_three_centimetres():
    world = FakeWorld()
    world.stand("can", 0.0)
    world.stand("bottle", 0.12)
    note(NEAR, world)
    world.things["can"].position[0] = 0.029
    assert not evaluate(NEAR, world)
    world.things["can"].position[0] = 0.031
    assert evaluate(NEAR, world)


def test_the_source_moves_further_than_all_others():
    world = near_world()
    world.things["can"].position[0] = 0.15
    assert evaluate(NEAR, world)
    world.things["sponge"].position[1] = 0.46
    assert not evaluate(NEAR, world)


@pytest.mark.parametrize(("nearer", "near"), [(0.005, True), (0.015, False)])
def test_the_target_is_the_nearest_with_a_centimetre_of_tolerance(nearer, near):
    world = near_world()
    world.things["sponge"].position[:2] = [0.05, 0.10]
    world.noted.clear()
    note(NEAR, world)
    world.things["can"].position[:2] = [0.15, 0.0]
    away = 0.15 - nearer
    world.things["sponge"].position[:2] = [0.15, away]
    assert evaluate(NEAR, world) == near


@pytest.mark.parametrize(
    ("name", "sunk", "near"),
    [
        ("sponge", 0.019, True),
        ("sponge", 0.021, False),
        ("bottle", 0.14, True),
        ("bottle", 0.16, False),
        ("can", 0.16, False),
    ],
)
def test_nothing_may_fall(name, sunk, near):
    world = near_world()
    world.things["can"].position[0] = 0.15
    world.things[name].position[2] -= sunk
    assert evaluate(NEAR, world) == near


@pytest.mark.parametrize(("opening", "closed"), [(0.2, False), (0.051, False), (0.05, True), (0.0, True)])
def test_a_drawer_is_closed_at_five_centimetres(opening, closed):
    world = FakeWorld()
    world.openings["top_drawer"] = opening
    assert evaluate(CLOSED, world) == closed


def drawer_world(opening: float = 0.2) -> FakeWorld:
    """An apple above an open drawer whose bottom is 10 cm below the counter's top."""
    world = FakeWorld()
    world.openings["top_drawer"] = opening
    world.stand("apple", half=np.array([0.04, 0.04, 0.04]))
    world.cavities["top_drawer"] = Region(
        np.array([0.0, 0.0, COUNTER_TOP - 0.05]), np.array([0.2, 0.2, 0.05])
    )
    note(PUT, world)
    return world


def drop(world: FakeWorld, above: float, x: float = 0.0) -> bool:
    """The apple `above` the drawer's bottom [m], in contact with the drawer; whether the rule holds then."""
    world.things["apple"].position[:] = [x, 0.0, COUNTER_TOP - 0.10 + 0.04 + above]
    world.contacts.add(frozenset(("apple", "top_drawer")))
    note(PUT, world)
    return evaluate(PUT, world)


def test_a_touch_of_the_drawers_bottom_counts():
    assert drop(drawer_world(), 0.0)


@pytest.mark.parametrize(("above", "x"), [(0.04, 0.0), (0.0, 0.3)])
def test_a_touch_of_its_walls_or_beside_it_does_not(above, x):
    assert not drop(drawer_world(), above, x)


def test_an_earlier_touch_counts_though_the_apple_is_out_again():
    world = drawer_world()
    assert drop(world, 0.0)
    world.contacts.clear()
    world.things["apple"].position[2] += 0.5
    note(PUT, world)
    assert evaluate(PUT, world)


@pytest.mark.parametrize(("opening", "put"), [(0.05, True), (0.049, False)])
def test_the_drawer_is_open_at_the_end(opening, put):
    world = drawer_world()
    drop(world, 0.0)
    world.openings["top_drawer"] = opening
    assert evaluate(PUT, world) == put
