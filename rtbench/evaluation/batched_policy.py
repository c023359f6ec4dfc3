"""The desk where observations become tokens: a batched policy, checked and timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rtbench.core.action import Convention
from rtbench.core.episode import Observation
from rtbench.core.fault import Fault
from rtbench.evaluation.rollout import Decision
from rtbench.evaluation.timeout import OverdueError, Watchdog
from rtbench.policy.base import Policy
from rtbench.policy.check import check_tokens


@dataclass(frozen=True)
class Answer:
    """What came of one batch."""

    rows: list[Decision | Fault]
    """A decision or a fault for each slot; empty when the batch failed as a whole."""
    fault: Fault | None = None
    """Set when the batch failed and no slot of it can be blamed."""
    renewed: bool = False
    """The policy had to be made anew: the histories of all its slots are lost."""


class BatchedPolicy:
    """A policy in the main process."""

    def __init__(
        self, policy: Policy, spec: Convention, *, limit_s: float, renew: Callable[[], Policy] | None
    ) -> None:
        """Take charge of a policy.

        Args:
            policy: The policy.
            spec: Its convention.
            limit_s: Seconds that `reset` or `act` may take.
            renew: Makes the policy anew after a call that timed out. Without it the same object is used
                again, though its hung call may still be running.
        """
        self._policy = policy
        self._spec = spec
        self._limit_s = limit_s
        self._renew = renew
        self._watchdog = Watchdog()

    def reset(self, slot: int, instruction: str, seed: int) -> Answer:
        """Begin an episode in a slot; the answer has a fault where the policy did not take it up."""
        return self._call(lambda: self._policy.reset(slot, instruction, seed))[0]

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> Answer:
        """Decide for a batch of slots."""
        start = time.perf_counter()
        answer, tokens = self._call(lambda: self._policy.act(observations, slots))
        seconds = time.perf_counter() - start
        if answer.fault is not None:
            return answer
        rows = check_tokens(tokens, len(slots), self._spec)
        if isinstance(rows, Fault):
            return Answer([], rows)
        return Answer([row if isinstance(row, Fault) else Decision(row, seconds) for row in rows])

    def close(self) -> None:
        """Let the policy's thread end."""
        self._watchdog.close()

    def _call(self, function: Callable[[], Any]) -> tuple[Answer, Any]:
        try:
            return Answer([]), self._watchdog.call(function, self._limit_s)
        except OverdueError:
            fault = Fault("policy_timeout", f"the policy gave no answer within {self._limit_s:g} s.")
            return Answer([], fault, renewed=self._make_anew()), None
        except Exception as error:  # noqa: BLE001 - a user's policy may raise anything
            return Answer([], Fault.of("policy", error)), None

    def _make_anew(self) -> bool:
        if self._renew is None:
            return False
        self._policy = self._renew()
        return True
