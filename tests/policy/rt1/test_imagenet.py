"""ImageNet weights of other libraries: every tensor finds its place, or is named."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rtbench.policy.rt1 import imagenet
from rtbench.policy.rt1.config import BASE, PAPER, Size, Stage
from rtbench.policy.rt1.imagenet import load_imagenet
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import CheckpointError
from tests.helpers.rt1_networks import TINY, torch_numbers

# As EfficientNet begins: the first stage does not expand.
STEPPED = replace(TINY, stages=(Stage(3, 1, 1, 8, 1), Stage(3, 2, 2, 12, 2)))
LIBRARIES = {"torchvision": imagenet._torchvision, "timm": imagenet._timm}
STEM = {"torchvision": "features.0.0.weight", "timm": "conv_stem.weight"}
VARIANCE = {"torchvision": "features.0.1.running_var", "timm": "bn1.running_var"}
CLASSIFIER = {"torchvision": "classifier.1", "timm": "classifier"}


def shapes(size: Size, library: str) -> dict[str, list[int]]:
    """What the library's state dict would be, by our table of names."""
    state = RT1(size).backbone.state_dict()
    found = {}
    for ours, theirs in LIBRARIES[library](size).items():
        shape = list(state[ours].shape)
        found[theirs] = [*shape, 1, 1] if ".squeeze." in ours and len(shape) == 2 else shape
    name = CLASSIFIER[library]
    return {**found, f"{name}.weight": [1000, size.top], f"{name}.bias": [1000]}


def state(size: Size, library: str) -> dict[str, torch.Tensor]:
    rng = torch_numbers("imagenet", library)
    found = {}
    for name, shape in shapes(size, library).items():
        tensor = torch.randn(shape, generator=rng)
        found[name] = tensor.abs() * 0.01 if name.endswith("running_var") else tensor
        if name.endswith("running_var"):
            found[name.replace("running_var", "num_batches_tracked")] = torch.tensor(7)
    return found


@pytest.mark.parametrize(
    ("size", "library", "digest"),
    [
        (PAPER, "torchvision", "ccb31ffefca1d9c69818b1d9a521d38b60fd756d2ec5d9f0aab8cfa0885f8197"),
        (BASE, "torchvision", "29f2e4b8ed94097f30a89eced93c3b97c89a41217ba85615e104ff044a01534c"),
        (PAPER, "timm", "9d055459d49f8f8cb3e290b111e9ff9fc00e2b950dc4e4e8d4e10b041a007eaf"),
        (BASE, "timm", "62576637d3698c348af350264532a0e31a09a03dd42ce2887ff10651681e6e35"),
    ],
)
def test_names_and_shapes_are_the_libraries_own(size: Size, library: str, digest: str) -> None:
    """Hashes of the names and shapes of torchvision 0.29.2's and timm 1.0.31's efficientnet_b3 and _b0."""
    lines = sorted(f"{name} {shape}" for name, shape in shapes(size, library).items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_they_are_loaded(library: str, suffix: str, tmp_path: Path) -> None:
    theirs, path = state(STEPPED, library), tmp_path / f"weights{suffix}"
    torch.save(theirs, path) if suffix == ".pth" else save_file(theirs, path)
    network = RT1(STEPPED)
    untouched = {name: p.clone() for name, p in network.named_parameters() if "film" in name}
    unused = load_imagenet(network, path)
    assert unused == tuple(f"{CLASSIFIER[library]}.{part}" for part in ("bias", "weight"))
    loaded = network.backbone.state_dict()
    assert torch.equal(loaded["stem.conv.weight"], theirs[STEM[library]])
    for ours, name in LIBRARIES[library](STEPPED).items():
        if not ours.endswith("norm.weight"):
            assert torch.equal(loaded[ours].flatten(), theirs[name].flatten()), ours
    left = {name for name in loaded if "film" not in name and "num_batches" not in name}
    assert left - set(LIBRARIES[library](STEPPED)) == {"mean", "std"}
    assert all(torch.equal(p, dict(network.named_parameters())[name]) for name, p in untouched.items())


def test_batch_norms_compute_what_theirs_do(tmp_path: Path) -> None:
    """Their epsilon is another one, and small variances are common."""
    theirs, path = state(STEPPED, "timm"), tmp_path / "weights.pth"
    torch.save(theirs, path)
    x = torch.randn(2, STEPPED.stem, 3, 3, generator=torch_numbers("norm"))
    for eps in (1e-5, 1e-3):
        network = RT1(STEPPED).eval()
        load_imagenet(network, path, eps=eps)
        parts = [theirs[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        expected = torch.nn.functional.batch_norm(x, *parts, eps=eps)
        torch.testing.assert_close(network.backbone.stem.norm(x), expected)


def broken(path: Path, **changes: torch.Tensor | None) -> Path:
    theirs = state(STEPPED, "timm")
    for name, tensor in changes.items():
        if tensor is None:
            del theirs[name]
        else:
            theirs[name] = tensor
    torch.save(theirs, path)
    return path


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    cases = [
        ({"conv_head.weight": None}, "tensor conv_head.weight [24, 12, 1, 1] is missing"),
        ({"bn1.bias": torch.zeros(5)}, "tensor bn1.bias is [5], expected [8]"),
        ({"bn1.bias": torch.full((8,), math.nan)}, "tensor bn1.bias has numbers that are NaN"),
        ({"blocks.2.0.bn1.bias": torch.zeros(5)}, "tensor blocks.2.0.bn1.bias has no place"),
        (
            {"conv_stem.weight": None},
            "names of neither torchvision's nor timm's EfficientNet, of which size 'tiny'",
        ),
    ]
    for changes, message in cases:
        with pytest.raises(CheckpointError, match=re.escape(message)):
            load_imagenet(RT1(STEPPED), broken(path, **changes))


class Trap:
    """Would run when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('it ran')",))


def test_files_that_hold_no_tensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv_stem.weight": Trap()}, path)
    with pytest.raises(CheckpointError, match="holds more than tensors, and is not run"):
        load_imagenet(RT1(STEPPED), path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(CheckpointError, match="is no state dict"):
        load_imagenet(RT1(STEPPED), path)
    whole = broken(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        load_imagenet(RT1(STEPPED), path)
    for name in ("nowhere.pth", "nowhere.safetensors"):
        with pytest.raises(CheckpointError, match="no such file"):
            load_imagenet(RT1(STEPPED), tmp_path / name)
    (tmp_path / "short.safetensors").write_bytes(b"abc")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_imagenet(RT1(STEPPED), tmp_path / "short.safetensors")
