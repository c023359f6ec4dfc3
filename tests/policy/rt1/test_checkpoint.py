"""Weights of RT-1 in files: they come back as they went, and what is wrong with one is named."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from rtbench.policy.rt1.checkpoint import load, save
from rtbench.policy.rt1.config import PAPER, SMALL
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import ABOUT, CheckpointError, Origin
from tests.helpers.rt1_networks import TINY, normal, trained, uniform

ORIGIN = Origin("words", "ab" * 32, {"skills": ["pick"], "scenes": ["office_kitchen"]}, "40 demonstrations")
NAME = "transformer.embed.weight"


@pytest.fixture(scope="module")
def network() -> RT1:
    return trained(convention="rt1")


@pytest.fixture
def path(network: RT1, tmp_path: Path) -> Path:
    save(tmp_path / "rt1.safetensors", network, ORIGIN)
    return tmp_path / "rt1.safetensors"


def change(path: Path, edit: Callable[[dict[str, torch.Tensor], dict[str, str]], None]) -> None:
    metadata = said(path)
    tensors = load_file(path)
    edit(tensors, metadata)
    save_file(tensors, path, {ABOUT: json.dumps(metadata)})


def said(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(json.loads(file.metadata()[ABOUT]))


def test_equal_weights_are_equal_files_that_all_may_read(network: RT1, path: Path, tmp_path: Path) -> None:
    save(tmp_path / "again.safetensors", network, ORIGIN)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert path.stat().st_mode & 0o044 == 0o044


def test_it_comes_back_as_it_went(network: RT1, path: Path) -> None:
    read = load(path)
    assert read.origin == ORIGIN
    assert read.network.size == TINY
    assert read.network.convention == "rt1"
    assert not read.network.training
    images, text = uniform(1, 2, 3, *TINY.image), normal(1, TINY.text)
    with torch.inference_mode():
        assert torch.equal(read.network(images, text), network(images, text))


def test_half_precision_is_half_as_large_and_comes_back_in_float32(tmp_path: Path) -> None:
    network, path = RT1(SMALL), tmp_path / "half.safetensors"
    save(path, network, ORIGIN, half=True)
    assert path.stat().st_size < 2.2 * sum(weights.numel() for weights in network.parameters())
    read = load(path).network.state_dict()
    for name, tensor in network.state_dict().items():
        assert read[name].dtype == tensor.dtype
        assert torch.allclose(read[name].float(), tensor.float(), rtol=1e-3, atol=1e-6)


def test_metadata_says_all_that_is_needed(path: Path) -> None:
    metadata = said(path)
    assert json.loads(metadata["token_order"])[:4] == ["mode", "x", "y", "z"]
    assert json.loads(metadata["size"])["image"] == [32, 40]
    assert metadata["encoder_sha256"] == "ab" * 32


def test_the_shipped_size_stays_below_30_megabytes(tmp_path: Path) -> None:
    save(tmp_path / "small.safetensors", RT1(SMALL), ORIGIN)
    assert (tmp_path / "small.safetensors").stat().st_size < 30e6


def test_hash_convention_and_size_are_checked(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    load(path, sha256=digest, convention="rt1", size=TINY)
    with pytest.raises(CheckpointError, match=f"its SHA-256 is {digest}, expected 1234"):
        load(path, sha256="1234")
    with pytest.raises(CheckpointError, match="of convention 'rt1', expected 'rtbench'"):
        load(path, convention="rtbench")
    with pytest.raises(CheckpointError, match=r"of size 'tiny', expected 'paper': name is tiny"):
        load(path, size=PAPER)
    with pytest.raises(CheckpointError, match="layers is 2, expected 3"):
        load(path, size=replace(TINY, layers=3))


def test_each_tensor_is_checked(path: Path) -> None:
    whole = path.read_bytes()
    cases: list[tuple[Callable[[dict[str, torch.Tensor], dict[str, str]], object], str]] = [
        (lambda t, _: t.update({NAME: t[NAME][:, :3].clone()}), r"is \[24, 3\], .*'tiny' has \[24, 16\]"),
        (lambda t, _: t.pop(NAME), rf"{NAME} \[24, 16\] of size 'tiny' is missing"),
        (lambda t, _: t.update({"transformer.embed.wait": t[NAME].clone()}), f"wait is unknown.* is {NAME}"),
        (lambda t, _: t[NAME].view(-1)[:2].fill_(torch.nan), f"{NAME} has 2 of 384 numbers that are NaN"),
        (lambda t, _: t[NAME].view(-1)[0].fill_(torch.inf), f"{NAME} has 1 of 384"),
        (lambda _, m: m.update(format="other"), "format 'other'"),
        (lambda _, m: m.update(schema="0"), "schema '0'"),
        (lambda _, m: m.update(convention="rt2"), "unknown action convention 'rt2'"),
        (lambda _, m: m.update(convention="rtbench"), "are in the order .*mode.* convention 'rtbench' has"),
        (lambda _, m: m.pop("encoder"), "metadata is damaged: KeyError: 'encoder'"),
        (lambda _, m: m.update(size='{"name": "x"}'), "size card cannot be read"),
        (lambda _, m: m.update(size=m["size"].replace('"heads": 2', '"heads": "a"')), "damaged|size card"),
        (lambda _, m: m.clear(), "format None"),
    ]  # fmt: skip
    for edit, message in cases:
        path.write_bytes(whole)
        change(path, edit)
        with pytest.raises(CheckpointError, match=message):
            load(path)


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40)
def test_a_file_cut_off_anywhere_is_named(
    network: RT1, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / "rt1.safetensors"
    save(path, network, ORIGIN)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(
        CheckpointError, match=r"rt1.safetensors: (tensor \S+ is cut off|is cut off|is no safe)"
    ):
        load(path)


@given(place=st.integers(0, 8000), value=st.integers(0, 255))
@settings(max_examples=60)
def test_a_byte_changed_in_the_header_is_no_crash(
    network: RT1, tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "rt1.safetensors"
    save(path, network, ORIGIN)
    data = bytearray(path.read_bytes())
    data[place] = value
    path.write_bytes(data)
    with contextlib.suppress(CheckpointError):
        load(path)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rt1.safetensors"
    for zipped in (True, False):
        torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(CheckpointError, match="is a pickle, which can run code; expected safetensors"):
            load(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        load(tmp_path / "rt1.safetensors")
    (tmp_path / "empty").touch()
    with pytest.raises(CheckpointError, match=r"is no safetensors file \(0 bytes\)"):
        load(tmp_path / "empty")
    save_file({"a": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"not RT-1 weights.*rtbench train rt1"):
        load(tmp_path / "other")


def test_nan_is_not_written(tmp_path: Path) -> None:
    network = RT1(TINY)
    torch.nn.init.constant_(network.transformer.embed.bias, torch.nan)
    with pytest.raises(CheckpointError, match=r"embed\.bias has 24 of 24"):
        save(tmp_path / "rt1.safetensors", network, ORIGIN)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(network: RT1, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(tmp_path / "nowhere" / "rt1.safetensors", network, ORIGIN)
