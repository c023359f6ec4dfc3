"""Plans that are told in training: names are hidden, and places are those of the first frame."""

from dataclasses import replace

import numpy as np
import pytest

from rtbench.data.hdf5_writer import Header, Writer
from rtbench.train.dataset import load
from rtbench.train.told_plans import MISPLACED, WITHOUT_NAME, ToldPlans
from tests.helpers.training_data import demonstration

MOVE = "move_near/coke_can_pepsi_can-v0"
COUNT = 4000


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two demonstrations of moving, one of opening a drawer that is out of the picture."""
    folder = tmp_path_factory.mktemp("plans")
    with Writer(folder / "demos.h5", Header("rtbench", (32, 40))) as writer:
        for number, task in enumerate((MOVE, MOVE, "open_drawer/top_drawer-v0")):
            demo = demonstration(number, (32, 40), steps=4)
            points = np.full_like(demo.points, np.nan)
            if task == MOVE:
                points[:, 0] = 0.1 * np.arange(1, 5)[:, None] + 0.4 * number
                points[:, 1] = 0.9
            writer.add(replace(demo, points=points, episode=replace(demo.episode, task=task)))
    return load([folder / "demos.h5"], folder)


def drawn(data, demo, seed=0):
    plans = ToldPlans(data)
    numbers, places = plans.draw(np.full(COUNT, demo), np.random.default_rng(seed))
    return [plans.texts[k] for k in numbers.tolist()], places


def test_each_name_is_hidden_in_its_share(data):
    texts, _ = drawn(data, 0)
    counts = {text: texts.count(text) / COUNT for text in set(texts)}
    assert counts.keys() == {
        "move coke can near pepsi can", "move thing near pepsi can", "move coke can near thing",
        "move thing near thing",
    }  # fmt: skip
    for share in counts.values():
        assert share == pytest.approx(WITHOUT_NAME**2, abs=0.03)


def test_a_drawer_keeps_its_name(data):
    texts, _ = drawn(data, 2)
    assert set(texts) == {"open top drawer"}


def test_places_are_those_of_the_first_frame(data):
    plans = ToldPlans(data)
    mixed = np.arange(COUNT) % 2
    _, places = plans.draw(mixed, np.random.default_rng(1))
    told = np.isfinite(places).all((1, 2))
    assert 0.9 < told.mean() < 1
    first = places[told & (mixed == 0), 0, 0]
    near = np.abs(first - 0.1) < 0.05
    # Half of the plans have their names; a tenth of those has another plan's place, which may be its own.
    assert near.mean() == pytest.approx(1 - (1 - WITHOUT_NAME) * MISPLACED / 2, abs=0.02)
    assert (np.abs(first[~near] - 0.5) < 0.05).all(), "the other plan's, not a later frame's"


def test_a_plan_without_its_name_has_its_own_place(data):
    plans = ToldPlans(data)
    mixed = np.arange(COUNT) % 2
    numbers, places = plans.draw(mixed, np.random.default_rng(2))
    hidden = np.array([plans.texts[k].startswith("move thing") for k in numbers.tolist()])
    assert hidden.any()
    own = np.where(mixed == 0, 0.1, 0.5)
    assert (np.abs(places[hidden, 0, 0] - own[hidden]) < 0.05).all()


def test_what_is_out_of_the_picture_is_not_told_or_elsewhere(data):
    _, places = drawn(data, 2)
    assert np.isnan(places).all(), "all plans of this batch are without a place"
    plans = ToldPlans(data)
    mixed = np.arange(COUNT) % 3
    _, places = plans.draw(mixed, np.random.default_rng(3))
    told = np.isfinite(places[mixed == 2]).all(-1)
    assert 0.2 < told.mean() < 0.6


def test_the_same_stream_draws_the_same(data):
    one, other = (drawn(data, 0, seed=5) for _ in range(2))
    assert one[0] == other[0]
    assert np.array_equal(one[1], other[1], equal_nan=True)
