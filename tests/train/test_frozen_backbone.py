"""Training with a frozen backbone: it stays as it was, and the network is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.policy.rt1.network import RT1
from rtbench.train.augment import to_float
from rtbench.train.dataset import Sampler, load
from rtbench.train.frozen_backbone import FrozenBackbone, to_image_tokens
from rtbench.train.hyperparameters import OWN
from rtbench.train.metrics_log import read
from rtbench.train.trainer import TrainingData
from rtbench.train.training_loop import Monitoring
from tests.helpers import training_data
from tests.helpers.rt1_networks import trained
from tests.helpers.training_data import TINY

TRAINED = ("mixers.", "transformer.")


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen")
    data = load([training_data.write(folder / "demos.h5", range(40), TINY.image)], folder)
    return TrainingData(data, training_data.texts(data.instructions))


def test_tokens_are_those_of_the_network(training, tmp_path):
    network, said = trained(TINY), []
    tokens = to_image_tokens(training.data, network, training.texts, tmp_path, said.append)
    assert tokens.frames.shape == (len(training.data.frames), TINY.tokens, TINY.features)
    windows = np.array([[n, start] for n in (0, 7, 39) for start in (0, 2)])
    pixels, short = (Sampler(data, TINY.frames).batch(windows) for data in (training.data, tokens))
    with torch.no_grad():
        expected = network(to_float(pixels.images), torch.from_numpy(training.texts)[pixels.texts])
        found = FrozenBackbone(network)(short.images.float())
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.01)  # tokens are kept as float16
    assert torch.equal(short.labels, pixels.labels)


def test_a_frozen_backbone_stays_and_the_layers_after_it_learn(training, tmp_path):
    network = trained(TINY)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    data = to_image_tokens(training.data, network, training.texts, tmp_path, lambda _: None)
    learner = training_data.trainer(
        tmp_path, given=(TrainingData(data, training.texts), network), freeze_backbone=True, ema_decay=0
    )
    learner.run(Monitoring(log=1))
    after = learner.ema_network.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name], value) == (not name.startswith(TRAINED)), name


def test_it_learns_from_image_tokens(training, tmp_path):
    network = RT1(TINY, seed=1)
    data = to_image_tokens(training.data, network, training.texts, tmp_path, lambda _: None)
    hyperparameters = replace(OWN, schedule=replace(OWN.schedule, lr=4e-3))
    given = TrainingData(data, training.texts), network
    learner = training_data.trainer(
        tmp_path,
        steps=300,
        hyperparameters=hyperparameters,
        given=given,
        freeze_backbone=True,
        ema_decay=0,
        label_smoothing_bins=0,
    )
    learner.run(Monitoring(log=20, validate=300))
    losses = [float(row["loss"]) for row in read(tmp_path / "metrics.csv") if row["part"] == "training"]
    assert losses[-1] < 0.7 * losses[0]
