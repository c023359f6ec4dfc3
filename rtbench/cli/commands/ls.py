"""`rtbench ls`: lists content, policies, runs and published figures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtbench.cli.options import Content, Json, Out, Skills
from rtbench.core.errors import RunError, UnknownNameError

if TYPE_CHECKING:
    from rtbench.result.record import Record
    from rtbench.task.paraphrase import Wording
    from rtbench.task.suite import Suite
    from rtbench.task.task import Task

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List content (suites, tasks, objects ...), policies, runs, and published figures.",
    epilog="Example:  rtbench ls tasks --skill pick",
)


@app.command(epilog="Example:  rtbench ls policies --content my_policies")
def policies(content: Content = None, as_json: Json = False) -> None:
    """List policies, with what they were trained on."""
    from rtbench.cli.console import print_rows
    from rtbench.policy.card import cards
    from rtbench.task.library import Library

    rows = [
        {"name": card.name, "summary": card.summary, "trained_on": str(card.trained_on or "nothing"),
         "factory": card.factory, "licence": card.licence}
        for card in cards(Library(content or ())).values()
    ]  # fmt: skip
    columns = {"name": "policy", "summary": "summary", "trained_on": "trained on"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls suites")
def suites(content: Content = None, as_json: Json = False) -> None:
    """List suites, with one line for each axis.

    The column instructions counts instructions that ask for different things. The column wordings counts
    every way of asking for them, except for typing errors.
    """
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    library = Library(content or ())
    found = [library.suite(name) for name in library.suites()]
    rows = [_axis(suite, axis) for suite in found for axis in suite.entry.axes]
    columns = {"name": "suite", "axis": "axis", "tasks": "tasks", "episodes": "episodes"}
    print_rows(rows, {**columns, "instructions": "instructions", "wordings": "wordings"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls tasks --skill pick")
def tasks(
    skill: Skills = None,
    content: Content = None,
    as_json: Json = False,
) -> None:
    """List tasks, with an instruction of each."""
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    found = Library(content or ()).tasks().values()
    _known("skill", skill, {task.skill for task in found})
    rows = [
        {"id": task.id, "gym_id": task.gym_id, "skill": task.skill, "instruction": task.templates[0],
         "horizon": task.horizon, "objects": list(task.objects), "scene": task.scene}
        for task in found
        if not skill or task.skill in skill
    ]  # fmt: skip
    print_rows(rows, {"id": "task", "instruction": "instruction"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls skills")
def skills(content: Content = None, as_json: Json = False) -> None:
    """List skills, with tasks, time limit and an instruction.

    The time limit is in control steps of 1/3 s.
    """
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    by_skill: dict[str, list[Task]] = {}
    for task in Library(content or ()).tasks().values():
        by_skill.setdefault(task.skill, []).append(task)
    rows = [
        {"name": name, "tasks": len(found), "horizon": max(task.horizon for task in found),
         "example": found[0].templates[0]}
        for name, found in by_skill.items()
    ]  # fmt: skip
    columns = {"name": "skill", "tasks": "tasks", "horizon": "steps", "example": "example"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls requests --group symbols")
def requests(
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Group of requests (the name of their file). May be repeated.",
            show_default="all",
        ),
    ] = None,
    content: Content = None,
    as_json: Json = False,
) -> None:
    """List requests: known skills, asked for indirectly.

    The instruction describes an object or a goal without naming it.
    """
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    found = Library(content or ()).requests().values()
    _known("group", group, {request.stem for request in found})
    rows = [
        {"name": request.name, "group": request.stem, "like": request.like,
         "instructions": list(request.instructions or ())}
        for request in found
        if not group or request.stem in group
    ]  # fmt: skip
    columns = {"name": "request", "group": "group", "like": "like", "instructions": "instructions"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls wordings --json")
def wordings(content: Content = None, as_json: Json = False) -> None:
    """List wordings: languages, paraphrases, typing errors."""
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    library = Library(content or ())
    tasks = library.tasks().values()
    rows = [_wording(wording, tasks) for wording in library.wordings().values()]
    columns = {"name": "wording", "language": "language", "tasks": "tasks", "example": "example"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls variants --json")
def variants(content: Content = None, as_json: Json = False) -> None:
    """List variants of scenes, and the axes that use them.

    A variant changes the light, the background, the camera or the start of the robot.
    """
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    library = Library(content or ())
    axes: dict[str, list[str]] = {}
    for suite in library.suites().values():
        for axis, rules in suite.axes.items():
            for name in rules.variants:
                axes.setdefault(name, []).append(f"{suite.name}: {axis}")
    rows = [
        {"name": variant.name, "file": variant.stem, "axes": axes.get(variant.name, [])}
        for variant in library.variants().values()
    ]
    print_rows(rows, {"name": "variant", "file": "file", "axes": "played in"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls objects --set seen --json")
def objects(
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME", help="Set of objects, such as seen. May be repeated.", show_default="all"
        ),
    ] = None,
    content: Content = None,
    as_json: Json = False,
) -> None:
    """List objects, with their names and tags."""
    from rtbench.cli.console import print_rows
    from rtbench.task.library import Library

    found = Library(content or ()).things().values()
    _known("set of objects", sets, {thing.set for thing in found})
    rows = [
        {"name": thing.name, "set": thing.set, "names": list(thing.names), "tags": list(thing.tags),
         "value": thing.value}
        for thing in found
        if not sets or thing.set in sets
    ]  # fmt: skip
    columns = {"name": "object", "set": "set", "names": "called", "tags": "tags"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls published --paper rt1")
def published(
    paper: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Paper: rt1 or rt2. May be repeated.", show_default="all"),
    ] = None,
    content: Content = None,
    as_json: Json = False,
) -> None:
    """List figures that the RT-1 and RT-2 papers published.

    Most were measured on real robots, and all on other tasks than those of rtbench. --json has their notes.
    """
    from rtbench.analysis.published import PAPERS, figures, load_published
    from rtbench.cli.console import note, print_rows
    from rtbench.task.library import Library

    _known("paper", paper, PAPERS)
    tables = [t for t in load_published(Library(content or ())).values() if not paper or t.paper in paper]
    rows = [
        {**figure.as_dict(), "source": table.source, "shown": str(figure)}
        for table in tables
        for figure in figures(table)
    ]
    columns = {"source": "source", "row": "of", "column": "column", "shown": "figure"}
    print_rows(rows, columns, as_json=as_json)
    if not as_json:
        for label in dict.fromkeys(table.label for table in tables):
            sources = ", ".join(table.source for table in tables if table.label == label)
            note(f"{label}: {sources}")


@app.command(epilog="Example:  rtbench ls runs --out runs")
def runs(out: Out = Path("runs"), as_json: Json = False) -> None:
    """List runs, with their success rates."""
    from rtbench.cli.console import note, print_rows
    from rtbench.result.locate import run_folders

    rows = []
    for folder in run_folders(out):
        try:
            rows.append(_run(folder))
        except RunError as error:
            note(str(error))
    if not rows and not as_json:
        note(f"no runs in {out}; `rtbench run --policy oracle --suite seen --rounds 1` makes one.")
        return
    columns = {"folder": "run", "done": "episodes", "success": "success %", "errors": "errors"}
    print_rows(rows, {**columns, "started": "started"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls episodes runs/oracle/seen/0123456789ab --failed")
def episodes(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run: its folder, or the beginning of its id.")],
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Failures and errors only.")] = False,
    skill: Skills = None,
    out: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """List the episodes of a run, with their outcomes."""
    from rtbench.cli.console import print_rows
    from rtbench.result.locate import find_run

    records = find_run(run, out).records
    _known("skill", skill, {record.episode.skill for record in records}, where=run)
    rows = [_episode(record) for record in records if not skill or record.episode.skill in skill]
    rows = [row for row in rows if not failed or row["result"] != "success"]
    columns = {"key": "episode", "result": "result", "termination": "termination", "steps": "steps"}
    print_rows(rows, {**columns, "task": "task"}, as_json=as_json)


def _known(kind: str, names: Sequence[str] | None, known: Collection[str], *, where: str = "") -> None:
    """Refuse a filter that matches nothing."""
    for name in names or ():
        if name not in known:
            raise UnknownNameError(kind, name, known, where=where)


def _axis(suite: Suite, name: str) -> dict[str, Any]:
    entry, axis, tasks = suite.entry, suite.entry.axes[name], suite.tasks(name)
    said = [suite.catalogue.wordings[wording] for wording in axis.wordings]
    texts = [wording.instructions(task) for wording in said for task in tasks if wording.covers(task)]
    if not said:
        texts = [task.templates[:1] if axis.canonical else task.templates for task in tasks]
    return {
        "name": entry.name,
        "axis": name,
        "split": entry.split,
        "summary": entry.summary,
        "of": axis.of,
        "variants": list(axis.variants),
        "skills": list(dict.fromkeys(task.skill for task in tasks)),
        "tasks": len(tasks),
        "episodes": entry.rounds * sum(lane.turns for lane in suite.lanes if lane.axis == name),
        "instructions": len({task.templates[0] for task in tasks}),
        "wordings": len({text for found in texts for text in found}),
    }


def _wording(wording: Wording, tasks: Collection[Task]) -> dict[str, Any]:
    covered = [task for task in tasks if wording.covers(task)]
    return {
        "name": wording.name,
        "language": wording.language,
        "tasks": len(covered),
        "example": wording.draw(covered[0], "example") if covered else "",
    }


def _episode(record: Record) -> dict[str, Any]:
    outcome = record.outcome
    return {
        "key": record.key,
        "task": record.episode.task,
        "instruction": record.episode.instruction,
        "result": "error" if outcome is None else "success" if outcome.end else "failure",
        "termination": outcome.termination if outcome else None,
        "steps": outcome.steps if outcome else None,
        "error": record.error.message if record.error else None,
        "video": record.video,
    }


def _run(folder: Path) -> dict[str, Any]:
    from rtbench.result.folder import read_metadata
    from rtbench.result.run import load_run
    from rtbench.result.summary import read_summary

    meta = read_metadata(folder)
    # Where the summary is missing the run is being played, or was killed: its records tell.
    summary = read_summary(folder) or load_run(folder).summary
    overall, rate = summary.overall, summary.overall.rate
    return {
        "folder": str(folder),
        "id": meta.id,
        "policy": meta.policy.name,
        "suite": meta.suite,
        "episodes": overall.n,
        "planned": summary.planned,
        "done": f"{overall.n}/{summary.planned}",
        "success": None if rate is None else round(100 * rate, 1),
        "errors": overall.errors,
        "started": meta.sessions[0].started[:16].replace("T", " ") if meta.sessions else "",
    }
