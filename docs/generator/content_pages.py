"""Pages of suites and skills, made from tasks/ and envs/; the simulator draws their first frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown import HEADER, code, table, toctree

from rtbench.core.errors import RtbenchError
from rtbench.task.library import BUNDLED, SKILLS
from rtbench.task.skill import Skill
from rtbench.task.suite import Suite, draw
from rtbench.task.task import Task

SHOWN_TASKS = 12
CONTROL_HZ = 3


def pages(folder: Path) -> dict[str, str]:
    """Pages by path below the folder; first frames are drawn there unless they exist.

    Where no OpenGL back end works, the pages have no pictures.
    """
    suites = {name: BUNDLED.suite(name) for name in sorted(BUNDLED.suites(), key=_order)}
    skills = _skills()
    draw_frames(suites["seen"], {name: tasks[0] for name, (_, tasks) in skills.items()}, folder / "skills")
    return {
        "skills/index.md": _skill_index(skills),
        **{
            f"skills/{name}.md": _skill(name, entries, tasks, folder)
            for name, (entries, tasks) in skills.items()
        },
        **{f"suites/{name}.md": _suite(suite) for name, suite in suites.items()},
        "suites/index.md": _suite_index(suites),
    }


def draw_frames(suite: Suite, tasks: dict[str, Task], folder: Path) -> None:
    """Write what the head camera sees first in one episode of each task, 320 x 256 pixels."""
    missing = {name: task for name, task in tasks.items() if not (folder / f"{name}.jpg").exists()}
    if not missing:
        return
    from PIL import Image

    from rtbench.env.registration import make

    folder.mkdir(parents=True, exist_ok=True)
    try:
        kitchen = make(next(iter(missing.values())).id, cameras=("head",))
    except RtbenchError as error:
        print(f"first frames are left out: {error}")
        return
    for name, task in missing.items():
        image = kitchen.begin(draw(suite, task, 0)).images["head"]
        Image.fromarray(image).save(folder / f"{name}.jpg", quality=90)
    kitchen.close()


def _order(name: str) -> tuple[int, str]:
    known = ("seen", "novel", "emergent")
    return (known.index(name) if name in known else len(known)), name


def _skills() -> dict[str, tuple[list[Skill], list[Task]]]:
    """Skill -> its entries of tasks/skills and its ordinary tasks."""
    found: dict[str, tuple[list[Skill], list[Task]]] = {}
    for entry in BUNDLED.read(SKILLS, Skill).values():
        found.setdefault(entry.skill or entry.name, ([], []))[0].append(entry)
    for task in BUNDLED.tasks().values():
        if not task.group:
            found[task.skill][1].append(task)
    return found


def _skill_index(skills: dict[str, tuple[list[Skill], list[Task]]]) -> str:
    rows = [
        (f"[`{name}`]({name}.md)", tasks[0].templates[0], str(len(tasks)), _time(tasks))
        for name, (_, tasks) in skills.items()
    ]
    return (
        f"{HEADER}# Skills\n\nA skill is a family of tasks that differ in what they are about.\n\n"
        + table(("skill", "an instruction", "tasks", "time limit"), rows)
        + "\n"
        + toctree((f"{name}.md" for name in skills), hidden=True)
    )


def _time(tasks: Sequence[Task]) -> str:
    steps = sorted({task.horizon for task in tasks})
    return " to ".join(dict.fromkeys(f"{n / CONTROL_HZ:.0f} s" for n in (steps[0], steps[-1])))


def _skill(name: str, entries: list[Skill], tasks: list[Task], folder: Path) -> str:
    parts = [f"{HEADER}# {name}\n"]
    parts.append(f"{len(tasks)} tasks in the suite [`seen`](../suites/seen.md).\n")
    if (folder / "skills" / f"{name}.jpg").exists():
        parts.append(
            f"```{{figure}} {name}.jpg\n:alt: The first frame of an episode of {name}\n:width: 320px\n\n"
            f"First frame of `{tasks[0].id}`, as the head camera sees it.\n```\n"
        )
    parts += [_entry(entry, alone=len(entries) == 1) for entry in entries]
    some = [code(task.id) for task in tasks[:SHOWN_TASKS]]
    more = f" and {len(tasks) - SHOWN_TASKS} more" if len(tasks) > SHOWN_TASKS else ""
    parts.append(f"## Tasks\n\n{', '.join(some)}{more}. `rtbench ls tasks --skill {name}` lists them all.\n")
    return "\n".join(parts)


def _entry(entry: Skill, *, alone: bool) -> str:
    rows = [(code(role), _players(players)) for role, players in entry.roles.items()]
    facts = [
        ("goal", "<br>".join(code(str(leaf)) for leaf in entry.tree.leaves())),
        ("horizon", f"{entry.horizon} control steps, {entry.horizon / CONTROL_HZ:.0f} s"),
        ("scene", code(entry.scene)),
        ("other objects", " to ".join(map(str, dict.fromkeys(entry.distractors)))),
        *((f"{code(drawer)} starts open by", f"{100 * by:.0f} cm") for drawer, by in entry.drawers.items()),
        *(("starts on its side", code(role)) for role in entry.lying),
    ]
    level = "##" if alone else "###"
    title = "" if alone else f"## Entry {code(entry.name)}\n\n"
    held = (
        f"\n{len(entry.held_out)} tasks are held out: nothing may be trained on them.\n"
        if entry.held_out
        else ""
    )
    return (
        f"{title}{level} Instructions\n\n"
        + "".join(f"{number}. {text}\n" for number, text in enumerate(entry.instructions, 1))
        + f"\n{level} Roles\n\n"
        + table(("role", "played by"), rows)
        + held
        + f"\n{level} Start and goal\n\nAll predicates of the goal must hold at the end.\n\n"
        + table(("what", "value"), facts)
    )


def _players(players: object) -> str:
    named = getattr(players, "names", ())
    if named:
        return ", ".join(code(name) for name in named)
    tags = getattr(players, "tag", ())
    tags = (tags,) if isinstance(tags, str) else tags
    found = " and ".join(code(tag) for tag in tags or ())
    return f"every object of the set {code(str(getattr(players, 'set', 'seen')))} with the tag {found}"


def _suite_index(suites: dict[str, Suite]) -> str:
    rows = [
        (f"[`{name}`]({name}.md)", suite.entry.summary, str(len(suite.entry.axes)), str(len(suite.tasks())))
        for name, suite in suites.items()
    ]
    return (
        f"{HEADER}# The suites and their axes\n\n"
        + table(("suite", "what it holds", "axes", "tasks"), rows)
        + "\n"
        + toctree((f"{name}.md" for name in suites), hidden=True)
    )


def _suite(suite: Suite) -> str:
    return (
        f"{HEADER}# The suite {suite.name}\n\n{suite.entry.summary}\n\n"
        f"`rtbench run --policy NAME --suite {suite.name}` plays {suite.entry.rounds} rounds of it. "
        f"With `--axis NAME` it plays one axis.\n\n"
        + table(("axis", "tasks", "what is varied", "an instruction"), _axes(suite))
        + "\nAn axis that perturbs another one plays its tasks under the same seeds. "
        "Every such episode has an unperturbed twin, and the drop is measured in pairs.\n"
    )


def _axes(suite: Suite) -> Iterator[tuple[str, str, str, str]]:
    for name, axis in suite.entry.axes.items():
        tasks = suite.tasks(name)
        varied = [f"perturbs `{axis.of}`"] if axis.of else []
        varied += [f"tasks of {_names(axis.groups)}"] if axis.groups else []
        varied += [f"variants {_names(axis.variants)}"] if axis.variants else []
        varied += [f"wordings {_names(axis.wordings)}"] if axis.wordings else []
        varied += (
            [f"{' to '.join(map(str, dict.fromkeys(axis.distractors)))} distractors"]
            if axis.distractors
            else []
        )
        example = draw(suite, tasks[0], 0, name).instruction
        yield code(name), str(len(tasks)), "; ".join(varied), example


def _names(names: Sequence[str]) -> str:
    return ", ".join(code(name) for name in names)
