"""The loss of RT-1: cross-entropy over all action tokens, each with the same weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.action import SIZE


def token_loss(
    logits: Tensor,
    tokens: Tensor,
    valid: Tensor | None = None,
    *,
    label_smoothing_bins: float = 0.0,
    rps_weight: float = 0.0,
) -> Tensor:
    """Mean cross-entropy over all action tokens of all frames, a scalar.

    The published loss is this one divided by `published_divisor`, which changes training: the gradients come
    near Adam's epsilon of 1e-7 then, and the steps become smaller. The recipe `reference` does the same.

    Args:
        logits: float32[B, T, 11, 256], impossible tokens at minus infinity.
        tokens: int64[B, T, 11].
        valid: bool[B, T], False for frames that only fill up a window; None: all count.
        label_smoothing_bins: Standard deviation [bins] of a Gaussian around each token as its target, among
            the tokens that are possible. 0 is the published loss. Never on the mode, whose tokens have no
            order.
        rps_weight: Weight [1 / bin] of the ranked probability score beside it, likewise. Cross-entropy is as
            large for an error of ten centimetres as for one of two.
    """
    each = F.cross_entropy(logits.flatten(0, -2).float(), tokens.flatten().long(), reduction="none")
    each = each.view(tokens.shape)
    if label_smoothing_bins or rps_weight:
        ordered = logits[..., -1].isfinite()
        target = _target(tokens, logits.shape[-1], label_smoothing_bins)
        graded = _graded(logits.float(), target, rps_weight)
        each = torch.where(ordered, graded, each)
    if valid is None:
        return each.mean()
    weight = valid[..., None].expand_as(each).to(each.dtype)
    return (each * weight).sum() / weight.sum().clamp(min=1)


def published_divisor(windows: int, frames: int, tokens: int) -> int:
    """The constant that the published code divides the loss by, besides taking the mean.

    Args:
        windows: Windows of a batch.
        frames: Frames of a window.
        tokens: Image tokens of a frame; its action tokens are counted too, 8 + 11 for the published network.
    """
    return windows * frames * (tokens + SIZE)


def _target(tokens: Tensor, count: int, std: float) -> Tensor:
    """Target probabilities of `count` bins around the right tokens, float32[..., count]."""
    if not std:
        return F.one_hot(tokens, count).float()
    bins = torch.arange(count, device=tokens.device)
    distance = (bins - tokens[..., None]) / std
    return (-0.5 * distance**2).softmax(-1)


def _graded(logits: Tensor, target: Tensor, rps_weight: float) -> Tensor:
    """Cross-entropy, and the ranked probability score (Epstein 1969) with that weight [1 / bin].

    The score sums the squared differences of cumulated probabilities. It is strictly proper as cross-entropy
    is, and of a single likely bin it is the distance to the right one.
    """
    each = -(target * logits.log_softmax(-1)).sum(-1)
    if rps_weight:
        each = each + rps_weight * (logits.softmax(-1) - target).cumsum(-1).square().sum(-1)
    return each
