"""Entries of envs/objects: what ours offer, and what is wrong with a user's."""

import mujoco
import pytest

from rtbench.core.errors import ContentError
from rtbench.env.object import add_object
from rtbench.task.library import BUNDLED, Library
from rtbench.task.object_entry import STRUCTURAL, ObjectEntry

OBJECTS = BUNDLED.things()


def test_names_and_tags_are_sound():
    for name, obj in OBJECTS.items():
        tags = {tag for tag in ("movable", "receptacle", "platform") if tag in obj.tags}
        assert len(tags) <= 1, f"{name} is {tags}"
        assert obj.platform == ("platform" in obj.tags)
        if {"fits_bowl", "fits_drawer", "can_topple"} & set(obj.tags):
            # SIMPLER's apple is wider than the default robot's gripper.
            assert "movable" in obj.tags or name == "large_apple", name
    # SIMPLER's stand in scenes of their own, and have the names that it gives them.
    words = [word for obj in OBJECTS.values() if obj.set != "simpler" for word in obj.names]
    assert len(words) == len(set(words)), "two objects share a name"


@pytest.mark.parametrize(("group", "least"), [("tools", 12), ("sink", 10), ("desk", 10), ("cups", 6)])
def test_a_set_has_something_to_choose_from(group, least):
    """Nine distractors beside a target, all of one set."""
    found = [obj for obj in OBJECTS.values() if obj.set == group and "movable" in obj.tags]
    assert least <= len(found) <= 40
    for obj in found:
        assert set(obj.tags) - set(STRUCTURAL), f"{obj.name} has no use, category or colour"


def test_rt2s_own_objects_are_there():
    """Table 2 of its paper: the sink's and the desk's."""
    sink = {"white_mug", "yellow_bowl", "green_cloth", "plate", "spoon", "orange_cup"}
    desk = {"stapler", "keyboard", "tissue_box", "papers", "mouse", "book", "marker"}
    assert sink <= {name for name, obj in OBJECTS.items() if obj.set == "sink"}
    assert desk <= {name for name, obj in OBJECTS.items() if obj.set == "desk"}


GOOD = "{kind: can, size: [0.06, 0.1], mass: 0.3, label: {color: red}, names: [odd can], tags: [movable]}"
BOWL = GOOD.replace("can, size: [0.06, 0.1]", "bowl, size: [0.1, 0.05, 0.12, 0.005]")


PARTS = (
    "{kind: parts, mass: 0.1, names: [odd], tags: [movable], parts: [{box: [0.1, 0.03, 0.02], color: red}]}"
)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (GOOD.replace("0.1]", "0.1, 0.2]"), "size of a can is [diameter, height], got 3 numbers"),
        (GOOD.replace("0.06", "0.09"), "too wide for the tag 'movable'"),
        (GOOD.replace("0.06", "66"), "sizes are metres"),
        (GOOD.replace("kind: can", "kind: cna"), "'kind' is \"cna\"; expected 'can', 'bottle'"),
        (GOOD.replace("kind: can", "kind: cann"), "'parts'. Did you mean 'can'?"),
        (GOOD.replace("mass", "mas"), "unknown key 'mas'. Did you mean 'mass'?"),
        (GOOD.replace("mass: 0.3", "mass: 0.01"), "'mass' is 0.01; expected greater than or equal to 0.05"),
        (GOOD.replace("red", "redd"), "unknown colour 'redd'"),
        (GOOD.replace("[odd can]", "[]"), "'names' is []"),
        (GOOD.replace("[movable]", "[receptacle]"), "belongs to the kind 'bowl'"),
        (GOOD.replace("[movable]", "[moveable]"), "the tag 'moveable' is easily taken for 'movable'"),
        (GOOD.replace("[movable]", "[Red]"), "'tags.0' is \"Red\"; expected"),
        (GOOD.replace("[movable]", "[red, red]"), "stands twice"),
        (GOOD.replace("[movable]", "[platform]"), "what has a flat top: the kinds mat and parts"),
        (GOOD.replace("label: {color: red}, ", ""), "the kind 'can' needs 'label'"),
        (GOOD.replace("can, size: [0.06", "bottle, size: [0.04"), "not graspable, so not 'movable'"),
        (
            GOOD.replace("can, size: [0.06, 0.1]", "ball, size: [0.06, 0.06]").replace(
                "movable", "can_topple"
            ),
            "'can_topple' is for what stands",
        ),
        (GOOD.replace("can, size: [0.06, 0.1]", "cup, size: [0.06, 0.1, 0.03]"), "the base of a cup"),
        (GOOD.replace("can, size: [0.06, 0.1]", "mat, size: [0.06, 0.1, 0.004]"), "and not 'movable'"),
        (PARTS.replace("box", "bax"), "unknown key 'parts.0.bax'. Did you mean 'box'?"),
        (PARTS.replace("{box: [0.1, 0.03, 0.02], ", "{"), "parts.0: a part is exactly one of box, cylinder"),
        (PARTS.replace("0.03,", "0.02,"), "not graspable, so not 'movable'"),
        (PARTS.replace("[0.1, 0.03,", "[0.03, 0.1,"), "turn its parts so that its length is along x"),
        (PARTS.replace("red", "redd"), "unknown colour 'redd', did you mean 'red'"),
        (
            PARTS.replace("}]", "}, {box: [0.1, 0.03, 0.02], at: [3.0, 0.0, 0.0], color: red}]"),
            "longer than 0.5 m: its bounding box is [3.1, 0.03, 0.02] m",
        ),
        (PARTS.replace("color", "axis: x, color"), "'axis' belongs to cylinders and capsules"),
        (BOWL.replace("[movable]", "[receptacle]"), "not a bowl"),
    ],
)
def test_a_bad_entry_names_file_entry_and_remedy(tmp_path, entry, complaint):
    file = tmp_path / "envs" / "objects" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"odd_can: {entry}\n")
    with pytest.raises(ContentError) as caught:
        Library([tmp_path]).things()
    assert str(file) in str(caught.value)
    assert "odd_can" in str(caught.value)
    assert complaint in str(caught.value)


def test_a_user_adds_an_object(tmp_path):
    folder = tmp_path / "envs" / "objects"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(f"odd_can: {GOOD}\n")
    objects = Library([tmp_path]).things()
    tea = objects["odd_can"]
    assert isinstance(tea, ObjectEntry)
    assert (tea.name, tea.kind, tea.size, tea.mass) == ("odd_can", "can", (0.06, 0.1), 0.3)
    assert (tea.set, tea.value, tea.platform) == ("mine", None, False)
    assert (tea.names, tea.tags, tea.label.color) == (("odd can",), ("movable",), "red")
    spec = mujoco.MjSpec()
    add_object(spec, tea)
    assert spec.compile().body("odd_can").mass[0] == pytest.approx(0.3)
    assert set(OBJECTS) < set(objects)
