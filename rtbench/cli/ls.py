"""`rtbench ls`: what there is to play, and what was played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtbench.cli.options import Content, Json, Out
from rtbench.errors import RunError, UnknownNameError

if TYPE_CHECKING:
    from rtbench.record import Record
    from rtbench.task import Task

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List policies, suites, tasks, skills, objects, runs or episodes.",
    epilog="Example:  rtbench ls tasks --skill pick",
)


@app.command(epilog="Example:  rtbench ls policies --content my_policies")
def policies(content: Content = None, as_json: Json = False) -> None:
    """List policies."""
    from rtbench.cli.console import print_rows
    from rtbench.policy.card import cards

    rows = [
        {"name": card.name, "summary": card.summary, "trained_on": card.trained_on, "factory": card.factory,
         "licence": card.licence}
        for card in cards(content or []).values()
    ]  # fmt: skip
    columns = {"name": "policy", "summary": "summary", "trained_on": "trained on"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls suites")
def suites(content: Content = None, as_json: Json = False) -> None:
    """List suites."""
    from rtbench.catalogue import load_suite_entries
    from rtbench.cli.console import print_rows

    rows = [
        {"name": entry.name, "split": entry.split, "axis": entry.axis,
         "episodes": entry.rounds * sum(entry.skills.values()), "skills": list(entry.skills),
         "summary": entry.summary}
        for entry in load_suite_entries(content or []).values()
    ]  # fmt: skip
    columns = {"name": "suite", "axis": "axis", "episodes": "episodes", "summary": "summary"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls tasks --skill pick")
def tasks(
    skill: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this skill; may be repeated.")
    ] = None,
    content: Content = None,
    as_json: Json = False,
) -> None:
    """List tasks."""
    from rtbench.catalogue import load_tasks
    from rtbench.cli.console import print_rows

    found = load_tasks(content or []).values()
    known = {task.skill for task in found}
    for name in skill or ():
        if name not in known:
            raise UnknownNameError("skill", name, known)
    rows = [
        {"id": task.id, "gym_id": task.gym_id, "skill": task.skill, "instruction": task.templates[0],
         "horizon": task.horizon, "objects": list(task.objects), "scene": task.scene}
        for task in found
        if not skill or task.skill in skill
    ]  # fmt: skip
    print_rows(rows, {"id": "task", "instruction": "instruction"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls skills")
def skills(content: Content = None, as_json: Json = False) -> None:
    """List skills, with an example of each."""
    from rtbench.catalogue import load_tasks
    from rtbench.cli.console import print_rows

    by_skill: dict[str, list[Task]] = {}
    for task in load_tasks(content or []).values():
        by_skill.setdefault(task.skill, []).append(task)
    rows = [
        {"name": name, "tasks": len(found), "horizon": max(task.horizon for task in found),
         "example": found[0].templates[0]}
        for name, found in by_skill.items()
    ]  # fmt: skip
    columns = {"name": "skill", "tasks": "tasks", "horizon": "steps", "example": "example"}
    print_rows(rows, columns, as_json=as_json)


@app.command(epilog="Example:  rtbench ls objects --json")
def objects(content: Content = None, as_json: Json = False) -> None:
    """List objects."""
    from rtbench.catalogue import load_things
    from rtbench.cli.console import print_rows

    rows = [
        {"name": thing.name, "names": list(thing.names), "tags": list(thing.tags)}
        for thing in load_things(content or []).values()
    ]
    print_rows(rows, {"name": "object", "names": "called", "tags": "tags"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls runs --out runs")
def runs(out: Out = Path("runs"), as_json: Json = False) -> None:
    """List runs."""
    from rtbench.cli.console import note, print_rows
    from rtbench.cli.locate import run_folders

    rows = []
    for folder in run_folders(out):
        try:
            rows.append(_run(folder))
        except RunError as error:
            note(str(error))
    if not rows and not as_json:
        note(f"no runs in {out}; `rtbench run --policy oracle --suite seen --per-skill 1` makes one.")
        return
    columns = {"folder": "run", "done": "episodes", "success": "success %", "errors": "errors"}
    print_rows(rows, {**columns, "started": "started"}, as_json=as_json)


@app.command(epilog="Example:  rtbench ls episodes runs/oracle/seen/0123456789ab --failed")
def episodes(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, or the beginning of its id.")],
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only failures and errors.")] = False,
    skill: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this skill; may be repeated.")
    ] = None,
    out: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """List episodes of a run."""
    from rtbench.cli.console import print_rows
    from rtbench.cli.locate import find_run

    records = find_run(run, out).records
    known = {record.episode.skill for record in records}
    for name in skill or ():
        if name not in known:
            raise UnknownNameError("skill", name, known, where=run)
    rows = [_episode(record) for record in records if not skill or record.episode.skill in skill]
    rows = [row for row in rows if not failed or row["result"] != "success"]
    columns = {"key": "episode", "result": "result", "termination": "termination", "steps": "steps"}
    print_rows(rows, {**columns, "task": "task"}, as_json=as_json)


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
    from rtbench.folder import RUN, SUMMARY, read_json
    from rtbench.result import load_run

    meta = read_json(folder / RUN)
    # Where the summary is missing the run is being played, or was killed: its records tell.
    summary = read_json(folder / SUMMARY) if (folder / SUMMARY).exists() else load_run(folder).summary
    overall = summary["overall"]
    rate = overall["rate"]
    return {
        "folder": str(folder),
        "id": meta["id"],
        "policy": meta["policy"]["name"],
        "suite": meta["suite"],
        "episodes": overall["n"],
        "planned": summary["planned"],
        "done": f"{overall['n']}/{summary['planned']}",
        "success": None if rate is None else round(100 * rate, 1),
        "errors": overall["errors"],
        "started": meta["sessions"][0]["started"][:16].replace("T", " "),
    }
