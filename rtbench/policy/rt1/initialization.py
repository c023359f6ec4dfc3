"""The weights that a network begins with: Keras' rules for the published one, simpler ones for our sizes.

Both draw convolutions from a normal distribution by their outputs (He et al. 2015), and linear layers from a
uniform one by inputs and outputs (Glorot and Bengio 2010). The published code differs in five places, and
`initialize_as_keras` follows it there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rtbench.policy.rt1.efficientnet import SqueezeExcite
from rtbench.policy.rt1.token_learner import TokenLearner
from rtbench.policy.rt1.transformer import Layer

PROJECTION = "projection"
"""Name of the 1x1 convolution after the backbone."""
TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a normal distribution that is cut off at two of its own; Keras divides by it."""
BIAS_STD = 1e-6
"""Standard deviation of TokenLearner's biases."""


def initialize(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of a network of our own sizes; biases are zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.normal_(0, math.sqrt(2 / _fan_out(module)), generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def initialize_as_keras(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of the published network as its code does.

    Kernels of convolutions are truncated normal. Squeeze-and-excitation, whose layers are 1x1 convolutions
    there, is drawn as those are. The projection after the backbone goes by its inputs. Keras takes the inputs
    and outputs of attention from kernels of three axes, [width, heads, key_dim] and [heads, key_dim, width].
    The biases of TokenLearner are not quite zero.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            projects = name == PROJECTION
            scale, fan = (1, module.in_channels) if projects else (2, _fan_out(module))
            _truncated_normal(module.weight, math.sqrt(scale / fan), generator)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, SqueezeExcite):
            for dense in (module.reduce, module.expand):
                _truncated_normal(dense.weight, math.sqrt(2 / dense.out_features), generator)
        elif isinstance(module, Layer):
            _attention(module, generator)
        elif isinstance(module, TokenLearner):
            for dense in (module.hidden, module.output):
                dense.bias.normal_(0, BIAS_STD, generator=generator)


def _attention(layer: Layer, generator: torch.Generator) -> None:
    width, heads = layer.query.in_features, layer.heads
    key_dim = layer.query.out_features // heads
    for dense in (layer.query, layer.key, layer.value):
        _glorot(dense.weight, heads * width, key_dim * width, generator)
    _glorot(layer.output.weight, key_dim * heads, width * heads, generator)


def _fan_out(conv: nn.Conv2d) -> int:
    return conv.out_channels // conv.groups * math.prod(conv.kernel_size)


def _truncated_normal(weight: Tensor, std: float, generator: torch.Generator) -> None:
    whole = std / TRUNCATED_STD
    nn.init.trunc_normal_(weight, 0, whole, -2 * whole, 2 * whole, generator=generator)


def _glorot(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    limit = math.sqrt(6 / (fan_in + fan_out))
    weight.uniform_(-limit, limit, generator=generator)
