"""Expansion of skills and requests to tasks: one for each assignment of different objects to their roles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.task import instruction, predicate
from rtbench.task.skill import Named, Role, Setting, Skill, parse_goal
from rtbench.task.task import FirstPart, Goal, Layout, Start, Task

_ROLE = re.compile(r"\{(\w+)\}")
HELD_OUT = "held_out"
"""Group of the tasks that are held out from training."""


def expand(
    skills: Iterable[tuple[str, Skill]], objects: Mapping[str, Named], scenes: Mapping[str, Setting]
) -> dict[str, Task]:
    """All tasks of all skills, by id, in order of skills and of objects.

    Args:
        skills: Group ('' for a skill, the file's stem for a request) and what to expand.
        objects: The catalogue.
        scenes: The parts of each scene.

    Raises:
        RtbenchError: a name, tag, predicate or role that does not exist, or an ambiguous template; names file
            and entry.
    """
    tasks: dict[str, Task] = {}
    gym_ids: dict[str, str] = {}
    for group, skill in skills:
        if skill.scene not in scenes:
            raise UnknownNameError("scene", skill.scene, scenes, where=f"{skill.where}: scene")
        for task in _Expansion(group, skill, objects, scenes[skill.scene]).tasks():
            other = gym_ids.setdefault(task.gym_id, task.id)
            if task.id in tasks or other != task.id:
                raise ContentError(skill.where, "", f"task {task.id} has the same name as {other}.")
            tasks[task.id] = task
    return tasks


class _Expansion:
    """Expands one skill to its tasks."""

    def __init__(self, group: str, skill: Skill, objects: Mapping[str, Named], setting: Setting) -> None:
        self.group, self.skill, self.objects, self.setting = group, skill, objects, setting
        self.candidates = {role: self._candidates(rule) for role, rule in skill.roles.items()}
        self._check()

    def tasks(self) -> Iterator[Task]:
        """One task for each assignment of different objects or fixtures to the roles."""
        held_out = set(self.skill.held_out)
        for names in itertools.product(*self.candidates.values()):
            if len(set(names)) == len(names) and not set(names) & set(self.skill.foils):
                group = HELD_OUT if names in held_out else self.group
                held_out.discard(names)
                yield self._task(dict(zip(self.candidates, names, strict=True)), group)
        for names in held_out:
            reason = (
                f"{list(names)} does not fill its roles; give one name for each of {list(self.candidates)}."
            )
            raise ContentError(self.skill.where, "held_out", reason)

    def _candidates(self, role: Role) -> Sequence[str]:
        where = f"{self.skill.where}: roles"
        if role.tag:
            own = {name: thing for name, thing in self.objects.items() if thing.set == role.set}
            if not own:
                raise UnknownNameError(
                    "set of objects", role.set, {t.set for t in self.objects.values()}, where=where
                )
            tags = {tag for thing in own.values() for tag in thing.tags}
            for tag in role.tag:
                if tag not in tags:
                    raise UnknownNameError("tag", tag, tags, where=where)
            return [name for name, thing in own.items() if set(role.tag) <= set(thing.tags)]
        for name in role.names:
            self._known("object, drawer, counter or station", name, [*self.objects, *self.setting.fixtures])
        return role.names

    def _check(self) -> None:
        """Check all that does not depend on the assignment of roles."""
        skill, roles = self.skill, self.skill.roles
        # A role that a description stands for need not be named.
        needed = [
            role
            for role, found in self.candidates.items()
            if len(found) > 1 and role not in skill.means and skill.roles[role].named
        ]
        for template in skill.instructions:
            instruction.check_template(template, roles, needed, where=skill.where)
        for role in [*skill.place, *skill.lying, *skill.means, *itertools.chain(*skill.apart)]:
            if role not in skill.foils:
                self._known("role", role, roles)
        for foil in skill.foils:
            self._known("object", foil, self.objects)
        self._known("station", skill.station, self.setting.stations)
        for role, names in self.candidates.items():
            if role not in skill.place and any(name in self.objects for name in names):
                known = ", ".join((*self.setting.surfaces, *roles))
                raise ContentError(skill.where, "place", f"says not where {role!r} starts; known: {known}.")

    def _task(self, assigned: dict[str, str], group: str) -> Task:
        skill = self.skill
        own = tuple(name for name in assigned.values() if name in self.objects)
        goal = _bind(skill.tree, assigned)
        kinds = self._kinds(own)
        predicate.check_goal(goal, kinds, where=skill.where, roles=skill.roles)
        strict = _bind(parse_goal(skill.strict), assigned) if skill.strict else None
        if strict is not None:
            predicate.check_goal(strict, kinds, where=f"{skill.where}: strict", roles=skill.roles)
        words = {role: self._spoken(name) for role, name in assigned.items()}
        return Task(
            id=self._id(assigned),
            skill=skill.counts_as,
            scene=skill.scene,
            objects=own,
            goal=goal,
            start=self._start(assigned, own),
            templates=tuple(instruction.fill(text, words, where=skill.where) for text in skill.instructions),
            horizon=skill.horizon,
            entry=skill.name,
            cast=words,
            foils=skill.foils,
            group=group,
            means={assigned[role]: reference.bound(assigned) for role, reference in skill.means.items()},
            every=skill.every,
            strict=strict,
            first=self._first(assigned, words, kinds),
        )

    def _first(
        self, assigned: dict[str, str], words: dict[str, str], kinds: Mapping[predicate.Kind, Sequence[str]]
    ) -> FirstPart | None:
        first, where = self.skill.first, f"{self.skill.where}: first"
        if first is None:
            return None
        goal = _bind(parse_goal(first.goal), assigned)
        predicate.check_goal(goal, kinds, where=where, roles=self.skill.roles)
        return FirstPart(goal, instruction.fill(first.instruction, words, where=where), first.steps)

    def _id(self, assigned: Mapping[str, str]) -> str:
        """'pick/apple-v0' for a skill; for a request its group, name, and the roles with a choice."""
        if not self.group:
            called = _ROLE.sub(lambda match: assigned.get(match[1], match[0]), self.skill.id)
            return f"{self.skill.counts_as}/{called or '_'.join(assigned.values())}-v{self.skill.version}"
        chosen = [name for role, name in assigned.items() if len(self.candidates[role]) > 1]
        return f"{self.group}/{'_'.join((self.skill.name, *chosen))}-v{self.skill.version}"

    def _start(self, assigned: Mapping[str, str], own: tuple[str, ...]) -> Start:
        skill = self.skill
        kinds = self._kinds((*own, *skill.foils))
        places = {assigned.get(role, role): assigned.get(place, place) for role, place in skill.place.items()}
        for place in places.values():
            self._known("place", place, [*kinds["surface"], *kinds["receptacle"]])
        drawers = {assigned.get(drawer, drawer): opening for drawer, opening in skill.drawers.items()}
        for drawer in drawers:
            self._known("drawer", drawer, self.setting.drawers)
        given = self._given(assigned, own)
        if given is not None:
            predicate.check_goal(given, kinds, where=f"{skill.where}: given")
        return Start(
            place=places,
            lying=tuple(assigned.get(role, role) for role in skill.lying),
            drawers=drawers,
            station=skill.station,
            distractors=skill.distractors,
            apart=tuple((assigned.get(a, a), assigned.get(b, b)) for a, b in skill.apart),
            given=given,
            layouts=self._layouts(assigned, own),
        )

    def _layouts(self, assigned: Mapping[str, str], own: tuple[str, ...]) -> tuple[Layout, ...]:
        """Starts without chance, which place all objects of the task."""
        if self.skill.layouts is None:
            return ()
        layouts = self.skill.layouts.layouts(assigned)
        for name in layouts[0].objects:
            self._known("object of the task", name, (*own, *self.skill.foils))
        for name in (*own, *self.skill.foils):
            if name not in layouts[0].objects:
                raise ContentError(self.skill.where, "layouts", f"says not where {name!r} stands.")
        return layouts

    def _given(self, assigned: Mapping[str, str], own: tuple[str, ...]) -> Goal | None:
        """Start condition: the skill's own, and the spatial relations of its descriptions."""
        parts = [_bind(parse_goal(self.skill.given), assigned)] if self.skill.given else []
        present = {name: self.objects[name] for name in (*own, *self.skill.foils)}
        for role, described in self.skill.means.items():
            reference = described.bound(assigned)
            others = [name for name in reference.candidates(present) if name != assigned[role]]
            parts += [Goal(leaf[0], leaf[1:]) for leaf in reference.layout(assigned[role], others)]
        return None if not parts else parts[0] if len(parts) == 1 else Goal("all", children=tuple(parts))

    def _kinds(self, present: tuple[str, ...]) -> dict[predicate.Kind, tuple[str, ...]]:
        """Names that exist in an episode, by kind."""
        setting = self.setting
        bowls = tuple(name for name in present if "receptacle" in self.objects[name].tags)
        platforms = tuple(name for name in present if "platform" in self.objects[name].tags)
        return {
            "object": present,
            "receptacle": (*bowls, *setting.drawers, *setting.sinks),
            "surface": (*setting.surfaces, *platforms),
            "drawer": setting.drawers,
            "station": setting.stations,
        }

    def _spoken(self, name: str) -> str:
        return self.objects[name].names[0] if name in self.objects else name.replace("_", " ")

    def _known(self, kind: str, name: str, known: Collection[str]) -> None:
        if name not in known:
            raise UnknownNameError(kind, name, known, where=self.skill.where)


def _bind(goal: Goal, assigned: Mapping[str, str]) -> Goal:
    """The goal with names of objects and fixtures in place of roles."""
    arguments = tuple(assigned.get(name, name) for name in goal.arguments)
    return Goal(goal.predicate, arguments, tuple(_bind(child, assigned) for child in goal.children))
