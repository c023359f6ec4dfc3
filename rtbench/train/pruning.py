"""Structured pruning of RT-2's decoder: attention heads and hidden channels that matter least are removed.

What is left is a smaller network, not one with zeros in it, so that it is faster anywhere. It forgets some of
what it knew; `rtbench train rt2 --init` teaches it again.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rtbench.core.errors import RtbenchError
from rtbench.policy.rt2.checkpoint import Model
from rtbench.policy.rt2.network import Layer, Network

CHANNELS = 8
"""Hidden channels are kept in multiples of this, which is what a CPU computes at once."""


class PruningError(RtbenchError):
    """A share that leaves nothing, or takes nothing."""


@torch.no_grad()
def pruned(model: Model, keep: float) -> Model:
    """The model with a share of each layer's heads and hidden channels.

    A head matters as much as the norm of its values' matrix times that of its outputs'; a channel, as the
    norm of its row times that of its column (Li et al. 2017, of the two matrices that it is between).

    Args:
        model: It is not changed.
        keep: Share that is kept, above 0 and below 1.

    Raises:
        PruningError: another share.
    """
    if not 0 < keep < 1:
        raise PruningError(f"--keep is {keep:g}; give a share above 0 and below 1.")
    old = model.network.size
    heads = max(1, round(keep * old.heads))
    inner = max(CHANNELS, round(keep * old.inner / CHANNELS) * CHANNELS)
    size = replace(old, name=f"{old.name}-{heads}x{inner}", heads=heads, inner=min(inner, old.inner))
    names = model.network.eyes.naming.vectors
    network = Network(size, len(model.vocabulary), names, convention=model.layout.convention)
    state = {k: v for k, v in model.network.state_dict().items() if not k.startswith("layers.")}
    network.load_state_dict(state, strict=False)
    for before, after in zip(model.network.layers, network.layers, strict=True):
        if not isinstance(before, Layer) or not isinstance(after, Layer):
            raise TypeError("not a decoder of these layers")
        _prune(before, after, old.head)
    return replace(model, network=network.eval())


def _prune(before: Layer, after: Layer, head: int) -> None:
    """Fill a smaller layer with what matters most of a larger one."""
    for name in ("norm1", "norm2"):
        getattr(after, name).load_state_dict(getattr(before, name).state_dict())
    weight = before.key_value.weight.view(2, before.heads, head, -1)
    outputs = before.output.weight.view(-1, before.heads, head)
    kept = _largest(weight[1].flatten(1).norm(dim=1) * outputs.norm(dim=(0, 2)), after.heads)
    after.key_value.weight.copy_(weight[:, kept].flatten(0, 2))
    after.key_value.bias.copy_(before.key_value.bias.view(2, before.heads, head)[:, kept].flatten())
    after.query.weight.copy_(before.query.weight.view(before.heads, head, -1)[kept].flatten(0, 1))
    after.query.bias.copy_(before.query.bias.view(before.heads, head)[kept].flatten())
    after.output.weight.copy_(outputs[:, kept].flatten(1))
    after.output.bias.copy_(before.output.bias)
    kept = _largest(
        before.expand.weight.norm(dim=1) * before.contract.weight.norm(dim=0), len(after.expand.bias)
    )
    after.expand.weight.copy_(before.expand.weight[kept])
    after.expand.bias.copy_(before.expand.bias[kept])
    after.contract.weight.copy_(before.contract.weight[:, kept])
    after.contract.bias.copy_(before.contract.bias)


def _largest(scores: Tensor, count: int) -> Tensor:
    """Numbers of the largest scores, in their order."""
    return scores.topk(count).indices.sort().values
