"""Situations in which the right action is known: episodes of the oracle, as a policy would see them.

The oracle drives. A policy that is shown the observations says at each step what it would do, and that is
held against what the oracle does. So every policy is asked about the same states, however badly it would act
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import MODE, RTBENCH, Mode
from rtbench.core.episode import Episode, Observation
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import Library
from rtbench.task.suite import draw

Array = NDArray[np.float64]

SKILLS = ("pick", "move_near", "place_into", "open_drawer", "place_upright", "drive", "knock_over", "drive")
"""One episode of each in turn: together they move the hand and the base along all axes."""
SUITE = "seen"
MOST_STEPS = 40
"""Steps of an episode at most."""
SEED = 9000
"""Seed of the first episode."""


@dataclass(frozen=True)
class Situation:
    """An episode that the oracle has played."""

    episode: Episode
    """Which."""
    other: str
    """The instruction of another task."""
    observations: tuple[Observation, ...]
    """Before each step."""
    right: Array
    """The oracle's actions, float64[steps, 11], in the order of `rtbench.core.action.DIMENSIONS`."""


Watch = Callable[[Kitchen, Episode, Observation], None]
"""Called before each step of the oracle, for policies that read the simulator."""


def choose(count: int, library: Library) -> list[Episode]:
    """Episodes of the suite `seen`, of each skill in turn, the same for the same number."""
    suite = library.suite(SUITE)
    tasks: dict[str, list[str]] = {}
    for task in suite.tasks():
        tasks.setdefault(task.skill, []).append(task.id)
    chosen = []
    for number in range(count):
        names = sorted(tasks[SKILLS[number % len(SKILLS)]])
        name = names[(number * 7) % len(names)]
        chosen.append(draw(suite, library.task(name), SEED + number))
    return chosen


def record(episodes: Sequence[Episode], kitchen: Kitchen, watch: Watch | None = None) -> Iterator[Situation]:
    """Let the oracle play episodes.

    Args:
        episodes: Which; another one of them lends each its other instruction.
        kitchen: Renders what the policy needs.
        watch: See `Watch`.
    """
    for number, episode in enumerate(episodes):
        seen = kitchen.begin(episode)
        observations, right = [], []
        for _ in range(min(MOST_STEPS, episode.horizon)):
            action = oracle_action(kitchen)
            observations.append(seen)
            right.append(action)
            if watch is not None:
                watch(kitchen, episode, seen)
            if action[MODE] == Mode.TERMINATE:
                break
            seen = kitchen.advance(RTBENCH.encode(action))
        other = next(
            one.instruction
            for one in (*episodes[number + 1 :], *episodes)
            if one.skill != episode.skill or one is episodes[number - 1]
        )
        yield Situation(episode, other, tuple(observations), np.array(right))
