"""Token states that RT-1 is told: all that are there count, in their order, and padding does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtbench.policy.rt1.checkpoint import load, save, weights_of
from rtbench.policy.rt1.conditioner import Conditioner
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.weights import CheckpointError, Origin
from tests.helpers.rt1_networks import TINY, TINY_STATES, normal, torch_numbers, trained, uniform

WIDTH = TINY_STATES.text // TINY_STATES.states


def text(length: int, states: int = TINY_STATES.states) -> torch.Tensor:
    """Told states float32[1, states * WIDTH] of an instruction of that many tokens."""
    rows = torch.zeros(states, WIDTH)
    rows[:length] = normal(5, WIDTH, name="text")[:length]
    return rows.view(1, -1)


def conditioner(states: int = TINY_STATES.states) -> Conditioner:
    """One as after training: no weight is 0 or 1 by chance."""
    found = Conditioner(replace(TINY_STATES, text=states * WIDTH, states=states))
    rng = torch_numbers("conditioner")
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if name != "position.weight":
                parameter.normal_(0, 0.5, generator=rng)
        positions = normal(WIDTH, 9, name="position")
        found.position.weight.copy_(positions[:, :states])
    return found.eval()


@torch.no_grad()
def test_padding_is_without_effect() -> None:
    network = conditioner()
    before, whole = network(text(3)), network(text(5))
    torch.testing.assert_close(conditioner(states=9)(text(3, states=9)), before)
    network.position.weight[:, 3:] = 100
    assert torch.equal(network(text(3)), before)
    assert not torch.allclose(network(text(5)), whole)


@torch.no_grad()
def test_the_order_of_words_matters() -> None:
    network = conditioner()
    told = text(4)
    turned = told.view(-1, WIDTH)[[0, 2, 1, 3, 4]].view(1, -1)
    assert (network(told) - network(turned)).abs().max() > 1e-3
    network.position.weight[:] = 0
    torch.testing.assert_close(network(told), network(turned))


@torch.no_grad()
@pytest.mark.parametrize("place", range(4))
def test_each_word_counts(place: int) -> None:
    network = conditioner()
    other = text(4).view(-1, WIDTH).clone()
    other[place] = normal(WIDTH, name="other")
    assert (network(other.view(1, -1)) - network(text(4))).abs().max() > 1e-3


def test_a_text_of_nothing_is_finite_and_so_are_its_gradients() -> None:
    network = conditioner()
    found = network(torch.cat([text(0), text(5)]))
    found.square().sum().backward()
    assert found.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    with torch.no_grad():
        torch.testing.assert_close(network(text(5))[0], found[1])


@torch.no_grad()
def test_it_can_begin_with_one_vector_for_all_texts() -> None:
    network, vector = conditioner(), normal(TINY_STATES.film)
    network.begin_with(vector)
    assert torch.equal(network(torch.cat([text(2), text(5)])), vector.expand(2, -1))


def test_the_engine_without_torch_is_told_the_same() -> None:
    network = trained(TINY_STATES)
    images = uniform(4, 3, *TINY.image)
    told = torch.cat([text(length) for length in (0, 1, 3, 5)])
    with torch.inference_mode():
        expected = network.image_tokens(images, told).numpy()
    found = Inference(weights_of(network)).image_tokens(images.numpy(), told.numpy())
    np.testing.assert_allclose(found, expected, atol=2e-4)
    alike = Inference(weights_of(network)).image_tokens(images.numpy(), told[[3] * 4].numpy())
    assert np.abs(alike[:3] - expected[:3]).max(axis=(1, 2)).min() > 1e-3


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, network = tmp_path / "states.safetensors", trained(TINY_STATES)
    save(path, network, Origin("states", "ab" * 32))
    images = uniform(1, 1, 3, *TINY.image)
    with torch.inference_mode():
        assert torch.equal(load(path, size=TINY_STATES).network(images, text(3)), network(images, text(3)))
    with pytest.raises(CheckpointError, match="name is tiny-states, expected tiny"):
        load(path, size=TINY)
