"""Hyperparameters: all that decides the weights of a training, besides its data and the code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rtbench.train.augment import REFERENCE_SHIFT, Augmentation
from rtbench.train.lr_schedule import Schedule


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a training."""

    schedule: Schedule = field(default_factory=Schedule)
    """Optimizer, learning rate and number of steps."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes of the images."""
    batch: int = 16
    """Windows of a batch, over all processes."""
    balance: bool = False
    """Whether all skills are drawn equally often."""
    label_smoothing_bins: float = 8.0
    """Standard deviation [bins] of the Gaussian that is the loss's target; 0 for the token alone. Eight bins
    are half a centimetre. With the token alone, an uncertain network spreads its probability over many bins,
    and its likeliest single bin is a bound or zero, which stand for many cases each."""
    rps_weight: float = 0.03
    """Weight [1 / bin] of the ranked probability score, beside cross-entropy: half a nat for a bin that is a
    centimetre beside the right one."""
    keypoint_loss_weight: float = 1.0
    """Weight of the keypoint loss, beside the actions' loss; 0 for none. See
    `rtbench.train.keypoint_loss`."""
    naming_loss_weight: float = 0.0
    """Weight of the dense naming loss, likewise; 0 for none. See `rtbench.train.naming_loss`."""
    image_token_loss_weight: float = 0.0
    """Weight of the image-token loss, likewise; 0 for none. See `rtbench.train.image_token_targets`."""
    plan_share: float = 0.0
    """Share of the windows whose network is told a plan and its places in place of the instruction, as RT-2
    tells it. See `rtbench.train.told_plans`."""
    freeze_backbone: bool = False
    """Whether only the layers after the image tokens are trained (`rtbench.train.frozen_backbone`). Images
    are not augmented then, and the keypoint and naming losses are off."""
    freeze_stages: int = 0
    """Stages of the backbone, from the first, that are not trained (`rtbench.train.frozen_stages`). Images
    are not augmented then."""
    freeze_transformer: bool = False
    """Whether only the layers up to the image tokens are trained: the mixers and the transformer stay."""
    ema_decay: float = 0.999
    """Decay of the exponential moving average of the weights, which is what is published; 0 for the last
    weights."""
    published_loss_scale: bool = False
    """Whether the loss is divided by `published_divisor`, as the published code does. Adam's epsilon is not
    small beside such gradients, so that its steps become smaller."""
    bf16: bool = False
    """Whether a CPU computes in bfloat16 too, as a GPU does. It takes two thirds of the time on a CPU with
    AVX512-BF16, and saves nothing on others."""
    val_fraction: float = 0.05
    """Share of the demonstrations that are for validation only."""
    seed: int = 0
    """Seed of the first weights, the order of windows, augmentation and dropout."""

    def settings(self) -> dict[str, Any]:
        """The same as plain values by names such as 'schedule lr'."""
        found: dict[str, Any] = {}
        for name, value in asdict(self).items():
            found |= (
                {f"{name} {k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
            )
        return found


OWN = Hyperparameters()
"""Values that worked on few demonstrations."""
REFERENCE = Hyperparameters(
    schedule=Schedule(optimizer="adam", lr=1e-4),
    augmentation=Augmentation(REFERENCE_SHIFT, brightness=0, contrast=0, saturation=0, shift_per_batch=True),
    label_smoothing_bins=0,
    rps_weight=0,
    keypoint_loss_weight=0,
    ema_decay=0,
    published_loss_scale=True,
)
"""Values of the published code (`sequence_agent.py`, `transformer_network.py`, `preprocessors.py`). Its batch
size is not published."""
RECIPES = {"own": OWN, "reference": REFERENCE}
"""Named sets of hyperparameters."""
