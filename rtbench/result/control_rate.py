"""Control rates: what policy, environment and closed loop took, and whether they kept up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rtbench.result.record import Record
from rtbench.stats import percentile

KEEPS_UP = 0.99
"""A rate is met when this share of the steps took no longer than the period."""


def hz(records: Iterable[Record], control_hz: int) -> dict[str, Any]:
    """Times and rates of the episodes that ended without an error.

    Gives for each of 'policy', 'env' and 'loop': p50, p95, p99 [ms] and the rate [Hz], which is that of the
    mean; and 'met', whether the policy kept up with the control rate. It is the policy that has to: on a real
    robot the environment takes no time. All are None where nothing was measured.
    """
    times = [record.times for record in records if record.outcome]
    period = 1000 / control_hz
    policy = [t for episode in times for t in episode.policy]
    in_time = sum(t <= period for t in policy) / len(policy) if policy else None
    return {
        "control_hz": control_hz,
        "decisions": len(policy),
        "policy": _spread(policy),
        "env": _spread([t for episode in times for t in episode.env]),
        "loop": _spread([t for episode in times for t in episode.loop]),
        "reset": _spread([episode.reset for episode in times]),
        "in_time": in_time,
        "met": None if in_time is None else in_time >= KEEPS_UP,
    }


def _spread(ms: list[float]) -> dict[str, float | None]:
    total = sum(ms)
    shares = {f"p{round(100 * s)}": percentile(ms, s) for s in (0.5, 0.95, 0.99)}
    rounded = {name: None if value is None else round(value, 3) for name, value in shares.items()}
    return {**rounded, "hz": round(1000 * len(ms) / total, 3) if total > 0 else None}
