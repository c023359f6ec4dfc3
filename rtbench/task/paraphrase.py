"""Wordings: other instructions for existing tasks, as written in tasks/wordings/*.yaml.

The goal stays the task's own; only the instruction changes: another language, a paraphrase, a polite frame or
a story around the request, typing errors, capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.core.seeding import generator
from rtbench.task import instruction
from rtbench.task.task import Task
from rtbench.task.typos import misspell
from rtbench.task.yaml_loader import Entry

REQUEST = "instruction"
"""Name in braces that stands for the instruction inside a frame."""

Texts = Annotated[tuple[str, ...], Field(min_length=1)]


class WordingError(RtbenchError):
    """A wording that has no text for a task."""


class Wording(Entry):
    """One entry of tasks/wordings/*.yaml.

    The texts of a task are its phrases; else its skill entry's templates, filled in; else, in a wording that
    has neither, the task's canonical instruction. Frames go around these. Typing errors and capitals are
    applied last and by seed, so `instructions` does not have them.
    """

    language: str = "en"
    """BCP 47 tag, such as 'de' or 'pt-BR'."""
    phrases: dict[str, Texts] = Field(default_factory=dict)
    """Task id -> whole phrases."""
    templates: dict[str, Texts] = Field(default_factory=dict)
    """Name of an entry of tasks/skills -> templates with its roles in braces; English only."""
    around: tuple[str, ...] = ()
    """Frames such as 'please {instruction}'; English only."""
    typos: int = Field(default=0, ge=0, le=9)
    """Words misspelt; English only. See `rtbench.task.typos`."""
    accepted: tuple[str, ...] = ()
    """Correct words that the dictionary lacks, in lower case; see `rtbench.task.audit.spelling`."""
    letters: Literal["", "sentence", "capitals"] = ""
    """'sentence': a capital and a full stop, as people type; 'capitals': shouted."""

    @field_validator("language")
    @classmethod
    def _is_a_tag(cls, tag: str) -> str:
        _as_value_error(instruction.script_of, tag)
        return tag

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.phrases or self._made or self.letters):
            raise ValueError("says nothing; give 'phrases', 'templates', 'around', 'typos' or 'letters'")
        if self._made and not instruction.is_english(self.language):
            keys = "'templates', 'around' and 'typos'"
            raise ValueError(f"{keys} are for English; in {self.language!r} give whole 'phrases'")
        return self

    @model_validator(mode="after")
    def _is_clean(self) -> Self:
        said: dict[str, str] = {}
        for task, phrases in self.phrases.items():
            for phrase in phrases:
                _as_value_error(instruction.check_instruction, phrase, self.language, f"phrases.{task}")
                if phrase in said:
                    raise ValueError(f"phrases.{task}: {phrase!r} is also said for {said[phrase]}")
                said[phrase] = task
        for frame in self.around:
            if instruction.roles_in(frame) != (REQUEST,) or frame.count("{") != 1:
                raise ValueError(f"around: {frame!r} must hold {{{REQUEST}}} once and no other braces")
            _as_value_error(instruction.fill, frame, {REQUEST: "wave"}, where="around")
        for key, texts in {**self.templates, "around": self.around}.items():
            if len(set(texts)) < len(texts):
                raise ValueError(f"{key}: a text stands twice")
        return self

    @property
    def _made(self) -> bool:
        """Whether its texts are built from English templates or frames."""
        return bool(self.templates or self.around or self.typos)

    def covers(self, task: Task) -> bool:
        """Whether it has a text for the task."""
        return task.id in self.phrases or task.entry in self.templates or not (self.phrases or self.templates)

    def instructions(self, task: Task) -> tuple[str, ...]:
        """All texts that it has for the task, before typing errors and capitals.

        Raises:
            WordingError: it has none.
            RtbenchError: a template that cannot be filled in.
        """
        if not self.covers(task):
            raise WordingError(f"{self.where}: has no words for {task.id}; add phrases.{task.id}.")
        if task.id in self.phrases:
            texts = self.phrases[task.id]
        elif task.entry in self.templates:
            place = f"{self.where}: templates.{task.entry}"
            texts = tuple(
                instruction.fill(text, task.cast, where=place) for text in self.templates[task.entry]
            )
        else:
            texts = task.templates[:1]
        if not self.around:
            return texts
        place = f"{self.where}: around"
        return tuple(instruction.fill(f, {REQUEST: text}, where=place) for text in texts for f in self.around)

    def draw(self, task: Task, *stream: str | int, known: frozenset[str] = frozenset()) -> str:
        """One text, all equally likely, with its typing errors and capitals.

        Args:
            task: A task that it covers.
            stream: Name of the random stream, such as (suite, task, seed).
            known: Words that a misspelt word must not resemble; see `vocabulary`.

        Raises:
            WordingError: it has no text for the task.
        """
        text = instruction.choose(self.instructions(task), *stream, self.name)
        if self.typos:
            text = misspell(text, self.typos, generator(*stream, self.name, "typos"), known)
        if self.letters == "capitals":
            return text.upper()
        return as_sentence(text) if self.letters == "sentence" else text

    def check(self, tasks: Mapping[str, Task]) -> None:
        """Check it against the existing tasks.

        Raises:
            UnknownNameError: a task or skill entry that does not exist, or a role that the skill has not.
            InstructionError: a template that leaves out a role with several candidates, or has a wrong form.
        """
        for task in self.phrases:
            if task not in tasks:
                raise UnknownNameError("task", task, tasks, where=f"{self.where}: phrases")
        assignments: dict[str, list[Mapping[str, str]]] = {}
        for found in tasks.values():
            assignments.setdefault(found.entry, []).append(found.cast)
        for entry, templates in self.templates.items():
            if entry not in assignments:
                raise UnknownNameError("skill entry", entry, assignments, where=f"{self.where}: templates")
            roles = assignments[entry][0]
            needed = [role for role in roles if len({assigned[role] for assigned in assignments[entry]}) > 1]
            for template in templates:
                place = f"{self.where}: templates.{entry}"
                instruction.check_template(template, roles, needed, where=place)
                instruction.fill(template, roles, where=place)


def vocabulary(tasks: Iterable[Task]) -> frozenset[str]:
    """All words of the tasks' own instructions."""
    return frozenset(
        word.rstrip(",.?!:") for task in tasks for text in task.templates for word in text.split()
    )


def as_sentence(text: str) -> str:
    """The text with a capital at the beginning of each sentence and a mark at its end."""
    start = re.compile(r"(?:^|(?<=[.?!] ))[^\W\d_]")
    raised = start.sub(lambda match: match[0].upper(), text)
    return raised if raised.endswith("?") else f"{raised}."


def _as_value_error(check: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Run a check and raise its error as a ValueError, the only kind that pydantic reports."""
    try:
        check(*arguments, **named)
    except RtbenchError as error:
        raise ValueError(str(error)) from None
