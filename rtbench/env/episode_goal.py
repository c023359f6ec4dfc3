"""What is asked for in an episode: the goal, a stricter rule, and a part before the instruction changes."""

from __future__ import annotations

from rtbench.core.episode import Episode
from rtbench.env.sim_world import SimWorld
from rtbench.task.predicate import evaluate, leaves, note
from rtbench.task.task import Goal, Task


class EpisodeGoal:
    """Follows one episode of a task from its settled state on."""

    def __init__(self, task: Task, episode: Episode, world: SimWorld) -> None:
        self._task, self._episode, self._world = task, episode, world
        self._in_first = task.first is not None
        self.terminated = False
        """Whether the last action ended the episode."""
        self._note()

    def step(self, steps: int, *, terminates: bool) -> None:
        """Note a control step.

        Args:
            steps: Control steps so far.
            terminates: Whether the action's mode was terminate: it ends the part before the instruction
                changes, and only then the episode.
        """
        self._note()
        if self._in_first and self._task.first:
            self._in_first = not (terminates or steps >= self._task.first.steps)
        else:
            self.terminated = terminates

    def _note(self) -> None:
        """Let predicates with a memory see the present state."""
        for goal in filter(None, (self._task.goal, self._task.strict)):
            note(goal, self._world)

    @property
    def instruction(self) -> str:
        """The instruction now; an ablated one stays."""
        first = self._task.first
        changed = self._in_first and first and not self._episode.arm
        return first.instruction if changed and first else self._episode.instruction

    @property
    def wanted(self) -> Goal:
        """What to bring about now: of two rules the stricter one."""
        if self._in_first and self._task.first:
            return self._task.first.goal
        return self._task.strict or self._task.goal

    def success(self) -> bool:
        """Whether the goal is true now, and the instruction is the one that asks for it."""
        return not self._in_first and evaluate(self._task.goal, self._world)

    def rules(self) -> dict[str, bool]:
        """Whether the task's stricter rule holds now, as 'strict'; empty where it has none."""
        strict = self._task.strict
        return {"strict": not self._in_first and evaluate(strict, self._world)} if strict else {}

    def leaves(self) -> dict[str, bool]:
        """Each leaf of the goal and whether it is true now."""
        return leaves(self._task.goal, self._world)
