"""The depthwise convolution: PyTorch's own in float32, and near it in bfloat16."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.policy.rt1.depthwise import Depthwise
from tests.helpers.rt1_networks import normal

CHANNELS = 6


def _layer(kernel: int, stride: int) -> Depthwise:
    layer = Depthwise(CHANNELS, kernel, stride, kernel // 2 if stride == 1 else 0)
    with torch.no_grad():
        layer.weight.copy_(normal(*layer.weight.shape, name="kernels"))
    return layer


def _gradients(layer: Depthwise, x: torch.Tensor, *, low: bool) -> list[torch.Tensor]:
    """Output, and the gradients of x and of the weights for an arbitrary loss."""
    layer.zero_grad()
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        y = layer(x)
    (y.float() * normal(*y.shape, name="loss")).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None
    return [y.detach(), x.grad, layer.weight.grad]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(12, 15), (13, 14)])
def test_bfloat16_is_near_float32(kernel: int, stride: int, height: int, width: int) -> None:
    layer = _layer(kernel, stride)
    x = normal(3, CHANNELS, height, width)
    exact, low = _gradients(layer, x, low=False), _gradients(layer, x, low=True)
    assert low[0].dtype == torch.bfloat16
    for ours, theirs in zip(low, exact, strict=True):
        assert ours.shape == theirs.shape
        # bfloat16 has 8 bits, and sums of products of rounded numbers err by little more.
        assert (ours.float() - theirs).abs().max() < 0.01 * theirs.abs().max()


def test_in_float32_it_is_pytorchs_own() -> None:
    layer = _layer(5, 2)
    x = normal(2, CHANNELS, 11, 11)
    assert torch.equal(layer(x), F.conv2d(x, layer.weight, stride=2, groups=CHANNELS))
