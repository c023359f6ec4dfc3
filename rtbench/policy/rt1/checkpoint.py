"""Weights of RT-1 as a network that can be trained, and a network's weights in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from rtbench.core.atomic_write import atomic_write
from rtbench.policy.rt1.config import Size, to_json
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import (
    ABOUT,
    FORMAT,
    SCHEMA,
    CheckpointError,
    Origin,
    Weights,
    check_finite,
    read,
    token_order,
)

READABLE = 0o644
"""safetensors leaves 0600, so that other users could not read an installed file."""
COUNTER = "num_batches_tracked"
"""Batches that a batch norm has seen. It has no use, since the momentum is fixed, and is not kept."""


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
    check_finite(path, {name: tensor.cpu().numpy() for name, tensor in tensors.items()})
    metadata = {
        "format": FORMAT,
        "schema": SCHEMA,
        "size": json.dumps(to_json(network.size)),
        "convention": network.convention,
        "token_order": json.dumps(token_order(network.convention)),
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
    """Make a network of weights that `save` wrote; arguments and errors as of `weights.read`."""
    weights = read(path, sha256=sha256, convention=convention, size=size)
    network = RT1(weights.size, convention=weights.convention)
    tensors = {name: torch.from_numpy(tensor) for name, tensor in weights.tensors.items()}
    network.load_state_dict(tensors, strict=False)  # all but the counters, as has been checked
    return Checkpoint(network.eval(), weights.origin)


def weights_of(network: RT1, origin: Origin | None = None) -> Weights:
    """A copy of a network's weights, as they would be read from a file."""
    kept = _kept(network.state_dict())
    tensors = {name: tensor.float().cpu().numpy().copy() for name, tensor in kept.items()}
    return Weights(network.size, network.convention, tensors, origin or Origin("", ""))


def _kept(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}
