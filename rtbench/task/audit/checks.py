"""The inspection: every check over every instruction of every task, wording and suite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rtbench.core.errors import RtbenchError
from rtbench.task import instruction
from rtbench.task.audit import spelling
from rtbench.task.audit.ambiguity import two_goals, two_tasks
from rtbench.task.audit.descriptions import faults_of_description
from rtbench.task.audit.distractors import faults_of_episode, faults_of_number
from rtbench.task.audit.finding import Finding
from rtbench.task.audit.goals import faults_of_goal
from rtbench.task.audit.interpretation import Reading
from rtbench.task.audit.leakage import leaks, unknown_parts
from rtbench.task.audit.mentions import COMMON, Mentions
from rtbench.task.audit.referents import faults_of_company, faults_of_means, faults_of_text
from rtbench.task.audit.verbs import faults_of_verbs
from rtbench.task.expand import HELD_OUT
from rtbench.task.paraphrase import Wording
from rtbench.task.suite import Catalogue, Suite, episodes, held_out
from rtbench.task.task import Task
from rtbench.task.typos import one_slip_apart

DRAWN = 50
"""Episodes of each suite whose distractors are looked at."""


@dataclass(frozen=True)
class Report:
    """What was looked at and what was found."""

    tasks: int
    instructions: int
    """Distinct texts."""
    languages: tuple[str, ...]
    findings: tuple[Finding, ...]


def inspect(catalogue: Catalogue, suites: Sequence[Suite], origins: Mapping[str, str]) -> Report:
    """Audit all tasks of the catalogue and what suites make of them.

    Args:
        catalogue: Everything that there is.
        suites: The suites to look at.
        origins: Task's id -> file and entry that it comes from.
    """
    inspection = _Inspection(catalogue, origins)
    findings = list(dict.fromkeys(inspection.findings(suites)))
    tongues = {tongue for tongue, _ in inspection.texts}
    return Report(len(catalogue.tasks), len(inspection.texts), tuple(sorted(tongues)), tuple(findings))


class _Inspection:
    """One pass over a catalogue."""

    def __init__(self, catalogue: Catalogue, origins: Mapping[str, str]) -> None:
        self.catalogue, self.origins = catalogue, origins
        self.texts: set[tuple[str, str]] = set()
        """Language and text of all instructions that were looked at."""
        self._mentions = {
            scene: Mentions(catalogue.objects, setting.fixtures)
            for scene, setting in catalogue.scenes.items()
        }
        self._words = _vocabulary(catalogue)

    def findings(self, suites: Sequence[Suite]) -> Iterator[Finding]:
        """Everything that is wrong, some of it more than once."""
        yield from self._names()
        for task in self.catalogue.tasks.values():
            found = (*self._of_data(task), *self._of_templates(task))
            yield from (Finding(self._where(task), what, reason) for what, reason in found)
        for wording in self.catalogue.wordings.values():
            yield from self._wording(wording)
        yield from two_tasks(self.catalogue)
        ordinary = [task for task in self.catalogue.tasks.values() if not task.group]
        for task, reason in unknown_parts(held_out(self.catalogue), ordinary):
            yield Finding(self._where(task), task.id, reason)
        for suite in suites:
            yield from self._suite(suite)

    def _where(self, task: Task) -> str:
        return self.origins.get(task.id, task.id)

    def _names(self) -> Iterator[Finding]:
        """Names of things that would be seen in every instruction."""
        for name, thing in self.catalogue.objects.items():
            for words in COMMON.intersection(thing.names):
                reason = f"is called {words!r}, a word of every instruction; call it otherwise."
                yield Finding(f"envs/objects/{thing.set}.yaml: {name}", "names", reason)

    def _of_data(self, task: Task) -> Iterator[tuple[str, str]]:
        for check in (faults_of_means, faults_of_company, faults_of_goal):
            yield from ((task.id, reason) for reason in check(task, self.catalogue))

    def _of_templates(self, task: Task) -> Iterator[tuple[str, str]]:
        strict = task.group in ("", HELD_OUT)
        for text in task.templates:
            self.texts.add(("en", text))
            reasons = [
                *self._english(text, task),
                *faults_of_verbs(text, task, strict=strict),
                *_misspelt(text, "en", self._words),
            ]
            yield from ((repr(text), reason) for reason in reasons)
        for text in {text for text in task.templates if task.templates.count(text) > 1}:
            yield repr(text), "stands twice; drop one."

    def _english(self, text: str, task: Task) -> Iterator[str]:
        try:
            instruction.check_instruction(text)
        except RtbenchError as error:
            yield str(error)
        reading = Reading.of(text, task, self.catalogue, self._mentions[task.scene])
        yield from faults_of_text(reading)
        yield from faults_of_description(reading)

    def _wording(self, wording: Wording) -> Iterator[Finding]:
        """What is wrong with the texts that a wording has for the tasks there are."""
        try:
            wording.check(self.catalogue.tasks)
        except RtbenchError as error:
            yield Finding(wording.where, wording.name, str(error).removeprefix(f"{wording.where}: "))
            return
        accepted = self._words | {word.lower() for word in wording.accepted}
        english = instruction.is_english(wording.language)
        for task in _worded(wording, self.catalogue):
            for text in wording.instructions(task):
                self.texts.add((wording.language, text))
                reasons = list(_misspelt(text, wording.language, accepted))
                if english:
                    reasons += self._english(self._mended(text, wording), task)
                    # A story round the request has verbs of its own.
                    reasons += [] if wording.around else faults_of_verbs(text, task, strict=False)
                yield from (Finding(wording.where, repr(text), reason) for reason in reasons)

    def _mended(self, text: str, wording: Wording) -> str:
        """The text with the misspelt names that a wording has on purpose put right."""
        for slip in wording.accepted:
            meant = [word for word in self._words if slip not in self._words and one_slip_apart(slip, word)]
            if len(meant) == 1:
                text = re.sub(rf"\b{re.escape(slip)}\b", meant[0], text)
        return text

    def _suite(self, suite: Suite) -> Iterator[Finding]:
        where, catalogue = suite.entry.where, suite.catalogue
        for task, reason in leaks(suite, held_out(catalogue)):
            yield Finding(where, task.id, reason)
        for reason in two_goals(suite):
            yield Finding(where, suite.name, reason)
        for axis in suite.entry.axes:
            yield from (Finding(where, f"axes.{axis}", reason) for reason in faults_of_number(suite, axis))
        for episode in episodes(suite, limit=DRAWN):
            task = catalogue.tasks[episode.task]
            reasons = faults_of_episode(episode, task, catalogue)
            yield from (Finding(where, f"axes.{episode.axis}: {task.id}", reason) for reason in reasons)


def _worded(wording: Wording, catalogue: Catalogue) -> Iterable[Task]:
    """Tasks that a wording has words of its own for; a few where it goes round any instruction."""
    covered = [task for task in catalogue.tasks.values() if wording.covers(task)]
    if wording.phrases or wording.templates:
        return covered
    return {task.entry: task for task in covered if not task.group}.values()


def _misspelt(text: str, tongue: str, words: frozenset[str]) -> Iterator[str]:
    for word in spelling.unknown_words(text, tongue, words):
        yield f"has {word!r}, which no dictionary knows; correct it."


def _vocabulary(catalogue: Catalogue) -> frozenset[str]:
    """Words of the names of objects and fixtures, each alone and in the plural."""
    names = [words for thing in catalogue.objects.values() for words in thing.names]
    names += [name.replace("_", " ") for setting in catalogue.scenes.values() for name in setting.fixtures]
    found = {word for name in names for word in name.lower().split()}
    return frozenset(found | {f"{word}s" for word in found})
