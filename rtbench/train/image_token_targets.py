"""Image-token loss: a network learns the image tokens of another one, whatever the look.

What decides knows the tokens of the eyes that it was trained with. New eyes that make the same tokens can be
put before it, and it need not be trained anew: features as hints (Romero et al. 2015). The teacher sees a
moment in the room's own look, which it knows; the student sees the same moment in any look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.errors import RtbenchError
from rtbench.train.dataset import is_own
from rtbench.train.frozen_backbone import image_tokens

if TYPE_CHECKING:
    from rtbench.policy.rt1.network import RT1
    from rtbench.train.dataset import Dataset


_LEAST = 1e-6
"""Least variance to divide by: that of a batch of one frame is zero."""


class ImageTokenTargetsError(RtbenchError):
    """Tokens that cannot be learnt."""


@dataclass(frozen=True)
class ImageTokenTargets:
    """The teacher's tokens of N frames."""

    tokens: Tensor
    """float16[N, tokens, features]; those of frames in other looks have no meaning."""
    twins: NDArray[np.int64]
    """int64[N]: number of the frame of the same moment in the room's own look; -1 where there is none."""

    def of(self, frames: NDArray[np.int64]) -> Tensor:
        """Targets float32[..., tokens, features] of frames int64[...]; NaN where there are none."""
        twins = torch.from_numpy(self.twins[frames])
        found = self.tokens[twins.clamp(min=0)].float()
        return found.masked_fill((twins < 0)[..., None, None], torch.nan)


def with_targets(
    data: Dataset,
    network: RT1,
    teacher: RT1,
    texts: NDArray[np.float32],
    spill: Path,
    say: Callable[[str], None],
) -> Dataset:
    """The data with targets for a network.

    Args:
        data: The demonstrations.
        network: Who learns.
        teacher: Who makes the tokens.
        texts: float32[n, D]: the vector of each of the data's instructions.
        spill: Folder for a file of the tokens that do not fit into memory.
        say: Shows a line to the user.

    Raises:
        ImageTokenTargetsError: a teacher with tokens of another shape or told otherwise, pixels of another
            size than it sees, or no frame in the room's own look.
    """
    wanted, made = ((one.size.tokens, one.size.features, one.size.text) for one in (network, teacher))
    if wanted != made:
        raise ImageTokenTargetsError(
            f"--teacher: it has {made[0]} tokens of {made[1]} numbers and is told {made[2]}; size "
            f"{network.size.name!r} has {wanted[0]} of {wanted[1]} and is told {wanted[2]}. Give weights of "
            "the same."
        )
    pixels, seen = tuple(data.frames.shape[1:3]), teacher.size.image
    if pixels != seen:
        raise ImageTokenTargetsError(
            f"--image-token-loss-weight: the demonstrations have {pixels[0]} x {pixels[1]} pixels, and the "
            f"teacher sees {seen[0]} x {seen[1]}; draw them in its size."
        )
    own = np.array([is_own(look) for look in data.looks])
    if not own.any():
        raise ImageTokenTargetsError(
            "--image-token-loss-weight: no demonstration shows the room's own look; draw some with `rtbench "
            "looks --own`."
        )
    tokens = image_tokens(data, teacher, texts, np.flatnonzero(own), spill, say)
    return replace(data, targets=ImageTokenTargets(tokens, twins(data)))


def twins(data: Dataset) -> NDArray[np.int64]:
    """int64[N]: number of the frame that shows the same moment in the room's own look; -1: there is none.

    A demonstration's twin is of the same episode, with the same labels and places of the hand.
    """
    found = np.full(int(data.lengths.sum()), -1)
    own: dict[str, int] = {}
    bounds = list(zip(data.first.tolist(), (data.first + data.lengths).tolist(), strict=True))
    names = [_name(data, number, *bound) for number, bound in enumerate(bounds)]
    for look, name, (begin, _) in zip(data.looks, names, bounds, strict=True):
        if is_own(look):
            own.setdefault(name, begin)
    for name, (begin, end) in zip(names, bounds, strict=True):
        if name in own:
            found[begin:end] = own[name] + np.arange(end - begin)
    return found


def _name(data: Dataset, number: int, begin: int, end: int) -> str:
    """What all drawings of a demonstration's moments have in common, and no others."""
    total = hashlib.sha256(data.episodes[number].key.encode())
    total.update(data.labels[begin:end].cpu().numpy().tobytes())
    total.update(data.hand[begin:end].cpu().numpy().tobytes())
    return total.hexdigest()


def image_token_loss(tokens: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Share of the targets' variance within the batch that is not explained, a scalar; 0 without targets.

    Args:
        tokens: float[B, T, tokens, features], as the network makes them.
        targets: float32[B, T, tokens, features]; NaN where there are none.
        valid: bool[B, T], False for frames that only fill up a window.
    """
    there = valid & targets.isfinite().flatten(2).all(-1)
    if not there.any():
        return tokens.new_zeros(())
    wanted = targets[there]
    spread = (wanted - wanted.mean(0)).square().sum()
    return (tokens[there].float() - wanted).square().sum() / spread.clamp(min=_LEAST)
