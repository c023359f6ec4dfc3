"""Requests: skills derived from another one with other words or objects, as in tasks/requests/*.yaml.

"Move coke can near the sum of two plus one" is the skill of moving near, with a card that shows a three as
its target, other numbers beside it, and other words. A request holds only what differs from the skill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.task.referring_expression import Reference
from rtbench.task.skill import FirstEntry, LayoutsEntry, Role, Skill
from rtbench.task.yaml_loader import Entry


class Request(Entry):
    """One entry of tasks/requests/*.yaml; its fields mean what they mean in `rtbench.task.skill.Skill`."""

    like: str = ""
    """Entry of tasks/skills from which missing fields come; '' where all are given."""
    skill: str | None = None
    """Skill that its tasks count under; where None, the skill in 'like', or the name of the file."""
    version: int = 0
    scene: str | None = None
    horizon: int | None = None
    roles: dict[str, Role] = Field(default_factory=dict)
    """Roles with their candidates. They replace the skill's roles of that name; with another goal, all."""
    place: dict[str, str] = Field(default_factory=dict)
    """Added to the skill's own."""
    lying: tuple[str, ...] | None = None
    drawers: dict[str, float] | None = None
    station: str | None = None
    distractors: tuple[int, int] | None = None
    apart: tuple[tuple[str, str], ...] | None = None
    given: dict[str, Any] | None = None
    foils: tuple[str, ...] = ()
    means: dict[str, Reference] = Field(default_factory=dict)
    every: tuple[Reference, ...] = ()
    goal: dict[str, Any] | None = None
    strict: dict[str, Any] | None = None
    first: FirstEntry | None = None
    layouts: LayoutsEntry | None = None
    instructions: tuple[str, ...] | None = None

    def resolve(self, skills: Mapping[str, Skill]) -> Skill:
        """The complete skill: that of 'like' with the fields given here.

        Raises:
            UnknownNameError: no such skill.
            ContentError: a field is missing or cannot be used.
        """
        if self.like and self.like not in skills:
            raise UnknownNameError("skill", self.like, skills, where=f"{self.where}: like")
        base = skills[self.like].model_dump(exclude={"held_out", "id"}) if self.like else {}
        counts_as = skills[self.like].counts_as if self.like else self.stem
        own = self.model_dump(exclude_none=True, exclude={"like", "roles", "place"})
        fields = {**base, "skill": counts_as, **own}
        fields |= self._roles(base)
        try:
            return Skill.model_validate(fields, context={"file": self._file})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            hint = (
                " Give it, or name in 'like' the skill that it comes from."
                if first["type"] == "missing"
                else ""
            )
            reason = first["msg"].removeprefix("Value error, ")
            raise ContentError(self.where, key, f"{reason}.{hint}") from None

    def _roles(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Roles and their places at the start. A request with its own goal has only its own roles."""
        roles = {role: rule.model_dump() for role, rule in self.roles.items()}
        known = base.get("roles", {})
        if self.like and self.goal is None:
            for role in roles:
                if role not in known:
                    raise UnknownNameError("role", role, known, where=f"{self.where}: roles")
        if self.goal is None or not roles:
            roles = {**known, **roles}
        kept = {role: place for role, place in base.get("place", {}).items() if role in roles}
        return {"roles": roles, "place": {**kept, **self.place}}
