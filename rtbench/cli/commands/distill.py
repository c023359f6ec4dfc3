"""`rtbench distill`: trains a network of RT-1's size on what an RT-2 says."""

from __future__ import annotations

from dataclasses import replace

from rtbench.cli.commands.train import print_once, show_result
from rtbench.cli.distill_options import DistillOptions
from rtbench.cli.options_object import takes

EXAMPLE = "Example:  rtbench distill trained/mine/policies/mine.safetensors --data demos.h5 --output student"


@takes(DistillOptions)
def distill(options: DistillOptions) -> None:
    """Train a student of RT-1's size on what an RT-2 says of demonstrations. The same command goes on.

    The student learns the teacher's whole distributions at a temperature, beside the demonstrations' own
    tokens (Hinton et al. 2015). It states no plans, and decides several times as fast. It writes what
    `rtbench train rt1` writes.
    """
    from rtbench.core.extras import require

    require("train", "rtbench distill")
    import torch

    from rtbench.train.distillation import Distillation
    from rtbench.train.hyperparameters import OWN
    from rtbench.train.rt1 import TrainingPlan, train

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    schedule = replace(OWN.schedule, steps=options.steps, lr=options.lr, grad_clip=options.grad_clip)
    plan = TrainingPlan(
        hyperparameters=replace(
            OWN,
            schedule=schedule,
            batch=options.batch,
            balance=options.balance,
            keypoint_loss_weight=0.0,
            seed=options.seed,
            bf16=options.bf16,
        ),
        init=options.init,
        minutes=float("inf") if options.minutes is None else options.minutes,
        episodes=options.episodes,
        workers=options.jobs,
        distillation=Distillation(options.teacher, options.temperature, options.hard_weight),
    )
    show_result(train(options.data, options.output, plan, print_once), options.steps, options.output)
