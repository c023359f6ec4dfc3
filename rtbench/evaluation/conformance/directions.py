"""Probes of a policy's actions against the right ones: signs, axes, units, gripper, base, modes, timing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from rtbench.core.action import GRIPPER, MODE, Mode
from rtbench.evaluation.conformance.alignment import AXES, LAGS, Alignment, name
from rtbench.evaluation.conformance.finding import Finding

FOLLOWS = 0.25
"""Least correlation, in size, that says something; the shipped RT-1 has 0.67 to 0.95 (2026-11-29)."""
TOO_FAST, TOO_SLOW = 3.0, 0.2
"""Size of the actions, by the oracle's, beyond which a unit is wrong."""
SATURATED = 0.35
"""Share of steps at a bound, more than the oracle's, beyond which a unit is wrong."""
SHIFTED = 0.06
"""Gain of correlation by which a shift in time is told."""
_BASE_X, _BASE_YAW = 7, 9
_WORDS = {
    0: "+x, forward", 1: "+y, left", 2: "+z, up", 3: "+roll", 4: "+pitch", 5: "+yaw, counter-clockwise",
    GRIPPER: "close and open", _BASE_X: "base forward", _BASE_YAW: "base turns left",
}  # fmt: skip


def directions(found: Alignment) -> Iterator[Finding]:
    """One finding for each axis of the hand."""
    for group in AXES.values():
        for dimension in group:
            yield _axis(found, dimension, group)


def gripper(found: Alignment) -> Finding:
    """Whether the gripper closes where it should."""
    probe = _WORDS[GRIPPER]
    r = found.correlation(GRIPPER, GRIPPER)
    if r.low > 0 and r.value > FOLLOWS:
        return Finding(probe, "pass", f"the gripper closes and opens where it should ({_r(r.value)})")
    if r.high < 0 and r.value < -FOLLOWS:
        text = f"the gripper is inverted: it opens where it should close, and the reverse ({_r(r.value)})"
        return Finding(probe, "fault", text)
    numbers = found.in_mode(Mode.ARM)[0][:, GRIPPER]
    if np.ptp(numbers) == 0:
        return Finding(probe, "unclear", f"the gripper's number is always {numbers[0]:.2f}")
    return Finding(
        probe, "unclear", f"the gripper follows neither what is right nor its opposite ({_r(r.value)})"
    )


def base(found: Alignment) -> Iterator[Finding]:
    """Whether the base drives the right way."""
    for dimension in (_BASE_X, _BASE_YAW):
        probe = _WORDS[dimension]
        moving = found.in_mode(Mode.BASE)[0]
        if not len(moving) or not (moving[:, MODE] == Mode.BASE).any():
            yield Finding(probe, "skipped", "it never drives the base")
            continue
        r = found.correlation(dimension, dimension, Mode.BASE)
        if r.low > 0 and r.value > FOLLOWS:
            yield Finding(probe, "pass", f"follows the right motion ({_r(r.value)})")
        elif r.high < 0 and r.value < -FOLLOWS:
            text = (
                f"the sign of {name(dimension)} is flipped: the base moves the opposite way ({_r(r.value)})"
            )
            yield Finding(probe, "fault", text)
        else:
            yield Finding(
                probe, "unclear", f"follows neither the right motion nor its opposite ({_r(r.value)})"
            )


def units(found: Alignment, speedup: float = 1.0) -> Iterator[Finding]:
    """Whether motions are about as large as they should be.

    Args:
        found: Actions.
        speedup: Control rate of the policy by that of the oracle: its actions may be smaller by this.
    """
    for group, dimensions in AXES.items():
        probe = f"unit of {group}"
        ratio, saturated = found.spread(dimensions) * speedup, found.saturation(dimensions)
        if saturated > SATURATED:
            text = f"too large: {100 * saturated:.0f} % more steps than the oracle's are at the robot's bound"
            yield Finding(probe, "fault", f"{text}. Is it in metres and radians?")
        elif ratio > TOO_FAST:
            yield Finding(probe, "fault", f"too large: motions are {ratio:.1f} times the oracle's")
        elif ratio == 0:
            yield Finding(probe, "unclear", "it does not move so")
        elif ratio < TOO_SLOW:
            text = f"too small: motions are {ratio:.2g} times the oracle's. Is it in metres and radians?"
            yield Finding(probe, "fault", text)
        else:
            yield Finding(probe, "pass", f"motions are {ratio:.2f} times as large as the oracle's")


def modes(found: Alignment) -> Finding:
    """Whether arm, base and terminate are where they should be."""
    mine = np.concatenate([rows[:, MODE] for rows in found.given]).astype(int)
    theirs = np.concatenate([rows[:, MODE] for rows in found.right]).astype(int)
    # Of a mode that the oracle uses less, each step counts the more.
    weights = 1.0 / np.bincount(theirs, minlength=3).clip(1)[theirs]

    def share(order: tuple[int, ...]) -> float:
        return float(np.average(np.array(order)[mine] == theirs, weights=weights))

    own = share((0, 1, 2))
    best = max(permutations(range(3)), key=share)
    if best != (0, 1, 2) and share(best) > own + 0.25:
        said = [f"{Mode(i).name.lower()} for {Mode(best[i]).name.lower()}" for i in range(3) if best[i] != i]
        return Finding("mode", "fault", f"modes are exchanged: it says {', '.join(said)}")
    early = float((mine[theirs != Mode.TERMINATE] == Mode.TERMINATE).mean())
    if early > 0.3:
        return Finding("mode", "fault", f"it terminates in {100 * early:.0f} % of the steps before the goal")
    if own < 0.5:
        return Finding("mode", "unclear", f"it has the right mode in {100 * own:.0f} % of the steps")
    return Finding("mode", "pass", f"arm, base and terminate: right in {100 * own:.0f} % (each counts alike)")


def timing(found: Alignment) -> Finding:
    """Whether actions come in the step for which they are right: a chunk that is off by one shows here."""
    gains = {lag: found.lagged(lag) for lag in LAGS if lag}
    lag, gain = max(gains.items(), key=lambda one: one[1].value)
    if gain.value > SHIFTED and gain.low > 0:
        steps = f"{abs(lag)} step" + ("s" if abs(lag) > 1 else "")
        cause = (
            "the first actions of a chunk are dropped"
            if lag > 0
            else "an observation or a chunk is kept too long"
        )
        when = "early" if lag > 0 else "late"
        text = f"actions come {steps} too {when} ({_r(gain.value)}). Is a chunk off by one: {cause}?"
        return Finding("timing of chunks", "fault", text)
    if gain.value > SHIFTED:
        return Finding("timing of chunks", "unclear", f"perhaps shifted by {lag} steps ({gain.value:+.2f})")
    return Finding("timing of chunks", "pass", "no shift in time would fit better")


def _axis(found: Alignment, dimension: int, group: tuple[int, ...]) -> Finding:
    probe = _WORDS[dimension]
    own = found.correlation(dimension, dimension)
    others = {i: found.correlation(i, dimension) for i in group if i != dimension}
    best = max(others, key=lambda i: abs(others[i].value))
    other = others[best]
    clear = min(abs(other.low), abs(other.high)) if other.low * other.high > 0 else 0.0
    if clear > FOLLOWS and clear > abs(own.value) + 0.1:
        sign = "" if other.value > 0 else ", with its sign flipped"
        text = f"its {name(best)} goes where {name(dimension)} should{sign} ({_r(other.value)})"
        return Finding(probe, "fault", f"axes are permuted: {text}")
    if own.low > 0 and own.value > FOLLOWS:
        return Finding(probe, "pass", f"follows what is right ({_r(own.value)})")
    if own.high < 0 and own.value < -FOLLOWS:
        return Finding(probe, "fault", f"the sign of {name(dimension)} is flipped ({_r(own.value)})")
    return Finding(probe, "unclear", f"follows neither what is right nor its opposite ({_r(own.value)})")


def _r(value: float) -> str:
    return f"r {value:+.2f}"
