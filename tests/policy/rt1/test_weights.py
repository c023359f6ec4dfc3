"""Weights of RT-1 from strangers: what is not as it was written is refused, at once and in a sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtbench.policy.rt1.checkpoint import save
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import ABOUT, METADATA, CheckpointError, Origin, read
from tests.helpers.rt1_networks import TINY
from tests.helpers.safetensors_files import change_header

NAME = "transformer.embed.weight"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(tmp_path / "rt1.safetensors", RT1(TINY), Origin("words", "ab" * 32))
    return tmp_path / "rt1.safetensors"


@pytest.fixture
def half(tmp_path: Path) -> Path:
    save(tmp_path / "half.safetensors", RT1(TINY), Origin("words", "ab" * 32), half=True)
    return tmp_path / "half.safetensors"


def relabel(path: Path, old: str, new: str, name: str | None = None) -> None:
    def edit(header: dict[str, Any]) -> None:
        for key, entry in header.items():
            if key != METADATA and entry["dtype"] == old and name in {None, key}:
                entry["dtype"] = new

    change_header(path, edit)


def resize(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    def change(header: dict[str, Any]) -> None:
        metadata = json.loads(header[METADATA][ABOUT])
        size = json.loads(metadata["size"])
        edit(size)
        metadata["size"] = json.dumps(size)
        header[METADATA][ABOUT] = json.dumps(metadata)

    change_header(path, change)


def test_dtypes_are_those_that_are_written(path: Path, half: Path) -> None:
    assert read(path).tensors[NAME].dtype == read(half).tensors[NAME].dtype == np.float32
    relabel(half, "F16", "BF16", NAME)
    with pytest.raises(CheckpointError, match=f"tensor {NAME} is marked BF16, expected F16"):
        read(half)
    relabel(path, "F32", "I32", NAME)
    with pytest.raises(CheckpointError, match=f"tensor {NAME} is marked I32, expected F32"):
        read(path)


@pytest.mark.parametrize("dtype", ["BF16", "I16", "U16"])
def test_a_file_whose_halves_are_all_relabelled_is_refused(half: Path, dtype: str) -> None:
    relabel(half, "F16", dtype)
    with pytest.raises(CheckpointError, match=f"is marked {dtype}, expected"):
        read(half)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda size: size.update(layers=10**7), "layers is 10000000, expected a whole number from 0"),
        (lambda size: size.update(layers=4000), "has 400. layers, but the file only"),
        (lambda size: size.update(heads=True), "heads is True, expected a whole number"),
        (lambda size: size.update(heads=0), "heads is 0, expected a whole number from 1"),
        (lambda size: size.update(width=24.0), "width is 24.0, expected a whole number"),
        (lambda size: size.update(dropout=float("nan")), "dropout is nan, expected a number from 0 to 1"),
        (lambda size: size.update(image=[32, 10**6]), "image is .*, expected two whole numbers"),
        (lambda size: size.update(image=[32, float("inf")]), "cannot be read|damaged: OverflowError"),
        (lambda size: size.update(coordinates=1), "coordinates is 1, expected a truth value"),
        (lambda size: size["stages"][0].update(repeats=10**9), "repeats is 1000000000"),
        (lambda size: size["stages"][0].update(stride=-1), "stride is -1"),
        (lambda size: size.update(states=5), "text is 12, expected a multiple of its 5 states"),
        (lambda size: size.update(states=-1), "states is -1, expected a whole number from 0"),
        (lambda size: size.update(name=["x"]), "name is .*, expected a text"),
    ],
)  # fmt: skip
def test_numbers_of_a_size_are_bounded(
    path: Path, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    resize(path, edit)
    began = time.process_time()
    with pytest.raises(CheckpointError, match=message):
        read(path)
    assert time.process_time() - began < 2


def test_a_size_from_before_there_were_token_states_is_told_one_vector(path: Path) -> None:
    resize(path, lambda size: size.pop("states"))
    assert read(path).size == TINY


def test_deep_json_is_a_damaged_file(path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    whole = path.read_bytes()
    change_header(path, lambda header: header[METADATA].update({ABOUT: deep}))
    with pytest.raises(CheckpointError, match="header is damaged"):
        read(path)
    path.write_bytes(whole)

    def nest(header: dict[str, Any]) -> None:
        metadata = json.loads(header[METADATA][ABOUT]) | {"trained_on": deep}
        header[METADATA][ABOUT] = json.dumps(metadata)

    change_header(path, nest)
    with pytest.raises(CheckpointError, match="metadata is damaged"):
        read(path)


def test_values_of_the_metadata_are_texts(path: Path) -> None:
    def edit(header: dict[str, Any]) -> None:
        metadata = json.loads(header[METADATA][ABOUT]) | {"encoder": 3}
        header[METADATA][ABOUT] = json.dumps(metadata)

    change_header(path, edit)
    with pytest.raises(CheckpointError, match="each value must be a text"):
        read(path)
