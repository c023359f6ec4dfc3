"""Image-token loss: what is learnt of which moment, and that new eyes learn a trained network's tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.data.demonstration import Header
from rtbench.data.hdf5_writer import Writer
from rtbench.policy.rt1.network import RT1
from rtbench.train.augment import to_float
from rtbench.train.dataset import Sampler, load
from rtbench.train.image_token_targets import (
    ImageTokenTargetsError,
    image_token_loss,
    twins,
    with_targets,
)
from rtbench.train.metrics_log import read
from rtbench.train.trainer import TrainingData
from rtbench.train.training_loop import Monitoring
from tests.helpers import training_data
from tests.helpers.rt1_networks import normal
from tests.helpers.training_data import TINY, demonstration


def write(path, looks, numbers=range(8)):
    """Demonstrations of the same moments under each look; another look inverts the picture."""
    with Writer(path, Header("rtbench", TINY.image)) as writer:
        for number in numbers:
            demo = demonstration(number, TINY.image)
            for look in looks:
                images = demo.images if look == "own" else 255 - demo.images
                writer.add(replace(demo, images=images, look=look))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    return load([write(folder / "looks.h5", ("0/0", "own", "0/1"))], folder)


def test_a_twin_is_the_same_moment_in_the_rooms_own_look(data):
    found = twins(data)
    for number in range(0, len(data.episodes), 3):
        begins, length = data.first[number : number + 3], data.lengths[number]
        assert data.looks[number + 1] == "own"
        for begin in begins:
            assert found[begin : begin + length].tolist() == list(range(begins[1], begins[1] + length))
    for begin, twin in enumerate(found):
        assert torch.equal(data.labels[begin], data.labels[twin])
        assert torch.equal(data.hand[begin], data.hand[twin])


def test_other_moments_of_an_episode_are_no_twins(tmp_path):
    demo = demonstration(0, TINY.image, steps=6)
    parts = ("tokens", "labels", "images", "proprio", "hashes", "points", "grips")
    halves = (slice(3), slice(3, 6))
    early, late = (replace(demo, **{name: getattr(demo, name)[rows] for name in parts}) for rows in halves)
    with Writer(tmp_path / "halves.h5", Header("rtbench", TINY.image)) as writer:
        writer.add(replace(early, look="own"))
        writer.add(replace(late, look="0/0"))
    assert twins(load([tmp_path / "halves.h5"], tmp_path)).tolist() == [0, 1, 2, -1, -1, -1]


def test_targets_are_the_teachers_tokens_of_the_own_look(data, tmp_path):
    teacher, texts = RT1(TINY, seed=1).eval(), training_data.texts(data.instructions)
    taught = with_targets(data, RT1(TINY), teacher, texts, tmp_path, lambda _: None)
    sampler = Sampler(taught, TINY.frames)
    (look, own) = (sampler.batch(np.array([[number, 0]])) for number in (0, 1))
    assert (own.images != look.images).any()
    assert torch.equal(own.targets, look.targets)
    with torch.no_grad():
        expected = teacher.image_tokens(to_float(own.images)[0], torch.from_numpy(texts)[own.texts[[0] * 3]])
    torch.testing.assert_close(own.targets[0], expected, atol=0.01, rtol=0.01)  # kept as float16


def test_the_loss_is_the_share_that_is_not_explained():
    targets, valid = normal(6, 2, 4, 16), torch.ones(6, 2, dtype=torch.bool)
    mean = targets.mean((0, 1)).expand(targets.shape)
    assert image_token_loss(targets, targets, valid).item() == 0
    assert image_token_loss(mean, targets, valid).item() == pytest.approx(1)
    half = (mean + targets) / 2
    assert image_token_loss(half, targets, valid).item() == pytest.approx(0.25)
    # Frames without targets, and those that only fill up a window, count nothing.
    targets[0, 0], valid[5, 1] = torch.nan, False
    strange = targets.nan_to_num().clone()
    strange[0, 0], strange[5, 1] = 7, 7
    assert image_token_loss(strange, targets, valid).item() == 0
    assert image_token_loss(strange, torch.full_like(targets, torch.nan), valid).item() == 0


def test_another_backbone_learns_the_tokens_and_what_decides_stays(data, tmp_path):
    texts = training_data.texts(data.instructions)
    given = TrainingData(data, texts), RT1(TINY, seed=1)
    (folder := tmp_path / "teacher").mkdir()
    teaching = training_data.trainer(folder, steps=40, given=given, ema_decay=0)
    teaching.run(Monitoring())
    teacher = teaching.ema_network.eval()
    student = RT1(TINY, seed=2)
    after = ("mixers.", "transformer.")
    state = {name: value for name, value in teacher.state_dict().items() if name.startswith(after)}
    student.load_state_dict(state, strict=False)

    def unexplained(network):
        taught = with_targets(data, network, teacher, texts, tmp_path, lambda _: None)
        batch = Sampler(taught, TINY.frames).batch(np.array([[n, 0] for n in range(len(data.episodes))]))
        told = torch.from_numpy(texts)[batch.texts].repeat_interleave(TINY.frames, 0)
        with torch.no_grad():
            tokens = network.eval().image_tokens(to_float(batch.images).flatten(0, 1), told)
        return image_token_loss(tokens.view_as(batch.targets), batch.targets, batch.valid).item()

    before = unexplained(student)
    taught = with_targets(data, student, teacher, texts, tmp_path, lambda _: None)
    learner = training_data.trainer(
        tmp_path, steps=60, given=(TrainingData(taught, texts), student), ema_decay=0,
        image_token_loss_weight=3, freeze_transformer=True,
    )  # fmt: skip
    learner.run(Monitoring(log=20, validate=20))
    found = learner.ema_network
    assert unexplained(found) < 0.7 * before
    for name, value in state.items():
        assert torch.equal(found.state_dict()[name], value), name
    measured = [row for row in read(tmp_path / "metrics.csv") if row["part"] == "image tokens"]
    assert len(measured) == 3
    assert all(float(row["accuracy"]) < 1 for row in measured)


def test_a_teacher_with_other_tokens_is_refused(data, tmp_path):
    texts = training_data.texts(data.instructions)
    teacher = RT1(replace(TINY, tokens=4))
    with pytest.raises(ImageTokenTargetsError, match="4 tokens of 16 numbers and is told 8; size"):
        with_targets(data, RT1(TINY), teacher, texts, tmp_path, lambda _: None)


def test_pixels_that_the_teacher_does_not_see_are_refused(data, tmp_path):
    texts = training_data.texts(data.instructions)
    teacher = RT1(replace(TINY, image=(64, 80)))
    with pytest.raises(ImageTokenTargetsError, match="have 32 x 40 pixels, and the teacher sees 64 x 80"):
        with_targets(data, RT1(TINY), teacher, texts, tmp_path, lambda _: None)


def test_data_without_the_rooms_own_look_are_refused(tmp_path):
    data = load([write(tmp_path / "looks.h5", ("0/0",))], tmp_path)
    texts = training_data.texts(data.instructions)
    with pytest.raises(ImageTokenTargetsError, match="looks --own"):
        with_targets(data, RT1(TINY), RT1(TINY), texts, tmp_path, lambda _: None)
