"""The sets of objects: how many, what they are called, and whether their tags agree with each other."""

from collections import Counter

import pytest

from rtbench.task.library import BUNDLED

OBJECTS = BUNDLED.things()
MOVABLE = {name: obj for name, obj in OBJECTS.items() if "movable" in obj.tags}
COLORS = {
    "red",
    "green",
    "blue",
    "yellow",
    "orange_colored",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "silver",
}
EDIBLE = {name: set(obj.tags) for name, obj in OBJECTS.items() if {"food", "drink"} & set(obj.tags)}


def members(*sets):
    return {name for name, obj in MOVABLE.items() if obj.set in sets}


def test_there_is_enough_of_what_is_seen_and_of_what_is_novel():
    assert len(members("seen")) >= 33
    assert len(members("unseen_easy", "unseen_hard")) >= 30
    assert max(Counter(obj.set for obj in OBJECTS.values()).values()) <= 40


def test_rt1s_own_and_the_pantry_are_all_that_is_seen():
    rt1 = {name for name in members("seen") if "rt1" in OBJECTS[name].tags}
    assert len(rt1) == 17
    assert {name for name in MOVABLE if "pantry" in OBJECTS[name].tags} == members("seen") - rt1


def test_no_two_objects_share_a_name():
    # SIMPLER's stand in scenes of their own, and have the names that it gives them.
    names = Counter(word for obj in OBJECTS.values() if obj.set != "simpler" for word in obj.names)
    assert [name for name, count in names.items() if count > 1] == []


def test_rt2s_novel_objects_are_there():
    easy = {"banana", "oreo", "pear", "coconut_water"}
    hard = {
        *("cold_brew_can", "chew_toy", "large_tennis_ball", "bird_ornament", "fish_toy", "egg_separator"),
        *("ginger_lemon_kombucha", "wrist_watch", "blue_microfiber_cloth", "yellow_pear", "pretzel_chip_bag"),
        *("disinfectant_wipes", "pineapple_hint_water", "pickle_snack", "small_orange_rolling_pin"),
        *("octopus_toy", "catnip_toy"),
    }
    assert easy <= members("unseen_easy")
    assert hard <= members("unseen_hard")


@pytest.mark.parametrize("name", OBJECTS)
def test_a_thing_has_one_colour_at_most(name):
    obj = OBJECTS[name]
    assert len(COLORS & set(obj.tags)) <= 1
    for color in COLORS & set(obj.names[0].split()):
        assert color in obj.tags, f"{name} is called {color}"


@pytest.mark.parametrize("name", EDIBLE)
def test_what_can_be_eaten_is_one_thing_or_the_other(name):
    tags = EDIBLE[name]
    assert not {"food", "drink"} <= tags
    assert not {"healthy", "unhealthy"} <= tags
    assert "sugary" not in tags or "sweet" in tags
    assert "sugary" not in tags or "healthy" not in tags
    assert not ({"snack", "fruit"} & tags) or "food" in tags
    assert "drink" not in tags or {"can", "bottle", "carton"} & tags


@pytest.mark.parametrize("kind", ["can", "bottle"])
def test_food_and_drink_called_a_can_or_a_bottle_is_tagged_so(kind):
    for name, tags in EDIBLE.items():
        assert (kind in OBJECTS[name].names[0].split()) <= (kind in tags), name


@pytest.mark.parametrize(
    ("wanted", "group"),
    [({"drink", "healthy"}, "snacks"), ({"drink", "sweet"}, "snacks"), ({"snack", "salty"}, "snacks"),
     ({"snack", "healthy"}, "snacks"), ({"snack", "sweet"}, "snacks"), ({"drink", "healthy"}, "seen"),
     ({"drink", "sweet"}, "seen"), ({"snack", "healthy"}, "seen")],
)  # fmt: skip
def test_a_category_singles_out_some_but_not_all(wanted, group):
    those = [obj for obj in OBJECTS.values() if obj.set == group]
    fitting = [obj for obj in those if wanted <= set(obj.tags)]
    assert fitting
    assert len(fitting) < len([obj for obj in those if {"drink", "snack"} & wanted & set(obj.tags)])
