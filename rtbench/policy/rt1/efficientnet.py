"""EfficientNet, or EfficientNet-Lite, with a FiLM layer after every block.

It computes what Keras' EfficientNet computes when it is built without an input size, as RT-1 builds it: a
convolution of stride 2 always pads one pixel more at the bottom and right than at the top and left, so that
300 pixels give a 9 x 9 map. Symmetric padding, and Keras itself when it knows the size, give 10 x 10.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.policy.rt1.config import BATCH_NORM_EPS, SQUEEZE, Size, Stage
from rtbench.policy.rt1.depthwise import Depthwise
from rtbench.policy.rt1.film import FiLM

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Red, green and blue of ImageNet's images, scaled to 0 to 1. Keras divides by the square root of these
twice: once as 'variance' in its normalisation layer, once more by hand."""
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3
"""The same for EfficientNet-Lite. Its published code takes 127 from pixels of 0 to 255 and divides by 128."""
Activation = Callable[[Tensor], Tensor]


def activation(size: Size) -> Activation:
    """The activation of a size's backbone: ReLU6 in an EfficientNet-Lite, else SiLU."""
    return F.relu6 if size.lite else F.silu


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        momentum: float,
    ) -> None:
        """Static padding: 'same' for stride 1, one pixel more below and right for stride 2."""
        super().__init__()
        half = kernel // 2
        self.pad = (half - 1, half, half - 1, half) if stride == 2 else None
        padding = 0 if self.pad else half
        self.conv: nn.Conv2d = (
            Depthwise(inputs, kernel, stride, padding)
            if depthwise
            else nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        )
        self.norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """float32[N, inputs, H, W] to float32[N, outputs, H / stride, W / stride], halves rounded down."""
        padded = F.pad(x, self.pad) if self.pad else x
        normed: Tensor = self.norm(self.conv(padded))
        return normed


class SqueezeExcite(nn.Module):
    """Scales each channel by what the channels' means say (Hu et al. 2018)."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, bottleneck)
        self.expand = nn.Linear(bottleneck, channels)

    def forward(self, x: Tensor) -> Tensor:
        """float32[N, channels, H, W], likewise."""
        scale = self.expand(F.silu(self.reduce(x.mean((2, 3))))).sigmoid()
        scaled: Tensor = x * scale[:, :, None, None]
        return scaled


class MBConv(nn.Module):
    """An inverted bottleneck: expand, filter each channel, excite, project; then FiLM."""

    def __init__(self, inputs: int, stage: Stage, stride: int, size: Size, drop: float) -> None:
        """A block.

        Args:
            inputs: Channels that come in.
            stage: What it repeats.
            stride: 1 or 2.
            size: The network's.
            drop: Rate at which the residual branch is skipped in training.
        """
        super().__init__()
        inside = inputs * stage.expand
        momentum = size.momentum
        self.expand = ConvNorm(inputs, inside, momentum=momentum) if stage.expand > 1 else None
        self.depthwise = ConvNorm(inside, inside, stage.kernel, stride, depthwise=True, momentum=momentum)
        self.squeeze = None if size.lite else SqueezeExcite(inside, max(1, inputs // SQUEEZE))
        self.project = ConvNorm(inside, stage.channels, momentum=momentum)
        self.film = FiLM(size.film, stage.channels)
        self.residual = stride == 1 and inputs == stage.channels
        self.drop = drop
        self.activation = activation(size)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """A map float32[N, inputs, H, W] and text float32[N, film]; gives float32[N, channels, H', W']."""
        y = self.activation(self.expand(x)) if self.expand is not None else x
        y = self.activation(self.depthwise(y))
        y = self.project(self.squeeze(y) if self.squeeze is not None else y)
        if self.residual:
            y = x + self._drop(y)
        modulated: Tensor = self.film(y, text)
        return modulated

    def _drop(self, y: Tensor) -> Tensor:
        """Stochastic depth (Huang et al. 2016): all of a sample's branch or nothing."""
        if not self.training or not self.drop:
            return y
        kept = torch.rand(len(y), 1, 1, 1, device=y.device, dtype=y.dtype) >= self.drop
        return y * kept / (1 - self.drop)


class EfficientNet(nn.Module):
    """The backbone, from images to the map of its last 1x1 convolution."""

    mean: Tensor
    std: Tensor
    frozen = 0
    """Blocks that do not act: in place of images comes what `lower` makes of them."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.activation = activation(size)
        self.register_buffer("mean", torch.tensor(LITE_MEAN if size.lite else IMAGENET_MEAN))
        self.register_buffer("std", torch.tensor(LITE_STD if size.lite else IMAGENET_STD))
        self.stem = ConvNorm(3, size.stem, 3, 2, momentum=size.momentum)
        self.blocks = nn.ModuleList()
        count = sum(stage.repeats for stage in size.stages)
        channels = size.stem
        for stage in size.stages:
            for k in range(stage.repeats):
                stride = stage.stride if k == 0 else 1
                drop = size.drop_connect * len(self.blocks) / count
                self.blocks.append(MBConv(channels, stage, stride, size, drop))
                channels = stage.channels
        self.top = ConvNorm(channels, size.top, momentum=size.momentum)

    def forward(self, images: Tensor, text: Tensor) -> Tensor:
        """The feature map.

        Args:
            images: float32[N, 3, H, W], RGB from 0 to 1; the map of `lower` where blocks are frozen.
            text: float32[N, film].

        Returns:
            float32[N, top, H', W'] with H', W' of `Size.map`.
        """
        x = images if self.frozen else self._stem(images)
        for k in range(self.frozen, len(self.blocks)):
            x = self.blocks[k](x, text)
        return self.activation(self.top(x))

    def lower(self, images: Tensor, text: Tensor) -> Tensor:
        """The map after the stem and the frozen blocks; arguments as of `forward`."""
        x = self._stem(images)
        for k in range(self.frozen):
            x = self.blocks[k](x, text)
        return x

    def _stem(self, images: Tensor) -> Tensor:
        normed: Tensor = self.stem((images - self.mean[:, None, None]) / self.std[:, None, None])
        return self.activation(normed)
