"""The decoder's matrices in eight bits: weights once, activations by what comes in.

Beside the same network in float32, three rounds in turn, one thread: a decision took 1.0, 0.88 and 0.99 of
the time. torchao's int8 took 1.1 times as long with weights alone and 5 times with activations too, without
a compiler. A decoder this small is not limited by the size of its matrices; a student is faster.
"""

from __future__ import annotations

import warnings
from typing import cast

import torch
from torch import nn

FLOAT32, INT8 = "float32", "int8"
PRECISIONS = (FLOAT32, INT8)
"""What the decoder's matrices may be."""


def in_int8(layers: nn.ModuleList) -> nn.ModuleList:
    """A copy of layers whose matrices are int8, for a CPU."""
    with warnings.catch_warnings():
        # PyTorch moves this to torchao, whose kernels for CPUs need a compiler to be fast.
        warnings.simplefilter("ignore")
        found = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    return cast("nn.ModuleList", found)
