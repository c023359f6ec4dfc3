"""Everything there is to play: objects, scenes, skills, tasks and suites, read from content.

The simulator is not needed, and not imported, to list tasks or to draw up episodes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.task import yaml_loader
from rtbench.task.derived_skill import Request
from rtbench.task.expand import HELD_OUT, expand
from rtbench.task.paraphrase import Wording
from rtbench.task.skill import SEEN, Setting, Skill
from rtbench.task.suite import Library, Suite, SuiteEntry, resolve
from rtbench.task.task import Task
from rtbench.task.yaml_loader import Entry

OBJECTS, SCENES, VARIANTS = "envs/objects", "envs/scenes", "envs/variants"
SKILLS, REQUESTS, WORDINGS, SUITES = "tasks/skills", "tasks/requests", "tasks/wordings", "tasks/suites"


class Thing(Entry):
    """What tasks want to know of an object. `rtbench.env.object` reads its shape and checks all keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    names: tuple[str, ...] = Field(min_length=1)
    """Words for it, the canonical ones first."""
    tags: tuple[str, ...]
    """'movable', 'receptacle', 'can_topple', 'fits_bowl', 'fits_drawer', ..."""
    value: int | None = None
    """Number that it shows."""

    @property
    def set(self) -> str:
        """Set that it belongs to: the stem of its file."""
        return self.stem


class Place(Entry):
    """What tasks want to know of a scene. `rtbench.env.scene` reads its measures and checks all keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    counters: dict[str, Any]
    drawers: dict[str, Any] = Field(default_factory=dict)
    sinks: dict[str, Any] = Field(default_factory=dict)
    distractors: str = SEEN
    """Set of objects that distractors are drawn from."""


class Variant(Entry):
    """That a variant exists. `rtbench.env.perturbation` reads what it does and checks all keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def load_things(extra: Sequence[Path] = ()) -> dict[str, Thing]:
    """All objects, by name."""
    return yaml_loader.read_folder(OBJECTS, Thing, extra)


def load_settings(extra: Sequence[Path] = ()) -> dict[str, Setting]:
    """What each scene offers to tasks, by the scene's name.

    Raises:
        UnknownNameError: a scene draws distractors from a set that does not exist.
    """
    sets = {thing.set for thing in load_things(extra).values()}
    places = yaml_loader.read_folder(SCENES, Place, extra)
    for place in places.values():
        if place.distractors not in sets:
            raise UnknownNameError(
                "set of objects", place.distractors, sets, where=f"{place.where}: distractors"
            )
    return {
        p.name: Setting(tuple(p.counters), tuple(p.drawers), tuple(p.sinks), p.distractors)
        for p in places.values()
    }


def load_wordings(extra: Sequence[Path] = ()) -> dict[str, Wording]:
    """All wordings, by name."""
    return yaml_loader.read_folder(WORDINGS, Wording, extra)


def load_variants(extra: Sequence[Path] = ()) -> tuple[str, ...]:
    """Names of all variants of scenes."""
    return tuple(yaml_loader.read_folder(VARIANTS, Variant, extra))


def load_tasks(extra: Sequence[Path] = ()) -> dict[str, Task]:
    """All tasks, by id, in order of skill files and of objects.

    Raises:
        RtbenchError: content that cannot be used; names file, entry and key.
    """
    return dict(_tasks(yaml_loader.content_hash(extra), tuple(extra)))


@lru_cache(maxsize=8)
def _tasks(_content: str, extra: tuple[Path, ...]) -> dict[str, Task]:
    """Content's hash is part of the key, so that an edited file is read anew."""
    return expand(_asked(extra), load_things(extra), load_settings(extra))


def _asked(extra: Sequence[Path]) -> list[tuple[str, Skill]]:
    """All skills, then all requests resolved, each with its group."""
    skills = yaml_loader.read_folder(SKILLS, Skill, extra)
    requests = yaml_loader.read_folder(REQUESTS, Request, extra)
    return [
        *(("", skill) for skill in skills.values()),
        *((request.stem, request.resolve(skills)) for request in requests.values()),
    ]


def load_origins(extra: Sequence[Path] = ()) -> dict[str, str]:
    """Task's id -> file and entry that it comes from."""
    places = {(group, skill.name): skill.where for group, skill in _asked(extra)}
    known = load_tasks(extra).values()
    return {task.id: places["" if task.group == HELD_OUT else task.group, task.entry] for task in known}


def load_task(name: str, extra: Sequence[Path] = ()) -> Task:
    """The task of that id or gym id; an unknown one is an UnknownNameError."""
    tasks = load_tasks(extra)
    if name in tasks:
        return tasks[name]
    by_gym_id = {task.gym_id: task for task in tasks.values()}
    if name in by_gym_id:
        return by_gym_id[name]
    raise UnknownNameError("task", name, by_gym_id if name.startswith("rtbench/") else tasks)


def task_hashes(names: Iterable[str], extra: Sequence[Path] = ()) -> dict[str, str]:
    """By task: 12 hex digits of what makes it the task that it is, so that only equal ones are compared.

    That is its goal, start, horizon and objects, with all that the files say of these objects and of the
    scene but for words. What else is in an episode shows in the hash of its settled state. Tasks that there
    are not, such as those of another environment, are left out.
    """
    known = load_tasks(extra)
    objects, scenes = yaml_loader.read_plain(OBJECTS, extra), yaml_loader.read_plain(SCENES, extra)
    return {
        name: _hash(
            {
                "goal": asdict(task.goal),
                "start": asdict(task.start),
                "horizon": task.horizon,
                "scene": scenes[task.scene],
                "objects": {o: {**objects[o], "names": ()} for o in task.present},
            }
        )
        for name in names
        if (task := known.get(name))
    }


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def load_suite_entries(extra: Sequence[Path] = ()) -> dict[str, SuiteEntry]:
    """All suites as their files say, by name; `load_suite` puts tasks to one."""
    return yaml_loader.read_folder(SUITES, SuiteEntry, extra)


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
        entries = yaml_loader.read_file(Path(name), SuiteEntry)
        if len(entries) != 1:
            found = ", ".join(entries) or "none"
            raise ContentError(name, "", f"expected one suite in the file, found {found}.")
        (entry,) = entries.values()
    else:
        entries = load_suite_entries(extra)
        if name not in entries:
            raise UnknownNameError("suite", name, entries)
        entry = entries[name]
    return resolve(entry, load_library(extra))


def load_library(extra: Sequence[Path] = ()) -> Library:
    """All that suites are made of."""
    return Library(
        load_tasks(extra),
        load_things(extra),
        load_settings(extra),
        load_wordings(extra),
        load_variants(extra),
    )


def home(task: Task, extra: Sequence[Path] = ()) -> Suite:
    """The suite that plays the task, a seen one before others: an episode of it is drawn from there.

    Raises:
        UnknownNameError: none plays it.
    """
    entries = load_suite_entries(extra)
    # Novel and emergent suites play some seen tasks too, but only in a few words or before new backgrounds.
    names = sorted(entries, key=lambda name: entries[name].split != "seen")
    known: list[str] = []
    for name in names:
        suite = load_suite(name, extra)
        if suite.axis_of(task):
            return suite
        known += [other.id for other in suite.tasks()]
    raise UnknownNameError("task of a suite", task.id, known)
