"""RT-1's network: the published dimensions, and what may depend on what."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rtbench.core.action import MODE, SIZE, convention
from rtbench.core.errors import UnknownNameError
from rtbench.policy.rt1.checkpoint import COUNTER, weights_of
from rtbench.policy.rt1.config import BASE, LITE, PAPER, SIZES, SMALL, SMALL_STATES, Size, size
from rtbench.policy.rt1.efficientnet import ConvNorm, EfficientNet
from rtbench.policy.rt1.film import FiLM
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.tensor_shapes import tensor_shapes
from rtbench.policy.rt1.token_learner import TokenLearner
from rtbench.policy.rt1.transformer import attention_mask
from tests.helpers.rt1_networks import TINY, TINY_LITE, TINY_STATES, normal, trained, uniform

STEP = TINY.tokens + SIZE


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def paper() -> RT1:
    return RT1(PAPER, convention="rt1").eval()


@pytest.fixture(scope="module")
def tiny() -> RT1:
    return trained()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_paper_has_the_published_parameters(paper: RT1) -> None:
    transformer = paper.transformer
    films = sum(count(block.film) for block in paper.backbone.blocks)
    parts = {
        "backbone": count(paper.backbone) - films,
        "FiLM": films,
        "1x1": count(paper.projection),
        "last FiLM": count(paper.film),
        "TokenLearner": count(paper.token_learner),
        "layers": count(transformer.layers),
        "embedding": count(transformer.embed),
        "position": count(transformer.position),
        "output": count(transformer.output),
        "dead": count(transformer.action),
    }
    assert parts == {
        "backbone": 10_696_232, "FiLM": 3_701_808, "1x1": 786_432, "last FiLM": 525_312,
        "TokenLearner": 34_376, "layers": 18_923_520, "embedding": 262_656, "position": 58_880,
        "output": 131_328, "dead": 131_584,
    }  # fmt: skip
    assert count(paper) == sum(parts.values()) == 35_252_128
    assert all(parameter.requires_grad for parameter in paper.parameters())


def test_paper_has_the_published_statistics_and_blocks(paper: RT1) -> None:
    norms = [module for module in paper.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum(norm.running_mean.numel() + norm.running_var.numel() for norm in norms) == 87_296
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    assert len(paper.backbone.blocks) == 26
    assert sum(isinstance(module, FiLM) for module in paper.modules()) == 27
    drops = [block.drop for block in paper.backbone.blocks]
    assert drops == pytest.approx([0.2 * b / 26 for b in range(26)])
    assert {norm.eps for norm in paper.modules() if isinstance(norm, nn.LayerNorm)} == {1e-6}


def test_300_pixels_give_9_by_9(paper: RT1) -> None:
    assert PAPER.map == (9, 9)
    with torch.inference_mode():
        assert paper.feature_map(uniform(1, 3, 300, 300), normal(1, 512)).shape == (1, 512, 9, 9)


@pytest.mark.parametrize("name", ["base", "small", "small-states", "lite"])
def test_our_sizes_have_stride_16(name: str) -> None:
    network = RT1(size(name)).eval()
    with torch.inference_mode():
        features = network.feature_map(uniform(1, 3, 128, 160), normal(1, network.size.text))
    assert features.shape == (1, network.size.features, 8, 10)
    assert network.size.map == (8, 10)


def test_small_is_small() -> None:
    assert 4e6 <= count(RT1(SMALL)) < count(RT1(SMALL_STATES)) <= 5e6
    assert count(RT1(BASE)) < 12e6


def test_lite_is_small_with_other_eyes() -> None:
    others = {name for name, value in vars(LITE).items() if value != getattr(SMALL, name)}
    assert others == {"name", "stem", "stages", "momentum", "lite"}
    network = RT1(LITE)
    backbone = network.backbone
    films = sum(count(block.film) for block in backbone.blocks)
    assert len(backbone.blocks) == 11
    assert count(backbone) - films - count(backbone.top) == 700_768
    assert 4e6 <= count(network) <= 5e6


def test_lite_has_no_squeeze_and_excitation_and_relu6() -> None:
    network = trained(TINY_LITE)
    assert all(block.squeeze is None for block in network.backbone.blocks)
    pixels = torch.tensor([0.0, 127.0, 255.0])[:, None, None].expand(1, 3, *TINY.image)
    normed = []
    network.backbone.stem.register_forward_pre_hook(lambda _, given: normed.append(given[0]))
    with torch.inference_mode():
        seen = network.backbone(pixels / 255, normal(1, TINY.film))
        bright = network.backbone(1e3 * uniform(1, 3, *TINY.image), normal(1, TINY.film))
    torch.testing.assert_close(normed[0], (pixels - 127) / 128)
    assert seen.min() == 0
    assert bright.max() == 6


@given(st.tuples(st.integers(32, 90), st.integers(32, 90)))
@settings(max_examples=10)
def test_the_map_is_as_its_size_says(image: tuple[int, int]) -> None:
    network = RT1(replace(TINY, image=image)).eval()
    with torch.inference_mode():
        features = network.feature_map(uniform(1, 3, *image), normal(1, TINY.text))
    assert tuple(features.shape[-2:]) == network.size.map


@pytest.mark.parametrize("kernel", [3, 5])
def test_stride_2_looks_further_below_and_right(kernel: int) -> None:
    layer = ConvNorm(1, 1, kernel, 2, momentum=0.1).eval()
    nn.init.constant_(layer.conv.weight, 1.0)
    image = uniform(1, 1, 10, 10)
    padded = nn.functional.pad(image, (kernel // 2 - 1, kernel // 2) * 2)
    expected = padded.unfold(2, kernel, 2).unfold(3, kernel, 2).sum((-1, -2)) / math.sqrt(1 + 1e-3)
    with torch.inference_mode():
        torch.testing.assert_close(layer(image), expected)


def test_film_is_the_identity_at_first() -> None:
    network = RT1(TINY).eval()
    images = uniform(2, 3, *TINY.image)
    with torch.inference_mode():
        told, untold = (network.backbone(images, normal(2, TINY.film, name=name)) for name in "ab")
        assert torch.equal(told, untold)
        for module in network.modules():
            if isinstance(module, FiLM):
                module.forward = lambda x, text: x
        assert torch.equal(told, network.backbone(images, normal(2, TINY.film)))


def test_film_scales_and_shifts_channels() -> None:
    layer = FiLM(2, 3)
    with torch.no_grad():
        layer.multiply.weight[1, 0], layer.add.weight[2, 1] = 2.0, 5.0
    x = torch.ones(2, 3, 2, 2)
    y = layer(x, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert y[0, :, 0, 0].tolist() == [1, 3, 1]
    assert y[1, :, 1, 1].tolist() == [1, 1, 6]


def test_language_counts_from_the_first_step_of_training_on() -> None:
    network = RT1(TINY)
    images, tokens = uniform(2, 2, 3, *TINY.image), torch.zeros(2, 2, SIZE, dtype=torch.long)
    words = [normal(2, TINY.text, name=name) for name in "ab"]

    def answers() -> list[torch.Tensor]:
        network.eval()
        with torch.inference_mode():
            return [network(images, text)[..., :3] for text in words]

    first, second = answers()
    assert torch.equal(first, second)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    nn.functional.cross_entropy(network(images, words[0]).flatten(0, -2), tokens.flatten()).backward()
    optimizer.step()
    first, second = answers()
    assert (first - second).abs().max() > 1e-6


def test_token_learner_sums_to_one_over_positions() -> None:
    learner = TokenLearner(16, 4)
    features = normal(3, 30, 16)
    with torch.inference_mode():
        weights = learner.scores(features).softmax(1)
        tokens = learner(features)
        shuffled = learner(features[:, torch.randperm(30, generator=torch.Generator().manual_seed(1))])
    assert weights.shape == (3, 30, 4)
    torch.testing.assert_close(weights.sum(1), torch.ones(3, 4))
    torch.testing.assert_close(tokens, shuffled)
    torch.testing.assert_close(tokens[1, 2], (weights[1, :, 2, None] * features[1]).sum(0))


def test_mask_by_its_words() -> None:
    mask = attention_mask(3, 8)
    for row in range(3 * 19):
        for column in range(3 * 19):
            slots = row % 19 >= 8 and column % 19 >= 8
            assert bool(mask[row, column]) == (column <= row and not slots)
    assert mask[8, 8 - 1]
    assert not mask[8, 8]
    assert mask[19, 8]


@given(slot=st.integers(0, SIZE - 1), frame=st.integers(0, 2))
@settings(max_examples=20)
def test_a_slot_sees_no_slot(tiny: RT1, slot: int, frame: int) -> None:
    sequence = normal(1, 3 * STEP, TINY.features)
    at = frame * STEP + TINY.tokens + slot
    changed = sequence.clone()
    changed[0, at] += 1
    with torch.inference_mode():
        moved = (tiny.transformer.run(sequence) - tiny.transformer.run(changed))[0].abs().amax(-1) > 1e-6
    own_frame = range(frame * STEP, (frame + 1) * STEP)
    assert [p for p in own_frame if moved[p]] == [at]
    assert not moved[: frame * STEP].any()
    if frame < 2:
        assert moved[(frame + 1) * STEP : (frame + 1) * STEP + TINY.tokens].all()


def test_one_pass_gives_what_eleven_give(tiny: RT1) -> None:
    """Each pass knows only what stands before its token; the rest of the sequence is noise."""
    tokens = normal(1, 3, TINY.tokens, TINY.features)
    with torch.inference_mode():
        at_once = tiny.transformer(tokens)[0, -1]
        frames = torch.cat([tokens, torch.zeros(1, 3, SIZE, TINY.features)], dim=2).flatten(1, 2)
        for k in range(SIZE):
            unknown = frames.clone()
            known = 2 * STEP + TINY.tokens + k
            unknown[:, known:] = normal(*unknown[:, known:].shape, name=str(k))
            logits = tiny.transformer.read(tiny.transformer.run(unknown), 3)[0, -1, k]
            torch.testing.assert_close(logits, at_once[k])


@given(st.integers(0, TINY.frames - 2))
def test_the_future_changes_nothing(tiny: RT1, last: int) -> None:
    images, text = uniform(1, TINY.frames, 3, *TINY.image), normal(1, TINY.text)
    other = images.clone()
    other[:, last + 1 :] = 1 - other[:, last + 1 :]
    with torch.inference_mode():
        before, after = tiny(images, text), tiny(other, text)
    torch.testing.assert_close(before[:, : last + 1], after[:, : last + 1])
    assert not torch.allclose(before[:, last + 1], after[:, last + 1])


def test_earlier_frames_count(tiny: RT1) -> None:
    images, text = uniform(1, 3, 3, *TINY.image), normal(1, TINY.text)
    other = images.clone()
    other[:, 0] = 1 - other[:, 0]
    with torch.inference_mode():
        assert not torch.allclose(tiny(images, text)[:, 2], tiny(other, text)[:, 2])


@pytest.mark.parametrize("name", ["rtbench", "rt1", "rt1-reference"])
def test_modes_that_do_not_exist_are_masked(name: str) -> None:
    network = RT1(TINY, convention=name).eval()
    with torch.inference_mode():
        logits = network(uniform(1, 2, 3, *TINY.image), normal(1, TINY.text))
    slot = convention(name).order.index(MODE)
    assert logits.shape == (1, 2, SIZE, 256)
    assert (logits[:, :, slot, 3:] == -math.inf).all()
    assert logits[:, :, slot, :3].isfinite().all()
    assert logits[:, :, [k for k in range(SIZE) if k != slot]].isfinite().all()


PUBLISHED = replace(
    TINY, name="published", image=(37, 45), text=8, coordinates=False, action_embedding=True, frames=3
)
"""As the published network where it differs from ours; sides that are odd in some layers."""
ENGINE_SIZES = [TINY, TINY_LITE, TINY_STATES, PUBLISHED, replace(SMALL, frames=4)]


@pytest.mark.parametrize("size", ENGINE_SIZES, ids=lambda size: size.name)
def test_the_engine_decides_as_the_network(size: Size) -> None:
    """For windows of every length."""
    network = trained(size)
    engine = Inference(weights_of(network))
    count = size.frames
    images, text = uniform(count, 3, *size.image), normal(1, size.text).expand(count, -1)
    with torch.inference_mode():
        expected = [network(images[None, : k + 1], text[:1])[0, k].numpy() for k in range(count)]
        tokens = network.image_tokens(images, text).numpy()
    found = engine.image_tokens(images.numpy(), text.numpy())
    np.testing.assert_allclose(found, tokens, atol=1e-4, rtol=1e-4)
    for k in range(count):
        np.testing.assert_allclose(engine.decide(found[: k + 1]), expected[k], atol=1e-4, rtol=1e-4)
    other = engine.decide(engine.image_tokens(images.numpy(), -text.numpy()))
    finite = np.isfinite(other)
    assert np.abs(other[finite] - expected[-1][finite]).max() > 1e-2


def test_the_models_take_batches_of_any_length() -> None:
    """The policy sends one at a time; others who run the models need not."""
    engine = Inference(weights_of(trained(replace(SMALL, frames=2))))
    images, text = uniform(3, 3, *SMALL.image).numpy(), normal(3, SMALL.text).numpy()
    (tokens,) = engine._images.run(None, {"images": images, "text": text})
    np.testing.assert_allclose(tokens, engine.image_tokens(images, text), atol=1e-4, rtol=1e-4)
    windows = np.stack([tokens[:2], tokens[1:]])
    (logits,) = engine._decision.run(None, {"tokens": windows})
    for one, window in zip(logits, windows, strict=True):
        np.testing.assert_allclose(one, engine.decide(window), atol=1e-4, rtol=1e-4)


def test_the_engine_has_a_copy_of_the_weights(tiny: RT1) -> None:
    weights = weights_of(tiny)
    image, text = uniform(1, 3, *TINY.image).numpy(), normal(1, TINY.text).numpy()
    engine = Inference(weights)
    first = engine.image_tokens(image, text)
    for tensor in weights.tensors.values():
        np.add(tensor, 1, out=tensor)
    assert np.array_equal(engine.image_tokens(image, text), first)
    assert not np.array_equal(weights.tensors["projection.weight"], tiny.projection.weight.detach().numpy())


@pytest.mark.parametrize(
    "size",
    [TINY, TINY_LITE, PUBLISHED, TINY_STATES, SMALL, SMALL_STATES, LITE, BASE, PAPER],
    ids=lambda size: size.name,
)
def test_names_and_shapes_of_tensors_are_the_networks(size: Size) -> None:
    state = {name: tuple(tensor.shape) for name, tensor in RT1(size).state_dict().items()}
    assert tensor_shapes(size) == {name: shape for name, shape in state.items() if COUNTER not in name}


def test_the_same_seed_gives_the_same_weights() -> None:
    first, same, other = (RT1(TINY, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_drop_connect_skips_whole_branches() -> None:
    network = EfficientNet(replace(TINY, drop_connect=0.9))
    block = next(block for block in network.blocks if block.residual and block.drop)
    block.drop = 0.5
    block.train()
    dropped = block._drop(torch.ones(200, 3, 2, 2)).flatten(1)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert (dropped.amin(1) == dropped.amax(1)).all()
    block.eval()
    assert torch.equal(block._drop(torch.ones(3, 3, 2, 2)), torch.ones(3, 3, 2, 2))


def test_dead_weight_is_dead(paper: RT1) -> None:
    tokens = normal(1, 1, 8, 512)
    paper.transformer(tokens).sum().backward()
    assert paper.transformer.action.weight.grad.abs().max() == 0
    assert paper.transformer.position.bias.grad.abs().max() > 0
    paper.zero_grad()


def test_images_of_another_size_are_refused(tiny: RT1) -> None:
    with pytest.raises(ValueError, match=r"\(16, 40\), the network's \(32, 40\)"):
        tiny.image_tokens(uniform(1, 3, 16, 40), normal(1, TINY.text))
    with pytest.raises(ValueError, match=r"\(16, 40\), the network's \(32, 40\)"):
        Inference(weights_of(tiny)).image_tokens(uniform(1, 3, 16, 40).numpy(), normal(1, TINY.text).numpy())


def test_sizes_by_name() -> None:
    assert size("paper") is PAPER
    assert size("small", text=512).text == 512
    assert set(SIZES) == {"paper", "base", "small", "small-states", "lite"}
    with pytest.raises(UnknownNameError, match="Did you mean 'small'"):
        size("smal")


def test_paper_takes_other_encoders_by_a_projection() -> None:
    assert count(RT1(replace(TINY, text=8)).language) == 0
    assert count(RT1(TINY).language) == 12 * 8 + 8
