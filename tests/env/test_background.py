"""A photograph behind robot and objects: whose pixels are whose, and what is told of bad files."""

import numpy as np
import pytest
from PIL import Image

from rtbench.core.errors import ContentError
from rtbench.env.background import Background, file_hash
from rtbench.env.kitchen import Kitchen
from rtbench.task.library import BUNDLED
from rtbench.task.suite import draw

PINK = (250, 20, 200)


def picture(path, color, size=(640, 512)):
    Image.new("RGB", size, color).save(path)
    return str(path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A picture as drawn, with a photograph of one colour behind, and with a mask over its left half."""
    folder = tmp_path_factory.mktemp("background")
    photograph = picture(folder / "photograph.png", PINK)
    mask = Image.new("L", (320, 256), 255)
    mask.paste(0, (0, 0, 160, 256))
    mask.save(folder / "mask.png")
    episode = draw(BUNDLED.suite("seen"), BUNDLED.task("pick_from/orange_can_top_drawer-v0"), 0)
    found = []
    for background in (
        None,
        Background.read(photograph),
        Background.read(photograph, str(folder / "mask.png")),
    ):
        kitchen = Kitchen(cameras=("head",), background=background)
        found.append(kitchen.begin(episode).images["head"])
        stage = kitchen._current()
        seen = kitchen._renderer().segment(stage.data, "head")
        owners = np.array([*stage.world._owner, "room"])[seen]
        kitchen.close()
    return (*found, owners)


def test_robot_objects_and_drawers_are_kept_and_the_rest_is_the_photograph(pictures):
    drawn, behind, _, owners = pictures
    pink = (behind == PINK).all(axis=-1)
    assert set(owners[pink]) == {"room", "counter"}
    assert {"robot", "top_drawer"} <= set(owners[~pink])
    assert not {"room", "counter"} & set(owners[~pink])
    assert (behind[~pink] == drawn[~pink]).all()
    assert 0.2 < pink.mean() < 0.9


def test_the_photograph_shows_only_where_the_mask_is_white(pictures):
    drawn, behind, masked, _ = pictures
    assert (masked[:, :160] == drawn[:, :160]).all()
    assert (masked[:, 160:] == behind[:, 160:]).all()


@pytest.mark.parametrize("text", [None, "not a picture"])
def test_a_file_that_is_no_picture_is_told(tmp_path, text):
    file = tmp_path / "no.png"
    if text:
        file.write_text(text)
    with pytest.raises(ContentError, match=r"--background.*no\.png"):
        Background.read(str(file))


def test_the_record_has_what_the_files_hold(tmp_path):
    one, same, other = (
        picture(tmp_path / f"{n}.png", c, (8, 8)) for n, c in (("a", PINK), ("b", PINK), ("c", (0, 0, 0)))
    )
    assert file_hash(one) == file_hash(same) != file_hash(other)
    assert file_hash(one, other) != file_hash(one)
    assert file_hash("") == ""
