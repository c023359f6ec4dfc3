"""All commands in the order in which `rtbench --help` shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from rtbench.cli import bench, doctor, ls, replay, run, show, verify

app = typer.Typer(
    name="rtbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Example:  rtbench run --policy oracle --suite seen --per-skill 1",
)
app.command("run", epilog=run.EXAMPLE)(run.run)
app.add_typer(ls.app, name="ls")
app.command("show", epilog=show.EXAMPLE)(show.show)
app.command("replay", epilog=replay.EXAMPLE)(replay.replay)
app.command("verify", epilog=verify.EXAMPLE)(verify.verify)
app.command("bench", epilog=bench.EXAMPLE)(bench.bench)
app.command("doctor", epilog=doctor.EXAMPLE)(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from rtbench import __version__

        typer.echo(f"rtbench {__version__}")
        raise typer.Exit


@app.callback()
def rtbench(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Evaluate language-conditioned robot policies in simulation."""
