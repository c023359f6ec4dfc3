"""Places that RT-1 is told: heard where they are, and nothing where there are none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtbench.policy.rt1.checkpoint import load, save, weights_of
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.told_places import LOUDNESS, heat
from rtbench.policy.rt1.weights import CheckpointError, Origin
from tests.helpers.rt1_networks import TINY, normal, trained, uniform

PLACES = torch.tensor([[[0.2, 0.7], [0.9, 0.1]]])
NONE = torch.full((1, 2, 2), torch.nan)


def told(seed: int = 0) -> RT1:
    """A network that has learnt what a place means."""
    network = trained()
    with torch.no_grad():
        network.places.conv.weight.normal_(generator=torch.Generator().manual_seed(seed))
    return network


def frames() -> tuple[torch.Tensor, torch.Tensor]:
    return uniform(1, 2, 3, *TINY.image), normal(1, TINY.text)


@given(st.floats(0, 0.999), st.floats(0, 0.999))
def test_heat_is_greatest_in_the_cell_of_the_place(x: float, y: float) -> None:
    found = heat(torch.tensor([[[x, y]]]), 8, 10)[0, 0]
    row, column = divmod(int(found.argmax()), 10)
    assert abs(row + 0.5 - 8 * y) <= 0.5 + 1e-4
    assert abs(column + 0.5 - 10 * x) <= 0.5 + 1e-4
    assert 0.3 * LOUDNESS < float(found.max()) <= LOUDNESS


def test_a_place_that_is_not_told_changes_nothing() -> None:
    images, text = frames()
    network = told()
    with torch.no_grad():
        alone = network(images, text)
        assert torch.equal(network(images, text, NONE), alone)
        assert not torch.equal(network(images, text, PLACES), alone)
        one = PLACES.clone()
        one[0, 1] = torch.nan
        assert not torch.equal(network(images, text, one), network(images, text, PLACES))


def test_each_window_has_its_own_places() -> None:
    images, text = frames()
    network = told()
    both = torch.cat([PLACES, NONE])
    with torch.no_grad():
        found = network(images.repeat(2, 1, 1, 1, 1), text.repeat(2, 1), both)
        torch.testing.assert_close(found[:1], network(images, text, PLACES), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found[1:], network(images, text), atol=1e-5, rtol=1e-4)


def test_fresh_weights_do_not_hear_yet() -> None:
    images, text = frames()
    network = trained()
    with torch.no_grad():
        assert torch.equal(network(images, text, PLACES), network(images, text))


def test_the_engine_without_torch_decides_as_a_network_that_is_told_nothing() -> None:
    network, (images, text) = told(), frames()
    engine = Inference(weights_of(network))
    tokens = engine.image_tokens(images[0].numpy(), text.repeat(2, 1).numpy())
    with torch.no_grad():
        expected = network(images, text)[0, -1].numpy()
    np.testing.assert_allclose(engine.decide(tokens), expected, atol=2e-4)


def test_weights_from_before_there_were_places_serve_as_first_ones(tmp_path) -> None:
    before = trained(replace(TINY, places=0))
    assert before.places is None
    save(tmp_path / "old.safetensors", before, Origin("words", "ab" * 32))
    network = load(tmp_path / "old.safetensors", size=TINY).network
    images, text = frames()
    with torch.no_grad():
        assert torch.equal(network(images, text, PLACES), before(images, text))
    assert load(tmp_path / "old.safetensors").network.places is None
    with pytest.raises(CheckpointError, match="width is 24, expected 32"):
        load(tmp_path / "old.safetensors", size=replace(TINY, width=32))


def test_weights_with_places_do_not_serve_a_size_without(tmp_path) -> None:
    save(tmp_path / "new.safetensors", trained(), Origin("words", "ab" * 32))
    with pytest.raises(CheckpointError, match="places is 2, expected 0"):
        load(tmp_path / "new.safetensors", size=replace(TINY, places=0))
