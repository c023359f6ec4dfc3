import shutil

import pytest

from rtbench.content import roots
from rtbench.env.scene import FOLDER, load_scene, scene_specs
from rtbench.errors import ContentError, UnknownNameError


def test_the_kitchen_has_what_every_task_counts_on():
    kitchen = scene_specs()["office_kitchen"]
    assert set(kitchen.counters) == {"counter", "side_counter"}
    assert set(kitchen.drawers) == {"top_drawer", "middle_drawer", "bottom_drawer"}


def test_an_unknown_scene_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="office_kitchen"):
        load_scene("ofice_kitchen")


def test_an_unknown_texture_names_file_key_and_the_nearest(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    shutil.copy(roots()[0] / FOLDER / "office_kitchen.yaml", folder / "mine.yaml")
    text = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(text.replace("office_kitchen:", "mine:").replace("tiles}", "tils}"))
    with pytest.raises(ContentError) as caught:
        scene_specs((tmp_path,))
    message = str(caught.value)
    for part in ("mine.yaml", "floor", "texture", "'tils'", "'tiles'"):
        assert part in message, message
