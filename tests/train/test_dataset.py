"""What training reads: windows, images, files."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.seeding import generator
from rtbench.data.keypoints import hand_pose
from rtbench.train import dataset
from rtbench.train.augment import Augmentation, augment, draw, to_float
from rtbench.train.dataset import DatasetError, Sampler, load
from rtbench.train.hyperparameters import OWN, REFERENCE
from rtbench.train.window_sampler import Order, batches, cut
from tests.helpers.training_data import demonstration, write

NONE = Augmentation((0, 0), 0, 0, 0)
SIZE = (32, 40)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    length=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_windows_cover_every_frame_and_nothing_else(lengths, length, seed):
    sizes = np.array(lengths)
    phases = generator("phases", seed).integers(0, length, len(sizes))
    windows = cut(np.arange(len(sizes)), sizes, length, phases)
    for demo, size in enumerate(lengths):
        starts = windows[windows[:, 0] == demo, 1]
        covered = {frame for start in starts for frame in range(start, start + length)}
        assert set(range(size)) <= covered
        assert starts.min() == 0
        assert starts.max() == max(size - length, 0)
        assert len(starts) == len(set(starts.tolist()))
        assert len(starts) <= size // length + 2


def test_batches_are_the_same_again_and_others_with_another_seed():
    demos, lengths, skills = np.arange(5), np.array([4, 9, 3, 12, 7]), np.zeros(5, int)
    first, again, other = (
        list(islice(batches(demos, lengths, skills, Order(3, 4, seed)), 20)) for seed in (0, 0, 1)
    )
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert {len(batch) for batch in first} == {4}


def test_a_batch_may_be_larger_than_the_data():
    one = next(batches(np.array([3]), np.array([2]), np.array([0]), Order(4, 8)))
    assert (one == [[3, 0]] * 8).all()


def test_balanced_batches_have_all_skills_equally_often():
    demos, lengths = np.arange(20), np.full(20, 6)
    skills = np.array([0] * 18 + [1] * 2)
    drawn = np.concatenate(list(islice(batches(demos, lengths, skills, Order(3, 10, balance=True)), 60)))
    plainly = np.concatenate(list(islice(batches(demos, lengths, skills, Order(3, 10)), 60)))
    assert 0.4 < (drawn[:, 0] >= 18).mean() < 0.6
    assert (plainly[:, 0] >= 18).mean() == pytest.approx(0.1, abs=0.03)


def test_without_augmentation_images_stay_as_they_are():
    images = torch.from_numpy(generator("images").integers(0, 256, (3, 2, 8, 10, 3), dtype=np.uint8))
    same = augment(images, draw(NONE, 3, 8, 10, generator("draw")))
    assert same.shape == (3, 2, 3, 8, 10)
    torch.testing.assert_close(same, to_float(images))


@given(seed=st.integers(0, 1000))
@settings(deadline=None)
def test_a_window_is_shifted_as_one_and_black_comes_in(seed):
    images = torch.from_numpy(generator("images", seed).integers(1, 256, (4, 3, 20, 20, 3), dtype=np.uint8))
    drawn = draw(Augmentation((0.2, 0.1), 0, 0, 0), 4, 20, 20, generator("shift", seed))
    moved = augment(images, drawn)
    assert (np.abs(drawn.offsets) <= [4, 2]).all()
    for k, (down, right) in enumerate(drawn.offsets):
        wide = np.zeros((3, 60, 60, 3), np.uint8)
        wide[:, 20 + down : 40 + down, 20 + right : 40 + right] = images[k].numpy()
        expected = to_float(torch.from_numpy(wide[:, 20:40, 20:40]))
        torch.testing.assert_close(moved[k], expected)


@given(seed=st.integers(0, 1000))
@settings(deadline=None)
def test_colours_stay_in_range_and_grey_stays_grey(seed):
    images = torch.from_numpy(generator("images", seed).integers(0, 256, (2, 1, 4, 4, 3), dtype=np.uint8))
    images[1] = images[1, ..., :1]
    drawn = draw(Augmentation((0, 0), 0.5, 0.5, 0.9), 2, 4, 4, generator("jitter", seed))
    seen = augment(images, drawn)
    assert 0 <= seen.min() <= seen.max() <= 1
    assert (seen[1].amax(1) - seen[1].amin(1)).max() < 1e-5


def test_brightness_contrast_and_saturation_are_what_they_are_called():
    images = torch.full((400, 1, 1, 1, 3), 102, dtype=torch.uint8)  # 0.4
    random = generator("factors")
    bright = augment(images, draw(Augmentation((0, 0), 0.5, 0, 0), 400, 1, 1, random))
    assert bright.min() == pytest.approx(0.2, abs=0.02)
    assert bright.max() == pytest.approx(0.6, abs=0.02)
    contrast = augment(images, draw(Augmentation((0, 0), 0, 0.5, 0), 400, 1, 1, random))
    assert contrast.min() == pytest.approx(0.35, abs=0.01)
    assert contrast.max() == pytest.approx(0.45, abs=0.01)
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).expand(400, 1, 1, 1, 3)
    pale = augment(red, draw(Augmentation((0, 0), 0, 0, 1), 400, 1, 1, random))
    assert pale[:, 0, 1].max() == pytest.approx(0.299, abs=0.01)
    assert pale[:, 0, 0].min() > 0.29


def test_a_dataset_has_what_the_files_have(tmp_path):
    files = [write(tmp_path / "a.h5", range(3), SIZE), write(tmp_path / "b.h5", range(3, 5), SIZE)]
    data = load([*files, files[0]], tmp_path)
    demos = [demonstration(k, SIZE) for k in range(5)]
    assert [episode.key for episode in data.episodes] == [demo.episode.key for demo in demos]
    assert (data.frames.numpy() == np.concatenate([demo.images for demo in demos])).all()
    assert (data.labels.numpy() == np.concatenate([demo.labels for demo in demos])).all()
    points = np.concatenate([demo.points for demo in demos])
    assert np.isfinite(points).any()
    assert np.array_equal(data.points.numpy(), points, equal_nan=True)
    hands = [hand_pose(demo.proprio, demo.grips) for demo in demos]
    assert (data.hand.numpy() == np.concatenate(hands)).all()
    assert data.convention == "rtbench"
    assert sorted(data.instructions) == ["knock the square", "pick the square"]


def test_pixels_that_do_not_fit_are_mapped_and_leave_no_file(tmp_path, monkeypatch):
    file = write(tmp_path / "a.h5", range(3), SIZE)
    inside = load([file], tmp_path)
    monkeypatch.setattr(dataset, "MEMORY", 0)
    mapped = load([file], tmp_path)
    assert torch.equal(inside.frames, mapped.frames)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_processes_of_one_launcher_fill_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "MEMORY", 0)
    with dataset.room((2, 3), tmp_path, 2) as first, dataset.room((2, 3), tmp_path, 2) as second:
        assert len(list(tmp_path.iterdir())) == 1
        first[0], second[1] = 1, 2
        assert first.tolist() == second.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert not list(tmp_path.iterdir())
    assert first[1, 0] == 2  # it lasts without its name


def test_processes_share_maps_of_which_each_fills_a_part(tmp_path):
    with (
        dataset.room((2, 3), tmp_path, 2, maps=True) as first,
        dataset.room((2, 3), tmp_path, 2, maps=True) as second,
    ):
        first[0], second[1] = 0.5, 2
        assert first.tolist() == second.tolist() == [[0.5] * 3, [2] * 3]
    assert not list(tmp_path.iterdir())


def test_what_killed_processes_left_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "MEMORY", 0)
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    gone = [tmp_path / f"frames.{child.stdout.strip()}.{kind}" for kind in ("u8", "f16")]
    there = {tmp_path / f"frames.{os.getpid()}.u8", tmp_path / "frames.states.h5"}
    for path in (*gone, *there):
        path.write_bytes(bytes(8))
    with dataset.room((2, 3), tmp_path, 2):
        pass
    assert set(tmp_path.iterdir()) == there


def test_a_window_beyond_the_end_repeats_the_last_frame_without_weight(tmp_path):
    data = load([write(tmp_path / "a.h5", range(4), SIZE)], tmp_path)
    length = int(data.lengths[1]) + 2
    batch = Sampler(data, length).batch(np.array([[1, 0], [1, 0]]))
    first = int(data.lengths[0])
    own = data.frames[first : first + length - 2]
    assert torch.equal(batch.images[0, :-2], own)
    assert torch.equal(batch.images[1, -2:], own[-1:].expand(2, *SIZE, 3))
    assert batch.valid.tolist() == [[True] * (length - 2) + [False] * 2] * 2
    assert batch.texts.tolist() == [1, 1]


def test_what_is_held_back_stays_so_with_more_data(tmp_path):
    few = load([write(tmp_path / "a.h5", range(30), SIZE)], tmp_path)
    many = load([tmp_path / "a.h5", write(tmp_path / "b.h5", range(30, 60), SIZE)], tmp_path)
    held = few.validation(0.3)
    assert (many.validation(0.3)[:30] == held).all()
    assert 0 < held.sum() < 20
    assert few.validation(1e-9).sum() == 1
    assert not few.validation(0).any()


def test_a_single_demonstration_is_never_validation(tmp_path):
    assert not load([write(tmp_path / "a.h5", [0], SIZE)], tmp_path).validation(0.5).any()


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize("kind", ["cut off", "convention", "size", "no file"])
def test_a_bad_file_is_named_and_left_out_only_when_asked(tmp_path, kind):
    good = write(tmp_path / "good.h5", range(3), SIZE)
    bad = tmp_path / "bad.h5"
    if kind != "no file":
        other = {"convention": "rt1"} if kind == "convention" else {}
        write(bad, range(3, 5), (16, 20) if kind == "size" else SIZE, **other)
    if kind == "cut off":
        _cut(bad)
    with pytest.raises(DatasetError, match=r"bad\.h5.*--skip-bad"):
        load([good, bad], tmp_path)
    data = load([good, bad], tmp_path, skip=True)
    assert len(data.episodes) == 3
    assert "bad.h5" in data.skipped[0]


def test_without_any_demonstration_there_is_nothing_to_train_on(tmp_path):
    empty = write(tmp_path / "empty.h5", [], SIZE)
    with pytest.raises(DatasetError, match=r"no demonstration in empty\.h5.*rtbench demos"):
        load([empty], tmp_path)
    with pytest.raises(DatasetError, match=r"no demonstration in bad\.h5.*Left out"):
        load([_cut(write(tmp_path / "bad.h5", range(3), SIZE))], tmp_path, skip=True)


def test_the_reference_shifts_all_windows_of_a_batch_alike():
    alike = draw(REFERENCE.augmentation, 50, 256, 320, generator("shift"))
    assert len(np.unique(alike.offsets, axis=0)) == 1
    assert len(np.unique(draw(OWN.augmentation, 50, 256, 320, generator("shift")).offsets, axis=0)) > 5
    drawn = np.array(
        [draw(REFERENCE.augmentation, 2, 256, 320, generator("shift", k)).offsets[0] for k in range(400)]
    )
    assert np.abs(drawn).max(0).tolist() == [20, 50]
