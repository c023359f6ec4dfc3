"""Weights of RT-2 from strangers: what is not as it was written is refused, at once and in a sentence."""

from __future__ import annotations

import json

import pytest
import torch

from rtbench.policy.rt1.checkpoint import load as load_rt1
from rtbench.policy.rt1.weights import ABOUT, METADATA, CheckpointError
from rtbench.policy.rt2.checkpoint import load, save
from rtbench.policy.rt2.config import SMALL
from tests.helpers.paths import ROOT
from tests.helpers.rt2_models import make_model
from tests.helpers.safetensors_files import change_header


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("rt2") / "rt2.safetensors"
    model = make_model()
    save(path, model, half=True)
    return path.read_bytes(), model


def test_it_comes_back_as_it_went(whole, tmp_path):
    (tmp_path / "a").write_bytes(whole[0])
    found = load(tmp_path / "a").network.state_dict()
    for name, tensor in whole[1].network.state_dict().items():
        assert torch.equal(found[name], tensor.half().to(tensor.dtype) if tensor.ndim > 1 else tensor)


def test_relabelled_tensors_are_refused(whole, tmp_path):
    def relabel(header):
        for name, entry in header.items():
            if name != METADATA and entry["dtype"] == "F16":
                entry["dtype"] = "BF16"

    path = tmp_path / "a"
    path.write_bytes(whole[0])
    change_header(path, relabel)
    with pytest.raises(CheckpointError, match="is marked BF16, expected"):
        load(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda size: size.update(layers=60000), "60000 layers, but the file has only"),
        (lambda size: size.update(width=65536, inner=65536), r"expected \[.*65536"),
        (lambda size: size["eyes"].update(stem=10**9), "stem is 1000000000"),
        (lambda size: size.update(layers=True), "numbers that no network has"),
        (lambda size: size.update(dropout=float("nan")), "numbers that no network has"),
    ],
)
def test_numbers_are_bounded_before_a_network_is_built(whole, tmp_path, edit, message):
    def change(header):
        metadata = json.loads(header[METADATA][ABOUT])
        edit(metadata["size"])
        header[METADATA][ABOUT] = json.dumps(metadata)

    path = tmp_path / "a"
    path.write_bytes(whole[0])
    change_header(path, change)
    with pytest.raises(CheckpointError, match=message):
        load(path)


@pytest.mark.parametrize("about", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, "3", "[]"])
def test_a_damaged_header_is_a_sentence(whole, tmp_path, about):
    path = tmp_path / "a"
    path.write_bytes(whole[0])
    change_header(path, lambda header: header[METADATA].update({ABOUT: about}))
    with pytest.raises(CheckpointError, match=r"damaged|no safetensors"):
        load(path)


def test_the_shipped_rt1_may_act():
    assert load_rt1(ROOT / "policies" / "rt1.safetensors", size=SMALL.motor).network.size == SMALL.motor
