"""Everything there is to play: objects, scenes, skills, tasks and suites, read from content.

The simulator is not needed, and not imported, to list tasks or to draw up episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rtbench import content
from rtbench.errors import ContentError, UnknownNameError
from rtbench.skill import Setting, Skill, expand
from rtbench.suite import Suite, SuiteEntry, resolve
from rtbench.task import Task

OBJECTS, SCENES, SKILLS, SUITES = "envs/objects", "envs/scenes", "tasks/skills", "tasks/suites"


class Thing(BaseModel):
    """What tasks want to know of an object. `rtbench.env.object` reads its shape and checks all keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    names: tuple[str, ...] = Field(min_length=1)
    """Words for it, the canonical ones first."""
    tags: tuple[str, ...]
    """'movable', 'receptacle', 'can_topple', 'fits_bowl', 'fits_drawer', ..."""


class Place(BaseModel):
    """What tasks want to know of a scene. `rtbench.env.scene` reads its measures and checks all keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    counters: dict[str, Any]
    drawers: dict[str, Any]
    objects: tuple[str, ...]


def load_things(extra: Sequence[Path] = ()) -> dict[str, Thing]:
    """All objects, by name."""
    return content.read_folder(OBJECTS, Thing, extra)


def load_settings(extra: Sequence[Path] = ()) -> dict[str, Setting]:
    """What each scene offers to tasks, by the scene's name.

    Raises:
        UnknownNameError: a scene lists an object that does not exist.
    """
    things = load_things(extra)
    places = content.read_folder(SCENES, Place, extra)
    for place in places.values():
        for name in place.objects:
            if name not in things:
                raise UnknownNameError("object", name, things, where=f"scene {place.name}: objects")
    return {p.name: Setting(tuple(p.counters), tuple(p.drawers), p.objects) for p in places.values()}


def load_tasks(extra: Sequence[Path] = ()) -> dict[str, Task]:
    """All tasks, by id, in order of skill files and of objects.

    Raises:
        RtbenchError: content that cannot be used; names file, entry and key.
    """
    return dict(_tasks(content.content_hash(extra), tuple(extra)))


@lru_cache(maxsize=8)
def _tasks(_content: str, extra: tuple[Path, ...]) -> dict[str, Task]:
    """Content's hash is part of the key, so that an edited file is read anew."""
    return expand(content.read_folder(SKILLS, Skill, extra), load_things(extra), load_settings(extra))


def load_task(name: str, extra: Sequence[Path] = ()) -> Task:
    """The task of that id or gym id; an unknown one is an UnknownNameError."""
    tasks = load_tasks(extra)
    if name in tasks:
        return tasks[name]
    by_gym_id = {task.gym_id: task for task in tasks.values()}
    if name in by_gym_id:
        return by_gym_id[name]
    raise UnknownNameError("task", name, by_gym_id if name.startswith("rtbench/") else tasks)


def load_suite_entries(extra: Sequence[Path] = ()) -> dict[str, SuiteEntry]:
    """All suites as their files say, by name; `load_suite` puts tasks to one."""
    return content.read_folder(SUITES, SuiteEntry, extra)


def load_suite(name: str, extra: Sequence[Path] = ()) -> Suite:
    """The suite of that name, or the one in a file of the user's.

    Args:
        name: A name, or the path of a YAML file (recognised by its ending or a slash) with one suite.
        extra: The user's content roots.

    Raises:
        UnknownNameError: an unknown suite, or a skill or task that the suite names and nobody has.
        ContentError: a file that cannot be used.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        entries = content.read_file(Path(name), SuiteEntry)
        if len(entries) != 1:
            found = ", ".join(entries) or "none"
            raise ContentError(name, "", f"expected one suite in the file, found {found}.")
        (entry,) = entries.values()
    else:
        entries = load_suite_entries(extra)
        if name not in entries:
            raise UnknownNameError("suite", name, entries)
        entry = entries[name]
    return resolve(entry, load_tasks(extra), load_things(extra), load_settings(extra))
