"""All commands in the order in which `rtbench --help` shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from rtbench.cli.commands import (
    bench,
    check,
    compare,
    correlate,
    demos,
    doctor,
    export,
    gate,
    import_weights,
    ls,
    merge,
    plan,
    replay,
    report,
    run,
    show,
    table,
    train,
    verify,
)

app = typer.Typer(
    name="rtbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Example:  rtbench run --policy oracle --suite seen --rounds 1",
)
app.command(epilog=run.EXAMPLE, short_help="Play a suite with a policy.")(run.run)
app.add_typer(ls.app, name="ls", short_help="List what there is, and what was played.")
app.command(epilog=show.EXAMPLE, short_help="Show a suite, task, policy, run or episode.")(show.show)
app.add_typer(check.app, name="check", short_help="Check that content means what it says.")
app.command(epilog=replay.EXAMPLE, short_help="Make a video of a recorded episode.")(replay.replay)
app.command(epilog=compare.EXAMPLE, short_help="Say what is better or worse, and by how much.")(
    compare.compare
)
app.command(epilog=table.EXAMPLE, short_help="Put policies side by side, for papers.")(table.table)
app.command(epilog=report.EXAMPLE, short_help="Write a report of runs as one HTML file.")(report.report)
app.command(epilog=gate.EXAMPLE, short_help="Pass or fail a run by a baseline.")(gate.gate)
app.command(epilog=plan.EXAMPLE, short_help="Say how many episodes a comparison needs.")(plan.plan)
app.command(epilog=verify.EXAMPLE, short_help="Confirm a run by simulating it again.")(verify.verify)
app.command(epilog=correlate.EXAMPLE, short_help="Compare simulated with real success.")(correlate.correlate)
app.command(epilog=merge.EXAMPLE, short_help="Put the parts of one evaluation together.")(merge.merge)
app.command(epilog=export.EXAMPLE, short_help="Write runs as a table: CSV or Parquet.")(export.export)
app.add_typer(import_weights.app, name="import", short_help="Convert weights that others published.")
app.command(epilog=demos.EXAMPLE, short_help="Record demonstrations to train on.")(demos.demos)
app.add_typer(train.app, name="train", short_help="Train a policy on demonstrations.")
app.command(epilog=bench.EXAMPLE, short_help="Time a control step on this machine.")(bench.bench)
app.command(epilog=doctor.EXAMPLE, short_help="Look at the machine.")(doctor.doctor)


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
