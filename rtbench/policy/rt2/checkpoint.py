"""Weights of our own RT-2 in a file: safetensors, with all that is needed to use them in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import RtbenchError
from rtbench.policy.rt1.checkpoint import COUNTER, READABLE
from rtbench.policy.rt1.weights import ABOUT, CheckpointError, Origin, check_dtypes, check_numbers
from rtbench.policy.rt2.action_layout import ActionLayout, layout
from rtbench.policy.rt2.config import from_json, to_json
from rtbench.policy.rt2.network import Network
from rtbench.policy.rt2.vocabulary import Vocabulary

FORMAT, SCHEMA = "rtbench-rt2", "3"
MOST_NAMES = 16_384
"""Names of things that weights may have."""
PAIR = 2


@dataclass(frozen=True)
class Model:
    """A network with all that gives its numbers a meaning."""

    network: Network
    """The weights."""
    vocabulary: Vocabulary
    """What its ids are."""
    layout: ActionLayout
    """Order and convention of its actions."""
    origin: Origin
    """Where the weights come from."""
    names: tuple[tuple[str, str], ...]
    """What the eyes can name: name and kind of each, in the order of the network's vectors."""


def save(path: Path, model: Model, *, half: bool = False) -> None:
    """Write weights; the file is whole or not there.

    Args:
        path: The file.
        model: The weights and what they mean.
        half: Matrices and kernels in half precision: half as large. `load` gives float32 either way.

    Raises:
        CheckpointError: a tensor that is not finite, or a file that cannot be written.
    """
    tensors = {name: tensor.contiguous() for name, tensor in _kept(model.network.state_dict()).items()}
    if half:
        tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
    _check_finite(path, tensors)
    metadata = {
        "format": FORMAT,
        "schema": SCHEMA,
        "size": to_json(model.network.size),
        "vocabulary": model.vocabulary.to_json(),
        "names": [list(name) for name in model.names],
        "layout": model.layout.name,
        "convention": model.layout.convention,
        "encoder": model.origin.encoder,
        "encoder_sha256": model.origin.encoder_sha256,
        "trained_on": dict(model.origin.trained_on),
        "about": model.origin.about,
    }
    try:
        with atomic_write(path) as beside:
            save_file(tensors, beside, {ABOUT: json.dumps(metadata, sort_keys=True)})
            beside.chmod(READABLE)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written: {error}.") from None


def load(path: Path) -> Model:
    """Read weights that `save` wrote; the network is in evaluation mode.

    Raises:
        CheckpointError: weights that cannot be used; names the tensor, what was expected and what was found.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            dtypes = {name: (part.get_dtype(), len(part.get_shape())) for name, part in parts.items()}
            check_dtypes(path, dtypes)
            tensors = {name: file.get_tensor(name) for name in dtypes}
    except RecursionError:
        raise CheckpointError(f"{path}: its header is damaged: nested too deeply.") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: no safetensors file, or cut off: {error}; make it anew.") from None
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path}: its metadata is damaged: no mapping.")
    if metadata.get("format") != FORMAT or metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{path}: safetensors, but not RT-2 weights of this rtbench (format {metadata.get('format')!r}, "
            f"schema {metadata.get('schema')!r}). Make them with `rtbench train rt2`."
        )
    try:
        vocabulary = Vocabulary.from_json(metadata["vocabulary"], str(path))
        size = from_json(metadata["size"], str(path))
        names = _names(path, metadata["names"])
        check_numbers(path, size.eyes, len(tensors))
        _check_layers(path, size.layers, len(tensors))
        found = layout(metadata["layout"], metadata["convention"])

        def fresh() -> Network:
            vectors = torch.zeros(len(names), size.state)
            return Network(size, len(vocabulary), vectors, convention=found.convention)

        with torch.device("meta"):  # takes no memory, whatever the size says
            _check_shapes(path, fresh(), tensors)
        network = fresh()
        origin = Origin(
            metadata["encoder"], metadata["encoder_sha256"], metadata["trained_on"], metadata["about"]
        )
    except CheckpointError:
        raise
    except RtbenchError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise CheckpointError(f"{path}: its metadata is damaged: {type(error).__name__}: {error}.") from None
    _check_finite(path, tensors)
    network.load_state_dict(tensors, strict=False)  # all but the counters, as has just been checked
    return Model(network.eval(), vocabulary, found, origin, names)


def _names(path: Path, found: Any) -> tuple[tuple[str, str], ...]:
    """The names in a file's metadata."""
    whole = isinstance(found, list) and 0 < len(found) <= MOST_NAMES
    if not whole or not all(isinstance(one, list) and len(one) == PAIR for one in found):
        raise CheckpointError(f"{path}: its names are no list of 1 to {MOST_NAMES} pairs of name and kind.")
    if not all(isinstance(text, str) for one in found for text in one):
        raise CheckpointError(f"{path}: one of its names is no text.")
    return tuple((text, kind) for text, kind in found)


def _check_layers(path: Path, layers: int, tensors: int) -> None:
    if layers > tensors:
        raise CheckpointError(f"{path}: {layers} layers, but the file has only {tensors} tensors.")


def _check_shapes(path: Path, network: Network, found: Mapping[str, Tensor]) -> None:
    expected = _kept(network.state_dict())
    for name, tensor in expected.items():
        if name not in found:
            raise CheckpointError(f"{path}: tensor {name} {list(tensor.shape)} is missing.")
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: tensor {name} is {list(found[name].shape)}, expected {list(tensor.shape)}."
            )
    if unknown := sorted(set(found) - set(expected)):
        raise CheckpointError(f"{path}: tensor {unknown[0]} is unknown to size {network.size.name!r}.")


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if bad := int((~torch.isfinite(tensor)).sum()):
            raise CheckpointError(f"{path}: tensor {name} has {bad} numbers that are NaN or infinite.")


def _kept(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}
