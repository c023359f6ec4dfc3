"""What is said to clients, whatever the protocol: who the policy is, and its answer to an observation."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from rtbench.core.action import MODE, Mode
from rtbench.core.episode import Observation
from rtbench.evaluation.serving.host import PolicyHost, Session
from rtbench.evaluation.serving.translation import Translation
from rtbench.policy.remote.connection import EXTENSION, SEED_KEY


def said(host: PolicyHost, translation: Translation) -> dict[str, Any]:
    """What a client of ours is told of the policy."""
    return {EXTENSION: host.said() | {"action": translation.action}}


async def begin_unless(session: Session, instruction: str) -> None:
    """Begin an episode with its first observation, which has the instruction."""
    if session.instruction is None:
        await session.begin(instruction, session.seed)


async def answered(session: Session, translation: Translation, seen: Observation) -> dict[str, Any]:
    """The answer to an observation: 'actions' float64[1, D], tokens, whether it ends, and times [ms]."""
    start = time.perf_counter()
    seen = replace(seen, step=session.step)
    action, tokens, seconds = await session.decide(seen)
    return {
        "actions": translation.numbers(action, seen),
        "tokens": tokens[None],
        "terminate": bool(action[MODE] == Mode.TERMINATE),
        "policy_timing": {"infer_ms": 1e3 * seconds},
        "server_timing": {"infer_ms": 1e3 * (time.perf_counter() - start)},
    }


def seed_of(message: dict[str, Any]) -> int:
    """The episode's seed; 0 for clients that send none."""
    seed = message.get(SEED_KEY)
    return seed if isinstance(seed, int) and 0 <= seed < 2**64 else 0
