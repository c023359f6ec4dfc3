"""rtbench as a benchmark of vla-eval 0.8, named by its import string: `rtbench_vla_eval:RtbenchBenchmark`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.specs import IMAGE_RGB, LANGUAGE, RAW, DimSpec
from vla_eval.types import Action, EpisodeResult, Observation, Task

from rtbench.evaluation.stepwise import Stepwise, StepwiseSettings


class RtbenchBenchmark(StepBenchmark):
    """A suite; each of its episodes is a task, so `episodes_per_task: 1` plays it once."""

    render_backends: ClassVar[frozenset[str]] = frozenset({"gpu", "cpu"})

    @classmethod
    def configure_render(cls, mode: str) -> dict[str, str]:  # noqa: ARG003 - rtbench chooses what works
        """Nothing to set: rtbench finds an OpenGL back end by itself."""
        return {}

    def __init__(self, **settings: Any) -> None:
        """Draw the episodes.

        Args:
            **settings: Fields of `rtbench.evaluation.stepwise.StepwiseSettings`, such as suite or skill.
        """
        super().__init__()
        told = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
        self._stepwise = Stepwise(StepwiseSettings(**told))
        self._success = False

    def get_tasks(self) -> list[Task]:
        """One for each episode."""
        return [
            {"name": f"{one.skill} {one.key}", "suite": one.suite, "number": k, "language": one.instruction}
            for k, one in enumerate(self._stepwise.episodes)
        ]

    def get_metadata(self) -> dict[str, Any]:
        """Steps of the longest episode."""
        steps = max(map(self._stepwise.most_steps, self._stepwise.episodes))
        return {"max_steps": steps, "control_hz": self._stepwise.control_hz}

    def get_action_spec(self) -> dict[str, DimSpec]:
        """The numbers of the action mapping, whose own clipping counts are in rtbench alone."""
        return {"actions": RAW}

    def get_observation_spec(self) -> dict[str, DimSpec]:
        """Images, the instruction, and proprioception float32[15]."""
        return {"image": IMAGE_RGB, "language": LANGUAGE, "state": RAW}

    def get_hold_action(self, last_action: Action | None) -> Action:
        """No motion; the gripper stays as it was told last."""
        held = np.zeros(self._stepwise.mapping.width, dtype=np.float32)
        where = self._stepwise.mapping.slices.get("gripper")
        if where is not None:
            held[where] = (
                self._stepwise.mapping.gripper.open if last_action is None else last_action["actions"][where]
            )
        return {"actions": held}

    def reset(self, task: Task) -> Any:
        """Begin a task's episode."""
        self._success = False
        return self._stepwise.begin(int(task["number"]))

    def step(self, action: Action) -> StepResult:
        """Act for one control period."""
        moment = self._stepwise.step(np.asarray(action["actions"]).ravel())
        self._success = moment.success
        return StepResult(moment.observation, float(moment.success), moment.done, {})

    def make_obs(self, raw_obs: Any, task: Task) -> Observation:
        """What the model server is sent."""
        return {
            "images": dict(raw_obs.images), "task_description": task["language"], "states": raw_obs.proprio
        }  # fmt: skip

    def get_step_result(self, step_result: StepResult) -> EpisodeResult:  # noqa: ARG002 - as it is now
        """Whether the goal was true at the end."""
        return {"success": self._success}

    def cleanup(self) -> None:
        """Close the environment."""
        self._stepwise.close()
