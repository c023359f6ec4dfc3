"""All commands in the order in which `rtbench --help` shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from rtbench.cli.commands import (
    average,
    bench,
    check,
    compare,
    compress,
    correlate,
    demos,
    distill,
    doctor,
    export,
    gate,
    import_weights,
    looks,
    ls,
    merge,
    plan,
    replay,
    report,
    run,
    serve,
    show,
    table,
    train,
    verify,
    vqa,
)
from rtbench.cli.help import use_plain_help

app = typer.Typer(
    name="rtbench",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Example:  rtbench run --policy oracle --suite seen --rounds 1",
)
app.command(epilog=run.EXAMPLE, short_help="Play a suite with a policy.")(run.run)
app.add_typer(ls.app, name="ls", short_help="List content, policies, runs and published figures.")
app.command(epilog=show.EXAMPLE, short_help="Show a suite, task, policy, run or episode in full.")(show.show)
app.add_typer(check.app, name="check", short_help="Check content for mistakes.")
app.command(epilog=replay.EXAMPLE, short_help="Make a video of a recorded episode.")(replay.replay)
app.command(epilog=compare.EXAMPLE, short_help="Compare runs: differences, intervals, tests, flips.")(
    compare.compare
)
app.command(epilog=table.EXAMPLE, short_help="Write a table of policies, for papers.")(table.table)
app.command(epilog=report.EXAMPLE, short_help="Write an HTML report of one or more runs.")(report.report)
app.command(epilog=gate.EXAMPLE, short_help="Decide whether a run is as good as a baseline.")(gate.gate)
app.command(epilog=plan.EXAMPLE, short_help="Compute how many episodes a comparison needs.")(plan.plan)
app.command(epilog=verify.EXAMPLE, short_help="Confirm a run by simulating it again.")(verify.verify)
app.command(epilog=correlate.EXAMPLE, short_help="Compare simulated with real success rates.")(
    correlate.correlate
)
app.command(epilog=merge.EXAMPLE, short_help="Merge the parts of one evaluation.")(merge.merge)
app.command(epilog=export.EXAMPLE, short_help="Write runs as a table: CSV or Parquet.")(export.export)
app.add_typer(import_weights.app, name="import", short_help="Convert published weights.")
app.command(epilog=demos.EXAMPLE, short_help="Record demonstrations for training.")(demos.demos)
app.command(epilog=looks.EXAMPLE, short_help="Draw demonstrations again under random looks.")(looks.looks)
app.command(epilog=vqa.EXAMPLE, short_help="Make pictures with questions and answers.")(vqa.vqa)
app.add_typer(train.app, name="train", short_help="Train a policy on demonstrations.")
app.command(epilog=average.EXAMPLE, short_help="Average the weights of several RT-1s.")(average.average)
app.command(epilog=compress.EXAMPLE, short_help="Make a smaller copy of an RT-2.")(compress.compress)
app.command(epilog=distill.EXAMPLE, short_help="Train a small student of an RT-2.")(distill.distill)
app.command(epilog=serve.EXAMPLE, short_help="Serve a policy to other harnesses and robots.")(serve.serve)
app.command(epilog=bench.EXAMPLE, short_help="Measure how long a control step takes.")(bench.bench)
app.command(epilog=doctor.EXAMPLE, short_help="Check whether rtbench can run on this machine.")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from rtbench import __version__

        typer.echo(f"rtbench {__version__}")
        raise typer.Exit


@app.callback()
def rtbench(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Version of rtbench.")
    ] = False,
) -> None:
    """Evaluate language-conditioned robot policies in simulation."""


use_plain_help(app)
