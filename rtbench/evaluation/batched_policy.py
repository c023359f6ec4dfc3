"""A policy that decides for a batch of slots: its answers checked and timed, its failures told as faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rtbench.core.action import Convention
from rtbench.core.episode import Observation
from rtbench.core.fault import Fault
from rtbench.core.stated_plan import StatedPlan
from rtbench.evaluation.rollout import Decision
from rtbench.policy.base import Policy
from rtbench.policy.check import Rows, check_tokens, stated_plans
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.report import episode_report
from rtbench.policy.thread import OverdueError, PolicyThread

FIRST_CALL_S = 600.0
"""Seconds that a policy's first calls may take at least: compilers work then, once for each size of batch."""


@dataclass(frozen=True)
class Answer:
    """What came of one batch."""

    rows: list[Decision | Fault]
    """A decision or a fault for each slot; empty when the batch failed as a whole."""
    fault: Fault | None = None
    """Set when the batch failed and no slot of it can be blamed."""
    renewed: bool = False
    """The policy had to be made anew: the histories of all its slots are lost."""
    lost: str = ""
    """Set when the policy's server is gone: what happened, in a sentence. No slot is to blame."""
    plans: tuple[StatedPlan | None, ...] = ()
    """The plan that each slot's decision follows, of a policy that states plans."""


class BatchedPolicy:
    """A policy in the main process, in a thread of its own."""

    def __init__(
        self, policy: Policy, spec: Convention, *,
        limit_s: float, thread: PolicyThread | None = None, renew: Callable[[], Policy | None] | None = None,
        first_call_s: float = FIRST_CALL_S,
    ) -> None:  # fmt: skip
        """Take charge of a policy.

        Args:
            policy: The policy.
            spec: Its convention.
            limit_s: Seconds that `reset` or `act` may take.
            thread: The thread in which it was made; a new one where None.
            renew: Makes the policy anew after a call that timed out. Without it, or where it gives None, the
                same object is used again, though its hung call may still be running.
            first_call_s: The same for the first `reset`, and the first `act` of each size of batch.
        """
        self._policy = policy
        self._spec = spec
        self._limit_s = limit_s
        self._first_call_s = max(limit_s, first_call_s)
        self._thread = thread or PolicyThread()
        self._renew = renew
        self._told: dict[int, tuple[str, int]] = {}
        """Instruction and seed that each slot was begun with."""
        self._warm: set[int] = set()
        """Sizes of batches decided so far; 0 after the first reset."""

    def reset(self, slot: int, instruction: str, seed: int) -> Answer:
        """Begin an episode in a slot; the answer has a fault where the policy did not take it up."""
        self._told[slot] = instruction, seed
        return self._call(lambda: self._policy.reset(slot, instruction, seed), 0)[0]

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> Answer:
        """Decide for a batch of slots."""

        def decide() -> tuple[Rows | Fault, float, list[StatedPlan | Fault | None]]:
            for observation, slot in zip(observations, slots, strict=True):
                self._renew_history(observation.instruction, slot)
            start = time.perf_counter()
            tokens = self._policy.act(observations, slots)
            seconds = time.perf_counter() - start
            # Here, for `__array__` of what it answered is the user's code too.
            return check_tokens(tokens, len(slots), self._spec), seconds, stated_plans(self._policy, slots)

        answer, found = self._call(decide, len(slots))
        if answer.fault is not None or answer.lost:
            return answer
        rows, seconds, plans = found
        if isinstance(rows, Fault):
            return Answer([], rows)
        faults = [plan if isinstance(plan, Fault) else None for plan in plans]
        decided = [
            fault or (row if isinstance(row, Fault) else Decision(row, seconds, len(slots)))
            for row, fault in zip(rows, faults, strict=True)
        ]
        return Answer(decided, plans=tuple(None if isinstance(plan, Fault) else plan for plan in plans))

    def _renew_history(self, instruction: str, slot: int) -> None:
        """Begin anew in a slot whose instruction has changed in the middle of an episode, as SIMPLER does."""
        told, seed = self._told.get(slot, ("", 0))
        if told and instruction not in ("", told):
            self._told[slot] = instruction, seed
            self._policy.reset(slot, instruction, seed)

    def report(self, slot: int) -> dict[str, Any]:
        """What the policy says of a slot's episode; empty where it says nothing."""
        if not hasattr(self._policy, "episode_report"):
            return {}
        answer, said = self._call(lambda: episode_report(self._policy, slot), 0)
        return {} if answer.fault is not None or answer.lost else said

    def close(self) -> None:
        """Let the policy's thread end."""
        self._thread.close()

    def _call(self, function: Callable[[], Any], size: int) -> tuple[Answer, Any]:
        warm = size in self._warm
        limit = self._limit_s if warm else self._first_call_s
        try:
            found = self._thread.call(function, limit)
        except OverdueError:
            which = "" if warm else ", its first call of this kind"
            remedy = "--policy-timeout SECONDS allows more."
            message = f"the policy gave no answer within {limit:g} s{which}; {remedy}"
            return Answer([], Fault("policy_timeout", message), renewed=self._make_anew()), None
        except PolicyLostError as error:
            return Answer([], lost=str(error)), None
        except Exception as error:  # noqa: BLE001 - a user's policy may raise anything
            return Answer([], Fault.of("policy", error)), None
        self._warm.add(size)
        return Answer([]), found

    def _make_anew(self) -> bool:
        """Whether the policy was made anew, in the thread that will call it."""
        made = self._thread.call(self._renew) if self._renew else None
        if made is None:
            return False
        self._policy = made
        self._warm.clear()
        return True
