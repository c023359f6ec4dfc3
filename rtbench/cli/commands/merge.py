"""`rtbench merge`: parts of one evaluation become one run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Out

EXAMPLE = "Example:  rtbench merge runs/mine/seen/0123 runs/mine/seen/4567 --output runs/mine/seen/all"


class Keep(StrEnum):
    """Which part counts for an episode with several outcomes."""

    FIRST = "first"
    LAST = "last"


def merge(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Folders of runs, or the beginnings of their ids.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The new run folder.")],
    keep: Annotated[
        Keep | None,
        typer.Option(help="Which run counts for an episode with several outcomes.", show_default="refuse"),
    ] = None,
    out: Out = Path("runs"),
) -> None:
    """Put the parts of one evaluation together: shards, other axes, a run and its unfinished copy.

    All must be of the same policy, settings, simulator and content. An episode that several runs have counts
    once. Exits with 4 if the runs are not parts of one evaluation.
    """
    from rtbench.cli.console import console, note
    from rtbench.result.locate import find_run, run_folder
    from rtbench.result.merge import merge as join

    folders = [run_folder(text, out) or find_run(text, out).path for text in runs]
    made = join(folders, output, keep=keep.value if keep else None)
    for sentence in made.notes:
        note(sentence)
    where = console()
    if made.decided:
        count = len(made.decided)
        what = "1 episode came out differently" if count == 1 else f"{count} episodes came out differently"
        where.print(f"{what}: the {keep} run counts, as run.json says")
    if made.repeated:
        where.print(f"{made.repeated} found in several runs count once")
    there = "" if made.new else "already there: "
    line = f"{there}{made.episodes} episodes of {len(folders)} runs: {made.path}"
    where.print(line, markup=False, soft_wrap=True)
