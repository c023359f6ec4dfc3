"""`rtbench export`: runs as a table for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Out
from rtbench.core.errors import UnknownNameError

EXAMPLE = "Example:  rtbench export runs/oracle/seen/0123456789ab --output episodes.csv"
STDOUT = Path("-")


class Format(StrEnum):
    """What kind of file."""

    CSV = "csv"
    PARQUET = "parquet"
    LEROBOT = "lerobot"
    LEROBOT_21 = "lerobot-v2.1"
    RLDS = "rlds"


def export(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs: folders, or beginnings of ids. With --format lerobot or rlds: files of "
            "demonstrations.",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write (with --format lerobot or rlds, a folder). - is standard output, as CSV.",
        ),
    ],
    to: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Format of the output. parquet also has tokens, subgoals and times; lerobot is a data "
            "set of demonstrations for LeRobot 0.4 and later, lerobot-v2.1 for openpi and GR00T, rlds for "
            "OpenVLA and Octo.",
            show_default="by the ending of --output",
        ),
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(
            metavar="MAPPING",
            help="With --format lerobot or rlds: what the numbers of the actions mean: rt1-11d, or "
            "rtbench-7d, bridge-7d, ... for policies of seven.",
            show_default="rt1-11d; rtbench-7d with --format rlds",
        ),
    ] = None,
    out: Out = Path("runs"),
) -> None:
    """Write runs as one table with a row for each episode.

    In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    from rtbench.cli.console import console, note
    from rtbench.result.export import ExportError, export_csv, export_parquet
    from rtbench.result.locate import find_run

    if to in (Format.LEROBOT, Format.LEROBOT_21):
        from rtbench.core.extras import require

        require("parquet", "--format lerobot")
        from rtbench.data.lerobot import export_lerobot

        version = "v2.1" if to is Format.LEROBOT_21 else "v3.0"
        sources = [Path(text) for text in runs]
        count = export_lerobot(sources, output, version=version, action=action or "rt1-11d")
        console().print(f"{count} demonstrations: {output}", markup=False, soft_wrap=True)
        return
    if to is Format.RLDS:
        from rtbench.data.rlds import export_rlds

        count = export_rlds([Path(text) for text in runs], output, action=action or "rtbench-7d")
        console().print(f"{count} demonstrations: {output}", markup=False, soft_wrap=True)
        return
    chosen = _format(output, to)
    if output == STDOUT and chosen is Format.PARQUET:
        raise ExportError("--format parquet: is no text for standard output; give --output FILE.parquet.")
    found = {run.path.resolve(): run for run in (find_run(text, out) for text in runs)}
    for run in found.values():
        for sentence in run.notes:
            note(sentence)
    if output == STDOUT:
        export_csv(list(found.values()), None)
        return
    write = export_csv if chosen is Format.CSV else export_parquet
    rows = write(list(found.values()), output)
    episodes = "1 episode" if rows == 1 else f"{rows} episodes"
    console().print(f"{episodes}: {output}", markup=False, soft_wrap=True)


def _format(output: Path, given: Format | None) -> Format:
    if given or output == STDOUT:
        return given or Format.CSV
    ending = output.suffix.removeprefix(".")
    if ending not in (Format.CSV, Format.PARQUET):
        raise UnknownNameError("ending", ending, (Format.CSV, Format.PARQUET), where=f"--output {output}")
    return Format(ending)
