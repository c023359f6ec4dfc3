"""Oracle motions for drawers: closed, leaning fingers hook the handle or push the front."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import DOWN, about_z, difference, from_rotation_vector, multiply, rotate
from rtbench.core.vector import length
from rtbench.policy.oracle.motion import View, move

Array = NDArray[np.float64]

PAST, PAST_SOFT = 0.004, 0.022
"""The fingers reach this much further past the bar than their tip alone would [m]; of an arm that gives way,
the second."""
SLIP, SLIP_SOFT = (0.010, 0.012), (0.020, 0.030)
"""Errors across and along the fingers with which they are still behind the bar [m]; likewise."""
OUT, LANE = (0.05, 0.09), (0.025, 0.055)
"""Distance of the hand's descent before the last stretch, and how far it may stray on it [m]; of an arm that
gives way, the second."""
STRETCH = 0.075
"""The last stretch to the handle, along the fingers [m]."""
PULLED, PULLED_WIDE = 0.205, 0.24
"""Openings at which the pull ends [m]; the second for a long object that is to go in."""
PUSHED = 0.008
"""Opening below which the push ends [m]."""
STEP_BACK = 0.20
"""Distance by which the base stands further back for the lowest drawer [m]."""
ROOMY, UPRIGHT_HOOK = 0.20, 0.35
"""Fingers lean by the second [rad] where drawers one above the other are at least the first apart [m]."""
ASIDE = 0.12
"""The push meets the front this far beside the handle's middle [m], on the side away from the robot."""


def open_drawer(view: View, drawer: str, far: float = PULLED) -> Array | None:
    """Action float64[11] that draws a drawer out; None once its opening is `far` [m]."""
    if view.world.opening(drawer) >= far:
        return None
    front, forward = _front(view, drawer)
    lean = _lean(view, drawer)
    pointing = rotate(lean, [0.0, 0.0, 1.0])
    across = np.cross(pointing, np.cross(forward, [0.0, 0.0, 1.0]))  # up and forward, square to the fingers
    if across[2] < 0:
        across = -across
    handle = view.world.scene.spec.drawers[drawer].handle
    bar = front - handle.out * forward
    bar[2] += handle.above
    hook = (
        bar
        + (view.shape.tip_half + handle.radius + 0.004) * across
        + (PAST_SOFT if view.soft else PAST) * pointing
    )
    here = view.hand.position
    off, slip = here - hook, SLIP_SOFT if view.soft else SLIP
    behind = (
        abs(off @ across) < slip[0]
        and abs(off @ pointing) < slip[1]
        and abs(off[1] * forward[0] - off[0] * forward[1]) < 0.05
    )
    if behind:
        pull = hook - (far + 0.02 - view.world.opening(drawer)) * forward
        return move(view, pull, lean, 0.0)
    return _approach(view, _Approach(hook, lean, pointing, forward, out=OUT[view.soft]))


def close_drawer(view: View, drawer: str) -> Array | None:
    """Action float64[11] that pushes a drawer in; None once it is shut."""
    if view.world.opening(drawer) <= PUSHED:
        return None
    front, forward = _front(view, drawer)
    lean = _lean(view, drawer)
    side = np.cross(forward, [0.0, 0.0, 1.0])
    tip = front + ASIDE * side - (view.shape.tip_half * math.cos(_hook(view, drawer)) + 0.004) * forward
    start = tip - view.shape.tip * rotate(lean, [0.0, 0.0, 1.0]) - 0.02 * forward
    off = view.hand.position - start
    level = abs(off[2]) < 0.025 and abs(off @ side) < 0.03 and -0.05 < off @ forward < 0.06
    if level:
        push = (
            view.hand.position
            + (view.world.opening(drawer) + 0.03 - min(0.0, float(off @ forward))) * forward
        )
        push += (start - view.hand.position) @ side * side
        push[2] = start[2]
        return move(view, push, lean, 0.0)
    return _approach(
        view, _Approach(start, lean, 0.29 * forward - np.array([0.0, 0.0, 0.96]), forward, out=0.0)
    )


@dataclass(frozen=True)
class _Approach:
    """Approach of the hand to a place at the drawers' fronts."""

    goal: Array
    """Grip point, world [m]."""
    quaternion: Array
    """Orientation of the hand, wxyz, world."""
    along: Array
    """Unit vector of the last stretch."""
    forward: Array
    """Unit vector into the counter."""
    out: float
    """Distance of the hand's descent before the last stretch, clear of the handles above [m]."""

    @property
    def before(self) -> Array:
        """Start of the last stretch, float64[3] [m], world."""
        return self.goal - STRETCH * self.along

    @property
    def lane(self) -> Array:
        """Place at which the hand descends, at the height of `before`, float64[3] [m], world."""
        return self.before - self.out * self.forward


def _approach(view: View, way: _Approach) -> Array:
    """One step over the counter's height to the lane, down it, in, and along the last stretch to the goal."""
    here, before, lane = view.hand.position, way.before, way.lane
    turned = length(difference(way.quaternion, view.hand.quaternion)) < 0.15
    off = here - before
    beside = length(off - (off @ way.along) * way.along)
    aligned = beside < (0.007 if view.soft and off @ way.along < 0.03 else 0.018)
    if turned and aligned and -0.03 < off @ way.along < STRETCH + 0.02:
        return move(view, way.goal, way.quaternion, 0.0)
    clear = max(float(c.center[2]) for c in map(view.world.surface, view.world.scene.spec.counters)) + 0.09
    if length(here[:2] - lane[:2]) < LANE[view.soft]:
        level = turned and abs(here[2] - lane[2]) < 0.015
        return move(view, before if level else lane, way.quaternion, 0.0)
    if turned and abs(off[2]) < 0.02 and length(here - lane) + length(off) < way.out + 0.03:
        return move(view, before, way.quaternion, 0.0)
    if here[2] >= clear - 0.02:
        return move(view, np.array([*lane[:2], clear]), way.quaternion, 0.0)
    if (here - lane) @ way.forward > 0.03:
        # Among the handles: back out along the fingers before rising.
        back = here - 0.08 * rotate(view.hand.quaternion, [0.0, 0.0, 1.0])
        return move(view, back - 0.04 * way.forward, view.hand.quaternion, 0.0)
    return move(view, np.array([*here[:2], clear]), view.hand.quaternion, 0.0)


def _front(view: View, drawer: str) -> tuple[Array, Array]:
    """Middle of the front's face now [m] and the unit vector into the counter, world."""
    spec = view.world.scene.spec.drawers[drawer]
    yaw = math.radians(view.world.scene.spec.counters[spec.counter].yaw)
    forward = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    x, y = view.world.scene.to_world(spec.counter, 0.0, spec.left)
    return np.array([x, y, spec.height]) - view.world.opening(drawer) * forward, forward


def _lean(view: View, drawer: str) -> Array:
    """World quaternion of the leaning hand."""
    spec = view.world.scene.spec.drawers[drawer]
    yaw = math.radians(view.world.scene.spec.counters[spec.counter].yaw)
    hook = _hook(view, drawer)
    return multiply(about_z(yaw), multiply(from_rotation_vector([0.0, -hook, 0.0]), DOWN))


def _hook(view: View, drawer: str) -> float:
    """Lean of the fingers [rad]: the robot's, or less in a stack whose drawers leave room for the hand."""
    spec, hook = view.world.scene.spec.drawers[drawer], view.robot.arm.hook
    stack = [d.height for d in view.world.scene.spec.drawers.values() if d.counter == spec.counter]
    roomy = all(above - below >= ROOMY for below, above in pairwise(sorted(stack)))
    return min(hook, UPRIGHT_HOOK) if roomy and len(stack) > 1 else hook


def drawer_station(view: View, drawer: str) -> Array:
    """Base pose x, y [m], yaw [rad] from which a drawer is opened and closed.

    Below two others the forearm would come down upon the upper handles; from further back it comes in lower.
    """
    drawers = view.world.scene.spec.drawers
    spec = drawers[drawer]
    above = sum(d.counter == spec.counter and d.height > spec.height for d in drawers.values())
    station = view.world.station(spec.counter)
    back = STEP_BACK if above >= 2 else 0.0
    base = view.robot.base
    least = math.sqrt(max(0.0, view.robot.arm.drawn**2 - (spec.left - base.aside) ** 2))
    back = max(back, least - (base.to_counter - spec.handle.out - PULLED_WIDE)) if least else back
    station[:2] -= back * np.array([math.cos(station[2]), math.sin(station[2])])
    return station


def drawer_window(view: View, drawer: str) -> tuple[Array, float]:
    """Room for a downward hand in an open drawer: middle float64[2] [m], world, and half length [m].

    Between the drawer's own front and the handles of the drawers above, which stand out over it.
    """
    spec = view.world.scene.spec.drawers[drawer]
    thick = view.shape.hand[0]
    near = -view.world.opening(drawer) + 0.02 + thick + 0.006
    far = -(spec.handle.out + spec.handle.radius + thick + 0.006)
    middle = view.world.scene.to_world(spec.counter, (near + far) / 2, spec.left)
    return middle, max(0.0, (far - near) / 2)


def drawer_of(view: View, name: str) -> str | None:
    """The drawer that an object lies in, shut or open; None for any other place."""
    position = view.world.pose(name).position
    for drawer, spec in view.world.scene.spec.drawers.items():
        depth, width, height = spec.size
        front, forward = _front(view, drawer)
        d = position - front
        x, y = float(d @ forward), abs(float(d[0] * forward[1] - d[1] * forward[0]))
        if 0.0 < x < depth + 0.03 and y < width / 2 and -height / 2 - 0.01 < d[2] < height / 2 + 0.04:
            return drawer
    return None
