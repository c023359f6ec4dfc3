"""Sim-to-real correlation: whether success in simulation predicts success on a real robot.

Two figures over policies, for each group: Pearson's r, and the mean maximum rank violation (MMRV), the loss
on the robot from choosing between two policies by their order in simulation. Both are from X. Li and others,
Evaluating Real-World Robot Manipulation Policies in Simulation (SIMPLER), arXiv 2405.05941.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtbench.analysis.rates import RateTable
from rtbench.core.errors import RtbenchError, nearest
from rtbench.core.seeding import generator

RESAMPLES = 2000
CONFIDENCE = 0.95
ENOUGH_POLICIES = 5
"""Number of policies from which the bootstrap draws them too; fewer do not represent other policies."""
_UNDEFINED = 0.05
"""Largest share of resamples without a value for which an interval is given."""
_SPREAD = 1e-12
_CHUNK = 4_000_000
"""Pairs of policies compared at once, which bounds the memory."""
Floats = NDArray[np.float64]


class CorrelationError(RtbenchError):
    """Rates without a common policy or group, or with different kinds of groups."""


def mmrv(*, simulated: ArrayLike, real: ArrayLike) -> float:
    """Mean maximum rank violation of the same policies' rates, 0 (right order) to 1.

    A pair of policies that simulation and reality order differently is violated by its difference in
    *reality*; each policy has the greatest violation among its pairs, and the mean is over policies. The two
    arguments are not interchangeable, hence by keyword only: SIMPLER's README swaps them, which gives .003 in
    place of .111 for its task of moving objects near others.

    Of two that tie in simulation alone, the better in reality carries the violation, as in SIMPLER's code.

    Args:
        simulated: Rates in simulation, float[policies].
        real: Rates on the robot, float[policies].

    Raises:
        ValueError: not two lists of the same length, fewer than two policies, or a value that is not finite.
    """
    first, second = _checked(simulated, real)
    return float(_mmrv(first[None], second[None])[0])


def pearson(*, simulated: ArrayLike, real: ArrayLike) -> float | None:
    """Pearson's correlation coefficient of the same policies' rates; None where one side has no spread.

    Args:
        simulated: Rates in simulation, float[policies].
        real: Rates on the robot, float[policies].

    Raises:
        ValueError: not two lists of the same length, fewer than two policies, or a value that is not finite.
    """
    first, second = _checked(simulated, real)
    return _finite(_pearson(first[None], second[None])[0])


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval."""

    value: float | None
    """The figure; None where there is none."""
    interval: tuple[float, float] | None = None
    """Percentile bootstrap interval; None where resamples have no values."""
    reason: str = ""
    """Reason why there is no figure, a sentence."""


@dataclass(frozen=True)
class Violation:
    """The pair of policies whose order simulation gets most wrong."""

    better: str
    """Better on the robot, not better in simulation."""
    worse: str
    """The other."""
    real: tuple[float, float]
    """Their rates on the robot."""
    simulated: tuple[float, float]
    """Their rates in simulation."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of simulation and reality on policies in a group of episodes."""

    group: str
    """Name of the group."""
    policies: tuple[str, ...]
    """Policies that have both rates."""
    simulated: tuple[float, ...]
    """Their rates in simulation."""
    real: tuple[float, ...]
    """Their rates on the robot."""
    r: Estimate
    """Pearson's r."""
    mmrv: Estimate
    """Mean maximum rank violation."""
    resampled: str
    """What the bootstrap draws again: trials, or trials and policies."""
    worst: Violation | None = None
    """None where no order is wrong."""


@dataclass(frozen=True)
class Correlation:
    """Agreement of simulation and reality, by group."""

    by: str
    """Kind of the groups."""
    source: str
    """Source of the real rates."""
    groups: tuple[Agreement, ...]
    """One a group that both sides have."""
    r: Estimate
    """Mean of the groups' r."""
    mmrv: Estimate
    """Mean of the groups' MMRV."""
    notes: tuple[str, ...] = ()
    """Notes on what was left out, in sentences."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file; None where there is no figure."""
        return asdict(self) | {"confidence": CONFIDENCE, "resamples": RESAMPLES}


def correlate(simulated: RateTable, real: RateTable) -> Correlation:
    """Correlate rates of simulation with those of reality, over the policies of each group.

    Intervals are of 95 % by a percentile bootstrap of 2000 seeded resamples: of the trials on both sides, and
    of the policies too in groups of five or more. A real rate without its number of trials is taken as exact.
    A resample of policies has some of them twice, which cannot be out of order: MMRV's interval leans low.

    Raises:
        CorrelationError: groups of different kinds, or no policy or no group that both sides have.
    """
    if simulated.by != real.by:
        raise CorrelationError(
            f"simulated rates are by {simulated.by}, real ones by {real.by}; group both by the same."
        )
    _shared("policy", simulated.policies, real.policies)
    shared = [group for group in real.groups if group in simulated.groups]
    if not shared:
        _shared(real.by, simulated.groups, real.groups)
    found, draws = [], []
    for group in shared:
        policies = [p for p in real.policies if (p, group) in real.cells and (p, group) in simulated.cells]
        if policies:
            agreement, drawn = _agreement(simulated, real, group, policies)
            found.append(agreement)
            draws.append(drawn)
    if not found:
        raise CorrelationError(f"no policy has a simulated and a real rate on the same {real.by}.")
    r, violation = (
        _mean([getattr(one, name) for one in found], [drawn[name] for drawn in draws])
        for name in ("r", "mmrv")
    )
    notes = (*simulated.notes, *real.notes, *_unmatched(simulated, real))
    return Correlation(real.by, real.source, tuple(found), r, violation, notes)


def _agreement(
    simulated: RateTable, real: RateTable, group: str, policies: Sequence[str]
) -> tuple[Agreement, dict[str, Floats]]:
    sides = {"simulated": simulated, "real": real}
    rates = [np.array([side.cells[p, group].rate for p in policies]) for side in sides.values()]
    drawn = [side.draw(name, group, policies, RESAMPLES) for name, side in sides.items()]
    many = len(policies) >= ENOUGH_POLICIES
    if many:
        chosen = generator("correlate", "policies", len(policies)).integers(
            len(policies), size=(RESAMPLES, len(policies))
        )
        drawn = [np.take_along_axis(side, chosen, axis=1) for side in drawn]
    draws = {"r": _pearson(*drawn), "mmrv": _mmrv(*drawn)}
    return (
        Agreement(
            group=group,
            policies=tuple(policies),
            simulated=tuple(map(float, rates[0])),
            real=tuple(map(float, rates[1])),
            r=_r(rates, draws["r"]),
            mmrv=_rank(rates, draws["mmrv"]),
            resampled="trials and policies" if many else "trials",
            worst=_worst(policies, *rates),
        ),
        draws,
    )


def _r(rates: Sequence[Floats], draws: Floats) -> Estimate:
    count = len(rates[0])
    if count < 3:
        figure = "1 policy has" if count == 1 else "2 policies have"
        return Estimate(None, reason=f"{figure} no r worth the name: it takes 3.")
    value = _finite(_pearson(rates[0][None], rates[1][None])[0])
    if value is None:
        where = "in simulation" if np.ptp(rates[0]) < _SPREAD else "on the robot"
        return Estimate(None, reason=f"all policies succeed equally often {where}: there is no r.")
    return Estimate(value, _interval(draws))


def _rank(rates: Sequence[Floats], draws: Floats) -> Estimate:
    if len(rates[0]) < 2:
        return Estimate(None, reason="1 policy has no rank: it takes 2.")
    return Estimate(float(_mmrv(rates[0][None], rates[1][None])[0]), _interval(draws))


def _mean(groups: Sequence[Estimate], draws: Sequence[Floats]) -> Estimate:
    """The mean over the groups that have the figure."""
    values = [one.value for one in groups if one.value is not None]
    if not values:
        return Estimate(None, reason=groups[0].reason)
    kept = [drawn for one, drawn in zip(groups, draws, strict=True) if one.value is not None]
    return Estimate(float(np.mean(values)), _interval(np.mean(kept, axis=0)))


def _interval(draws: Floats) -> tuple[float, float] | None:
    defined = draws[np.isfinite(draws)]
    if len(defined) < (1 - _UNDEFINED) * len(draws):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _pearson(simulated: Floats, real: Floats) -> Floats:
    """Pearson's r float64[n] of rates float64[n, policies]; NaN where there is no spread."""
    a = simulated - simulated.mean(axis=1, keepdims=True)
    b = real - real.mean(axis=1, keepdims=True)
    flat = (np.ptp(simulated, axis=1) < _SPREAD) | (np.ptp(real, axis=1) < _SPREAD)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    r = np.full(len(a), np.nan)
    np.divide((a * b).sum(axis=1), scale, out=r, where=~flat)
    clipped: Floats = np.clip(r, -1.0, 1.0)
    return clipped


def _mmrv(simulated: Floats, real: Floats) -> Floats:
    """MMRV float64[n] of rates float64[n, policies]; NaN where a rate is."""
    rows = max(1, _CHUNK // simulated.shape[1] ** 2)
    parts = [
        _violations(simulated[k : k + rows], real[k : k + rows]).max(axis=2).mean(axis=1)
        for k in range(0, len(simulated), rows)
    ]
    found: Floats = np.concatenate(parts)
    found[~np.isfinite(simulated).all(axis=1)] = np.nan
    return found


def _violations(simulated: Floats, real: Floats) -> Floats:
    """Violation float64[n, policies, policies] of each pair; its first policy is the one that carries it."""
    above = simulated[:, :, None] > simulated[:, None, :]
    truly = real[:, :, None] > real[:, None, :]
    return np.where(above != truly, np.abs(real[:, :, None] - real[:, None, :]), 0.0)


def _worst(policies: Sequence[str], simulated: Floats, real: Floats) -> Violation | None:
    found = _violations(simulated[None], real[None])[0]
    pair = np.unravel_index(int(found.argmax()), found.shape)
    if found[pair] == 0:
        return None
    better, worse = sorted(map(int, pair), key=lambda k: -real[k])
    return Violation(
        policies[better], policies[worse],
        (float(real[better]), float(real[worse])), (float(simulated[better]), float(simulated[worse])),
    )  # fmt: skip


def _checked(simulated: ArrayLike, real: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(simulated, dtype=np.float64), np.asarray(real, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        raise ValueError(f"expected two lists of rates of the same 2 or more policies, not {first.shape} "
                         f"and {second.shape}.")  # fmt: skip
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("rates must be finite numbers.")
    return first, second


def _finite(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None


def _shared(kind: str, simulated: Sequence[str], real: Sequence[str]) -> None:
    if set(simulated) & set(real):
        return
    pairs = [(name, nearest(name, real)) for name in simulated]
    hint = next((f" Is {a!r} the same as {b!r}?" for a, b in pairs if b), "")
    raise CorrelationError(
        f"no {kind} has both rates; simulated: {_some(simulated)}; real: {_some(real)}.{hint}"
    )


def _unmatched(simulated: RateTable, real: RateTable) -> list[str]:
    """Sentences about what only one side has."""
    notes = []
    for what, a, b in (
        ("policies", simulated.policies, real.policies),
        (f"{real.by} groups", simulated.groups, real.groups),
    ):
        for names, missing in (
            ([n for n in a if n not in b], "real"),
            ([n for n in b if n not in a], "simulated"),
        ):
            if names:
                notes.append(f"without {missing} rates, left out: {what} {_some(names)}.")
    return notes


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")
