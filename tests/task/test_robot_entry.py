"""Robots' files: what they say, and what is refused."""

import pytest

from rtbench.core.episode import DEFAULT_ROBOT, Episode
from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import RobotEntry
from rtbench.task.suite import draw
from rtbench.task.yaml_loader import read_file

GOOGLE = "google_robot"


def written(tmp_path, *changes):
    """Google's robot with changes in its file, read again."""
    (file,) = (f for f in BUNDLED.files("envs/robots") if f.stem == GOOGLE)
    text = file.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_file(path, RobotEntry)[GOOGLE]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("folded:", "foldet:"), "unknown key 'arm.foldet'. Did you mean 'folded'"),
        (("kind: menagerie, folder: google_robot,", "kind: menagerie,"), "has 'folder' and 'file'"),
        (("wide: 0.0974", "wide: 0.2"), "wide is at most open"),
        (("[1.0, 0.0095]", "[1.0, 0.0]"), "of growing distance"),
        (("size: [640, 512]", "size: [640, 480]"), "a multiple of 320 x 256"),
        (("    head: {body", "    wrist: {body"), "cameras have 'head'"),
        (("base_yaw: [", "base_jaw: ["), "base_yaw"),
    ],
)
def test_a_slip_is_told_with_file_key_and_remedy(tmp_path, change, told):
    with pytest.raises(ContentError) as caught:
        written(tmp_path, change)
    assert str(tmp_path / "mine.yaml") in str(caught.value)
    assert told in str(caught.value)


def test_an_unknown_robot_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="google_robot"):
        BUNDLED.robot("google_robo")


@pytest.mark.parametrize("name", ["panda_omron", GOOGLE])
@pytest.mark.parametrize("opening", [0.0, 0.011, 0.03, 0.066, 0.08])
def test_fingers_go_where_an_opening_says(name, opening):
    gripper = BUNDLED.robot(name).gripper
    assert gripper.opening(gripper.positions(opening)) == pytest.approx(opening, abs=1e-9)


def test_the_pandas_fingers_are_apart_by_their_two_slides():
    gripper = BUNDLED.robot(DEFAULT_ROBOT).gripper
    assert gripper.positions(0.05) == [0.025, -0.025]
    assert gripper.opening([0.03, -0.01]) == 0.04


def test_the_robot_is_part_of_an_episodes_key_unless_it_is_the_default_one():
    plain = Episode("s", "seen", "a", "pick", "t", "k", (), "pick can", "en", 3, "", 9)
    assert plain.robot == DEFAULT_ROBOT
    # As it was before there were robots: the hash of all other fields.
    assert plain.key == "8dc6e28ce96c4c3b"
    other = Episode("s", "seen", "a", "pick", "t", "k", (), "pick can", "en", 3, "", 9, robot=GOOGLE)
    assert other.key != plain.key


def test_twins_have_the_robot_too():
    from dataclasses import replace

    suite = replace(BUNDLED.suite("novel"), robot=GOOGLE)
    axis = next(name for name, entry in suite.entry.axes.items() if entry.of)
    task = suite.tasks(axis)[0]
    drawn = draw(suite, task, 5, axis)
    twin = draw(suite, task, 5, suite.entry.axes[axis].of)
    assert drawn.robot == twin.robot == GOOGLE
    assert drawn.twin == twin.key
