"""Options of `rtbench demos`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import DEFAULT_ROBOT, Content, Jobs, MaxErrors, Robot, Skills
from rtbench.cli.options_object import Panel
from rtbench.cli.policy_arg import PolicyArguments

DATA = "Data"
ACTING = "Acting policy"
OUTPUT = "Output and machine"
ORACLE = "oracle"


class Labeller(StrEnum):
    """Policies that can label the steps of another."""

    ORACLE = "oracle"


class Keep(StrEnum):
    """Episodes to keep."""

    SUCCESS = "success"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class DemosOptions:
    """The options as they were given."""

    limit: Annotated[
        int,
        typer.Option(
            "--limit", "-n", min=1, metavar="N", help="Number of episodes to play.", rich_help_panel=DATA
        ),
    ] = 100
    suite: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Suite of the episodes, with nothing held out in it.", rich_help_panel=DATA
        ),
    ] = "seen"
    skill: Annotated[Skills, Panel(DATA)] = None
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Number of the draw of episodes, from 0 to 9999. No two draws share an episode.",
            rich_help_panel=DATA,
        ),
    ] = 0
    robot: Annotated[Robot, Panel(DATA)] = DEFAULT_ROBOT
    size: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="Size of the images: HEIGHTxWIDTH in pixels, or the size of the RT-1 to train. That is "
            "128x160 for small, lite and base, and 256x320 for paper.",
            rich_help_panel=DATA,
        ),
    ] = "small"
    cameras: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Cameras whose images are recorded: head, or head,wrist.",
            rich_help_panel=DATA,
        ),
    ] = "head"
    noise: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of the steps whose action is disturbed, from 0 to 1. The steps after them show the "
            "way back.",
            rich_help_panel=DATA,
        ),
    ] = 0.0
    short_segments: Annotated[
        bool,
        typer.Option(
            "--short-segments",
            help="Segments of four steps, each from a random point of an episode.",
            rich_help_panel=DATA,
        ),
    ] = False
    shift_start: Annotated[
        bool,
        typer.Option(
            "--shift-start",
            help="Start the robot up to 2.5 cm and 2 degrees beside where the episode has it.",
            rich_help_panel=DATA,
        ),
    ] = False
    states_only: Annotated[
        bool,
        typer.Option(
            "--states-only",
            help="Recording without images, which is faster; `rtbench looks` draws them.",
            rich_help_panel=DATA,
        ),
    ] = False
    keep: Annotated[
        Keep | None,
        typer.Option(
            help="Episodes to keep.",
            show_default="success; all with --short-segments or --policy",
            rich_help_panel=DATA,
        ),
    ] = None
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Name of the policy that acts, while the oracle labels its steps.",
            rich_help_panel=ACTING,
        ),
    ] = ORACLE
    policy_arg: Annotated[PolicyArguments, Panel(ACTING)] = None
    relabel: Annotated[
        Labeller | None,
        typer.Option(
            help="Policy that labels the steps of another policy.", show_default=False, rich_help_panel=ACTING
        ),
    ] = None
    beta: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of the steps in which the oracle acts in place of --policy, from 0 to 1.",
            rich_help_panel=ACTING,
        ),
    ] = 0.0
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="HDF5 file to write.", rich_help_panel=OUTPUT),
    ]
    content: Annotated[Content, Panel(OUTPUT)] = None
    max_errors: Annotated[MaxErrors, Panel(OUTPUT)] = 0.1
    jobs: Annotated[Jobs, Panel(OUTPUT)] = None
