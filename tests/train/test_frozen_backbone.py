"""Training only what follows the image tokens: what it leaves alone, and that it is the same network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.policy.rt1.network import RT1
from rtbench.train.augment import plain
from rtbench.train.dataset import Sampler, load
from rtbench.train.frozen_backbone import Decider, seen
from rtbench.train.hyperparameters import OWN
from rtbench.train.metrics_log import read
from rtbench.train.trainer import Lessons, Watch
from tests.helpers import training_data as lessons
from tests.helpers.rt1_networks import trained
from tests.helpers.training_data import TINY

TRAINED = ("mixers.", "transformer.")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen")
    data = load([lessons.write(folder / "demos.h5", range(40), TINY.image)], folder)
    return Lessons(data, lessons.texts(data.instructions))


def test_tokens_are_those_of_the_network(lesson):
    network, told = trained(TINY), []
    tokens = seen(lesson.data, network, lesson.texts, told.append)
    assert tokens.frames.shape == (len(lesson.data.frames), TINY.tokens, TINY.features)
    windows = np.array([[n, start] for n in (0, 7, 39) for start in (0, 2)])
    pixels, short = (Sampler(data, TINY.frames).batch(windows) for data in (lesson.data, tokens))
    with torch.no_grad():
        expected = network(plain(pixels.images), torch.from_numpy(lesson.texts)[pixels.texts])
        found = Decider(network)(short.images.float())
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.01)  # tokens are kept as float16
    assert torch.equal(short.labels, pixels.labels)


def test_what_sees_stays_as_it_was_and_what_decides_learns(lesson, tmp_path):
    network = trained(TINY)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    data = seen(lesson.data, network, lesson.texts, lambda _: None)
    learner = lessons.trainer(tmp_path, given=(Lessons(data, lesson.texts), network), frozen=True, average=0)
    learner.run(Watch(log=1))
    after = learner.smoothed.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name], value) == (not name.startswith(TRAINED)), name


def test_it_learns_what_the_tokens_tell(lesson, tmp_path):
    network = RT1(TINY, seed=1)
    data = seen(lesson.data, network, lesson.texts, lambda _: None)
    recipe = replace(OWN, schedule=replace(OWN.schedule, rate=4e-3))
    given = Lessons(data, lesson.texts), network
    learner = lessons.trainer(
        tmp_path, steps=300, recipe=recipe, given=given, frozen=True, average=0, spread=0
    )
    learner.run(Watch(log=20, validate=300))
    losses = [float(row["loss"]) for row in read(tmp_path / "metrics.csv") if row["part"] == "training"]
    assert losses[-1] < 0.7 * losses[0]
