"""Oracle motions that stand a lying can or bottle upright."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import about_z, difference, from_rotation_vector, multiply, rotate, wrap
from rtbench.core.vector import length
from rtbench.core.world import Pose
from rtbench.policy.oracle.footprint import Footprint, footprint
from rtbench.policy.oracle.grasp import Grasp, crowding, easiest, reach_for
from rtbench.policy.oracle.motion import View, counter_height, counter_of, move, stay
from rtbench.policy.oracle.place import put_down
from rtbench.policy.oracle.placement_search import Spot, free_spot

Array = NDArray[np.float64]

LEVEL_HEIGHT = 0.097
"""Height at which the level hand holds an object over the counter [m]: wrist and forearm just clear it."""
HEADINGS = np.array([50, 70, 90, 110, 30])
"""Headings of the level hand off the arm's own direction [degrees] with the gripper's x axis up, mirrored
with it down: at the others the wrist meets its limits."""
LEVEL_LIFT = 0.10
"""Height over the counter [m] at which a gripped can is turned."""
FOREARM = 0.38
"""Hand, wrist and the low part of the forearm reach this far back from the object [m]."""
WRIST = 0.10
"""So far back the fingers and the hand reach; behind them wrist and forearm come lower [m]."""
LEVEL_AIR = 0.015
"""Air beside hand and forearm [m]."""
BELOW_HAND, BELOW_ARM = 0.05, 0.01
"""Things lower than this fit below the level hand, and below wrist and forearm [m]."""
SIDEWAYS = 0.3
"""Things are stood up at most this far to the side [m]."""
END = 0.02
"""Objects are gripped at least this far from their ends [m]."""
MISPLACED = 0.015
"""An object gripped too low by more than this [m] is put down elsewhere and gripped anew."""
NO_BETTER = 0.03
"""Places nearer than this to the present one are no better [m]."""
DETOUR = 0.012
"""Crowding that is accepted in order to avoid that [m]."""
HIDDEN = 0.03
"""Crowding that is accepted in order to grip with the hand's x axis towards the top [m]. The level hand then
comes from the right and points to the left, where the head camera is, and does not hide the object."""
OTHER_HEADING = 0.05
"""Cost of a heading per radian off the first of `HEADINGS`, in metres by which the object is moved."""
LOW = 0.075
"""Things lower than this over the counter are gripped with the hand near the counter [m]."""
HAND_ROOM = 0.08
"""Room left beside them [m]."""
CHECKED = 25
"""Number of the best places that inverse kinematics tries; from the easy pose it tries all."""
DROPPED = 0.05
"""Height from which a can may drop and stay upright [m]."""


@dataclass(frozen=True)
class _Stand:
    """Place and hand orientation at which an object is stood upright."""

    spot: Array
    """Middle of the object, float64[2] [m], world."""
    quaternion: Array
    """Orientation of the level hand, wxyz, world."""


def stand_up(view: View, name: str) -> Array | None:
    """Action float64[11] that stands an object up; None when it stands and is released."""
    axis = rotate(view.world.pose(name).quaternion, [0.0, 0.0, 1.0])
    if not view.world.held(name):
        return None if axis[2] > math.cos(0.17) else _grasp(view, name, axis)
    lift = float(view.world.box(name)[0][2]) - counter_height(view, name)
    if axis[2] > math.cos(0.10):
        return _set_down(view, name, axis, lift)
    elsewhere = _elsewhere(view, name, axis)
    if elsewhere is not None:
        return put_down(view, name, elsewhere)
    if lift < 0.03 and view.leaning < 0.2:
        return _by(view, [0.0, 0.0, 0.08], view.hand.quaternion)
    return _turn_up(view, name, axis)


def _set_down(view: View, name: str, axis: Array, lift: float) -> Array:
    """One step of bringing an upright object over its place and down, and of letting go."""
    if view.pressing and 0.03 <= lift < DROPPED:  # the forearm stands on something: it drops, and stands
        return stay(view, view.opening + 0.022)
    if lift < 0.03:
        blocked = lift < 0.025 and bool(view.world.bumping())
        if lift > 0.006 and not blocked:
            return _by(view, [0.0, 0.0, 0.002 - lift], view.hand.quaternion)
        return stay(view, view.opening + 0.022)
    stand = _best_stand(view, name, axis)
    if stand is None or length(stand.spot - view.world.pose(name).position[:2]) >= 0.03:
        return _turn_up(view, name, axis)
    return _by(view, [0.0, 0.0, 0.002 - lift], stand.quaternion)


def _turn_up(view: View, name: str, axis: Array) -> Array:
    """One step of levelling the hand, high over the place where the object is to stand."""
    stand = _best_stand(view, name, axis)
    if stand is None:  # from here the arm cannot: start over from an easy pose
        easy = view.down(view.hand_yaw if view.leaning < 1.0 else 0.0)
        return move(view, view.in_world(view.robot.arm.easy), easy, 0.0)
    across = stand.spot - view.world.pose(name).position[:2]
    half = float(view.world.scene.objects[name].half[2])
    height = counter_height(view, name) + LEVEL_LIFT + half + _towards_top(view, name)
    return move(view, np.array([*(view.hand.position[:2] + across), height]), stand.quaternion, 0.0)


def _by(view: View, offset: list[float], quaternion: Array) -> Array:
    """One step by an offset [m], world, holding on."""
    return move(view, view.hand.position + np.array(offset), quaternion, 0.0)


def _grasp(view: View, name: str, axis: Array) -> Array | None:
    """One step of gripping a lying object across, the hand's x axis towards its top if that is possible."""
    length = float(view.world.scene.objects[name].half[2]) - END
    wanted = _towards_top(view, name)
    shifts = [wanted, *(s for s in np.arange(-length, length, 0.02) if s < wanted - MISPLACED)]
    options = [
        (_grasp_lying(view, name, axis, turn, shift), hidden + (0.0 if shift == wanted else DETOUR))
        for turn, hidden in ((0.0, 0.0), (math.pi, HIDDEN))
        for shift in shifts
    ]
    easy = [o for o in options if view.leaning > 0.15 or view.turned_down(o[0].yaw) is not None] or options
    grasps, detours = zip(*easy, strict=True)
    return reach_for(view, name, easiest(view, name, grasps, detours))


def _grasp_lying(view: View, name: str, axis: Array, turn: float, shift: float) -> Grasp:
    """A grasp from above, `shift` [m] from the object's middle towards its top."""
    obj, pose = view.world.scene.objects[name], view.world.pose(name)
    low, high = view.world.box(name)
    middle = pose.position + shift * axis
    height = max(float(high[2]) - view.shape.palm + 0.005, float(low[2]) + view.shape.tip + 0.004)
    yaw = wrap(math.atan2(axis[1], axis[0]) - float(view.base[2]) + turn)
    return Grasp(np.array([middle[0], middle[1], height]), yaw, obj.grasp_width, float(high[2]))


def _elsewhere(view: View, name: str, axis: Array) -> Spot | None:
    """Spot to lay down an object gripped too near its foot and to grip it again; None for a good grip."""
    middle = view.world.pose(name).position
    along = float((view.hand.position - middle) @ axis)
    lying = abs(axis[2]) < 0.3 and view.leaning < 0.2
    if not lying or along >= _towards_top(view, name) - MISPLACED:
        return None
    grasp = _grasp_lying(view, name, axis, 0.0, _towards_top(view, name))
    ground = counter_height(view, name) + view.shape.tip + 0.004

    def crowded(places: Array) -> Array:
        return 10 * crowding(view, name, grasp.position[:2] + places - middle[:2], ground, grasp.yaw)

    spot = free_spot(view, name, counter_of(view, name), crowded)
    return spot if length(spot.place - middle[:2]) > NO_BETTER else None


def _towards_top(view: View, name: str) -> float:
    """Distance of the grip from the object's middle [m] at which the level wrist clears the counter."""
    return float(np.clip(LEVEL_HEIGHT - view.world.scene.objects[name].half[2], 0.0, 0.036))


def _best_stand(view: View, name: str, axis: Array) -> _Stand | None:
    """The nearest free place and easiest heading at which the arm can stand it up, if any."""
    current = multiply(difference_to_up(axis), view.hand.quaternion)
    heading = rotate(current, [0.0, 0.0, 1.0])
    now = math.atan2(heading[1], heading[0])
    spots = _stand_spots(view, name)
    offsets = np.radians(HEADINGS) * (1 if rotate(current, [1.0, 0.0, 0.0])[2] > 0 else -1)
    wanted = float(view.base[2]) + np.array([_bearing(view, spot) for spot in spots])[:, None] + offsets
    across = np.linalg.norm(spots - view.world.pose(name).position[:2], axis=1)
    costs = 20 * _level_crowding(view, name, spots[:, None], wanted)
    costs = costs + (10 * _blocking(view, name, spots) + 0.6 * across)[:, None]
    costs = costs + 0.6 * OTHER_HEADING * np.abs(offsets - offsets[0])
    options = []
    for spot, headings, row in zip(spots, wanted, costs, strict=True):
        for toward, cost in zip(headings, row, strict=True):
            options.append((float(cost), spot, multiply(about_z(wrap(toward - now)), current)))
    options.sort(key=lambda option: option[0])
    # Held over the floor it is where it was brought because nothing was found: then every place counts.
    lost = not view.world.surface(counter_of(view, name)).covers(view.world.pose(name).position)
    for _, spot, quaternion in options if lost else options[:CHECKED]:
        if _reachable(view, name, spot, quaternion):
            return _Stand(spot, quaternion)
    return None


def _stand_spots(view: View, name: str) -> Array:
    """Places float64[n, 2] [m], world, at which an object may be stood up; the first is the nearest."""
    counter, scene = counter_of(view, name), view.world.scene
    low, high = scene.spec.workspace.low[1], scene.spec.workspace.high[1]
    low, high = max(low, -SIDEWAYS), min(high, SIDEWAYS)
    xs = (0.07, 0.11, 0.15)
    x, y = scene.to_counter(counter, view.world.pose(name).position)
    here = scene.to_world(counter, float(np.clip(x, xs[0], xs[-1])), float(np.clip(y, low, high)))
    grid = [scene.to_world(counter, x, y) for x in xs for y in np.linspace(low, high, 9)]
    places = [here, *grid]
    holes = [view.world.cavity(sink) for sink in scene.spec.sinks]
    room = float(scene.objects[name].half[0]) + 0.01
    free = [p for p in places if not any(hole.covers(np.array([*p, 0.0]), -room) for hole in holes)]
    return np.array(free).reshape(-1, 2)


def _level_crowding(view: View, name: str, spots: Array, heading: Array) -> Array:
    """Depth float64[...] [m] by which level hand, forearm and object would overlap other objects.

    Args:
        view: The present state.
        name: The object.
        spots: Its place when upright, float64[..., 2] [m], world.
        heading: Heading of the hand, float64[...] [rad], world.
    """
    back = -np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    radius = float(view.world.scene.objects[name].half[0]) + 0.012
    ground, wide = counter_height(view, name), view.shape.hand[1] + LEVEL_AIR
    own = Footprint(spots, np.array([radius, radius]), 0.0, round=True)
    hand = Footprint(spots + WRIST / 2 * back, np.array([WRIST / 2, wide]), heading, round=False)
    middle, half = (WRIST + FOREARM) / 2, (FOREARM - WRIST) / 2
    arm = Footprint(spots + middle * back, np.array([half, wide]), heading, round=False)
    worst = np.zeros(heading.shape)
    for other in view.world.names():
        if other == name:
            continue
        thing, top = footprint(view, other), float(view.world.box(other)[1][2]) - ground
        for part in (own, *([hand] if top > BELOW_HAND else []), *([arm] if top > BELOW_ARM else [])):
            worst = np.maximum(worst, -thing.gap(part))
    return worst


def _blocking(view: View, name: str, spots: Array) -> Array:
    """Depth float64[n] [m] by which the object would take room that a hand needs beside low objects.

    It would stand at spots float64[n, 2] [m], world.
    """
    ground, radius = counter_height(view, name), float(view.world.scene.objects[name].half[0])
    taken = np.zeros(len(spots))
    for other in view.world.names():
        if other != name and 0.01 < view.world.box(other)[1][2] - ground < LOW:
            taken += np.maximum(0.0, HAND_ROOM - (footprint(view, other).distance(spots) - radius))
    return taken


def difference_to_up(axis: Array) -> Array:
    """Quaternion float64[4] (wxyz), world, of the shortest rotation of a unit vector float64[3] to +z."""
    turn = np.cross(axis, [0.0, 0.0, 1.0])
    sine, cosine = length(turn), float(axis[2])
    if sine < 1e-6:
        return np.array([1.0, 0.0, 0.0, 0.0]) if cosine > 0 else np.array([0.0, 1.0, 0.0, 0.0])
    return from_rotation_vector(turn / sine * math.atan2(sine, cosine))


def _bearing(view: View, spot: Array) -> float:
    """Direction of a spot seen from the arm's axis, in the base frame [rad]."""
    local = view.world.to_base(Pose(np.array([*spot, 0.0]), view.hand.quaternion)).position
    return math.atan2(local[1], local[0] - view.ahead)


def _reachable(view: View, name: str, spot: Array, quaternion: Array) -> bool:
    """Whether the arm gets from where it is to standing the object there, in small steps."""
    arm, controller = view.env.arm, view.env.controller
    half = float(view.world.scene.objects[name].half[2])
    counter = counter_height(view, name)
    target = view.world.to_base(
        Pose(np.array([*spot, counter + half + _towards_top(view, name)]), quaternion)
    )
    angles = controller.angles
    here, turned = arm.forward(angles)
    whole = difference(target.quaternion, turned)
    steps = 12
    for step in range(1, steps + 1):
        share = step / steps
        position = here + share * (target.position - here)
        position[2] = max(position[2], counter + half + LEVEL_LIFT) if step < steps else target.position[2]
        turn = multiply(from_rotation_vector(share * whole), turned)
        solution = arm.solve(angles, position, turn, iterations=5)
        angles = solution.angles
    there = solution.position_error < 0.01 and solution.rotation_error < 0.05
    return there and arm.lowest(angles) > counter + 0.003
