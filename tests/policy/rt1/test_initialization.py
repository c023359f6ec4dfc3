"""The weights that a network begins with: those of the published network follow Keras' rules."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rtbench.policy.rt1.config import PAPER
from rtbench.policy.rt1.initialization import TRUNCATED_STD
from rtbench.policy.rt1.network import RT1
from tests.helpers.rt1_networks import TINY

STDS = {
    # Keras takes inputs and outputs from three axes, [512, 8, 128] and [8, 128, 512].
    "transformer.layers.3.query": math.sqrt(2 / (8 * 512 + 128 * 512)),
    "transformer.layers.3.key": math.sqrt(2 / (8 * 512 + 128 * 512)),
    "transformer.layers.3.value": math.sqrt(2 / (8 * 512 + 128 * 512)),
    "transformer.layers.3.output": math.sqrt(2 / (128 * 8 + 512 * 8)),
    "transformer.layers.3.linear": math.sqrt(2 / (512 + 512)),
    "transformer.embed": math.sqrt(2 / (512 + 512)),
    "transformer.output": math.sqrt(2 / (512 + 256)),
    "token_learner.hidden": math.sqrt(2 / (512 + 64)),
    "projection": math.sqrt(1 / 1536),
    "backbone.stem.conv": math.sqrt(2 / (9 * 40)),
    "backbone.top.conv": math.sqrt(2 / 1536),
    "backbone.blocks.20.expand.conv": math.sqrt(2 / 1392),
    "backbone.blocks.20.depthwise.conv": math.sqrt(2 / 25),
    "backbone.blocks.20.squeeze.reduce": math.sqrt(2 / 58),
    "backbone.blocks.20.squeeze.expand": math.sqrt(2 / 1392),
}
TRUNCATED = ("projection", "stem", "top", "expand", "depthwise", "reduce")


@pytest.fixture(scope="module")
def paper() -> RT1:
    return RT1(PAPER)


@pytest.mark.parametrize("name", STDS)
def test_published_weights_have_the_standard_deviations_of_keras(paper: RT1, name: str) -> None:
    weight = paper.get_submodule(name).weight
    error = 4 / math.sqrt(2 * weight.numel())  # four standard deviations of the estimate
    assert weight.std().item() == pytest.approx(STDS[name], rel=error)
    assert abs(weight.mean().item()) < 4 * STDS[name] / math.sqrt(weight.numel())
    if name.endswith(TRUNCATED) or ".conv" in name:
        assert weight.abs().max().item() <= 2 * STDS[name] / TRUNCATED_STD * 1.0001


def test_published_biases_are_zero_but_token_learner_s(paper: RT1) -> None:
    for name, bias in paper.named_parameters():
        if name.endswith("bias") and "norm" not in name:
            assert bias.abs().max().item() < 1e-5, name
            assert bool(bias.any()) == name.startswith("token_learner."), name


def test_our_sizes_keep_their_simpler_rules() -> None:
    """Weights of a seed are part of a training, which must repeat itself."""
    network, published = RT1(TINY), RT1(replace(TINY, action_embedding=True))
    query = network.transformer.layers[0].query.weight
    assert query.abs().max().item() == pytest.approx(math.sqrt(6 / sum(query.shape)), rel=0.02)
    other = published.transformer.layers[0].query.weight
    assert other.abs().max() < 0.9 * query.abs().max()
