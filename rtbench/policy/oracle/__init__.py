"""The scripted oracle: a privileged policy that solves episodes and is the ceiling of every table.

It reads the simulator's state but acts as any policy does, through eleven tokens three times a second.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, GRIPPER, MODE, RTBENCH, Mode, idle
from rtbench.core.episode import Observation
from rtbench.env.kitchen import Kitchen
from rtbench.policy.base import Needs
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.planner import next_step
from rtbench.task.predicate import evaluate

AT_REST = 0.005
"""Speed below which an object is at rest [m/s]: slower than rolling, faster than settled contacts creep."""


SHARES, LEANS = (1.0, 0.5, 0.25), (0.0, 0.1, 0.2, 0.35)
"""Of a move out of reach, shares and further leans [rad] that are tried."""


class OraclePolicy:
    """Closed-loop policy without memory: each action follows from the state alone."""

    def __init__(self) -> None:
        self.needs = Needs(privileged=True)
        self._envs: dict[int, Kitchen] = {}

    def attach(self, slot: int, env: Any) -> None:
        """Store the environment that plays a slot."""
        self._envs[slot] = env

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Do nothing: the policy has no memory."""

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11] of the rtbench convention; the observations are not used."""
        del observations
        return np.stack([RTBENCH.encode(oracle_action(self._envs[slot])) for slot in slots])


def oracle_action(env: Kitchen) -> NDArray[np.float64]:
    """The oracle's action float64[11] in the environment's present state."""
    view = View(env)
    action = next_step(view, env.goal)
    if action is None:
        action = idle()
        action[GRIPPER] = view.closedness(view.opening) if view.carried() is None else 1.0
        # A goal may need objects at rest, so the oracle ends only when the goal is true and will stay so.
        action[MODE] = Mode.TERMINATE if evaluate(env.goal, env.world) and _at_rest(view) else Mode.ARM
    if action[MODE] == Mode.ARM:
        action[ARM_SLICE] = _within_reach(env, action[ARM_SLICE])
    action[GRIPPER] = env.controller.gripper_number(float(action[GRIPPER]))
    return action


def _within_reach(env: Kitchen, delta: NDArray[np.float64]) -> NDArray[np.float64]:
    """A move float64[6] [m, rad] that the controller carries out: leaning forward more, or a part of it.

    Some controllers leave the arm where it is when a pose is out of reach. High up a hand has to lean.
    """
    for share, lean in itertools.product(SHARES, LEANS):
        tried = share * delta - [0.0, 0.0, 0.0, 0.0, lean, 0.0]
        if env.controller.reaches(tried):
            return np.asarray(tried)
    return delta


def _at_rest(view: View) -> bool:
    """Whether all objects but the held one are at rest: a pile in a bowl may still slide."""
    return all(view.world.held(name) or view.world.speed(name) < AT_REST for name in view.world.names())
