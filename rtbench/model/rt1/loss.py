"""What RT-1 is trained by: cross-entropy on all action tokens, each with the same weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name


def token_loss(logits: Tensor, tokens: Tensor, valid: Tensor | None = None, *, spread: float = 0.0) -> Tensor:
    """Mean cross-entropy over all action tokens of all frames, a scalar.

    The published loss divides by another constant (19 for 11), which Adam does not see.

    Args:
        logits: float32[B, T, 11, 256], impossible tokens at minus infinity.
        tokens: int64[B, T, 11].
        valid: bool[B, T], False for frames that only fill up a window; None: all count.
        spread: Standard deviation [bins] of a Gaussian around each token as its target, among the tokens
            that are possible. 0 is the published loss. Never on the mode, whose tokens have no order.
    """
    each = F.cross_entropy(logits.flatten(0, -2).float(), tokens.flatten().long(), reduction="none")
    each = each.view(tokens.shape)
    if spread:
        ordered = logits[..., -1].isfinite()
        each = torch.where(ordered, _smoothed(logits.float(), tokens, spread), each)
    if valid is None:
        return each.mean()
    weight = valid[..., None].expand_as(each).to(each.dtype)
    return (each * weight).sum() / weight.sum().clamp(min=1)


def token_accuracy(logits: Tensor, tokens: Tensor, valid: Tensor | None = None) -> Tensor:
    """Share of tokens whose likeliest value is right, float32[11] by token position; arguments as above."""
    right = (logits.argmax(-1) == tokens).float()
    weight = torch.ones_like(right) if valid is None else valid[..., None].expand_as(right).float()
    return (right * weight).flatten(0, -2).sum(0) / weight.flatten(0, -2).sum(0).clamp(min=1)


def _smoothed(logits: Tensor, tokens: Tensor, spread: float) -> Tensor:
    bins = torch.arange(logits.shape[-1], device=logits.device)
    distance = (bins - tokens[..., None]) / spread
    target = (-0.5 * distance**2).softmax(-1)
    return -(target * logits.log_softmax(-1)).sum(-1)
