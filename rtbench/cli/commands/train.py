"""`rtbench train`: trains a policy on demonstrations."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from rtbench.cli.options_object import takes
from rtbench.cli.train_options import TrainOptions
from rtbench.core.errors import Exit

if TYPE_CHECKING:
    from rtbench.train.hyperparameters import Hyperparameters
    from rtbench.train.rt1 import TrainingPlan

EXAMPLE = "Example:  rtbench train rt1 --data demos.h5 --output trained/mine --minutes 40"
RECIPE_OPTIONS = ("label_smoothing_bins", "rps_weight", "keypoint_loss_weight", "ema_decay")
"""Options that the recipe decides where they are not given."""
OPTIONS = ("batch", "balance", "naming_loss_weight", "freeze_backbone", "bf16", "val_fraction", "seed")
"""Options of the same name and value in every recipe."""
app = typer.Typer(no_args_is_help=True, help="Train a policy on demonstrations.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Train a policy on demonstrations."""


@app.command(epilog=EXAMPLE, short_help="Train RT-1.")
@takes(TrainOptions)
def rt1(options: TrainOptions) -> None:
    """Train RT-1 on demonstrations. The same command continues a training that was stopped.

    It writes weights and a card into DIR/policies, and metrics.csv, TensorBoard's files and curves.png into
    DIR. On several GPUs or machines, start it by `accelerate launch -m rtbench train rt1 ...`.
    """
    from rtbench.core.extras import require

    require("train", "rtbench train")
    import torch

    from rtbench.train.rt1 import train

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    result = train(options.files, options.output, _plan(options), _print)
    ending = result.ending
    if not ending.finished:
        _print(f"stopped at step {ending.step} of {options.steps}; the same command goes on")
    _print(f"card     {result.card}")
    _print(f"metrics  {result.metrics}")
    _print(f"curves   {result.curves}")
    _print(f"try it   rtbench run --policy {result.card.stem} --content {options.output} --suite seen")
    if ending.interrupted:
        raise typer.Exit(Exit.INTERRUPTED)


def _plan(options: TrainOptions) -> TrainingPlan:
    from rtbench.train.rt1 import TrainingPlan

    plan = TrainingPlan(
        size=options.size.value,
        hyperparameters=_hyperparameters(options),
        init=options.init,
        imagenet=options.imagenet,
        skip_bad=options.skip_bad,
        episodes=options.episodes,
        workers=options.jobs,
    )
    own = {"minutes": options.minutes, "encoder": options.encoder}
    return replace(plan, **_given(own))


def _hyperparameters(options: TrainOptions) -> Hyperparameters:
    """The recipe's hyperparameters, with those that were given in place of them."""
    from rtbench.train.hyperparameters import RECIPES

    recipe = RECIPES[options.recipe.value]
    schedule = replace(
        recipe.schedule, steps=options.steps, grad_clip=options.grad_clip, **_given({"lr": options.lr})
    )
    shift = options.random_shift
    augmentation = recipe.augmentation
    if shift is not None:
        augmentation = replace(augmentation, random_shift=(shift, shift))
    return replace(
        recipe,
        schedule=schedule,
        augmentation=augmentation,
        **{name: getattr(options, name) for name in OPTIONS},
        **_given({name: getattr(options, name) for name in RECIPE_OPTIONS}),
    )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _print(text: str) -> None:
    """Print a line, in one of several processes."""
    from rtbench.cli.console import console

    if os.environ.get("RANK", "0") == "0":
        console().print(text, markup=False, soft_wrap=True)
