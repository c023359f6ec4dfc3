"""`rtbench train`: trains a policy on demonstrations."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rtbench.cli.options_object import takes
from rtbench.cli.rt1_train_options import RT1TrainOptions
from rtbench.cli.rt2_train_options import RT2TrainOptions
from rtbench.core.errors import Exit

if TYPE_CHECKING:
    from rtbench.train import rt2 as rt2_training
    from rtbench.train.hyperparameters import Hyperparameters
    from rtbench.train.rt1 import Result, TrainingPlan

EXAMPLE = "Example:  rtbench train rt1 --data demos.h5 --output trained/mine --minutes 40"
RECIPE_OPTIONS = ("label_smoothing_bins", "rps_weight", "keypoint_loss_weight", "ema_decay")
"""Options that the recipe decides where they are not given."""
OPTIONS = (
    "batch", "balance", "naming_loss_weight", "image_token_loss_weight", "plan_share", "freeze_backbone",
    "freeze_stages", "freeze_transformer", "bf16", "val_fraction", "seed",
)  # fmt: skip
"""Options of the same name and value in every recipe."""
RT2_OPTIONS = ("batch", "balance", "naming_loss_weight", "bf16", "val_fraction", "seed")
"""Those of RT-2."""
EXAMPLE_RT2 = "Example:  rtbench train rt2 --data demos.h5 --vqa questions.h5 --output trained/mine"
app = typer.Typer(no_args_is_help=True, help="Train a policy on demonstrations.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Train a policy on demonstrations."""


@app.command(epilog=EXAMPLE, short_help="Train RT-1.")
@takes(RT1TrainOptions)
def rt1(options: RT1TrainOptions) -> None:
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
    result = train(options.files, options.output, _plan(options), print_once)
    show_result(result, options.steps, options.output)


@app.command(epilog=EXAMPLE_RT2, short_help="Train RT-2.")
@takes(RT2TrainOptions)
def rt2(options: RT2TrainOptions) -> None:
    """Co-fine-tune RT-2 on demonstrations and on pictures with questions. The same command goes on.

    It writes what `rtbench train rt1` writes. Train it in three stages, each from the weights of the one
    before (--init): eyes, grounding, actions.
    """
    from rtbench.core.extras import require

    require("train", "rtbench train")
    import torch

    from rtbench.train.rt2 import train

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    result = train(options.files, options.vqa or [], options.output, _rt2_plan(options), print_once)
    show_result(result, options.steps, options.output)


def show_result(result: Result, steps: int, output: Path) -> None:
    """Print where the result of a session is, of a training of so many steps in a folder."""
    ending = result.ending
    if not ending.finished:
        print_once(f"stopped at step {ending.step} of {steps}; the same command goes on")
    print_once(f"card     {result.card}")
    print_once(f"metrics  {result.metrics}")
    print_once(f"curves   {result.curves}")
    print_once(f"try it   rtbench run --policy {result.card.stem} --content {output} --suite seen")
    if ending.interrupted:
        raise typer.Exit(Exit.INTERRUPTED)


def _rt2_plan(options: RT2TrainOptions) -> rt2_training.TrainingPlan:
    from rtbench.train.co_trainer import CoTraining
    from rtbench.train.hyperparameters import OWN
    from rtbench.train.mixture import Mixture
    from rtbench.train.rt2 import TrainingPlan

    schedule = replace(OWN.schedule, steps=options.steps, lr=options.lr, grad_clip=options.grad_clip)
    names = (*RT2_OPTIONS, "label_smoothing_bins", "rps_weight", "ema_decay")
    hyperparameters = replace(
        OWN, schedule=schedule, keypoint_loss_weight=0.0, **{name: getattr(options, name) for name in names}
    )
    mixture = Mixture(options.robot_share, options.questions, options.without_plan)
    return TrainingPlan(
        size=options.size.value,
        hyperparameters=hyperparameters,
        training=CoTraining(options.stage.value, mixture, options.freeze_eyes),
        init=options.init,
        eyes=options.eyes,
        motor=options.motor,
        last_layers=options.last_layers,
        lora=options.lora,
        skip_bad=options.skip_bad,
        episodes=options.episodes,
        workers=options.jobs,
        **_given({"minutes": options.minutes}),
    )


def _plan(options: RT1TrainOptions) -> TrainingPlan:
    from rtbench.train.rt1 import TrainingPlan

    plan = TrainingPlan(
        size=options.size.value,
        hyperparameters=_hyperparameters(options),
        init=options.init,
        teacher=options.teacher,
        imagenet=options.imagenet,
        skip_bad=options.skip_bad,
        episodes=options.episodes,
        workers=options.jobs,
    )
    own = {"minutes": options.minutes, "encoder": options.encoder}
    return replace(plan, **_given(own))


def _hyperparameters(options: RT1TrainOptions) -> Hyperparameters:
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


def print_once(text: str) -> None:
    """Print a line, in one of several processes."""
    from rtbench.cli.console import console

    if os.environ.get("RANK", "0") == "0":
        console().print(text, markup=False, soft_wrap=True)
