"""What is asked of many places at once is what is said of each of them alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.policy.oracle.footprint import Footprint
from rtbench.policy.oracle.grasp import crowding
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.placement_search import _costs

coordinates = st.floats(-0.2, 0.2)
sizes = st.floats(0.01, 0.1)
places = st.lists(st.tuples(coordinates, coordinates, st.floats(-3, 3)), min_size=1, max_size=5)


def rectangle(x, y, a, b, yaw, disc):
    return Footprint(np.array([x, y]), np.array([a, a if disc else b]), yaw, disc)


@given(
    thing=st.builds(rectangle, coordinates, coordinates, sizes, sizes, st.floats(-3, 3), st.booleans()),
    places=places,
    half=st.tuples(sizes, sizes),
    disc=st.booleans(),
)
def test_gaps_to_many_are_those_to_each(thing, places, half, disc):
    middles, yaws = np.array(places)[:, :2], np.array(places)[:, 2]
    size = np.array([half[0], half[0] if disc else half[1]])
    many = Footprint(middles, size, yaws, disc)
    each = [Footprint(middle, size, yaw, disc) for middle, yaw in zip(middles, yaws, strict=True)]
    assert thing.gap(many) == pytest.approx([thing.gap(one) for one in each], abs=1e-12)
    assert many.gap(thing) == pytest.approx([one.gap(thing) for one in each], abs=1e-12)
    assert many.distance(thing.center) == pytest.approx(
        [one.distance(thing.center) for one in each], abs=1e-12
    )


def test_costs_of_many_places_are_those_of_each(kitchen, episode_of):
    kitchen.begin(episode_of("move_near/coke_can_sponge-v0"))
    view = View(kitchen)
    ground = float(view.world.surface(view.world.counter("sponge")).center[2])
    turns = np.array([0.0, 0.7])
    offsets = np.stack(np.meshgrid(np.arange(-0.2, 0.21, 0.05), np.arange(-0.2, 0.21, 0.05)), axis=-1)
    spots = view.world.pose("sponge").position[:2] + offsets.reshape(-1, 1, 2)
    costs = _costs(view, "coke_can", spots, ground, turns)
    crowded = crowding(view, "coke_can", spots, ground + 0.02, turns)
    assert costs.shape == crowded.shape == (81, 2)
    assert np.ptp(crowded) > 0.01, "some of the places are taken"
    for (spot,), row, crowds in zip(spots, costs, crowded, strict=True):
        assert row == pytest.approx([float(_costs(view, "coke_can", spot, ground, t)) for t in turns])
        assert crowds == pytest.approx([crowding(view, "coke_can", spot, ground + 0.02, t) for t in turns])
