"""Stand-ins for the simulator: worlds that a test can set up in a line."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rtbench.core.world import Pose, Region, Vector

COUNTER_TOP = 0.9


def quaternion(axis: tuple[float, float, float], angle: float) -> Vector:
    """wxyz of a turn by `angle` [rad] about a unit axis."""
    return np.array([np.cos(angle / 2), *(np.sin(angle / 2) * np.asarray(axis, dtype=float))])


def rotation(q: Vector) -> np.ndarray:
    """Matrix float64[3, 3] of a unit quaternion wxyz."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@dataclass
class FakeThing:
    """A box about its pose. Defaults to a standing can."""

    position: Vector
    half: Vector = field(default_factory=lambda: np.array([0.033, 0.033, 0.061]))
    quaternion: Vector = field(default_factory=lambda: np.array([1.0, 0.0, 0.0, 0.0]))
    speed: float = 0.0
    held: bool = False


def _tops() -> dict[str, Region]:
    half = np.array([0.35, 0.8, 0.02])
    tops = {"counter": [0.0, 0.0, COUNTER_TOP], "side_counter": [-2.5, 0.0, COUNTER_TOP]}
    return {name: Region(np.array(center), half) for name, center in tops.items()}


@dataclass
class FakeWorld:
    """A `rtbench.core.world.World` whose state is what the test writes into it.

    Things whose bottom is within 1 mm of a surface touch it; all other contacts are listed in `contacts`.
    """

    things: dict[str, FakeThing] = field(default_factory=dict)
    contacts: set[frozenset[str]] = field(default_factory=set)
    openings: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("top_drawer", "middle_drawer", "bottom_drawer"), 0.0)
    )
    tops: dict[str, Region] = field(default_factory=_tops)
    """Counters and platforms; a platform is one of `things` too."""
    cavities: dict[str, Region] = field(default_factory=dict)
    base_pose: Vector = field(default_factory=lambda: np.zeros(3))
    stations: dict[str, Vector] = field(default_factory=lambda: {"counter": np.zeros(3)})
    gripper_pose: Pose = field(default_factory=lambda: Pose(np.array([0, 0, 1.3]), np.array([0.0, 1, 0, 0])))
    gripper_width: float = 0.08
    noted: dict[str, dict[str, float]] = field(default_factory=dict)

    def stand(self, name: str, x: float = 0.0, y: float = 0.0, **changes) -> FakeThing:
        """Put a thing on the counter's height, as it is turned, at x, y [m]."""
        thing = FakeThing(np.zeros(3), **changes)
        self.things[name] = thing
        thing.position = np.array([x, y, COUNTER_TOP - self.box(name)[0][2]])
        return thing

    def names(self) -> tuple[str, ...]:
        return tuple(self.things)

    def pose(self, name: str) -> Pose:
        return Pose(self.things[name].position, self.things[name].quaternion)

    def speed(self, name: str) -> float:
        return self.things[name].speed

    def box(self, name: str) -> tuple[Vector, Vector]:
        thing = self.things[name]
        reach = np.abs(rotation(thing.quaternion)) @ thing.half
        return thing.position - reach, thing.position + reach

    def touching(self, a: str, b: str) -> bool:
        if frozenset((a, b)) in self.contacts:
            return True
        if a in self.things and b in self.tops:
            top, bottom = self.tops[b], self.box(a)[0][2]
            return top.covers(self.things[a].position) and abs(bottom - top.center[2]) < 1e-3
        return False

    def held(self, name: str) -> bool:
        return self.things[name].held

    def opening(self, drawer: str) -> float:
        return self.openings[drawer]

    def surfaces(self) -> tuple[str, ...]:
        return tuple(self.tops)

    def counter(self, name: str) -> str:
        def distance(top: str) -> float:
            return float(np.linalg.norm((self.tops[top].center - self.things[name].position)[:2]))

        return min((top for top in self.tops if top not in self.things), key=distance)

    def surface(self, name: str) -> Region:
        return self.tops[name]

    def cavity(self, name: str) -> Region:
        return self.cavities[name]

    def base(self) -> Vector:
        return self.base_pose

    def station(self, name: str) -> Vector:
        return self.stations[name]

    def notes(self, leaf: str) -> dict[str, float]:
        return self.noted.setdefault(leaf, {})

    def gripper(self) -> Pose:
        return self.gripper_pose

    def gripper_opening(self) -> float:
        return self.gripper_width
