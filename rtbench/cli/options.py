"""Options that several commands have, and texts that their help shares."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Rule(StrEnum):
    """What counts as a success."""

    SUCCESS = "success"
    EVER = "ever"
    HELD = "held"


RULE_HELP = (
    "Rule for a success. The goal is true: at the end of the episode (success), at any step (ever), or at "
    "the end "
    "and for one more second (held)."
)
LEAST_ALPHA, MOST_ALPHA = 1e-9, 0.5
"""Probabilities of a wrong verdict that can be asked for: fewer are beyond what episodes can show."""
Content = Annotated[
    list[Path] | None,
    typer.Option(
        "--content",
        metavar="DIR",
        help="Folder with content of your own, in envs/, tasks/ or policies/ inside it. May be repeated.",
        show_default="none",
    ),
]
DEFAULT_ROBOT = "panda_omron"
"""As `rtbench.core.episode.DEFAULT_ROBOT`, whose module loads NumPy: help must not wait for that."""
Robot = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Robot that acts: an entry of envs/robots, with a controller of its own after a colon, such as "
        "google_robot:simpler. An episode of another robot is another episode.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "--workers",
        "-j",
        min=1,
        max=1024,
        metavar="N",
        help="Number of worker processes. Each simulates one episode at a time.",
        show_default="number of CPU cores, at most 8",
    ),
]
MaxErrors = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        metavar="SHARE",
        help="Largest share of episodes that may end as errors. Above it the command stops with exit code 5.",
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder that holds all runs.")]
Json = Annotated[bool, typer.Option("--json", help="Output as JSON with all fields, for programs.")]
Partial = Annotated[
    bool,
    typer.Option(
        "--allow-partial",
        help="Comparison of only the episodes that agree. Without it, runs that differ are refused.",
    ),
]
Rules = Annotated[Rule, typer.Option("--rule", help=RULE_HELP)]
OnlySplit = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Split whose episodes count: seen, novel or emergent.", show_default="all"
    ),
]
OnlyAxis = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Axis whose episodes count, such as backgrounds/easy.", show_default="all"
    ),
]
OnlySkill = Annotated[
    str, typer.Option(metavar="NAME", help="Skill whose episodes count, such as pick.", show_default="all")
]
Skills = Annotated[
    list[str] | None,
    typer.Option(
        "--skill", metavar="NAME", help="Name of a skill, such as pick. May be repeated.", show_default="all"
    ),
]
