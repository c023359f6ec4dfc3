"""`rtbench doctor`: looks at the machine."""

from __future__ import annotations

import typer

from rtbench.core.errors import Exit

EXAMPLE = "Example:  rtbench doctor"


def doctor() -> None:
    """Show versions, what draws, how fast this machine is, and what to do about what is amiss."""
    from rtbench.cli.console import console
    from rtbench.env.diagnostics import examine, render

    report = examine()
    console().print(render(report))
    if not report.ok:
        raise typer.Exit(Exit.USAGE)
