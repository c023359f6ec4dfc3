"""Demonstrations as RLDS: files, records and statistics, read back without the writer."""

import dataclasses
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from rtbench.core.action import RTBENCH
from rtbench.core.errors import UnknownNameError
from rtbench.data import rlds
from rtbench.data.demonstration import DemonstrationError, Demonstrations, Header
from rtbench.data.hdf5_writer import Writer
from rtbench.data.lerobot import export_lerobot
from rtbench.data.lerobot_card import action_columns
from rtbench.data.rlds import export_rlds
from rtbench.policy.continuous.mapping import ActionMapping, preset
from rtbench.policy.continuous.statistics import read_scaling
from tests.data.test_tfrecord import bytewise, masked, read_example
from tests.helpers.commands import rtbench
from tests.helpers.demonstrations import made_up

SIZE = 16, 24
LENGTHS = 5, 3, 1
WRISTS = Header(size=SIZE, settings={"cameras": ["head", "wrist"]})


def flat(seed, steps):
    """A demonstration with pictures of one colour each, which JPEG keeps."""
    demo = made_up(seed, steps, size=SIZE, success=seed != 1, instruction=f"stoß den Wagen {seed}")
    wrist = np.empty_like(demo.images)
    for step in range(steps):
        demo.images[step], wrist[step] = (30 * step, 90, 40 * seed), (200, 10 * step, 60)
    return dataclasses.replace(demo, wrist=wrist)


@pytest.fixture(scope="module")
def demos():
    return [flat(seed, steps) for seed, steps in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def source(tmp_path_factory, demos):
    path = tmp_path_factory.mktemp("source") / "demos.h5"
    with Writer(path, WRISTS) as file:
        for demo in demos:
            file.add(demo)
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, source):
    """In files of one record each."""
    output = tmp_path_factory.mktemp("rlds") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rlds, "FILE_BYTES", 1)
        assert export_rlds([source], output) == len(LENGTHS)
    return output


def read(path):
    return json.loads(path.read_text())


def records(path):
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12])[0] == masked(bytewise(data[:8]))
        record = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(bytewise(record))
        yield record
        data = data[16 + length :]


def labels(demo):
    """The numbers that a policy is to learn."""
    numbers = action_columns("rtbench-7d").numbers
    rows = zip(demo.labels, demo.proprio, strict=True)
    return np.array([numbers(RTBENCH.decode(row), seen) for row, seen in rows])


def test_files_are_named_and_counted_as_tensorflow_datasets_has_them(dataset):
    folder = dataset / "rtbench/1.0.0"
    (split,) = read(folder / "dataset_info.json")["splits"]
    assert split["shardLengths"] == ["1", "1", "1"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "dataset_info.json", "dataset_statistics.json", "features.json",
        *(f"rtbench-train.tfrecord-{k:05d}-of-00003" for k in range(3)),
    ]  # fmt: skip
    sizes = [len(record) for path in sorted(folder.glob("*.tfrecord-*")) for record in records(path)]
    assert split["numBytes"] == str(sum(sizes))


def test_records_hold_what_features_json_says_and_the_numbers_of_the_demonstrations(dataset, demos):
    folder = dataset / "rtbench/1.0.0"
    described = dict(leaves(read(folder / "features.json")))
    for number, demo in enumerate(demos):
        (record,) = records(folder / f"rtbench-train.tfrecord-{number:05d}-of-00003")
        found = read_example(record)
        assert set(found) == set(described)
        for name, width in described.items():
            steps = len(demo) if name.startswith("steps/") else 1
            assert len(found[name]) == width * steps, name
        for feature, images in (("image", demo.images), ("wrist_image", demo.wrist)):
            for data, image in zip(found[f"steps/observation/{feature}"], images, strict=True):
                drawn = np.asarray(Image.open(io.BytesIO(data)))
                assert np.abs(drawn.astype(int) - image).max() <= 3
        action = np.reshape(found["steps/action"], (len(demo), 7))
        np.testing.assert_allclose(action, labels(demo), rtol=1e-6, atol=1e-7)
        state = np.float32(found["steps/observation/state"]).reshape(-1, 15)
        np.testing.assert_array_equal(state, demo.proprio)
        assert found["steps/is_first"] == [1] + [0] * (len(demo) - 1)
        assert found["steps/is_last"] == [0] * (len(demo) - 1) + [1]
        assert sum(found["steps/reward"]) == demo.success
        assert set(found["steps/language_instruction"]) == {demo.episode.instruction.encode()}
        assert found["episode_metadata/key"] == [demo.episode.key.encode()]


def leaves(feature, name=""):
    """Name of each feature, and how many values it has a step."""
    if "sequence" in feature:
        yield from leaves(feature["sequence"]["feature"], name)
    elif "featuresDict" in feature:
        for part, inner in feature["featuresDict"]["features"].items():
            yield from leaves(inner, f"{name}/{part}".removeprefix("/"))
    else:
        shape = feature["tensor"]["shape"].get("dimensions", []) if "tensor" in feature else []
        yield name, int(np.prod([int(size) for size in shape] or [1]))


def test_statistics_are_those_of_all_steps_and_our_reader_takes_both_files(dataset, demos):
    rows = np.concatenate([labels(demo) for demo in demos])
    inner = dataset / "rtbench/1.0.0/dataset_statistics.json"
    found = read(inner)
    assert read(dataset / "dataset_statistics.json") == {"rtbench": found}
    assert (found["num_transitions"], found["num_trajectories"]) == (9, 3)
    np.testing.assert_allclose(found["action"]["mean"], rows.mean(0))
    np.testing.assert_allclose(found["action"]["q99"], np.quantile(rows, 0.99, axis=0))
    assert found["action"]["mask"] == [True] * 6 + [False]
    assert {len(values) for values in found["proprio"].values()} == {15}
    for path in (dataset / "dataset_statistics.json", inner):
        told = preset("rtbench-7d").model_dump(exclude_unset=True)
        scaled = {"statistics": str(path), "method": "quantiles"}
        assert read_scaling(ActionMapping(**told | {"normalization": scaled})) is not None


def test_cameras_go_with_each_other(tmp_path, source):
    alone = tmp_path / "alone.h5"
    with Writer(alone, Header(size=SIZE)) as file:
        file.add(made_up(5, 2, size=SIZE))
    with pytest.raises(DemonstrationError, match=r"images of head, .* of head and wrist"):
        export_rlds([source, alone], tmp_path / "out")
    assert export_rlds([alone], tmp_path / "out") == 1
    assert "wrist" not in (tmp_path / "out/rtbench/1.0.0/features.json").read_text()
    with Demonstrations(source) as file:
        assert file.cameras == ("head", "wrist")
        assert file.demo(0).wrist.shape == (5, *SIZE, 3)


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_the_wrist_is_in_lerobot_s_format_too(tmp_path, source, version):
    imageio = pytest.importorskip("imageio.v2")
    output = tmp_path / version
    export_lerobot([source], output, version=version)
    info = read(output / "meta/info.json")
    cameras = [name for name, feature in info["features"].items() if feature["dtype"] == "video"]
    assert cameras == ["observation.images.head", "observation.images.wrist"]
    assert set(read(output / "meta/modality.json")["video"]) == {"head", "wrist"}
    films = sorted(output.glob("videos/**/*.mp4"))
    assert len(films) == (2 if version == "v3.0" else 2 * len(LENGTHS))
    with imageio.get_reader(next(film for film in films if "images.wrist" in str(film))) as film:
        frame = film.get_data(0)
    assert np.abs(frame.astype(int).mean((0, 1)) - (200, 0, 60)).max() < 12


def test_mistakes_are_named_and_leave_nothing(tmp_path, source):
    with pytest.raises(UnknownNameError, match="rtbench-7d"):
        export_rlds([source], tmp_path / "out", action="rtbench-8d")
    done = rtbench("export", source, "--format", "rlds", "--output", tmp_path / "out")
    assert (done.code, done.out.split(":")[0]) == (0, "3 demonstrations")
    again = rtbench("export", source, "--format", "rlds", "--output", tmp_path / "out")
    assert again.code == 2
    assert "is there already" in again.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
