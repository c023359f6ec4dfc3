"""Weights of RT-1 in a file: safetensors, with all that is needed to use them in its metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rtbench.core.action import DIMENSIONS, convention
from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import PolicyError, RtbenchError, nearest
from rtbench.policy.rt1.config import Size, from_json, to_json
from rtbench.policy.rt1.network import RT1

FORMAT, SCHEMA = "rtbench-rt1", "1"
GOOGLE = "google"
"""Source of weights that `rtbench import rt1` made."""
METADATA = "__metadata__"
"""Key of the metadata in the header of safetensors."""
ABOUT = "rtbench"
"""The one key below it: safetensors writes several in random order, and equal weights need equal hashes."""
READABLE = 0o644
"""safetensors leaves 0600, so that other users could not read an installed file."""
COUNTER = "num_batches_tracked"
"""Batches that a batch norm has seen. It has no use, since the momentum is fixed, and is not kept."""


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
class Checkpoint:
    """Weights as read."""

    network: RT1
    """In evaluation mode."""
    origin: Origin


def save(path: Path, network: RT1, origin: Origin, *, half: bool = False) -> None:
    """Write a network's weights; the file is whole or not there.

    Args:
        path: The file.
        network: The weights.
        origin: Where they come from.
        half: Matrices and kernels in half precision: half as large. `load` gives float32 either way.

    Raises:
        CheckpointError: a tensor that is not finite, or a file that cannot be written.
    """
    tensors = {name: tensor.contiguous() for name, tensor in _kept(network.state_dict()).items()}
    if half:
        tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
    _check_finite(path, tensors)
    metadata = {
        "format": FORMAT,
        "schema": SCHEMA,
        "size": json.dumps(to_json(network.size)),
        "convention": network.convention,
        "token_order": json.dumps(_token_order(network.convention)),
        "encoder": origin.encoder,
        "encoder_sha256": origin.encoder_sha256,
        "trained_on": json.dumps(dict(origin.trained_on)),
        "about": origin.about,
        "source": origin.source,
    }
    try:
        with atomic_write(path) as beside:
            save_file(tensors, beside, {ABOUT: json.dumps(metadata, sort_keys=True)})
            beside.chmod(READABLE)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written: {error}.") from None


def load(
    path: Path, *, sha256: str | None = None, convention: str | None = None, size: Size | None = None
) -> Checkpoint:
    """Read weights that `save` wrote.

    Args:
        path: The file.
        sha256: Its hash, where that is known.
        convention: Action convention that it must have; None: any.
        size: Size that it must have; None: any.

    Raises:
        CheckpointError: weights that cannot be used; names the tensor, what was expected and what was found.
    """
    shapes, metadata = _header(path)
    if sha256 is not None and (found := _hash(path)) != sha256:
        raise CheckpointError(f"{path}: its SHA-256 is {found}, expected {sha256}; fetch it again.")
    if metadata.get("format") != FORMAT or metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{path}: safetensors, but not RT-1 weights of this rtbench (format {metadata.get('format')!r}, "
            f"schema {metadata.get('schema')!r}); expected {FORMAT!r}, {SCHEMA!r}. "
            "Make it with `rtbench train rt1` or `rtbench import rt1`."
        )
    network, origin = _described(path, metadata)
    _check_use(path, network, convention, size)
    _check_shapes(path, network, shapes)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: its header is damaged: {error}.") from None
    _check_finite(path, tensors)
    network.load_state_dict(tensors, strict=False)  # all but the counters, as has just been checked
    return Checkpoint(network.eval(), origin)


def _header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """The tensors' shapes, and the metadata; the file's length is checked against the tensors' places."""
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
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{path}: its header is damaged: {error}.") from None
    expected = 8 + size + max(ends.values(), default=0)
    if length != expected:
        lost = sorted((end, name) for name, end in ends.items() if 8 + size + end > length)
        which = f"tensor {lost[0][1]} is cut off" if lost else "it is too long"
        raise CheckpointError(f"{path}: {which}: {length} bytes, expected {expected}; fetch or make it anew.")
    return shapes, metadata


def _described(path: Path, metadata: Mapping[str, str]) -> tuple[RT1, Origin]:
    try:
        size = from_json(json.loads(metadata["size"]), str(path))
        name = metadata["convention"]
        order = json.loads(metadata["token_order"])
        trained_on = json.loads(metadata["trained_on"])
        origin = Origin(
            metadata["encoder"],
            metadata["encoder_sha256"],
            trained_on,
            metadata["about"],
            metadata.get("source", ""),  # weights of 0.1.0 do not have it
        )
        network = RT1(size, convention=name)
    except RtbenchError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise CheckpointError(f"{path}: its metadata is damaged: {type(error).__name__}: {error}.") from None
    if order != _token_order(name):
        raise CheckpointError(
            f"{path}: its tokens are in the order {order}; convention {name!r} has {_token_order(name)}."
        )
    return network, origin


def _check_use(path: Path, network: RT1, convention: str | None, size: Size | None) -> None:
    if convention is not None and network.convention != convention:
        raise CheckpointError(
            f"{path}: its tokens are of convention {network.convention!r}, expected {convention!r}."
        )
    if size is not None and network.size != size:
        differs = next(key for key, value in vars(size).items() if getattr(network.size, key) != value)
        raise CheckpointError(
            f"{path}: weights of size {network.size.name!r}, expected {size.name!r}: {differs} is "
            f"{getattr(network.size, differs)}, expected {getattr(size, differs)}."
        )


def _check_shapes(path: Path, network: RT1, found: Mapping[str, tuple[int, ...]]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in _kept(network.state_dict()).items()}
    for name, shape in expected.items():
        if name not in found:
            raise CheckpointError(
                f"{path}: tensor {name} {list(shape)} of size {network.size.name!r} is missing."
            )
        if found[name] != shape:
            raise CheckpointError(
                f"{path}: tensor {name} is {list(found[name])}, size {network.size.name!r} has {list(shape)}."
            )
    for name in found:
        if name not in expected:
            close = nearest(name, expected)
            hint = f" The nearest is {close}." if close else ""
            raise CheckpointError(f"{path}: tensor {name} is unknown to size {network.size.name!r}.{hint}")


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if bad := int((~torch.isfinite(tensor)).sum()):
            raise CheckpointError(
                f"{path}: tensor {name} has {bad} of {tensor.numel()} numbers that are NaN or infinite."
            )


def _kept(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}


def _token_order(name: str) -> list[str]:
    return [DIMENSIONS[d] for d in convention(name).order]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
