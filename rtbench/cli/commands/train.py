"""`rtbench train`: makes a policy of demonstrations."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rtbench.cli.options import Jobs
from rtbench.core.errors import Exit

EXAMPLE = "Example:  rtbench train rt1 --data demos.h5 --output trained/mine --minutes 40"
app = typer.Typer(no_args_is_help=True, help="Train a policy on demonstrations.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Train a policy on demonstrations."""


class SizeName(StrEnum):
    """Sizes of RT-1."""

    SMALL = "small"
    BASE = "base"
    PAPER = "paper"


class RecipeName(StrEnum):
    """How RT-1 is trained."""

    OWN = "own"
    REFERENCE = "reference"


@app.command(epilog=EXAMPLE, short_help="Train RT-1.")
def rt1(  # noqa: PLR0913 - each is an option
    more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,
    *,
    data: Annotated[
        list[Path], typer.Option(metavar="FILE...", help="Demonstrations, as `rtbench demos` writes them.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder of the training; its name is the policy's."
        ),
    ],
    size: Annotated[SizeName, typer.Option(help="Of the network.")] = SizeName.SMALL,
    recipe: Annotated[
        RecipeName,
        typer.Option(help="What is not said below: our own values, or those of the published code."),
    ] = RecipeName.OWN,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of the optimizer in all.")] = 10_000,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, metavar="M", help="Stop in time, with all saved.", show_default="no limit"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Windows of a step.")] = 16,
    rate: Annotated[
        float | None,
        typer.Option(min=0, metavar="X", help="Largest learning rate.", show_default="1e-3; reference 1e-4"),
    ] = None,
    spread: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="BINS", help="Smooth targets by a Gaussian.", show_default="8; reference 0"
        ),
    ] = None,
    distance: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Of how many bins off a token is, beside cross-entropy.",
            show_default="0.03; reference 0",
        ),
    ] = None,
    shift: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.5,
            metavar="SHARE",
            help="Move images by up to this share of their sides.",
            show_default="0.01; reference 0.08 and 0.16",
        ),
    ] = None,
    pointing: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Of pointing at the task's objects in the picture.",
            show_default="1; reference 0",
        ),
    ] = None,
    average: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.99999,
            metavar="X",
            help="Decay of the weights' average.",
            show_default="0.999; reference 0",
        ),
    ] = None,
    clip: Annotated[float, typer.Option(min=0, metavar="X", help="Largest gradient norm; 0 for any.")] = 0,
    frozen: Annotated[
        bool,
        typer.Option("--frozen", help="Train only what follows the image tokens of --init: far faster."),
    ] = False,
    balance: Annotated[bool, typer.Option("--balance", help="Let all skills come equally often.")] = False,
    bf16: Annotated[
        bool,
        typer.Option("--bf16", help="Compute in bfloat16 on a CPU too: faster on one with AVX512-BF16."),
    ] = False,
    held_back: Annotated[
        float, typer.Option(min=0, max=0.9, metavar="SHARE", help="Share of demonstrations for validation.")
    ] = 0.05,
    episodes: Annotated[
        int, typer.Option(min=0, metavar="N", help="Episodes played five times on the way; 0 for none.")
    ] = 16,
    init: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to begin with.", show_default=False)
    ] = None,
    imagenet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="EfficientNet of torchvision or timm for the backbone: B3 for paper, B0 for base.",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Another language encoder's folder.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed is another training.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Threads of the CPU.", show_default="all cores")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that are damaged or of another convention.")
    ] = False,
    jobs: Jobs = None,
) -> None:
    """Train RT-1 on demonstrations; the same command goes on with a training that was stopped.

    Leaves weights and a card in DIR/policies, metrics.csv, TensorBoard's files and curves.png. On several
    GPUs or machines, start it by `accelerate launch -m rtbench train rt1 ...`.
    """
    from rtbench.core.extras import require

    require("train", "rtbench train")
    import torch

    from rtbench.cli.console import console
    from rtbench.train.hyperparameters import RECIPES
    from rtbench.train.rt1 import Plan, train

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = RECIPES[recipe.value]
    schedule = replace(
        chosen.schedule, steps=steps, clip=clip, rate=chosen.schedule.rate if rate is None else rate
    )
    own = {"spread": spread, "distance": distance, "pointing": pointing, "average": average}
    given: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    if shift is not None:
        given["augmentation"] = replace(chosen.augmentation, shift=(shift, shift))
    chosen = replace(
        chosen,
        schedule=schedule,
        batch=batch,
        balance=balance,
        frozen=frozen,
        bf16=bf16,
        held_back=held_back,
        seed=seed,
        **given,
    )
    plan = Plan(
        size=size.value,
        recipe=chosen,
        init=init,
        imagenet=imagenet,
        skip_bad=skip_bad,
        episodes=episodes,
        workers=jobs,
    )
    if minutes is not None:
        plan = replace(plan, minutes=minutes)
    if encoder is not None:
        plan = replace(plan, encoder=encoder)
    where = console()
    is_first = os.environ.get("RANK", "0") == "0"  # of several processes one speaks

    def say(text: str) -> None:
        if is_first:
            where.print(text, markup=False, soft_wrap=True)

    result = train([*data, *(more or ())], output, plan, say)
    ending = result.ending
    if not ending.finished:
        say(f"stopped at step {ending.step} of {steps}; the same command goes on")
    say(f"card     {result.card}")
    say(f"metrics  {result.metrics}")
    say(f"curves   {result.curves}")
    say(f"try it   rtbench run --policy {result.card.stem} --content {output} --suite seen")
    if ending.interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
