"""Oracle motions that put a held object down at a spot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import rotate, wrap
from rtbench.core.vector import length
from rtbench.policy.oracle.grasp import put_back
from rtbench.policy.oracle.motion import View, move, stay, travel
from rtbench.policy.oracle.placement_search import Spot, free_spot, is_free

Array = NDArray[np.float64]

ARRIVED = 0.012
"""Error across at which a carried object may be lowered [m]."""
TOUCHDOWN = 0.005
"""Height over the ground at which the fingers open [m]."""
LOOSEN = 0.022
"""Distance by which the fingers open to release [m]: little, because neighbours stand near."""


def put_down(view: View, name: str, spot: Spot) -> Array:
    """Action float64[11] that brings a held object to a spot and releases it there."""
    ground, yaw = spot.ground, spot.yaw
    low, high = view.world.box(name)
    error = spot.place - (low[:2] + high[:2]) / 2
    quaternion = view.down(view.hand_yaw) if yaw is None else view.turned_down(yaw)
    quaternion = view.down(view.hand_yaw) if quaternion is None else quaternion
    turned = 0.0 if yaw is None else abs(wrap(yaw - view.hand_yaw))
    height = max(ground + float(view.hand.position[2] - low[2]) + TOUCHDOWN - 0.002, spot.least)
    if length(error) > ARRIVED or turned > 0.15 or view.leaning > 0.15:
        over = np.array([*(view.hand.position[:2] + error), height + 0.04])
        if length(error) < 0.03 and turned <= 0.15:
            return move(view, np.array([*over[:2], view.hand.position[2]]), quaternion, 0.0)
        return travel(view, over, quaternion, 0.0)
    pressing = view.pressing and low[2] < ground + 0.04
    landed = pressing or _landed(view, name, float(low[2]) - ground)
    if view.hand.position[2] > height + 0.004 and not landed:
        target = np.array([*(view.hand.position[:2] + error), height])
        return move(view, target, quaternion, 0.0)
    return stay(view, view.opening + LOOSEN)


def _landed(view: View, name: str, gap: float) -> bool:
    """Whether it stands on something, a little above the expected height."""
    grounds = (*view.world.scene.spec.counters, *view.world.scene.spec.drawers, *view.world.names())
    return gap < 0.03 and any(view.world.touching(name, g) for g in grounds if g != name)


def set_aside(view: View, name: str) -> Array:
    """Action float64[11] that puts down an object in the way of the task; at its place, if that is free."""
    counter = view.world.counter(name)
    if is_free(view, name, counter) and view.leaning < 0.15:
        return put_back(view, name)
    return put_down(view, name, free_spot(view, name, counter))


def retreat(view: View) -> Array:
    """Action float64[11] that moves the open hand back along its fingers."""
    back = -rotate(view.hand.quaternion, [0.0, 0.0, 1.0])
    return move(view, view.hand.position + 0.07 * back, view.hand.quaternion, view.wide)
