"""Demonstrations as a LeRobot dataset: what a reader of version 3.0 asks for is there, and is right."""

from __future__ import annotations

import json

import imageio.v2 as imageio
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from rtbench.core.action import RTBENCH
from rtbench.data import lerobot
from rtbench.data.demonstration import DemonstrationError, Header
from rtbench.data.hdf5_writer import Writer
from rtbench.data.lerobot import CAMERA, export_lerobot
from rtbench.data.lerobot_stats import QUANTILES
from tests.helpers.commands import rtbench
from tests.helpers.demonstrations import made_up

SIZE = 32, 48
LENGTHS = 5, 3, 8, 1


def smooth(seed, steps):
    """A demonstration whose pictures a video codec can keep: each step has a colour of its own."""
    demo = made_up(seed, steps, size=SIZE, success=seed != 1, instruction=f"push the cart {seed % 2}")
    for step in range(steps):
        demo.images[step] = (40 * seed, 25 * step, 200)
    return demo


@pytest.fixture(scope="module")
def demos():
    return [smooth(seed, steps) for seed, steps in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory, demos):
    folder = tmp_path_factory.mktemp("sources")
    for name, part in (("one", demos[:3]), ("two", demos[3:])):
        with Writer(folder / f"{name}.h5", Header(size=SIZE)) as file:
            for demo in part:
                file.add(demo)
    return [folder / "one.h5", folder / "two.h5"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, sources):
    """In files of at most ten frames: two of them."""
    output = tmp_path_factory.mktemp("lerobot") / "dataset"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lerobot, "FRAMES", 10)
        assert export_lerobot(sources, output) == len(LENGTHS)
    return output


def info(dataset):
    return json.loads((dataset / "meta/info.json").read_text())


def episodes(dataset):
    return pd.read_parquet(dataset / "meta/episodes/chunk-000/file-000.parquet")


def rows(dataset, episode):
    """The rows of an episode, found as LeRobot finds them."""
    path = info(dataset)["data_path"].format(
        chunk_index=episode["data/chunk_index"], file_index=episode["data/file_index"]
    )
    table = pq.read_table(dataset / path).to_pandas()
    return table[table.episode_index == episode["episode_index"]]


def film(dataset, episode):
    """The pictures of an episode, found by its time stamps."""
    place = {k: episode[f"videos/{CAMERA}/{k}"] for k in ("chunk_index", "file_index")}
    path = dataset / info(dataset)["video_path"].format(video_key=CAMERA, **place)
    with imageio.get_reader(path) as reader:
        frames = [*reader.iter_data()]
    begin, end = (episode[f"videos/{CAMERA}/{k}_timestamp"] * 3 for k in ("from", "to"))
    assert (begin, end) == (round(begin), round(end))
    return np.stack(frames[round(begin) : round(end)])


def test_the_head_is_that_of_version_3(dataset):
    head = info(dataset)
    assert head["codebase_version"] == "v3.0"
    assert (head["total_episodes"], head["total_frames"], head["total_tasks"], head["fps"]) == (4, 17, 2, 3)
    assert head["splits"] == {"train": "0:4"}
    assert head["data_path"] == "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    assert head["video_path"] == "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    columns = pq.read_schema(dataset / "data/chunk-000/file-000.parquet").names
    assert set(head["features"]) == {*columns, CAMERA}
    assert {"timestamp", "frame_index", "episode_index", "index", "task_index"} <= set(columns)
    for feature in head["features"].values():
        names = feature["names"]
        assert names is None or len(names) == feature["shape"][0] or names == ["height", "width", "channels"]
    assert not any("/" in name for name in head["features"])


def test_episodes_are_where_the_metadata_says(dataset, demos):
    tasks = pd.read_parquet(dataset / "meta/tasks.parquet")
    assert tasks.index.name == "task"
    found = episodes(dataset)
    assert found.length.tolist() == list(LENGTHS)
    assert found["data/file_index"].tolist() == [0, 0, 1, 1]
    assert found.dataset_from_index.tolist() == [0, 5, 8, 16]
    assert found.dataset_to_index.tolist() == [5, 8, 16, 17]
    for (_, episode), demo in zip(found.iterrows(), demos, strict=True):
        table = rows(dataset, episode)
        assert table["index"].tolist() == list(range(episode.dataset_from_index, episode.dataset_to_index))
        assert table.frame_index.tolist() == list(range(len(demo)))
        np.testing.assert_allclose(table.timestamp, np.arange(len(demo)) / 3, atol=1e-4)
        assert set(table.task_index) == {tasks.loc[demo.episode.instruction].task_index}
        assert episode.tasks.tolist() == [demo.episode.instruction]
        assert (episode.key, episode.success) == (demo.episode.key, demo.success)
        np.testing.assert_array_equal(np.stack(table["observation.state"]), demo.proprio)
        for name, tokens in (("action", demo.labels), ("acted", demo.tokens)):
            wanted = np.stack([RTBENCH.decode(row) for row in tokens])
            np.testing.assert_allclose(np.stack(table[name]), wanted, atol=1e-6)
        assert table["next.done"].tolist() == [False] * (len(demo) - 1) + [True]
        assert table["next.reward"].sum() == demo.success


def test_pictures_are_at_their_time_stamps(dataset, demos):
    for (_, episode), demo in zip(episodes(dataset).iterrows(), demos, strict=True):
        found = film(dataset, episode)
        assert found.shape == demo.images.shape
        assert np.abs(found.astype(int) - demo.images).max() < 8


def test_statistics_are_those_of_all_frames(dataset, demos):
    stats = json.loads((dataset / "meta/stats.json").read_text())
    state = np.concatenate([demo.proprio for demo in demos]).astype(float)
    for name, wanted in (
        ("min", state.min(0)),
        ("max", state.max(0)),
        ("mean", state.mean(0)),
        ("std", state.std(0)),
    ):
        np.testing.assert_allclose(stats["observation.state"][name], wanted, rtol=1e-6)
    assert stats["observation.state"]["count"] == [17]
    pixels = np.concatenate([demo.images for demo in demos]).reshape(-1, 3) / 255
    assert np.shape(stats[CAMERA]["mean"]) == (3, 1, 1)
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["mean"]), pixels.mean(0))
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["std"]), pixels.std(0), atol=1e-12)
    assert set(stats) == set(info(dataset)["features"])
    assert f"stats/{CAMERA}/mean" in episodes(dataset).columns


def test_quantiles_are_those_of_all_frames(dataset, demos):
    stats = json.loads((dataset / "meta/stats.json").read_text())
    state = np.concatenate([demo.proprio for demo in demos]).astype(float)
    pixels = np.concatenate([demo.images for demo in demos]).reshape(-1, 3) / 255
    for name, share in QUANTILES.items():
        np.testing.assert_allclose(stats["observation.state"][name], np.quantile(state, share, axis=0))
        wanted = np.quantile(pixels, share, axis=0, method="inverted_cdf")
        np.testing.assert_allclose(np.ravel(stats[CAMERA][name]), wanted)
    assert set(QUANTILES) == {"q01", "q10", "q50", "q90", "q99"}
    found = episodes(dataset)
    np.testing.assert_allclose(
        np.stack(found["stats/action/q50"])[0],
        np.median([RTBENCH.decode(row) for row in demos[0].labels], axis=0), atol=1e-6,
    )  # fmt: skip


@pytest.fixture(scope="module")
def old(tmp_path_factory, sources):
    """Version 2.1, of seven numbers."""
    output = tmp_path_factory.mktemp("lerobot") / "old"
    said = rtbench(
        "export", *sources, "--format", "lerobot-v2.1", "--action", "rtbench-7d", "--output", output
    )
    assert said.code == 0, said.err
    return output


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_version_2_1_has_a_file_an_episode(old, demos):
    head = info(old)
    assert (head["codebase_version"], head["total_videos"], head["total_chunks"]) == ("v2.1", 4, 1)
    told = lines(old / "meta/episodes.jsonl")
    assert [one["length"] for one in told] == list(LENGTHS)
    tasks = {one["task"]: one["task_index"] for one in lines(old / "meta/tasks.jsonl")}
    stats = lines(old / "meta/episodes_stats.jsonl")
    for number, (demo, one) in enumerate(zip(demos, told, strict=True)):
        place = {"episode_chunk": 0, "episode_index": number, "video_key": CAMERA}
        table = pq.read_table(old / head["data_path"].format(**place)).to_pandas()
        assert (table.episode_index == number).all()
        assert one["tasks"] == [demo.episode.instruction]
        assert set(table.task_index) == {tasks[demo.episode.instruction]}
        with imageio.get_reader(old / head["video_path"].format(**place)) as reader:
            assert np.abs(np.stack([*reader.iter_data()]).astype(int) - demo.images).max() < 8
        assert set(stats[number]["stats"]) == set(head["features"])
        mean = stats[number]["stats"]["observation.state"]["mean"]
        np.testing.assert_allclose(mean, demo.proprio.mean(0), rtol=1e-5)


def test_actions_of_seven_numbers_are_those_of_the_hand(old, demos):
    head = info(old)
    assert head["features"]["action"]["names"] == ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
    for number, demo in enumerate(demos):
        path = old / head["data_path"].format(episode_chunk=0, episode_index=number)
        found = np.stack(pq.read_table(path).to_pandas()["action"])
        wanted = np.stack([RTBENCH.decode(row) for row in demo.labels])
        arm = wanted[:, 10] != 1
        np.testing.assert_allclose(found[arm], wanted[arm, :7], atol=1e-6)
        np.testing.assert_array_equal(found[~arm, :6], 0)
        np.testing.assert_allclose(found[~arm, 6], wanted[~arm, 6], atol=1e-6)


def test_what_the_numbers_mean_stands_beside_them(dataset, old):
    told = json.loads((old / "meta/modality.json").read_text())
    assert told["action"] == {
        "position": {"start": 0, "end": 3}, "rotation": {"start": 3, "end": 6},
        "gripper": {"start": 6, "end": 7},
    }  # fmt: skip
    assert told["state"]["proprio"] == {"start": 0, "end": 15}
    assert told["video"]["head"]["original_key"] == CAMERA
    text = (dataset / "README.md").read_text()
    assert "mapping rt1-11d: x, y, z, roll, pitch, yaw, gripper, base_x, base_y, base_yaw, mode" in text
    assert "4 episodes and 17 frames" in text


def test_a_mapping_that_cannot_be_written_is_told(sources, tmp_path):
    for options, said in (
        (["--action", "droid-8d"], "joints do not follow"),
        (["--action", "rtbench-8d"], "Did you mean 'rtbench-7d'"),
    ):
        found = rtbench("export", *sources, "--format", "lerobot", *options, "--output", tmp_path / "x")
        assert (found.code, said in found.err) == (2, True)


def test_what_cannot_be_exported_is_told(dataset, sources, tmp_path):
    with pytest.raises(DemonstrationError, match="is there already"):
        export_lerobot(sources, dataset)
    with Writer(tmp_path / "odd.h5", Header(size=(8, 9))) as file:
        file.add(made_up(size=(8, 9)))
    with Writer(tmp_path / "empty.h5", Header(size=SIZE)):
        pass
    with Writer(tmp_path / "other.h5", Header(convention="rt1", size=SIZE)) as file:
        file.add(made_up(size=SIZE, spec="rt1"))
    (tmp_path / "cut.h5").write_bytes(sources[0].read_bytes()[:5000])
    before = sorted(tmp_path.iterdir())
    for names, told in (
        (["odd"], "images are 8x9; a video needs even numbers"),
        (["empty"], "no demonstrations"),
        (["cut"], "cut off"),
        (["missing"], "no such file"),
    ):
        with pytest.raises(DemonstrationError, match=told):
            export_lerobot([tmp_path / f"{name}.h5" for name in names], tmp_path / "dataset")
    with pytest.raises(DemonstrationError, match=r"other\.h5: convention rt1, the others have rtbench"):
        export_lerobot([*sources, tmp_path / "other.h5"], tmp_path / "dataset")
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_writes_it(tmp_path, sources):
    output = tmp_path / "dataset"
    said = rtbench("export", *sources, "--format", "lerobot", "--output", output)
    assert said.code == 0, said.err
    assert f"{len(LENGTHS)} demonstrations" in said.out
    assert info(output)["total_episodes"] == len(LENGTHS)
    again = rtbench("export", *sources, "--format", "lerobot", "--output", output)
    assert (again.code, "is there already" in again.err) == (2, True)
