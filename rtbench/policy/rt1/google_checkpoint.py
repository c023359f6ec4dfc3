"""Google's RT-1 checkpoints: which variable is which parameter, and in which layout.

Variables are known by their names in `ckpt-*.index` of google-research/robotics_transformer; the SavedModel
beside it only numbers them. `released.csv` has all of them but the optimizer's, with their shapes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.errors import RtbenchError, nearest
from rtbench.policy.rt1.config import PAPER, Size
from rtbench.policy.rt1.efficientnet import IMAGENET_STD
from rtbench.policy.rt1.network import RT1

CONVENTION = "rt1-reference"
"""Action convention of the released checkpoints: their bounds, the mode as the first token, and labels that
are truncated to the bin below. Rounded to the nearest bin, 44 % of the labels would be one bin off."""
ENCODER = "universal-sentence-encoder-large/5"
"""Language encoder that they were trained with."""
MULTIROBOT = replace(PAPER, name="multirobot", layers=10, width=1024, key_dim=256)
"""The size of `rt1multirobot`; `rt1main` and `rt1simreal` are of the paper's."""
SIZES = (PAPER, MULTIROBOT)

NETWORK = "agent/_actor_network/"
"""What the names of the network's variables begin with."""
_OUTSIDE = ("global_step", "save_counter")
"""Variables in the table that are not the network's."""
_BACKBONE = "_image_tokenizer/_tokenizer/net/layer_with_weights-"
_QUERY = "_transformer/_layers/0/mha1/_query_dense/kernel"
_OPTIMIZER = ("OPTIMIZER_SLOT", "_optimizer")
"""What names of the optimizer's variables have in them."""

_DENSE = {"kernel": "weight", "bias": "bias"}
_SCALE = {"gamma": "weight", "beta": "bias"}
_PARTS: Mapping[str, Mapping[str, str]] = {
    "conv": {"kernel": "weight"},
    "depthwise": {"depthwise_kernel": "weight"},
    "batch norm": {**_SCALE, "moving_mean": "running_mean", "moving_variance": "running_var"},
    "layer norm": _SCALE,
    "dense": _DENSE,
    "FiLM": {
        f"_projection_{theirs}/{kind}": f"{ours}.{name}"
        for theirs, ours in (("add", "add"), ("mult", "multiply"))
        for kind, name in _DENSE.items()
    },
}
"""Kind of layer -> name of a variable in it -> name of our parameter."""

_HEAD = (
    ("_image_tokenizer/_tokenizer/conv1x1", "projection", "conv"),
    ("_image_tokenizer/_tokenizer/film_layer", "film", "FiLM"),
    ("_image_tokenizer/_token_learner/layernorm", "token_learner.norm", "layer norm"),
    ("_image_tokenizer/_token_learner/mlp/_hidden_layer", "token_learner.hidden", "dense"),
    ("_image_tokenizer/_token_learner/mlp/_output_layer", "token_learner.output", "dense"),
    ("_action_token_emb", "transformer.action", "dense"),
    ("_transformer/_token_emb", "transformer.embed", "dense"),
    ("_transformer/_position_emb", "transformer.position", "dense"),
    ("_transformer/_output_tokens", "transformer.output", "dense"),
)
_LAYER = (
    ("layernorm1", "norm1", "layer norm"),
    ("mha1/_query_dense", "query", "dense"),
    ("mha1/_key_dense", "key", "dense"),
    ("mha1/_value_dense", "value", "dense"),
    ("mha1/_output_dense", "output", "dense"),
    ("layernorm2", "norm2", "layer norm"),
    ("ff", "linear", "dense"),
)


class ReleasedError(RtbenchError):
    """A checkpoint that is not one of the released ones; names the variable."""


@dataclass(frozen=True)
class Variable:
    """What a checkpoint says of a variable."""

    shape: tuple[int, ...]
    """As TensorFlow has it."""
    dtype: str
    """NumPy's name of it."""


class Reader(Protocol):
    """A TensorFlow checkpoint, or in tests what stands for one."""

    where: str
    """The file, for errors."""

    def variables(self) -> Mapping[str, Variable]:
        """All variables by name."""
        ...

    def read(self, name: str) -> NDArray[Any]:
        """One variable's values."""
        ...


@dataclass(frozen=True)
class Released:
    """A released checkpoint as our network."""

    network: RT1
    """In evaluation mode."""
    used: int
    """Variables that went into it."""
    dead: tuple[str, ...]
    """Variables that have no use in it: counters."""
    optimizer: tuple[str, ...]
    """Variables of the optimizer, which have none either."""


def read_released(reader: Reader) -> Released:
    """The network of a checkpoint.

    Raises:
        ReleasedError: not an RT-1, of a size that was not released, or a variable that is missing, unknown,
            of another shape or dtype, or not finite; names it with expected and found.
    """
    found = reader.variables()
    optimizer = {name for name in found if any(part in name for part in _OPTIMIZER)}
    network_size = _size(found, reader.where)
    expected = table(network_size)
    _check({name: found[name] for name in found if name not in optimizer}, expected, reader.where)
    network = RT1(network_size, convention=CONVENTION)
    state = network.state_dict()
    placed = places(network_size)
    for name, parameter in placed.items():
        values = reader.read(name)
        if not np.isfinite(values).all():
            raise ReleasedError(f"{reader.where}: {name} holds NaN or infinity; fetch the checkpoint again.")
        state[parameter] = to_torch(values, state[parameter], name)
    network.load_state_dict(state)
    dead = sorted(expected.keys() - placed.keys())
    return Released(network.eval(), len(placed), tuple(dead), tuple(sorted(optimizer)))


def table(size: Size) -> dict[str, tuple[int, ...]]:
    """Name and shape of all variables of a checkpoint of that size, without the optimizer's."""
    letters = {"W": size.width, "K": size.key_dim}
    found: dict[str, tuple[int, ...]] = {}
    text = (files("rtbench.policy.rt1") / "google_checkpoint.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        shape = tuple(letters.get(side) or int(side) for side in row["shape"].split("x") if side)
        for layer in range(size.layers if "*" in row["variable"] else 1):
            name = row["variable"].replace("*", str(layer))
            found[name if name in _OUTSIDE else NETWORK + name] = shape
    return found


def places(size: Size) -> dict[str, str]:
    """Name of each variable that is used -> our parameter, as in the network's `state_dict`."""
    layers = [*_backbone(size), *_HEAD]
    for k in range(size.layers):
        layers += [
            (f"_transformer/_layers/{k}/{theirs}", f"transformer.layers.{k}.{ours}", kind)
            for theirs, ours, kind in _LAYER
        ]
    found = {
        f"{NETWORK}{theirs}/{variable}": f"{ours}.{parameter}"
        for theirs, ours, kind in layers
        for variable, parameter in _PARTS[kind].items()
    }
    normalisation = {"mean": "backbone.mean", "variance": "backbone.std"}
    return found | {f"{NETWORK}{_BACKBONE}0/{theirs}": ours for theirs, ours in normalisation.items()}


def to_torch(values: NDArray[Any], like: Tensor, name: str) -> Tensor:
    """A variable in PyTorch's layout: outputs before inputs, and those before height and width.

    Args:
        values: As TensorFlow has it: height, width, inputs, outputs, or inputs, outputs. In attention the
            inner side is two axes, heads and their length.
        like: The parameter that it becomes.
        name: The variable's name.
    """
    if name.endswith("/variance"):
        # Keras divides by the root of this variance (which holds ImageNet's deviation), and then by the root
        # of the deviation once more.
        values = np.sqrt(values * np.array(IMAGENET_STD))
    elif name.endswith("/depthwise_kernel"):  # height, width, channels, 1
        values = values.transpose(2, 3, 0, 1)
    elif like.ndim == 4:
        values = values.transpose(3, 2, 0, 1)
    elif like.ndim == 2:  # 1 x 1 convolutions of a single pixel are dense layers here
        values = values.reshape(like.shape[::-1]).T
    return torch.from_numpy(np.array(values, dtype=np.float32)).reshape(like.shape)


def _backbone(size: Size) -> Iterator[tuple[str, str, str]]:
    """Layers of the backbone with TensorFlow's numbers; 0 is the normalisation of images."""
    order = [("stem.conv", "conv"), ("stem.norm", "batch norm")]
    expands = [stage.expand > 1 for stage in size.stages for _ in range(stage.repeats)]
    for number, expand in enumerate(expands):
        if expand:
            order += [
                (f"blocks.{number}.expand.conv", "conv"),
                (f"blocks.{number}.expand.norm", "batch norm"),
            ]
        order += [
            (f"blocks.{number}.depthwise.conv", "depthwise"),
            (f"blocks.{number}.depthwise.norm", "batch norm"),
            (f"blocks.{number}.squeeze.reduce", "dense"),
            (f"blocks.{number}.squeeze.expand", "dense"),
            (f"blocks.{number}.project.conv", "conv"),
            (f"blocks.{number}.project.norm", "batch norm"),
            (f"blocks.{number}.film", "FiLM"),
        ]
    order += [("top.conv", "conv"), ("top.norm", "batch norm")]
    for number, (ours, kind) in enumerate(order, start=1):
        yield f"{_BACKBONE}{number}", f"backbone.{ours}", kind


def _size(found: Mapping[str, Variable], where: str) -> Size:
    """Which of the released sizes it is, by the transformer."""
    query = found.get(NETWORK + _QUERY)
    if query is None or len(query.shape) != 3:
        shown = f"found {_sides(query.shape)}" if query else f"none of its {len(found)} variables is that"
        raise ReleasedError(f"{where}: holds no RT-1: it needs {NETWORK}{_QUERY} of three sides, {shown}.")
    layers = len({name.split("/")[4] for name in found if name.startswith(f"{NETWORK}_transformer/_layers/")})
    width, heads, key_dim = query.shape
    for size in SIZES:
        if (size.width, size.heads, size.key_dim) == query.shape:
            return size
    known = " or ".join(
        f"{size.layers} of width {size.width}, {size.heads} x {size.key_dim}" for size in SIZES
    )
    raise ReleasedError(
        f"{where}: its transformer has {layers} layers of width {width} with heads {heads} x {key_dim};"
        f" released were {known}."
    )


def _check(found: Mapping[str, Variable], expected: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Refuse what is not exactly the table."""
    if unknown := sorted(found.keys() - expected.keys()):
        close = nearest(unknown[0], expected.keys() - found.keys())
        hint = f" Expected {close!r}?" if close else ""
        raise ReleasedError(f"{where}: unknown variable {_first(unknown)}.{hint}")
    if missing := sorted(expected.keys() - found.keys()):
        raise ReleasedError(f"{where}: has no variable {_first(missing)}; fetch the checkpoint again.")
    for name, shape in expected.items():
        if found[name].shape != shape:
            raise ReleasedError(
                f"{where}: {name} has shape {_sides(found[name].shape)}, expected {_sides(shape)}."
            )
        if shape and found[name].dtype != "float32":
            raise ReleasedError(f"{where}: {name} is of {found[name].dtype}, expected float32.")


def _first(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} (and {len(others)} more)" if others else first


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
