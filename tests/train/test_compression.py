"""Compression: pruned heads and channels, int8, and the table of what it costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.policy.rt2 import config
from rtbench.policy.rt2.checkpoint import load, save
from rtbench.policy.rt2.policy import from_weights
from rtbench.train.pruning import PruningError, pruned
from tests.helpers import questions, training_data
from tests.helpers.commands import rtbench
from tests.helpers.rt2_models import make_model
from tests.policy.rt2.test_policy import acted, policy_of

SIZE = replace(config.TINY, heads=4, head=8, inner=64)


@pytest.fixture(scope="module")
def model():
    return make_model(size=SIZE)


@pytest.fixture
def weights(tmp_path, model):
    save(tmp_path / "big.safetensors", model)
    return tmp_path / "big.safetensors"


def test_what_has_no_weight_is_removed_first_and_nothing_changes(model):
    """Two heads and half of the channels have zero weights: without them the network says the same."""
    changed = make_model(size=SIZE)
    with torch.no_grad():
        for layer in changed.network.layers:
            layer.output.weight.view(-1, 4, 8)[:, [0, 2]] = 0
            layer.contract.weight[:, ::2] = 0
    smaller = pruned(changed, 0.5)
    assert (smaller.network.size.heads, smaller.network.size.inner) == (2, 32)
    assert (acted(policy_of(changed)) == acted(policy_of(smaller))).all()
    ids = torch.arange(len(changed.vocabulary))
    assert sum(p.numel() for p in smaller.network.layers.parameters()) < sum(
        p.numel() for p in changed.network.layers.parameters()
    )
    assert len(ids) == smaller.network.head.out_features


@pytest.mark.parametrize("keep", [0.0, 1.0, -1.0, 2.0])
def test_a_share_that_is_none_is_refused(model, keep):
    with pytest.raises(PruningError, match="--keep"):
        pruned(model, keep)


def test_int8_is_near_and_wrong_precisions_are_refused(weights):
    plain, small = from_weights(weights), from_weights(weights, precision="int8")
    ids = torch.arange(50)
    image = np.random.default_rng(0).integers(0, 256, (256, 320, 3), np.uint8)
    logits = []
    with torch.inference_mode():
        for policy in (plain, small):
            reader = policy._body.look(policy._body.begin("pick coke can"), image)
            reader.read([257])
            logits.append(reader.logits(ids))
    assert not torch.equal(*logits)
    assert torch.allclose(*logits, atol=0.1 * float(logits[0].abs().max()))
    with pytest.raises(UnknownNameError, match="int8"):
        from_weights(weights, precision="int4")
    with pytest.raises(PolicyError, match="'cpu'"):
        from_weights(weights, precision="int8", device="meta")


def test_the_command_writes_cards_and_compares(tmp_path, weights):
    data = training_data.write(tmp_path / "demos.h5", range(3), SIZE.eyes.image)
    said = rtbench("compress", weights, "--keep", 0.5, "--data", data, "--output", tmp_path / "Smaller")
    assert said.code == 0, said.err
    row = next(line for line in said.out.splitlines() if line.strip().startswith("smaller-original"))
    assert row.split()[-2:] == ["100.0%", "100.0%"]
    found = load(tmp_path / "Smaller" / "policies" / "smaller.safetensors")
    assert found.network.size.heads == 2
    said = rtbench("compress", weights, "--output", tmp_path / "none")
    assert said.code == 2
    assert "--keep" in said.err


def test_a_pruned_network_is_trained_further(tmp_path, weights, monkeypatch):
    monkeypatch.setitem(config.SIZES, "tiny", SIZE)
    rtbench("compress", weights, "--keep", 0.5, "--output", tmp_path / "smaller")
    data = questions.write(tmp_path / "questions.h5", range(6), SIZE.eyes.image)
    monkeypatch.setitem(config.SIZES, "small", replace(SIZE, name="tiny"))
    options = ("--robot-share", 0, "--stage", "grounding", "--steps", 2, "--batch", 4, "--episodes", 0)
    init = tmp_path / "smaller" / "policies" / "smaller.safetensors"
    said = rtbench("train", "rt2", "--vqa", data, *options, "--init", init, "--output", tmp_path / "more")
    assert said.code == 0, said.err
    assert load(tmp_path / "more" / "policies" / "more.safetensors").network.size.heads == 2
