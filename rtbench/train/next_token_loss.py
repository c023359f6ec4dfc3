"""The loss of RT-2: cross-entropy of the next token, for words and places alike."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.action import BINS
from rtbench.train.token_sequences import IGNORED, PLACE


def next_token_loss(
    logits: Tensor,
    targets: Tensor,
    kinds: Tensor,
    *,
    label_smoothing_bins: float = 0.0,
    rps_weight: float = 0.0,
) -> Tensor:
    """Mean over all targets, a scalar; 0 where there is none.

    Args:
        logits: float[B, S, V]; the first 256 ids are bins.
        targets: int64[B, S], `IGNORED` where there is none.
        kinds: int64[B, S]: see `rtbench.train.token_sequences`.
        label_smoothing_bins: Standard deviation [bins] of a Gaussian around the target of what has an order:
            places. 0 is RT-2's loss.
        rps_weight: Weight [1 / bin] of the ranked probability score beside it, likewise; see
            `rtbench.policy.rt1.loss`.
    """
    valid = targets != IGNORED
    each = F.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).view(targets.shape)
    ordered = valid & (kinds == PLACE)
    if (label_smoothing_bins or rps_weight) and bool(ordered.any()):
        graded = _graded(logits[ordered].float(), targets[ordered], label_smoothing_bins, rps_weight)
        each = each.masked_scatter(ordered, graded)
    return (each * valid).sum() / valid.sum().clamp(min=1)


def _graded(logits: Tensor, targets: Tensor, std: float, rps_weight: float) -> Tensor:
    """Cross-entropy float[N] with smoothed targets, and the ranked probability score among the bins."""
    bins = torch.arange(BINS, device=logits.device)
    if std:
        wanted = (-0.5 * ((bins - targets[:, None]) / std) ** 2).softmax(-1)
    else:
        wanted = F.one_hot(targets, BINS).float()
    each = -(wanted * logits.log_softmax(-1)[:, :BINS]).sum(-1)
    if rps_weight:
        among = logits[:, :BINS].softmax(-1)
        each = each + rps_weight * (among - wanted).cumsum(-1).square().sum(-1)
    return each
