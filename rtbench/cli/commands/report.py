"""`rtbench report`: one HTML file about one run, or about several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Content, Out
from rtbench.report.html.options import Frames, Request

EXAMPLE = "Example:  rtbench report runs/oracle/seen/0123456789ab"
NAME = "report.html"


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs: folders, or beginnings of ids. Of several, the first is the baseline.",
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="File for the report.",
            show_default="report.html in the folder of the run; of several runs, in this folder",
        ),
    ] = None,
    frames: Annotated[
        Frames,
        typer.Option(
            help="Episodes whose first camera image is shown: all, some (flips and failures first) or none."
        ),
    ] = Frames.SOME,
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial",
            help="Comparison of only the episodes that agree. Without it, runs that differ are not compared.",
        ),
    ] = False,
    out: Out = Path("runs"),
    content: Content = None,
) -> None:
    """Write an HTML report of a run, or of several runs side by side, as one file without other parts."""
    from rtbench.cli.console import note, print_fields
    from rtbench.report.html.page import write_report
    from rtbench.report.html.section import ReportError
    from rtbench.result.locate import find_run

    found = [find_run(name, out) for name in runs]
    path = output or (found[0].path / NAME if len(found) == 1 else Path(NAME))
    if path.suffix.lower() not in {".html", ".htm"}:
        raise ReportError(f"--output {path}: a report is HTML; give a file name that ends in .html.")
    request = Request(frames, tuple(content or ()), allow_partial)
    written = write_report(found, path, request)
    for remark in written.remarks:
        note(remark)
    episodes = len({record.key for run in found for record in run.records})
    print_fields([
        ("report", str(path)),
        ("size", f"{written.size / 1e6:.2f} MB"),
        ("episodes", f"{episodes}, {written.frames} with their first frame"),
    ])  # fmt: skip
