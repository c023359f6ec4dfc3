"""Weights of RT-1 as they are read from their file: safetensors, with all that is needed in its metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rtbench.core.action import DIMENSIONS, convention
from rtbench.core.errors import PolicyError, RtbenchError, nearest
from rtbench.policy.rt1.config import Size, from_json
from rtbench.policy.rt1.tensor_shapes import Shape, tensor_shapes

FORMAT, SCHEMA = "rtbench-rt1", "1"
GOOGLE = "google"
"""Source of weights that `rtbench import rt1` made."""
METADATA = "__metadata__"
"""Key of the metadata in the header of safetensors."""
ABOUT = "rtbench"
"""The one key below it: safetensors writes several in random order, and equal weights need equal hashes."""
LARGEST = 16_384
"""Largest number in a size that is read. Token states laid end to end have 9,216 numbers, and the published
network's largest is 1,536."""
_MAY_BE_ZERO = {"mixers", "mixed", "layers", "places", "states"}
"""Numbers of a size that may be zero."""


class CheckpointError(PolicyError):
    """Weights that cannot be used: cut off, of another size or convention, not finite, or no safetensors."""


@dataclass(frozen=True)
class Origin:
    """Where weights come from."""

    encoder: str
    """Language encoder that the network was trained with: `SentenceEncoder.id`."""
    encoder_sha256: str
    """Hash of its weights; empty: not known, as for released checkpoints."""
    trained_on: Mapping[str, Any] = field(default_factory=dict)
    """What the network was trained on, as in a policy card; empty: not known."""
    about: str = ""
    """In words: the command, the data."""
    source: str = ""
    """`GOOGLE` for released weights as they were imported; empty for weights that were trained here."""


@dataclass(frozen=True)
class Weights:
    """Weights as read."""

    size: Size
    """The network's."""
    convention: str
    """Action convention of its tokens."""
    tensors: Mapping[str, NDArray[np.float32]]
    """By name, with the shapes of `tensor_shapes`."""
    origin: Origin


def read(
    path: Path, *, sha256: str | None = None, convention: str | None = None, size: Size | None = None
) -> Weights:
    """Read weights that `rtbench.policy.rt1.checkpoint.save` wrote.

    Args:
        path: The file.
        sha256: Its hash, where that is known.
        convention: Action convention that it must have; None: any.
        size: Size that it must have; None: any. Weights that are told no places serve one that is.

    Raises:
        CheckpointError: weights that cannot be used; names the tensor, what was expected and what was found.
    """
    shapes, dtypes, metadata = _header(path)
    if sha256 is not None and (found := _hash(path)) != sha256:
        raise CheckpointError(f"{path}: its SHA-256 is {found}, expected {sha256}; fetch it again.")
    if metadata.get("format") != FORMAT or metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{path}: safetensors, but not RT-1 weights of this rtbench (format {metadata.get('format')!r}, "
            f"schema {metadata.get('schema')!r}); expected {FORMAT!r}, {SCHEMA!r}. "
            "Make it with `rtbench train rt1` or `rtbench import rt1`."
        )
    weights = _described(path, metadata)
    check_numbers(path, weights.size, len(shapes))
    _check_use(path, weights, convention, size)
    check_dtypes(path, {name: (dtypes[name], len(shape)) for name, shape in shapes.items()})
    _check_shapes(path, weights.size, shapes)
    try:
        tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise CheckpointError(f"{path}: its header is damaged: {error}.") from None
    check_finite(path, tensors)
    weights = replace(weights, tensors=tensors)
    return weights if size is None else _with_places(weights, size.places)


def _with_places(weights: Weights, places: int) -> Weights:
    """The weights with room for so many told places: they begin at zero, and decide what they did before."""
    if weights.size.places == places:
        return weights
    room = np.zeros((weights.size.features, places, 1, 1), np.float32)
    size = replace(weights.size, places=places)
    return replace(weights, size=size, tensors={**weights.tensors, "places.conv.weight": room})


def _header(path: Path) -> tuple[dict[str, Shape], dict[str, str], dict[str, str]]:
    """The tensors' shapes and dtypes, and the metadata; the file's length is checked against their places."""
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
            size = int.from_bytes(start[:8], "little")
            text = start[8:] + file.read(size - 1) if start[8:] == b"{" and 0 < size <= length else b""
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}.") from None
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[8:] != b"{"):
        raise CheckpointError(
            f"{path}: is a pickle, which can run code; expected safetensors. "
            "Make them with `rtbench train rt1` or `rtbench import rt1`."
        )
    if start[8:] != b"{":
        raise CheckpointError(f"{path}: is no safetensors file ({length} bytes).")
    if len(text) < size:
        raise CheckpointError(f"{path}: is cut off in its header: {length} bytes, expected over {8 + size}.")
    try:
        header = json.loads(text)
        tensors = {name: entry for name, entry in header.items() if name != METADATA}
        ends = {name: int(entry["data_offsets"][1]) for name, entry in tensors.items()}
        metadata = dict(json.loads(header.get(METADATA, {}).get(ABOUT, "{}")))
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in tensors.items()}
        dtypes = {name: str(entry["dtype"]) for name, entry in tensors.items()}
    except RecursionError:
        raise CheckpointError(f"{path}: its header is damaged: nested too deeply.") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path}: its header is damaged: {error}.") from None
    expected = 8 + size + max(ends.values(), default=0)
    if length != expected:
        lost = sorted((end, name) for name, end in ends.items() if 8 + size + end > length)
        which = f"tensor {lost[0][1]} is cut off" if lost else "it is too long"
        raise CheckpointError(f"{path}: {which}: {length} bytes, expected {expected}; fetch or make it anew.")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{path}: its metadata is damaged: each value must be a text.")
    return shapes, dtypes, metadata


def _described(path: Path, metadata: Mapping[str, str]) -> Weights:
    """What the metadata say; without tensors."""
    try:
        size = from_json(json.loads(metadata["size"]), str(path))
        name = metadata["convention"]
        order = json.loads(metadata["token_order"])
        trained_on = dict(json.loads(metadata["trained_on"]))
        origin = Origin(
            metadata["encoder"],
            metadata["encoder_sha256"],
            trained_on,
            metadata["about"],
            metadata.get("source", ""),  # weights of 0.1.0 do not have it
        )
        expected = token_order(name)
    except RtbenchError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{path}: its metadata is damaged: {type(error).__name__}: {error}.") from None
    if order != expected:
        raise CheckpointError(
            f"{path}: its tokens are in the order {order}; convention {name!r} has {expected}."
        )
    return Weights(size, name, {}, origin)


def check_numbers(path: Path, size: Size, tensors: int) -> None:
    """Refuse a size that no network can have, before anything is built of it.

    Args:
        path: The file.
        size: Size in its metadata.
        tensors: Tensors in the file. The time to list those of a size grows with its layers, and each layer
            has one in the file.

    Raises:
        CheckpointError: names the number and its range.
    """
    parts: tuple[Any, ...] = (size, *size.stages)
    for part in parts:
        for entry in fields(part):
            value = getattr(part, entry.name)
            where = f"{path}: its size card cannot be read: {entry.name} is {value!r:.80}, expected"
            if entry.name == "image" and not all(1 <= side <= LARGEST for side in value):
                raise CheckpointError(f"{where} two whole numbers from 1 to {LARGEST}.")
            least = 0 if entry.name in _MAY_BE_ZERO else 1
            if entry.type == "int" and not (type(value) is int and least <= value <= LARGEST):
                raise CheckpointError(f"{where} a whole number from {least} to {LARGEST}.")
            if entry.type == "float" and not 0 <= value <= 1:
                raise CheckpointError(f"{where} a number from 0 to 1.")
            if entry.type in {"str", "bool"} and type(value).__name__ != entry.type:
                raise CheckpointError(f"{where} a {'text' if entry.type == 'str' else 'truth value'}.")
    if size.states and size.text % size.states:
        raise CheckpointError(
            f"{path}: its size card cannot be read: text is {size.text}, expected a multiple of its "
            f"{size.states} states."
        )
    layers = size.layers + size.mixers + sum(stage.repeats for stage in size.stages)
    if layers > tensors:
        raise CheckpointError(f"{path}: its size has {layers} layers, but the file only {tensors} tensors.")


def check_dtypes(path: Path, found: Mapping[str, tuple[str, int]]) -> None:
    """Refuse dtypes that weights are not written in: other numbers would be read from the same bytes.

    Args:
        path: The file.
        found: dtype in the header and number of dimensions of each tensor. Matrices and kernels are all F32
            or all F16, the rest is F32.

    Raises:
        CheckpointError: names the tensor.
    """
    half = sum(dtype == "F16" for dtype, dimensions in found.values() if dimensions > 1)
    matrices = sum(dimensions > 1 for _, dimensions in found.values())
    for name, (dtype, dimensions) in found.items():
        expected = "F16" if dimensions > 1 and half > matrices / 2 else "F32"
        if dtype != expected:
            raise CheckpointError(f"{path}: tensor {name} is marked {dtype}, expected {expected}.")


def _check_use(path: Path, weights: Weights, convention: str | None, size: Size | None) -> None:
    if convention is not None and weights.convention != convention:
        raise CheckpointError(
            f"{path}: its tokens are of convention {weights.convention!r}, expected {convention!r}."
        )
    if size is not None and weights.size not in (size, replace(size, places=0)):
        differs = next(key for key, value in vars(size).items() if getattr(weights.size, key) != value)
        raise CheckpointError(
            f"{path}: weights of size {weights.size.name!r}, expected {size.name!r}: {differs} is "
            f"{getattr(weights.size, differs)}, expected {getattr(size, differs)}."
        )


def _check_shapes(path: Path, size: Size, found: Mapping[str, Shape]) -> None:
    expected = tensor_shapes(size)
    for name, shape in expected.items():
        if name not in found:
            raise CheckpointError(f"{path}: tensor {name} {list(shape)} of size {size.name!r} is missing.")
        if found[name] != shape:
            raise CheckpointError(
                f"{path}: tensor {name} is {list(found[name])}, size {size.name!r} has {list(shape)}."
            )
    for name in found:
        if name not in expected:
            close = nearest(name, expected)
            hint = f" The nearest is {close}." if close else ""
            raise CheckpointError(f"{path}: tensor {name} is unknown to size {size.name!r}.{hint}")


def check_finite(path: Path, tensors: Mapping[str, NDArray[np.floating[Any]]]) -> None:
    """Refuse tensors with numbers that are not finite.

    Raises:
        CheckpointError: names the tensor.
    """
    for name, tensor in tensors.items():
        if bad := int((~np.isfinite(tensor)).sum()):
            raise CheckpointError(
                f"{path}: tensor {name} has {bad} of {tensor.size} numbers that are NaN or infinite."
            )


def token_order(name: str) -> list[str]:
    """Names of the dimensions of an action in the order of a convention's tokens."""
    return [DIMENSIONS[d] for d in convention(name).order]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
