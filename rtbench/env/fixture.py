"""Fixtures of a scene as MuJoCo bodies: counters with their drawers and sinks.

`rtbench.task.scene_entry` has their entries in content files and the frames of their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np

from rtbench.env.material import material
from rtbench.env.object import VISUAL_GROUP
from rtbench.task.scene_entry import FRONT, TOP, WALL, CounterEntry, DrawerEntry, HandleEntry, SinkEntry

STATIC_FRICTION = (0.9, 0.01, 0.002)

_BOX, _CAPSULE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE
_STEEL, _DARK_STEEL, _INSIDE = [0.66, 0.68, 0.70, 1], [0.22, 0.22, 0.24, 1], [0.82, 0.80, 0.76, 1]


class Block(NamedTuple):
    """A box in a counter's frame, from edge to edge [m]."""

    x: tuple[float, float]
    y: tuple[float, float]
    z: tuple[float, float]

    @property
    def place(self) -> dict[str, list[float]]:
        """MuJoCo's `pos` (centre) and `size` (half sizes) of the geom, 3 numbers each [m], counter frame."""
        return {"pos": [sum(axis) / 2 for axis in self], "size": [(b - a) / 2 for a, b in self]}


def add_counter(
    world: mujoco.MjSpec,
    name: str,
    counter: CounterEntry,
    drawers: Sequence[DrawerEntry],
    sinks: Sequence[SinkEntry],
) -> None:
    """Add a counter, with niches for its drawers and sinks, as a body of its name.

    Args:
        world: The model under construction.
        name: Of the body and of the geom of its top.
        counter: Its measures.
        drawers: Those in its front, one above the other.
        sinks: Those in its top.
    """
    pos, quat = _frame(counter)
    body = world.worldbody.add_body(name=name, pos=pos, quat=quat)
    for index, block in enumerate(_top(counter, sinks)):
        body.add_geom(
            name=f"{name}:top{index}" if index else name, type=_BOX, group=VISUAL_GROUP,
            material=material("tops", counter.texture), friction=STATIC_FRICTION, **block.place,
        )  # fmt: skip
    for index, block in enumerate(_legs(counter) if counter.legs else _cabinet(counter, drawers, sinks)):
        body.add_geom(
            name=f"{name}:cabinet{index}", type=_BOX, material=material("fronts", counter.front),
            group=VISUAL_GROUP, **block.place,
        )  # fmt: skip


def _frame(counter: CounterEntry) -> tuple[list[float], list[float]]:
    half = math.radians(counter.yaw) / 2
    return [*counter.origin, 0.0], [math.cos(half), 0.0, 0.0, math.sin(half)]


def _top(counter: CounterEntry, sinks: Sequence[SinkEntry]) -> list[Block]:
    """The top; a sink leaves a strip before it, one behind it, and one on each side."""
    depth, width, height = counter.size
    z, whole = (height - TOP, height), (-width / 2, width / 2)
    if not sinks:
        return [Block((0.0, depth), whole, z)]
    (sink,) = sinks
    beside = (sink.low[0], sink.high[0])
    return [
        Block((0.0, sink.low[0]), whole, z),
        Block((sink.high[0], depth), whole, z),
        Block(beside, (whole[0], sink.low[1]), z),
        Block(beside, (sink.high[1], whole[1]), z),
    ]


def _cabinet(
    counter: CounterEntry, drawers: Sequence[DrawerEntry], sinks: Sequence[SinkEntry]
) -> list[Block]:
    """The cabinet below the top, with niches where drawers and sinks are."""
    depth, width, height = counter.size
    x, top = (FRONT, depth), height - TOP
    niches: list[tuple[float, float]] = []
    blocks: list[Block] = []
    if drawers:
        left, half = drawers[0].left, drawers[0].size[1] / 2 + 0.005
        low = min(d.height - d.size[2] / 2 for d in drawers) - 0.005
        y = (left - half, left + half)
        niches.append(y)
        behind = 2 * FRONT + drawers[0].size[0] + 0.01
        blocks += [Block(x, y, (0.0, low)), Block((behind, depth), y, (low, top))]
    for sink in sinks:
        y = (sink.low[1] - WALL, sink.high[1] + WALL)
        bottom = height - sink.depth - WALL
        niches.append(y)
        blocks += [
            Block(x, y, (0.0, bottom)),
            Block((FRONT, sink.low[0] - WALL), y, (bottom, top)),
            Block((sink.high[0] + WALL, depth), y, (bottom, top)),
        ]
    edges = [-width / 2, *(edge for niche in sorted(niches) for edge in niche), width / 2]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [*(Block(x, pair, (0.0, top)) for pair in pairs), *blocks]


def _legs(counter: CounterEntry) -> list[Block]:
    """A panel below each end, and one between them at the back."""
    depth, width, height = counter.size
    x, z, out = (0.04, depth - 0.04), (0.0, height - TOP), width / 2 - 0.04
    inner = out - 0.03
    ends = [Block(x, (-out, -inner), z), Block(x, (inner, out), z)]
    return [*ends, Block((depth - 0.08, depth - 0.06), (-inner, inner), (0.25, height - TOP))]


def add_drawer(world: mujoco.MjSpec, name: str, drawer: DrawerEntry, counter: CounterEntry) -> None:
    """Add a drawer that slides out along the counter's -x, with a bar handle; its origin is mid-front."""
    depth, width, height = drawer.size
    pos, quat = _frame(counter)
    c, s = math.cos(math.radians(counter.yaw)), math.sin(math.radians(counter.yaw))
    origin = [pos[0] - s * drawer.left, pos[1] + c * drawer.left, drawer.height]
    body = world.worldbody.add_body(name=name, pos=origin, quat=quat)
    body.add_joint(
        name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[-1, 0, 0], range=[0, drawer.travel],
        frictionloss=drawer.friction, damping=np.array([drawer.damping, 0, 0]), armature=0.2,
    )  # fmt: skip
    x = FRONT + depth / 2  # the box behind the front
    floor = -height / 2 + 0.004
    walls = 0.7 * height
    parts = (
        ("front", [FRONT / 2, 0, 0], [FRONT / 2, width / 2 - 0.003, height / 2 - 0.003]),
        ("floor", [x, 0, floor + WALL / 2], [depth / 2, width / 2 - 0.012, WALL / 2]),
        ("left", [x, width / 2 - 0.018, floor + walls / 2], [depth / 2, WALL / 2, walls / 2]),
        ("right", [x, -width / 2 + 0.018, floor + walls / 2], [depth / 2, WALL / 2, walls / 2]),
        ("back", [FRONT + depth - WALL / 2, 0, floor + walls / 2], [WALL / 2, width / 2 - 0.012, walls / 2]),
    )
    for part, where, size in parts:
        look: dict[str, Any] = (
            {"material": material("drawers", "wood")} if part == "front" else {"rgba": _INSIDE}
        )
        body.add_geom(
            name=f"{name}:{part}", type=_BOX, pos=where, size=size, group=VISUAL_GROUP, mass=drawer.mass,
            friction=STATIC_FRICTION, **look,
        )  # fmt: skip
    _add_handle(body, name, drawer.handle)


def _add_handle(body: Any, name: str, handle: HandleEntry) -> None:
    bar, out, z = handle.length / 2, handle.out, handle.above
    contact = {} if handle.solid else {"contype": 0, "conaffinity": 0}
    body.add_geom(
        name=f"{name}:handle", type=_CAPSULE, fromto=[-out, -bar, z, -out, bar, z],
        size=[handle.radius, 0, 0], rgba=_DARK_STEEL, group=VISUAL_GROUP, mass=0.08,
        friction=[1.0, 0.01, 0.001], **contact,
    )  # fmt: skip
    for side in (-bar, bar):
        body.add_geom(
            type=_CAPSULE, fromto=[-out, side, z, 0, side, z], size=[handle.radius, 0, 0],
            rgba=_DARK_STEEL, group=VISUAL_GROUP, mass=0.02, **contact,
        )  # fmt: skip


def add_sink(world: mujoco.MjSpec, name: str, sink: SinkEntry, counter: CounterEntry) -> None:
    """Add a steel basin below the opening in the counter's top, as a body at the counter's origin."""
    pos, quat = _frame(counter)
    body = world.worldbody.add_body(name=name, pos=pos, quat=quat)
    (x0, y0), (x1, y1), height = sink.low, sink.high, counter.size[2]
    z = (height - sink.depth, height - TOP)
    parts = {
        "floor": Block((x0 - WALL, x1 + WALL), (y0 - WALL, y1 + WALL), (z[0] - WALL, z[0])),
        "front": Block((x0 - WALL, x0), (y0, y1), z),
        "back": Block((x1, x1 + WALL), (y0, y1), z),
        "right": Block((x0, x1), (y0 - WALL, y0), z),
        "left": Block((x0, x1), (y1, y1 + WALL), z),
    }
    for part, block in parts.items():
        body.add_geom(
            name=f"{name}:{part}", type=_BOX, rgba=_STEEL, group=VISUAL_GROUP, friction=STATIC_FRICTION,
            **block.place,
        )  # fmt: skip
    body.add_geom(
        name=f"{name}:drain", type=mujoco.mjtGeom.mjGEOM_CYLINDER, pos=[(x0 + x1) / 2, (y0 + y1) / 2, z[0]],
        size=[0.025, 0.0005, 0], rgba=_DARK_STEEL, group=VISUAL_GROUP, contype=0, conaffinity=0,
    )  # fmt: skip
