"""Control rates: what policy, environment and closed loop took, and whether they kept up."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rtbench.result.record import Record
from rtbench.result.stored import Count, Flag, Hertz, Positive, Share, Stored
from rtbench.stats import percentile

KEEPS_UP = 0.99
"""A rate is met when this share of the steps took no longer than the period."""


class Spread(Stored):
    """How times are spread; all None where nothing was measured."""

    p50: Positive | None
    """Median [ms]."""
    p95: Positive | None
    """95th percentile [ms]."""
    p99: Positive | None
    """99th percentile [ms]."""
    hz: Positive | None
    """Rate of the mean [Hz]."""


class ControlRates(Stored):
    """What policy, environment and closed loop took, of the episodes that ended without an error."""

    control_hz: Hertz
    """Control rate of the run [Hz]."""
    decisions: Count
    """Decisions of the policy."""
    policy: Spread
    """Of the decisions."""
    env: Spread
    """Of the steps of the environment."""
    loop: Spread
    """Of the turns of the closed loop."""
    reset: Spread
    """Of the resets."""
    in_time: Share | None
    """Share of the decisions within a control period; None where there were none."""
    met: Flag | None
    """Whether the policy kept up with the control rate. It is the policy that has to: on a real robot the
    environment takes no time."""
    slots_per_call: Positive | None = None
    """Decisions that one call of the policy answered, in the mean; None where records do not say."""
    round_trip: Spread | None = None
    """Of the way to a server and back, what it computes included; in the file only of a remote policy."""
    server: Spread | None = None
    """Of what a server's policy took by itself; in the file only where the server says it."""


def control_rates(records: Iterable[Record], control_hz: int) -> ControlRates:
    """Times and rates of episodes, of which those with an error are left out."""
    valid = [record for record in records if record.outcome]
    times = [record.times for record in valid]
    period = 1000 / control_hz
    policy = [t for episode in times for t in episode.policy]
    in_time = sum(t <= period for t in policy) / len(policy) if policy else None
    found = ControlRates(
        control_hz=control_hz,
        decisions=len(policy),
        policy=_spread(policy),
        env=_spread([t for episode in times for t in episode.env]),
        loop=_spread([t for episode in times for t in episode.loop]),
        reset=_spread([episode.reset for episode in times]),
        in_time=in_time,
        met=None if in_time is None else in_time >= KEEPS_UP,
        slots_per_call=_slots_per_call([n for episode in times for n in episode.slots]),
    )
    remote = {name: _remote_times(valid, key) for name, key in _REMOTE.items()}
    return found.replace(**{name: _spread(ms) for name, ms in remote.items() if ms})


_REMOTE = {"round_trip": "round_trip_ms", "server": "policy_ms"}
"""Field -> key of the report of a remote policy."""


def _remote_times(records: Iterable[Record], key: str) -> list[float]:
    """What a remote policy reports of its episodes [ms]."""
    reports = [record.report.get("remote") for record in records]
    told = [report.get(key) for report in reports if isinstance(report, dict)]
    times = [ms for one in told if isinstance(one, list) for ms in one]
    return [ms for ms in times if isinstance(ms, int | float) and ms >= 0]


def _slots_per_call(slots: list[int]) -> float | None:
    """A call that answered n slots is in the records n times, so that each of them is 1/n of a call."""
    calls = math.fsum(1 / n for n in slots)
    return round(len(slots) / calls, 3) if calls else None


def _spread(ms: list[float]) -> Spread:
    total = sum(ms)
    p50, p95, p99 = (_rounded(percentile(ms, share)) for share in (0.5, 0.95, 0.99))
    return Spread(p50=p50, p95=p95, p99=p99, hz=_rounded(1000 * len(ms) / total) if total > 0 else None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
