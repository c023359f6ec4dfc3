"""Counts what went on in an episode besides the goal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import MODE, Mode
from rtbench.core.episode import EVENTS
from rtbench.env.sim_world import SimWorld
from rtbench.task.task import Task

FELL = 0.10
"""An object that was held and is now this much lower without being held was dropped [m]."""

STILL = 0.02
"""An object slower than this [m/s] has come to rest."""


class EventCounter:
    """Counts the beginnings of events, one look a control step.

    - wrong_object: the robot begins to touch an object that the task is not about: a foil or a distractor.
    - dropped: an object that was held falls, or anything falls off a counter.
    - collision: the robot's body, not its fingers, begins to touch a counter or a wall.
    - out_of_reach: the commanded pose could not be reached.
    - clipped: dimensions of actions that were out of range.
    - mode_switch: changes between arm and base mode.
    """

    def __init__(self, world: SimWorld, task: Task) -> None:
        self._world, self._targets = (
            world,
            {*task.objects, *(a for leaf in task.goal.leaves() for a in leaf.arguments)},
        )
        self._counts = dict.fromkeys(EVENTS, 0)
        self._touched: frozenset[str] = frozenset()
        self.first_touched = ""
        """The object touched first, the task's own where several are in one step; '' for none."""
        self._bumping: frozenset[str] = frozenset()
        self._held: dict[str, float] = {}
        self._resting: set[str] = set()
        self._fallen = {o for o in world.names() if world.box(o)[0][2] < _floor_height(world)}

    def step(
        self, action: NDArray[np.float64], last: NDArray[np.float64] | None, *, clipped: int, reached: bool
    ) -> None:
        """Look at the world after a control step."""
        touched = frozenset(self._world.touched() & set(self._world.names()))
        self._counts["wrong_object"] += len(touched - self._touched - self._targets)
        if touched and not self.first_touched:
            self.first_touched = min(touched, key=lambda name: (name not in self._targets, name))
        self._touched = touched
        bumping = self._world.bumping()
        self._counts["collision"] += len(bumping - self._bumping)
        self._bumping = bumping
        self._counts["out_of_reach"] += not reached
        self._counts["clipped"] += clipped
        if last is not None:
            modes = {Mode(int(action[MODE])), Mode(int(last[MODE]))}
            self._counts["mode_switch"] += modes == {Mode.ARM, Mode.BASE}
        self._count_dropped()

    def _count_dropped(self) -> None:
        for name in self._world.names():
            if name in self._resting:
                if self._world.asleep(name):
                    continue  # seen since it fell asleep
                self._resting.discard(name)
            elif self._world.asleep(name):
                self._resting.add(name)
            low = float(self._world.box(name)[0][2])
            fell = low < _floor_height(self._world) and name not in self._fallen
            if fell:
                self._fallen.add(name)
            if self._world.held(name):
                self._held[name] = low
                continue
            # Let go late in a step it has hardly fallen by the end: wait until it lies still.
            let_down = self._held.get(name, low) - low
            if fell or let_down > FELL:
                self._counts["dropped"] += 1
            if fell or let_down > FELL or self._world.speed(name) < STILL:
                self._held.pop(name, None)

    def counts(self) -> dict[str, int]:
        """Counts so far."""
        return dict(self._counts)


def _floor_height(world: SimWorld) -> float:
    """Below this [m] an object is on the floor: under the lowest drawer."""
    drawers = [d.height for d in world.scene.spec.drawers.values()]
    counters = [c.size[2] for c in world.scene.spec.counters.values()]
    return min([d - 0.2 for d in drawers] + [c - 0.5 for c in counters])
