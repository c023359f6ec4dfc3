"""What the policy sees: how much of the target shows at first, and how often target or fingers show at all.

    .venv/bin/python benchmarks/visibility.py [--rounds 10] [--seed 0] [--skill pick] [--json FILE]

The oracle plays the suite 'seen', and the head camera's geoms are counted pixel by pixel. In the first frame,
the share of a target is its pixels in the picture over its pixels with all else left out; the smallest share
of all targets counts. A frame shows something if a target or the fingertips take up at least 12 pixels of it.
Targets are the task's objects and drawers, of which front and handle count. Objects that start in a bowl or
drawer are hidden on purpose: their first frames are listed, and do not count. Targets that the picture's edge
cuts are counted apart, for what lies outside has no pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from measure import report
from numpy.typing import NDArray

from rtbench.core.action import RTBENCH
from rtbench.core.episode import Episode
from rtbench.env import gl
from rtbench.env.camera import Renderer
from rtbench.env.kitchen import Kitchen
from rtbench.env.object import VISUAL_GROUP
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes

CAMERA = "head"
FINGERS = ("leftfinger", "rightfinger")
FACE = (":front", ":handle")
"""What is seen of a shut drawer."""
SHOWS = 12
"""Pixels from which on something can be made out."""
LEAST = 0.60
"""Share of a target's own pixels that its first frame must show."""
FRAMES = 0.95
"""Share of frames in which target or fingertips must show."""
WORST = 12
"""Episodes listed."""


@dataclass
class Sight:
    """What one episode showed."""

    episode: Episode
    hidden: bool
    """A target starts in a receptacle."""
    shares: dict[str, float]
    """Target -> share of its own pixels in the first frame, 0 to 1."""
    pixels: dict[str, int]
    """Target -> its own pixels in the first frame."""
    cut: bool
    """A target reaches the picture's edge in the first frame."""
    frames: list[bool] = field(default_factory=list)
    """Whether target or fingertips showed, frame by frame."""

    @property
    def least(self) -> float:
        """Share of the target that shows least; 1 where the task has none."""
        return min(self.shares.values(), default=1.0)


class Eye:
    """Counts pixels of a kitchen's head camera by what they belong to."""

    def __init__(self, kitchen: Kitchen) -> None:
        self._kitchen = kitchen
        self._renderers: dict[str, Renderer] = {}

    def geoms(self, names: tuple[str, ...]) -> set[int]:
        """Drawn geoms of objects, drawers or links."""
        scene = self._kitchen.world.scene
        model, drawers = scene.model, scene.spec.drawers
        owners = {model.body(name).id: name for name in names}
        return {
            g
            for g in range(model.ngeom)
            if model.geom_group[g] == VISUAL_GROUP
            and (name := owners.get(int(model.geom_bodyid[g]))) is not None
            and (name not in drawers or model.geom(g).name.endswith(FACE))
        }

    def mask(self, name: str, *, alone: bool = False) -> NDArray[np.bool_]:
        """Pixels bool[256, 320] of a thing now; with all else left out if `alone`."""
        wanted = self.geoms((name,))
        found: NDArray[np.bool_] = np.isin(self._segment(wanted if alone else None), list(wanted))
        return found

    def shows(self, names: tuple[str, ...]) -> bool:
        """Whether one of these things can be made out now."""
        image = self._segment(None)
        return any(int(np.isin(image, list(self.geoms((name,)))).sum()) >= SHOWS for name in names)

    def _segment(self, only: set[int] | None) -> NDArray[np.int32]:
        scene = self._kitchen.world.scene
        if scene.spec.name not in self._renderers:
            self._renderers[scene.spec.name] = Renderer(scene.model)
        data = self._kitchen.controller._data  # noqa: SLF001 - the state has no public name
        return self._renderers[scene.spec.name].segment(data, CAMERA, only=only)


def targets(kitchen: Kitchen) -> tuple[str, ...]:
    """Objects and drawers that the task is about."""
    drawers = (a for leaf in kitchen.task.goal.leaves() for a in leaf.arguments)
    known = (*kitchen.world.names(), *kitchen.world.scene.spec.drawers)
    return tuple(dict.fromkeys(t for t in (*kitchen.task.objects, *drawers) if t in known))


def watch(kitchen: Kitchen, eye: Eye, episode: Episode) -> Sight:
    """Let the oracle play an episode and look at each frame."""
    kitchen.begin(episode)
    names = targets(kitchen)
    alone = {name: eye.mask(name, alone=True) for name in names}
    pixels = {name: int(mask.sum()) for name, mask in alone.items()}
    shares = {name: float(eye.mask(name).sum()) / max(pixels[name], 1) for name in names}
    cut = any(edge.any() for m in alone.values() for edge in (m[0], m[-1], m[:, 0], m[:, -1]))
    counters = kitchen.world.scene.spec.counters
    hidden = any(place not in counters for place in kitchen.task.start.place.values())
    sight = Sight(episode, hidden, shares, pixels, cut, [eye.shows((*names, *FINGERS))])
    while not kitchen.terminated and len(sight.frames) <= episode.horizon:
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        sight.frames.append(eye.shows((*names, *FINGERS)))
    return sight


def sights(rounds: int, seed: int, skills: tuple[str, ...] = ()) -> Iterator[Sight]:
    """What each episode of the suite shows."""
    kitchen = Kitchen(cameras=())
    eye = Eye(kitchen)
    for episode in episodes(load_suite("seen"), rounds=rounds, seed=seed, skills=skills):
        yield watch(kitchen, eye, episode)


def summarise(found: list[Sight]) -> dict[str, float]:
    """The figures of some episodes."""
    counted = [s for s in found if not s.hidden and s.shares]
    frames = [f for s in found for f in s.frames]
    return {
        "episodes": len(found),
        "least_share": round(min((s.least for s in counted), default=1.0), 3),
        "median_share": round(float(np.median([s.least for s in counted])) if counted else 1.0, 3),
        "below": sum(s.least < LEAST for s in counted),
        "cut": sum(s.cut for s in counted),
        "frames": len(frames),
        "frames_shown": round(float(np.mean(frames)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skill", default="", help="comma-separated; all if left out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    gl.prepare()
    found = list(sights(options.rounds, options.seed, tuple(s for s in options.skill.split(",") if s)))
    skills = sorted({s.episode.skill for s in found})
    result = {skill: summarise([s for s in found if s.episode.skill == skill]) for skill in skills}
    result["all"] = summarise(found)
    worst = sorted((s for s in found if s.shares), key=lambda s: s.least)[:WORST]
    listed = [
        {"key": s.episode.key, "task": s.episode.task, "seed": s.episode.seed, "hidden": s.hidden,
         "shares": {n: round(v, 3) for n, v in s.shares.items()}, "pixels": s.pixels,
         "frames_shown": round(float(np.mean(s.frames)), 3)}
        for s in worst
    ]  # fmt: skip
    columns = ["skill", "episodes", "least share", "median", f"below {LEAST:.0%}", "cut", "frames", "shown"]
    rows = [[skill, *(str(value) for value in figures.values())] for skill, figures in result.items()]
    for s in worst:
        shares = ", ".join(f"{name} {share:.2f}" for name, share in s.shares.items())
        print(f"{s.episode.key} {s.episode.task} seed {s.episode.seed}: {shares}{' (inside)' * s.hidden}")
    target = {"least_share": LEAST, "frames_shown": FRAMES}
    data = {"rounds": options.rounds, "seed": options.seed, "result": result, "worst": listed}
    report("Visibility of target and fingertips", columns, rows, {**data, "target": target})


if __name__ == "__main__":
    main()
