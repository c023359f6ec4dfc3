"""One policy that many sessions ask: requests that wait are answered in one batch, in the policy's thread."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import Convention, convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.core.fault import Fault
from rtbench.evaluation.batched_policy import BatchedPolicy
from rtbench.evaluation.player import Player
from rtbench.evaluation.rollout import Decision

MOST_SESSIONS = 64
"""Sessions at a time: each may hold a history in the policy's memory."""


class ServedPolicyError(Exception):
    """The policy gave no action; the text is for the client."""


@dataclass(frozen=True)
class _Question:
    slot: int
    seen: Observation
    answer: Future[Decision]


class PolicyHost:
    """The policy that is served, and the sessions that ask it."""

    def __init__(self, player: Player, *, limit_s: float = 60.0) -> None:
        """Take charge of a policy.

        Args:
            player: The policy, made.
            limit_s: Seconds that one call may take.

        Raises:
            PolicyError: it reads the simulator, which no client sends.
        """
        needs = player.policy.needs
        if needs.privileged:
            raise PolicyError(
                f"policy {player.name} reads the simulator's state, which no protocol carries; it cannot be "
                "served. Serve one that decides by images, such as rt1."
            )
        self.name, self.cameras, self.history = player.name, needs.cameras, needs.history
        self.convention: Convention = convention(needs.convention)
        told = json.dumps(dict(player.identity), sort_keys=True, default=str)
        self.fingerprint = hashlib.sha256(told.encode()).hexdigest()
        """SHA-256 of what decides how the policy acts; it tells two served policies apart."""
        self._policy = BatchedPolicy(
            player.policy, self.convention, limit_s=limit_s, thread=player.thread, renew=player.renew
        )
        self._calls: queue.SimpleQueue[_Question | Callable[[], None] | None] = queue.SimpleQueue()
        self._slots, self._numbers = set[int](), itertools.count()
        self._epoch = 0
        """Times that the policy was made anew, and all sessions lost their history."""
        self._batches: list[int] = []
        self._thread = threading.Thread(target=self._work, name="served policy", daemon=True)
        self._thread.start()

    def said(self) -> dict[str, Any]:
        """What a client of ours is told in the first message."""
        return {
            "version": 1, "policy": self.name, "fingerprint": self.fingerprint, "cameras": list(self.cameras),
            "history": self.history, "convention": self.convention.name, "action": "rt1-11d",
        }  # fmt: skip

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session of a client: a slot of the policy.

        Raises:
            ServedPolicyError: too many sessions.
        """
        if len(self._slots) >= MOST_SESSIONS:
            raise ServedPolicyError(f"{MOST_SESSIONS} sessions are open; close one.")
        slot = next(n for n in itertools.count() if n not in self._slots)
        self._slots.add(slot)
        try:
            yield Session(self, slot)
        finally:
            # Behind what is still asked for the slot, so that the next session is not answered for it.
            self._calls.put(lambda: self._slots.discard(slot))

    def close(self) -> None:
        """Stop; what is still asked gets no answer."""
        self._calls.put(None)
        self._thread.join(timeout=5)
        self._policy.close()

    def reset(self, slot: int, instruction: str, seed: int) -> Future[int]:
        """Begin an episode in a slot; gives the epoch in which it began."""
        done: Future[int] = Future()

        def call() -> None:
            if not done.set_running_or_notify_cancel():
                return  # the client has gone
            answer = self._policy.reset(slot, instruction, seed)
            self._epoch += answer.renewed
            if answer.fault or answer.lost:
                done.set_exception(ServedPolicyError(_told(answer.fault, answer.lost)))
            else:
                done.set_result(self._epoch)

        self._calls.put(call)
        return done

    def decide(self, slot: int, seen: Observation, epoch: int) -> Future[Decision]:
        """The decision for an observation of a slot whose episode began in that epoch."""
        answer: Future[Decision] = Future()
        if epoch != self._epoch:
            answer.set_exception(ServedPolicyError("the policy was made anew; begin the episode again."))
        else:
            self._calls.put(_Question(slot, seen, answer))
        return answer

    @property
    def batches(self) -> list[int]:
        """Sizes of the batches so far."""
        return list(self._batches)

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            waiting: list[_Question] = []
            while isinstance(call, _Question):
                waiting.append(call)
                try:
                    call = self._calls.get_nowait()
                except queue.Empty:
                    break
            if waiting:
                self._answer(waiting)
            if call is None:
                return
            if not isinstance(call, _Question):
                call()

    def _answer(self, waiting: list[_Question]) -> None:
        """Answer questions in one batch; where it fails as a whole, none can be blamed and all are told."""
        waiting = [q for q in waiting if q.answer.set_running_or_notify_cancel()]
        if not waiting:
            return  # their clients have gone
        self._batches.append(len(waiting))
        answer = self._policy.act([q.seen for q in waiting], [q.slot for q in waiting])
        self._epoch += answer.renewed
        failed = answer.fault or answer.lost
        rows = answer.rows if not failed else [answer.fault or Fault("policy", answer.lost)] * len(waiting)
        for question, row in zip(waiting, rows, strict=True):
            if isinstance(row, Fault):
                question.answer.set_exception(ServedPolicyError(row.message))
            else:
                question.answer.set_result(row)


class Session:
    """One client's episode at a time."""

    def __init__(self, host: PolicyHost, slot: int) -> None:
        self._host, self._slot = host, slot
        self._instruction: str | None = None
        self._epoch, self._step, self._seed = 0, 0, 0

    @property
    def instruction(self) -> str | None:
        """Of the episode; None before the first."""
        return self._instruction

    @property
    def step(self) -> int:
        """Observations answered in this episode."""
        return self._step

    @property
    def seed(self) -> int:
        """Of the episode that the next observation begins."""
        return self._seed

    def forget(self, seed: int = 0) -> None:
        """The episode is over: the next observation begins another, of that seed."""
        self._instruction, self._seed = None, seed

    async def begin(self, instruction: str, seed: int) -> None:
        """Begin an episode.

        Raises:
            ServedPolicyError: the policy did not take it up.
        """
        self._epoch = await _awaited(self._host.reset(self._slot, instruction, seed))
        self._instruction, self._step = instruction, 0

    async def decide(self, seen: Observation) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
        """Action float64[11] in SI units, tokens int64[11], and the policy's time [s].

        Raises:
            ServedPolicyError: the policy gave no action.
        """
        decision = await _awaited(self._host.decide(self._slot, seen, self._epoch))
        self._step += 1
        return self._host.convention.decode(decision.tokens), decision.tokens, decision.seconds


async def _awaited(future: Future[Any]) -> Any:
    return await asyncio.wrap_future(future)


def _told(fault: Fault | None, lost: str) -> str:
    return fault.message if fault else lost
