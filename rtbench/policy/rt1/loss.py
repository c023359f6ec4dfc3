"""What RT-1 is trained by: cross-entropy on all action tokens, each with the same weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name


def token_loss(
    logits: Tensor,
    tokens: Tensor,
    valid: Tensor | None = None,
    *,
    spread: float = 0.0,
    distance: float = 0.0,
) -> Tensor:
    """Mean cross-entropy over all action tokens of all frames, a scalar.

    The published loss divides by another constant (19 for 11), which Adam does not see.

    Args:
        logits: float32[B, T, 11, 256], impossible tokens at minus infinity.
        tokens: int64[B, T, 11].
        valid: bool[B, T], False for frames that only fill up a window; None: all count.
        spread: Standard deviation [bins] of a Gaussian around each token as its target, among the tokens
            that are possible. 0 is the published loss. Never on the mode, whose tokens have no order.
        distance: Weight [1 / bin] of the ranked probability score beside it, likewise. Cross-entropy is as
            large for what is ten centimetres off as for what is two.
    """
    each = F.cross_entropy(logits.flatten(0, -2).float(), tokens.flatten().long(), reduction="none")
    each = each.view(tokens.shape)
    if spread or distance:
        ordered = logits[..., -1].isfinite()
        graded = _graded(logits.float(), _target(tokens, logits.shape[-1], spread), distance)
        each = torch.where(ordered, graded, each)
    if valid is None:
        return each.mean()
    weight = valid[..., None].expand_as(each).to(each.dtype)
    return (each * weight).sum() / weight.sum().clamp(min=1)


def _target(tokens: Tensor, count: int, spread: float) -> Tensor:
    """Chances of `count` bins around tokens that are right, float32[..., count]."""
    if not spread:
        return F.one_hot(tokens, count).float()
    bins = torch.arange(count, device=tokens.device)
    distance = (bins - tokens[..., None]) / spread
    return (-0.5 * distance**2).softmax(-1)


def _graded(logits: Tensor, target: Tensor, distance: float) -> Tensor:
    """Cross-entropy, and the ranked probability score (Epstein 1969) with that weight [1 / bin].

    The score sums the squared differences of cumulated chances. It is strictly proper as cross-entropy is,
    and of a single likely bin it is the distance to the right one.
    """
    each = -(target * logits.log_softmax(-1)).sum(-1)
    if distance:
        each = each + distance * (logits.softmax(-1) - target).cumsum(-1).square().sum(-1)
    return each
