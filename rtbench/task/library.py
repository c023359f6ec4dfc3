"""All content, ours and the user's: objects, scenes, skills, tasks and suites.

The simulator is not needed, and not imported, to list content or to draw up episodes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.task import yaml_loader
from rtbench.task.derived_skill import Request
from rtbench.task.expand import HELD_OUT, expand
from rtbench.task.object_entry import ObjectEntry
from rtbench.task.paraphrase import Wording
from rtbench.task.robot_entry import RobotEntry
from rtbench.task.scene_entry import SceneEntry
from rtbench.task.skill import Setting, Skill
from rtbench.task.suite import Catalogue, Suite, SuiteEntry, resolve
from rtbench.task.task import Task
from rtbench.task.variant_entry import VariantEntry
from rtbench.task.yaml_loader import M, Stamp

FOLDERS = ("envs", "tasks", "policies", "results")
"""Folders of a content root."""
HASHED = ("envs", "tasks")
"""Folders that decide what an episode is; a new policy or result must not make runs incomparable."""
OBJECTS, SCENES, VARIANTS, ROBOTS = "envs/objects", "envs/scenes", "envs/variants", "envs/robots"
SKILLS, REQUESTS, WORDINGS, SUITES = "tasks/skills", "tasks/requests", "tasks/wordings", "tasks/suites"

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, init=False)
class Library:
    """All content that there is.

    A content root is a folder that holds some of `FOLDERS`. The first root is ours: the checkout's top level,
    or `rtbench/_content` in an installed wheel. More roots of the same shape come from the user
    (``--content DIR``); they add entries and may not redefine ours.

    Nothing is read before it is asked for, and each file only once until it changes. All methods raise
    ContentError for content that cannot be used; it names file, entry and key.
    """

    roots: tuple[Path, ...]
    """The user's content roots."""

    def __init__(self, roots: Iterable[str | PathLike[str]] = ()) -> None:
        object.__setattr__(self, "roots", tuple(Path(root) for root in roots))

    # Files ------------------------------------------------------------------------------------------

    def all_roots(self) -> tuple[Path, ...]:
        """All content roots, ours first.

        Raises:
            ContentError: a root of the user's that is no folder, or holds none of `FOLDERS`.
        """
        for root in self.roots:
            if not root.is_dir():
                raise ContentError(
                    root, "", "no such folder; --content takes one that holds envs/ or tasks/."
                )
            if not any((root / folder).is_dir() for folder in FOLDERS):
                names = ", ".join(FOLDERS)
                raise ContentError(root, "", f"holds no content; expected one of {names} inside it.")
        bundled = _PACKAGE / "_content"
        return (bundled if bundled.is_dir() else _PACKAGE.parent, *self.roots)

    def files(self, folder: str) -> list[Path]:
        """All YAML files of one folder, such as 'tasks/skills', in order of root and name.

        Raises:
            ContentError: no root has the folder, or a file has another ending.
        """
        searched = [root / folder for root in self.all_roots()]
        if not any(path.is_dir() for path in searched):
            places = ", ".join(map(str, searched))
            raise ContentError(folder, "", f"no such content folder; looked for {places}.")
        for path in (p for place in searched for p in place.glob("*.yml")):
            raise ContentError(path, "", f"content files end in .yaml; rename it to {path.stem}.yaml.")
        return [path for place in searched for path in sorted(place.glob("*.yaml"))]

    def read(self, folder: str, model: type[M]) -> dict[str, M]:
        """All entries of one folder, by name, in order of root and file; see `yaml_loader.read_files`."""
        return yaml_loader.read_files(self.files(folder), model)

    def find(self, folder: str, name: str) -> Path:
        """The file `name` (with its ending) in one folder of the roots; the first root that has it.

        Raises:
            UnknownNameError: no root has it; names the files that are there.
        """
        places = [root / folder for root in self.all_roots()]
        for place in places:
            if (place / name).is_file():
                return place / name
        there = [
            path.name for place in places if place.is_dir() for path in place.iterdir() if path.is_file()
        ]
        raise UnknownNameError("file", name, there, where=folder)

    def content_hash(self) -> str:
        """64 hex digits: SHA-256 over relative names and bytes of all files of `HASHED` but READMEs.

        The same content has the same hash in a checkout and in a wheel.
        """
        found = []
        for number, root in enumerate(self.all_roots()):
            names = sorted((path.relative_to(root).as_posix(), path) for path in _hashed_files(root))
            found += [(f"{number}:{name}", yaml_loader.stamp(path)) for name, path in names]
        return _hash_of_files(tuple(found))

    # Entries ----------------------------------------------------------------------------------------

    def things(self) -> dict[str, ObjectEntry]:
        """All objects, by name."""
        return self.read(OBJECTS, ObjectEntry)

    def scenes(self) -> dict[str, SceneEntry]:
        """All scenes, by name.

        Raises:
            UnknownNameError: a scene draws distractors from a set that does not exist.
        """
        found = self.read(SCENES, SceneEntry)
        sets = {thing.set for thing in self.things().values()}
        for scene in found.values():
            if scene.distractors not in sets:
                raise UnknownNameError(
                    "set of objects", scene.distractors, sets, where=f"{scene.where}: distractors"
                )
        return found

    def settings(self) -> dict[str, Setting]:
        """What each scene offers to tasks, by the scene's name."""
        return {
            scene.name: Setting(
                tuple(scene.counters), tuple(scene.drawers), tuple(scene.sinks), scene.distractors
            )
            for scene in self.scenes().values()
        }

    def variants(self) -> dict[str, VariantEntry]:
        """All variants of scenes, by name."""
        return self.read(VARIANTS, VariantEntry)

    def variant(self, name: str) -> VariantEntry:
        """The variant of that name; '' is the one that changes nothing.

        Raises:
            UnknownNameError: there is none of that name.
        """
        if not name:
            return VariantEntry(name="")
        known = self.variants()
        if name not in known:
            raise UnknownNameError("variant", name, known)
        return known[name]

    def robots(self) -> dict[str, RobotEntry]:
        """All robots, by name."""
        return self.read(ROBOTS, RobotEntry)

    def robot(self, name: str) -> RobotEntry:
        """The robot of that name, such as 'google_robot', or 'google_robot:simpler' with its controller.

        Raises:
            UnknownNameError: there is none of that name, or it has not that controller.
        """
        known = self.robots()
        own, colon, controller = name.partition(":")
        if own not in known:
            raise UnknownNameError("robot", own, known)
        return known[own].with_controller(controller) if colon else known[own]

    def requests(self) -> dict[str, Request]:
        """All requests, by name."""
        return self.read(REQUESTS, Request)

    def wordings(self) -> dict[str, Wording]:
        """All wordings, by name."""
        return self.read(WORDINGS, Wording)

    # Tasks ------------------------------------------------------------------------------------------

    def tasks(self) -> dict[str, Task]:
        """All tasks, by id, in order of skill files and of objects."""
        return dict(_tasks(self.content_hash(), self))

    def task(self, name: str) -> Task:
        """The task of that id or gym id; an unknown one is an UnknownNameError."""
        tasks = self.tasks()
        if name in tasks:
            return tasks[name]
        by_gym_id = {task.gym_id: task for task in tasks.values()}
        if name in by_gym_id:
            return by_gym_id[name]
        raise UnknownNameError("task", name, by_gym_id if name.startswith("rtbench/") else tasks)

    def origins(self) -> dict[str, str]:
        """Task's id -> file and entry that it comes from."""
        places = {(group, skill.name): skill.where for group, skill in self._asked()}
        return {
            task.id: places["" if task.group == HELD_OUT else task.group, task.entry]
            for task in self.tasks().values()
        }

    def task_hashes(self, names: Iterable[str]) -> dict[str, str]:
        """By task: 12 hex digits of what makes it the task that it is, so that only equal ones are compared.

        That is its goal, start, horizon and objects, with all that the files say of these objects and of the
        scene but for words. What else is in an episode shows in the hash of its settled state. Tasks that
        there are not, such as those of another environment, are left out.
        """
        known = self.tasks()
        objects = yaml_loader.read_plain(self.files(OBJECTS))
        scenes = yaml_loader.read_plain(self.files(SCENES))
        return {
            name: _hash(
                {
                    "goal": asdict(task.goal),
                    "start": {k: v for k, v in asdict(task.start).items() if v or k != "layouts"},
                    **{k: asdict(part) for k in ("strict", "first") if (part := getattr(task, k))},
                    "horizon": task.horizon,
                    "scene": scenes[task.scene],
                    "objects": {o: {**objects[o], "names": ()} for o in task.present},
                }
            )
            for name in names
            if (task := known.get(name))
        }

    def _asked(self) -> list[tuple[str, Skill]]:
        """All skills, then all requests resolved, each with its group."""
        skills = self.read(SKILLS, Skill)
        return [
            *(("", skill) for skill in skills.values()),
            *((request.stem, request.resolve(skills)) for request in self.requests().values()),
        ]

    # Suites -----------------------------------------------------------------------------------------

    def suites(self) -> dict[str, SuiteEntry]:
        """All suites as their files say, by name; `suite` puts tasks to one."""
        return self.read(SUITES, SuiteEntry)

    def suite(self, name: str) -> Suite:
        """The suite of that name, or the one in a file of the user's.

        Args:
            name: A name, or the path of a YAML file (recognised by its ending or a slash) with one suite.

        Raises:
            UnknownNameError: an unknown suite, or a skill or task that the suite names and no content has.
        """
        if name.endswith((".yaml", ".yml")) or "/" in name:
            entries = yaml_loader.read_file(Path(name), SuiteEntry)
            if len(entries) != 1:
                found = ", ".join(entries) or "none"
                raise ContentError(name, "", f"expected one suite in the file, found {found}.")
            (entry,) = entries.values()
        else:
            entries = self.suites()
            if name not in entries:
                raise UnknownNameError("suite", name, entries)
            entry = entries[name]
        return resolve(entry, self.catalogue())

    def catalogue(self) -> Catalogue:
        """All that suites draw from."""
        return Catalogue(self.tasks(), self.things(), self.settings(), self.wordings(), self.variants())

    def home(self, task: Task) -> Suite:
        """The suite that plays the task, a seen one before others: an episode of it is drawn from there.

        Raises:
            UnknownNameError: none plays it.
        """
        entries = self.suites()
        # Novel and emergent suites play some seen tasks too, but only in a few words or new backgrounds.
        names = sorted(entries, key=lambda name: entries[name].split != "seen")
        known: list[str] = []
        for name in names:
            suite = self.suite(name)
            if suite.axis_of(task):
                return suite
            known += [other.id for other in suite.tasks()]
        raise UnknownNameError("task of a suite", task.id, known)


BUNDLED = Library()
"""rtbench's own content alone."""


def load_suite(name: str, roots: Iterable[str | PathLike[str]] = ()) -> Suite:
    """The suite of that name, or the one in a file of the user's; see `Library.suite`.

    Args:
        name: A name, or the path of a YAML file (recognised by its ending or a slash) with one suite.
        roots: The user's content roots.

    Raises:
        UnknownNameError: an unknown suite, or a skill or task that the suite names and no content has.
        ContentError: a file that cannot be used.
    """
    return Library(roots).suite(name)


@lru_cache(maxsize=8)
def _tasks(_content: str, library: Library) -> dict[str, Task]:
    """Content's hash is part of the key, so that an edited file is read anew."""
    return expand(library._asked(), library.things(), library.settings())  # noqa: SLF001 - its cache


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def _hashed_files(root: Path) -> Iterator[Path]:
    for folder in HASHED:
        for path in (root / folder).rglob("*"):
            parts = path.relative_to(root).parts
            hidden = any(part.startswith((".", "__")) for part in parts)
            if path.is_file() and not hidden and path.stem.upper() != "README":
                yield path


@lru_cache(maxsize=32)
def _hash_of_files(files: tuple[tuple[str, Stamp], ...]) -> str:
    total = hashlib.sha256()
    for name, (path, _, _) in files:
        # Hashing each file first keeps the border between name and bytes unambiguous.
        total.update(f"{name}\0{hashlib.sha256(Path(path).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
