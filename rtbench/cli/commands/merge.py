"""`rtbench merge`: parts of one evaluation become one run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Out

EXAMPLE = "Example:  rtbench merge 0123abcd 4567cdef --output runs/mine/seen/all"


class Keep(StrEnum):
    """Which part counts for an episode with several outcomes."""

    FIRST = "first"
    LAST = "last"


def merge(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Runs to merge: folders, or beginnings of ids.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the merged run.")],
    keep: Annotated[
        Keep | None,
        typer.Option(
            help="Run that counts for an episode whose outcomes differ between runs.",
            show_default="such runs are refused",
        ),
    ] = None,
    out: Out = Path("runs"),
) -> None:
    """Merge the parts of one evaluation: shards, other axes, or a run and its unfinished copy.

    All must have the same policy, settings, simulator and content. An episode that several runs have counts
    once. The exit code is 4 if the runs are not parts of one evaluation.
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
