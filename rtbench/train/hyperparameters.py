"""What decides the weights that a training ends with, besides data and code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rtbench.train.augment import REFERENCE_SHIFT, Augmentation
from rtbench.train.lr_schedule import Schedule


@dataclass(frozen=True)
class Recipe:
    """All that is chosen."""

    schedule: Schedule = field(default_factory=Schedule)
    """Optimizer, learning rates and steps."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How images are altered."""
    batch: int = 16
    """Windows of a step, over all processes."""
    balance: bool = False
    """Whether all skills come equally often."""
    spread: float = 8.0
    """Standard deviation [bins] of the Gaussian that the loss takes for its target; 0 for the token alone.
    Half a centimetre: where the network is less sure than that, many bins share what it expects, and the
    likeliest single one would be a bound or zero, which stand for many cases each."""
    distance: float = 0.03
    """Weight [1 / bin] of the ranked probability score, beside cross-entropy: half a nat for a bin that is a
    centimetre beside the right one."""
    pointing: float = 1.0
    """Weight of the loss of pointing at the task's objects and the hand, beside the actions'; 0 for none."""
    frozen: bool = False
    """Whether only what follows the image tokens is trained (`rtbench.train.frozen_backbone`); images are not
    altered then, and the keypoint loss is off."""
    average: float = 0.999
    """Decay of the exponential moving average of the weights, which is what is kept; 0 for the last ones."""
    bf16: bool = False
    """Whether a CPU computes in bfloat16 too, as a GPU does: two thirds of the time where it has instructions
    for it (AVX512-BF16), and no gain elsewhere."""
    held_back: float = 0.05
    """Share of demonstrations that are for validation only."""
    seed: int = 0
    """Of the first weights, the order of windows, augmentation and dropout."""

    def settings(self) -> dict[str, Any]:
        """The same as plain values by names such as 'schedule rate'."""
        found: dict[str, Any] = {}
        for name, value in asdict(self).items():
            found |= (
                {f"{name} {k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
            )
        return found


OWN = Recipe()
"""What has worked on few demonstrations."""
REFERENCE = Recipe(
    schedule=Schedule(kind="adam", rate=1e-4),
    augmentation=Augmentation(REFERENCE_SHIFT, brightness=0, contrast=0, saturation=0),
    spread=0,
    distance=0,
    pointing=0,
    average=0,
)
"""As the published code trains (`sequence_agent.py`, `preprocessors.py`). Its batch size is not published."""
RECIPES = {"own": OWN, "reference": REFERENCE}
