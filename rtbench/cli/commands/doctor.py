"""`rtbench doctor`: checks whether rtbench can run on this machine."""

from __future__ import annotations

import typer

from rtbench.core.errors import Exit

EXAMPLE = "Example:  rtbench doctor"


def doctor() -> None:
    """Show the versions, renderer and speed of this machine, and a remedy for each problem.

    The exit code is 2 if rtbench cannot run here.
    """
    from rtbench.cli.console import console
    from rtbench.env.diagnostics import examine, render

    report = examine()
    console().print(render(report))
    if not report.ok:
        raise typer.Exit(Exit.USAGE)
