"""How far our control step is above the floor: bare MuJoCo on the same scene, state and commands.

    .venv/bin/python benchmarks/floor.py [--rounds 200] [--json FILE]

Ours is `Kitchen.advance` with the head camera, lean profile: tokens, inverse kinematics, 80 physics steps,
events, one 256 x 320 frame. The floor is one `mj_step(nstep=80)` from a copy of the same state under the
commands that ours ends with, one `mjv_updateScene`, `mjr_render` and `mjr_readPixels`.

The two take turns in changing order: who draws second finds the scene in the processor's caches, 2 to 5 % of
the whole (the floor against itself, 2026-11-29). So the episode is played once before, for the commands.
Beside wall times stand processor times of all threads: another program on the machine stretches the former.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rtbench.env import gl

gl.prepare()

import mujoco  # noqa: E402
import numpy as np  # noqa: E402
from measure import Samples, motions, ms, ratios, report, some_episodes  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from rtbench.env.kitchen import Kitchen  # noqa: E402

SUBSTEPS = 80
TARGET = 1.2
WARM_UP = 6
"""Rounds that do not count."""

Times = NDArray[np.float64]
"""float64[2]: wall time and processor time of all threads [s]."""


def now() -> Times:
    """The present of both clocks."""
    return np.array([time.perf_counter(), time.process_time()])


class NoiseFloor:
    """Bare MuJoCo with the kitchen's own model and drawing context."""

    def __init__(self, kitchen: Kitchen) -> None:
        # The parts have no public door, and a copy would be another scene in another GL context.
        renderer: Any = kitchen._renderer()  # noqa: SLF001
        stage: Any = kitchen._current()  # noqa: SLF001
        self.model, self.source = stage.scene.model, stage.data
        self.data = mujoco.MjData(self.model)
        self.scene, self.context = renderer._scene, renderer._context  # noqa: SLF001
        self.option, self.viewport = renderer._option, renderer._viewport  # noqa: SLF001
        self.camera = mujoco.MjvCamera()
        self.camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self.camera.fixedcamid = self.model.camera("head").id
        self.pixels = np.empty((self.viewport.height, self.viewport.width, 3), dtype=np.uint8)

    def copy(self) -> None:
        """Take the kitchen's state."""
        mujoco.mj_copyData(self.data, self.model, self.source)

    def step(self, commands: NDArray[np.float64]) -> tuple[Times, Times]:
        """Times of physics and of drawing."""
        self.data.ctrl[:] = commands
        start = now()
        mujoco.mj_step(self.model, self.data, nstep=SUBSTEPS)
        stepped = now()
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self.model, self.data, self.option, None, self.camera, everything, self.scene)
        mujoco.mjr_render(self.viewport, self.scene, self.context)
        mujoco.mjr_readPixels(self.pixels, None, self.viewport, self.context)
        return stepped - start, now() - stepped


def play(kitchen: Kitchen, tokens: list[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
    """The commands that each control step ends with; afterwards the kitchen is at the episode's beginning."""
    episode, commands = some_episodes(1)[0], []
    kitchen.begin(episode)
    for chosen in tokens:
        kitchen.advance(chosen)
        commands.append(kitchen.world._data.ctrl.copy())  # noqa: SLF001 - as above
    kitchen.begin(episode)
    return commands


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    rounds = parser.parse_args().rounds
    kitchen = Kitchen(cameras=("head",), profile="lean")
    moves = motions()
    tokens = [moves[turn % len(moves)] for turn in range(rounds + WARM_UP)]
    commands = play(kitchen, tokens)
    floor = NoiseFloor(kitchen)
    names = ("rtbench", "floor", "physics", "drawing")
    wall, busy = ({name: Samples(name) for name in names} for _ in range(2))
    for turn, (chosen, command) in enumerate(zip(tokens, commands, strict=True)):
        floor.copy()
        bare = floor.step(command) if turn % 2 else None
        start = now()
        observation = kitchen.advance(chosen)
        ours = now() - start
        physics, drawing = bare or floor.step(command)
        if turn < WARM_UP:
            continue
        for name, times in zip(names, (ours, physics + drawing, physics, drawing), strict=True):
            wall[name].values.append(float(times[0]))
            busy[name].values.append(float(times[1]))
    # Both must have drawn the same world, or the comparison is of nothing.
    difference = np.abs(observation.images["head"].astype(int) - floor.pixels[::-1]).mean()
    if floor.pixels.std() < 5 or difference > 5:
        raise RuntimeError(f"the two frames show different things: mean difference {difference:.1f} of 255")
    summary = {name: samples.summary() for name, samples in wall.items()}
    busy_summary = {name: samples.summary() for name, samples in busy.items()}
    ratio, busy_ratio = (ratios(clock["rtbench"], clock["floor"]) for clock in (wall, busy))
    rows = [
        ["rtbench", ms(summary["rtbench"]), spread(ratio), ms(busy_summary["rtbench"]), spread(busy_ratio)],
        ["floor", ms(summary["floor"]), "1", ms(busy_summary["floor"]), "1"],
        ["  mj_step, 80 steps", ms(summary["physics"]), "", ms(busy_summary["physics"]), ""],
        ["  one frame", ms(summary["drawing"]), "", ms(busy_summary["drawing"]), ""],
    ]
    data = {
        "rounds": rounds,
        "ms": summary,
        "ratio": ratio,
        "processor_ms": busy_summary,
        "processor_ratio": busy_ratio,
        "target": TARGET,
        "difference": round(difference, 3),
    }
    columns = ["side", "ms (quartiles)", "times floor", "processor ms", "times floor"]
    report("Our control step above bare MuJoCo", columns, rows, data)


def spread(ratio: dict[str, float]) -> str:
    """A ratio with its quartiles."""
    return f"{ratio['median']:.2f} ({ratio['q1']:.2f} to {ratio['q3']:.2f})"


if __name__ == "__main__":
    main()
