"""Optimizers and their learning rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

OptimizerName = Literal["adamw", "adam"]


@dataclass(frozen=True)
class Schedule:
    """Optimizer, learning rate and number of steps."""

    optimizer: OptimizerName = "adamw"
    """adamw: warm-up, then cosine decay to zero. adam: RT-1's, at a constant rate (`sequence_agent.py`)."""
    lr: float = 1e-3
    """Peak learning rate; RT-1's is 1e-4."""
    steps: int = 10_000
    """Steps in all."""
    warmup_steps: int = 200
    """Steps in which the learning rate grows from zero; a tenth of all at most."""
    weight_decay: float = 0.01
    """Weight decay of matrices and kernels; biases and norms have none."""
    grad_clip: float = 0.0
    """Largest norm of the gradient; 0 for no limit."""

    def lr_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if self.optimizer == "adam":
            return self.lr
        warmup = min(self.warmup_steps, self.steps // 10)
        if step < warmup:
            return self.lr * (step + 1) / warmup
        share = (step - warmup) / max(1, self.steps - warmup)
        return self.lr * (1 + math.cos(math.pi * min(1.0, share))) / 2


def make_optimizer(schedule: Schedule, model: nn.Module) -> Optimizer:
    """The optimizer of a model's trainable weights."""
    weights = [p for p in model.parameters() if p.requires_grad]
    if schedule.optimizer == "adam":
        # The epsilon is that of Keras, with which RT-1-X was trained.
        return torch.optim.Adam(weights, lr=schedule.lr, eps=1e-7)
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": schedule.weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.lr)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set the learning rate of all weights."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def clean_gradients(weights: Iterable[Tensor]) -> None:
    """Set gradients that are not finite to zero, as RT-1 does (`sequence_agent.py`)."""
    for weight in weights:
        if weight.grad is not None:
            torch.nan_to_num_(weight.grad, nan=0.0, posinf=0.0, neginf=0.0)
