import shutil

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.env.scene import load_scene, object_sets, parking
from rtbench.task.library import BUNDLED, SCENES, Library


def test_the_kitchen_has_what_every_task_counts_on():
    kitchen = BUNDLED.scenes()["office_kitchen"]
    assert set(kitchen.counters) == {"counter", "side_counter"}
    assert set(kitchen.drawers) == {"top_drawer", "middle_drawer", "bottom_drawer"}


def test_an_unknown_scene_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="office_kitchen"):
        load_scene("ofice_kitchen", ("seen",))


def test_an_unknown_texture_names_file_key_and_the_nearest(tmp_path):
    folder = tmp_path / SCENES
    folder.mkdir(parents=True)
    shutil.copy(BUNDLED.find(SCENES, "office_kitchen.yaml"), folder / "mine.yaml")
    text = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(text.replace("office_kitchen:", "mine:").replace("tiles,", "tils,"))
    with pytest.raises(ContentError) as caught:
        Library([tmp_path]).scenes()
    message = str(caught.value)
    for part in ("mine.yaml", "floor", "texture", '"tils"', "Did you mean 'tiles'?"):
        assert part in message, message


@pytest.mark.parametrize("name", sorted(BUNDLED.scenes()))
def test_every_scene_compiles_with_the_set_of_its_distractors(name):
    spec = BUNDLED.scenes()[name]
    scene = load_scene(name, (spec.distractors,))
    assert {"counter", "side_counter"} <= set(spec.counters) or name.startswith("simpler_")
    assert {obj.set for obj in scene.objects.values()} == {spec.distractors}
    for fixture in (*spec.counters, *spec.drawers, *spec.sinks):
        assert scene.model.body(fixture).id > 0


def test_a_model_holds_the_sets_asked_for_and_no_other():
    both = load_scene("office_kitchen", ("desk", "sink"))
    assert {obj.set for obj in both.objects.values()} == {"desk", "sink"}
    assert load_scene("office_kitchen", ()).objects == {}
    with pytest.raises(UnknownNameError, match="'seen'"):
        load_scene("office_kitchen", ("sean",))


def test_the_sets_of_objects_are_sorted_and_unknown_ones_named():
    assert object_sets(["sponge", "stapler", "apple"]) == ("desk", "seen")
    with pytest.raises(UnknownNameError, match="'sponge'"):
        object_sets(["sponje"])


def test_parked_objects_are_far_from_each_other_and_from_the_room():
    spots = np.array([parking(index) for index in range(160)])
    apart = np.linalg.norm(spots[:, None] - spots[None], axis=2) + 9 * np.eye(len(spots))
    assert apart.min() >= 0.5, "the longest object is half a metre long"
    assert spots[:, 1].min() > max(spec.floor.high[1] for spec in BUNDLED.scenes().values()) + 1


def ground(scene, x, y):
    """Height [m] of what is met from above at a point of the counter's frame."""
    data = mujoco.MjData(scene.model)
    mujoco.mj_forward(scene.model, data)
    start = np.array([*scene.to_world("counter", x, y), 1.0])  # below the tap
    groups, hit = np.ones(6, dtype=np.uint8), np.zeros(1, dtype=np.int32)
    return 1.0 - mujoco.mj_ray(scene.model, data, start, np.array([0.0, 0.0, -1.0]), groups, 1, -1, hit)


def test_the_basin_is_as_deep_as_its_region_says_and_the_top_is_whole_around_it():
    scene = load_scene("sink_counter", ())
    spec, region = scene.spec.sinks["sink"], scene.sink_region("sink")
    for x in np.linspace(spec.low[0] + 0.005, spec.high[0] - 0.005, 5):
        for y in np.linspace(spec.low[1] + 0.005, spec.high[1] - 0.005, 5):
            found = ground(scene, x, y)
            assert found == pytest.approx(region.center[2] - region.half[2], abs=2e-3)
            assert region.covers(np.array([*scene.to_world("counter", x, y), 0.0]))
    for x, y in ((0.02, -0.3), (0.4, -0.2), (0.2, -0.55), (0.2, 0.1)):
        assert ground(scene, x, y) == pytest.approx(0.86)


@given(opening=st.floats(0, 0.26))
def test_what_is_drawn_out_of_a_drawer_is_before_the_counter_and_inside_it(opening):
    scene = load_scene("office_kitchen", ())
    for name in scene.spec.drawers:
        inside, drawn = scene.drawer_inside(name, opening), scene.drawer_drawn(name, opening)
        assert inside.center[0] - inside.half[0] == pytest.approx(drawn.center[0] - drawn.half[0])
        front = scene.spec.counters["counter"].origin[0]
        assert drawn.center[0] + drawn.half[0] <= max(front, front + 0.03 - opening) + 1e-9
        assert inside.half[0] == pytest.approx(0.144)
        assert np.array_equal(inside.half[1:], drawn.half[1:])
        assert np.array_equal(inside.center[1:], drawn.center[1:])


@given(x=st.floats(-1, 1), y=st.floats(-1, 1), counter=st.sampled_from(["counter", "side_counter"]))
def test_the_frame_of_a_counter_there_and_back(x, y, counter):
    scene = load_scene("office_kitchen", ())
    assert scene.to_counter(counter, scene.to_world(counter, x, y)) == pytest.approx([x, y], abs=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("counter: counter, low", "counter: kounter, low", ("sink", "kounter", "side_counter")),
        ("depth: 0.08", "depth: 0.5", ("sinks", "deep")),
        ("high: [0.315, -0.14]", "high: [0.59, -0.14]", ("sink", "top")),
        ("    dish_rack:", "    sink:", ("'sink'", "two")),
        ('color: "#54616b"', "color: blu", ("ornaments", "blu")),
        ("shape: box, size: [0.15, 0.34, 0.12]", "shape: box, size: [0.15, 0.34]", ("box", "3 lengths")),
        ("size: [0.15, 0.34, 0.12]", "size: [0.15, 34, 0.12]", ("dish_rack", "0.002 to 3 metres")),
        ("size: [0.60, 1.90, 0.86]", "size: [0.60, 190, 0.86]", ("counters.counter.size.1", "190")),
        ("workspace: {low: [0.055, -0.08]", "workspace: {low: [0.555, -0.08]", ("low is below high",)),
        ("drawers: {}", "drawers: {d: {counter: counter, left: 0.9, height: 0.5}}", ("'d'", "sticks out")),
        ("drawers: {}", "drawers: {d: {counter: countr, left: 0, height: 0.5}}", ("mean 'counter'",)),
    ],
)  # fmt: skip
def test_a_scene_that_cannot_be_built_is_refused(tmp_path, old, new, parts):
    folder = tmp_path / SCENES
    folder.mkdir(parents=True)
    text = BUNDLED.find(SCENES, "sink_counter.yaml").read_text()
    assert old in text
    (folder / "mine.yaml").write_text(text.replace("sink_counter:", "mine:").replace(old, new))
    with pytest.raises(ContentError) as caught:
        Library([tmp_path]).scenes()
    for part in ("mine.yaml", *parts):
        assert part in str(caught.value)
