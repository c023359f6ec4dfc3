"""State of a training, from which it goes on as if it had never stopped.

It is one safetensors file that is replaced as a whole, so that a kill at any moment leaves the one before. It
holds no state of random generators, since random numbers follow from the seed and the step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import RtbenchError

FILE = "state.safetensors"
_FORMAT, _SCHEMA = "rtbench-training", "2"


class StateError(RtbenchError):
    """A training that cannot be continued, or whose state cannot be written."""


@dataclass(frozen=True)
class State:
    """A state that was read."""

    step: int
    """Steps done."""
    seconds: float
    """Seconds of training so far."""
    tensors: Mapping[str, Tensor]
    """By part and name: 'model.x', 'ema.x', 'optimizer.3.exp_avg', 'meter'."""

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of a part, by the names that it gave them."""
        head = f"{name}."
        return {key.removeprefix(head): value for key, value in self.tensors.items() if key.startswith(head)}


@dataclass(frozen=True)
class Parts:
    """The objects that training changes, besides the step."""

    model: nn.Module
    ema: nn.Module
    optimizer: Optimizer
    meter: Tensor
    """Sums since the last measurement."""


def write(folder: Path, parts: Parts, settings: Mapping[str, Any], *, step: int, seconds: float) -> None:
    """Save the state.

    Raises:
        StateError: the disk is full, or the folder cannot be written; the state before is intact.
    """
    tensors = {f"model.{name}": value for name, value in parts.model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in parts.ema.state_dict().items()}
    for index, moments in parts.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    tensors["meter"] = parts.meter
    about = {"step": step, "seconds": seconds, "settings": dict(settings)}
    metadata = {
        "format": _FORMAT,
        "schema": _SCHEMA,
        "about": json.dumps(about, sort_keys=True, allow_nan=False),
    }
    path = folder / FILE
    try:
        # Cloned: safetensors refuses tensors that share memory.
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        with atomic_write(path) as beside:
            safetensors.torch.save_file(plain, beside, metadata)
    except (OSError, safetensors.SafetensorError) as error:
        raise StateError(f"{path}: cannot be written: {error}. Free some space and run it again.") from None


def read(folder: Path, settings: Mapping[str, Any]) -> State | None:
    """The state of the training in a folder; None where there is none.

    Raises:
        StateError: it is damaged, of an earlier version, or of a training with other settings; names the
            first setting that differs.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise StateError(f"{path}: not written by `rtbench train`; choose another --output.")
            if metadata.get("schema") != _SCHEMA:
                raise StateError(
                    f"{path.parent}: begun with another version of rtbench, whose settings have other names. "
                    "Finish it with that version, or choose another --output; --init takes its weights."
                )
            about = json.loads(metadata["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            found = State(int(about["step"]), float(about["seconds"]), tensors)
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise StateError(f"{path}: damaged: {error}. Delete it to begin anew.") from None
    _same(path, about["settings"], json.loads(json.dumps(dict(settings))))
    return found


def restore(state: State, parts: Parts) -> None:
    """Put a state back into the objects that `write` took it from.

    Raises:
        StateError: its tensors are not those of this network.
    """
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in state.part("optimizer").items():
        index, _, kind = name.partition(".")
        moments.setdefault(int(index), {})[kind] = value
    groups = parts.optimizer.state_dict()["param_groups"]
    try:
        parts.model.load_state_dict(state.part("model"))
        parts.ema.load_state_dict(state.part("ema"))
        parts.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        parts.meter.copy_(state.tensors["meter"])
        for weight, loaded in parts.optimizer.state.items():
            # Laid out in memory as the weight is: sums in another order would differ in their last bits.
            loaded |= {
                k: torch.empty_like(weight).copy_(v) for k, v in loaded.items() if v.shape == weight.shape
            }
    except (RuntimeError, KeyError, ValueError) as error:
        raise StateError(f"{FILE}: not of this network: {error}. Delete it to begin anew.") from None


def _same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in (*now, *before):
        if before.get(name) != now.get(name):
            raise StateError(
                f"{path.parent}: begun with {name} {_show(before.get(name))}, now it is "
                f"{_show(now.get(name))}. Give what it was begun with, or another --output."
            )


def _show(value: Any) -> str:
    return "none" if value in (None, "") else str(value)
