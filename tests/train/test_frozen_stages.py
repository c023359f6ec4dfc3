"""Training above frozen stages: they stay as they were, and the network is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.policy.rt1 import config
from rtbench.policy.rt1.checkpoint import load as load_weights
from rtbench.policy.rt1.network import RT1
from rtbench.train import rt1
from rtbench.train.augment import to_float
from rtbench.train.dataset import Sampler, load
from rtbench.train.frozen_stages import FrozenStagesError, freeze, maps_of, to_maps
from rtbench.train.metrics_log import read
from rtbench.train.trainer import TrainingData
from rtbench.train.training_loop import Monitoring
from tests.helpers import training_data
from tests.helpers.training_data import TINY, Words, train_rt1

STAGES = len(TINY.stages) - 1
BLOCKS = sum(stage.repeats for stage in TINY.stages[:STAGES])


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    data = load([training_data.write(folder / "demos.h5", range(40), TINY.image)], folder)
    return TrainingData(data, training_data.texts(data.instructions))


def stirred(network: RT1) -> RT1:
    """With running statistics that matter, as trained stages have."""
    generator = torch.Generator().manual_seed(3)
    for name, value in network.named_buffers():
        if "running" in name:
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network.eval()


def listening(network: RT1) -> RT1:
    """With FiLM layers that say something."""
    generator = torch.Generator().manual_seed(4)
    for block in network.backbone.blocks:
        for weight in block.film.parameters():
            torch.nn.init.normal_(weight, std=0.2, generator=generator)
    return network


@pytest.mark.parametrize("listens", [False, True])
def test_the_network_on_maps_is_the_network_on_images(training, tmp_path, listens):
    network = stirred(RT1(TINY, seed=1))
    network = listening(network) if listens else network
    windows = np.array([[n, start] for n in (0, 7, 39) for start in (0, 2)])
    pixels = Sampler(training.data, TINY.frames).batch(windows)
    texts = torch.from_numpy(training.texts)[pixels.texts]
    with torch.no_grad():
        expected = network(to_float(pixels.images), texts)
    freeze(network, STAGES)
    assert network.backbone.frozen == BLOCKS
    maps = to_maps(training.data, network, training.texts, tmp_path, lambda _: None)
    assert maps.frames.dtype == torch.float16
    short = Sampler(maps, TINY.frames).batch(windows)
    with torch.no_grad():
        found = network(maps_of(short.images), texts)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.01)  # maps are kept as float16
    assert torch.equal(short.labels, pixels.labels)


@pytest.mark.parametrize("listens", [False, True])
def test_frozen_stages_stay_and_all_else_learns(training, tmp_path, listens):
    network = stirred(RT1(TINY, seed=1))
    network = listening(network) if listens else network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze(network, STAGES)
    data = to_maps(training.data, network, training.texts, tmp_path, lambda _: None)
    given = TrainingData(data, training.texts), network
    learner = training_data.trainer(
        tmp_path, given=given, freeze_stages=STAGES, ema_decay=0, keypoint_loss_weight=1
    )
    learner.run(Monitoring(log=1, validate=12))
    after = learner.ema_network.state_dict()
    kept = (
        "backbone.stem.",
        "backbone.mean",
        "backbone.std",
        *(f"backbone.blocks.{k}." for k in range(BLOCKS)),
        *(["language."] if listens else []),
    )
    stayed = {name for name, value in before.items() if torch.equal(after[name], value)}
    assert {name for name in before if name.startswith(kept)} <= stayed
    learning = ("transformer.", "backbone.top.", *([] if listens else ["language."]))
    changed = {name for name in before if name.startswith(learning)}
    assert not {name for name in changed if name.endswith("weight")} & stayed
    rows = [row for row in read(tmp_path / "metrics.csv") if row["part"] == "validation"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert rows


def test_stages_that_listen_are_not_frozen_where_a_frame_is_told_more_than_one_thing():
    network = RT1(TINY, seed=1)
    freeze(network, 1, plans=True)
    torch.nn.init.ones_(network.backbone.blocks[0].film.add.bias)
    with pytest.raises(FrozenStagesError, match="leave one of them out"):
        freeze(network, 1, plans=True)


@pytest.mark.parametrize("stages", [0, STAGES + 1])
def test_the_last_stage_is_trained(stages):
    with pytest.raises(FrozenStagesError, match=f"at most {STAGES}"):
        freeze(RT1(TINY, seed=1), stages)


def test_first_stages_can_stay_frozen_in_one_training_and_in_the_next(tmp_path, monkeypatch):
    monkeypatch.setitem(config.SIZES, "small", replace(TINY, text=384))
    monkeypatch.setattr(rt1, "SentenceEncoder", Words)
    demos = training_data.write(tmp_path / "demos.h5", range(10), TINY.image)
    train_rt1(demos, tmp_path / "first")
    paths = [tmp_path / "first/policies/first.safetensors"]
    for name in ("second", "third"):
        assert not train_rt1(demos, tmp_path / name, "--init", paths[-1], "--freeze-stages", 1).code
        paths.append(tmp_path / name / "policies" / f"{name}.safetensors")
    first, second, third = (load_weights(path).network.state_dict() for path in paths)
    lower = {name for name in first if name.startswith(("language.", "backbone.stem.", "backbone.blocks.0."))}
    assert lower
    assert all(torch.equal(first[name], third[name]) for name in lower)
    assert not torch.equal(second["backbone.top.conv.weight"], third["backbone.top.conv.weight"])
