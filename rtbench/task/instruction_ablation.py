"""Instruction ablation: the same episodes with a blank, swapped or shuffled instruction.

A policy that does what a scene suggests can score well without understanding the instruction. An ablation arm
has the same episodes (objects, placements, goal, time) and changes only the instruction: none ("blank"), that
of another task ("swapped"), or its own with the words in another order ("shuffled").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.core.seeding import generator
from rtbench.task.task import Task

BLANK, SWAPPED, SHUFFLED = "blank", "swapped", "shuffled"
ARMS = (BLANK, SWAPPED, SHUFFLED)
WITHOUT_BLANKS = ("zh", "ja", "th")
"""Languages without blanks between words."""


class AblationError(RtbenchError):
    """Episodes from which an ablation arm cannot be made."""


def controlled(episodes: Sequence[Episode], arm: str, tasks: Mapping[str, Task]) -> list[Episode]:
    """The same episodes with another instruction; each has its own as twin.

    Placement depends on task and seed alone, so that the scenes are the same to the last bit.

    Args:
        episodes: Episodes with their own instructions.
        arm: blank, swapped or shuffled. Swapped instructions come from another task of these episodes, in
            the same language and with another goal and other words; which one depends on the episode.
            Shuffling moves the words, or the characters of a language without blanks. An instruction
            with only one order stays as it is.
        tasks: All tasks by id, to compare goals.

    Raises:
        UnknownNameError: no such arm.
        AblationError: episodes that are of an ablation arm already, or none to swap instructions with.
    """
    if arm not in ARMS:
        raise UnknownNameError("control arm", arm, ARMS)
    for episode in episodes:
        if episode.arm:
            reason = f"is of the {episode.arm} arm already; give episodes with their own instructions."
            raise AblationError(f"episode {episode.key} ({episode.task}) {reason}")
    pool = _Pool(episodes, tasks) if arm == SWAPPED else None

    def text(episode: Episode) -> str:
        if pool:
            return pool.other(episode)
        return shuffled(episode.instruction, episode.language, episode.key) if arm == SHUFFLED else ""

    return [replace(e, instruction=text(e), arm=arm, twin=e.key) for e in episodes]


def shuffled(instruction: str, language: str, *stream: str | int) -> str:
    """The words in another order, drawn from the stream of that name; characters in `WITHOUT_BLANKS`.

    It differs from the original wherever any other order does.
    """
    joint = "" if language.partition("-")[0] in WITHOUT_BLANKS else " "
    words = instruction.split(joint) if joint else list(instruction)
    if len(set(words)) < 2:
        return instruction
    random = generator(*stream, SHUFFLED)
    order = words
    while order == words:
        order = [words[int(k)] for k in random.permutation(len(words))]
    return joint.join(order)


class _Pool:
    """Instructions to swap with."""

    def __init__(self, episodes: Sequence[Episode], tasks: Mapping[str, Task]) -> None:
        self._goals = {e.task: str(tasks[e.task].goal) if e.task in tasks else e.task for e in episodes}
        self._said: dict[str, dict[tuple[str, str], None]] = {}
        for e in episodes:
            self._said.setdefault(e.language, {})[e.instruction, e.task] = None

    def other(self, episode: Episode) -> str:
        """An instruction of another task, with another goal, in the same language."""
        own, said = self._goals[episode.task], self._said[episode.language]
        alike = {text for text, task in said if self._goals[task] == own}
        texts = list(dict.fromkeys(text for text, _ in said if text not in alike))
        if not texts:
            raise AblationError(
                f"--language swapped: no other task with an instruction in {episode.language!r} is there to "
                f"swap with {episode.task}; play more tasks or axes, or use --language blank."
            )
        return texts[int(generator(episode.key, SWAPPED).integers(len(texts)))]
