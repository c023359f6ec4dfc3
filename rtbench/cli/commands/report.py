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
        typer.Argument(metavar="RUN...", help="Folders or ids of runs; the first is the baseline."),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="The report.",
            show_default="in the run's folder; of several runs, here",
        ),
    ] = None,
    frames: Annotated[
        Frames, typer.Option(help="First frames: of all episodes, some (flips and failures first) or none.")
    ] = Frames.SOME,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Compare runs that disagree on what they agree on.")
    ] = False,
    out: Out = Path("runs"),
    content: Content = None,
) -> None:
    """Write a report of a run as one HTML file, or of several side by side."""
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
