"""From a policy's gripper number to rtbench's: -1 open, +1 closed. Pure functions over a small state.

The two sticky rules come from the Google robot, whose policies give absolute numbers and whose robot takes
relative ones. Both hold a relative value r (positive closes) for some actions once it is larger than a half,
and send it as it is otherwise. With the openness o, 1 open and 0 closed:

- ``on_change`` (SIMPLER's Octo): r = o before - o now, and 0 in an episode's first action.
- ``on_level`` (vla-eval's SIMPLER adapter): r = -(2 o - 1).

There r moves the fingers' target by r times their range; here it moves the commanded closedness alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtbench.policy.continuous.mapping import Gripper, Sticky

TRIGGER = 0.5
"""Relative value above which it is held."""


@dataclass(frozen=True)
class GripperState:
    """What a gripper's rule remembers of an episode."""

    closedness: float = -1.0
    """Commanded so far, -1 open to +1 closed."""
    openness: float | None = None
    """The policy's last number as openness; None before the first."""
    held: float = 0.0
    """Relative value that is being held."""
    sent: int = 0
    """How often it has been sent; 0: none is held."""


def command(rule: Gripper, number: float, state: GripperState) -> tuple[float, GripperState]:
    """Closedness to command, -1 open to +1 closed, and the state afterwards.

    An absolute number may give more than that range; a relative one is kept within it.
    """
    span = rule.closed - rule.open
    if rule.kind == "relative":
        return _moved(rule, number / span, state)
    if rule.threshold is not None:
        above = number > rule.threshold
        closedness = 1.0 if above == (rule.closed > rule.open) else -1.0
        return closedness, replace(state, closedness=closedness)
    openness = 1.0 - (number - rule.open) / span
    if rule.sticky is None:
        closedness = 1.0 - 2.0 * openness
        return closedness, replace(state, closedness=closedness)
    return _sticky(rule, rule.sticky, openness, state)


def _sticky(
    gripper: Gripper, rule: Sticky, openness: float, state: GripperState
) -> tuple[float, GripperState]:
    if rule.rule == "on_level":
        relative = 1.0 - 2.0 * openness
    else:
        relative = 0.0 if state.openness is None else state.openness - openness
    held, sent = state.held, state.sent
    if abs(relative) > TRIGGER and sent == 0:
        held, sent = relative, 1
    elif sent:
        sent += 1
    if sent:
        relative = held
    if sent == rule.actions:
        held, sent = 0.0, 0
    return _moved(gripper, relative, replace(state, openness=openness, held=held, sent=sent))


def _moved(rule: Gripper, share: float, state: GripperState) -> tuple[float, GripperState]:
    """Close by a share of the range, or tell the share."""
    closedness = min(1.0, max(-1.0, state.closedness + 2.0 * share))
    told = min(1.0, max(-1.0, share)) if rule.sends == "change" else closedness
    return told, replace(state, closedness=closedness)
