"""The exponential moving average of the weights, which is what is published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average whose decay is smaller in the first steps, so that it starts fast."""

    @torch.no_grad()
    def update(kept: tuple[Tensor, ...], new: tuple[Tensor, ...], count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        for old, fresh in zip(kept, new, strict=True):
            if old.is_floating_point():
                old.lerp_(fresh, share)
            else:
                old.copy_(fresh)

    return update
