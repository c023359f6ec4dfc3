"""How far our control step is above the floor: bare MuJoCo on the same scene, state and commands.

    .venv/bin/python benchmarks/floor.py [--rounds 200] [--json FILE]

Ours is `Kitchen.advance` with the head camera, lean profile: tokens, inverse kinematics, 80 physics steps,
events, one 256 x 320 frame. The floor is one `mj_step(nstep=80)` from a copy of the same state under the
commands that ours ended with, one `mjv_updateScene`, `mjr_render` and `mjr_readPixels`. The two take turns.
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

from rtbench.env.kitchen import Kitchen  # noqa: E402

SUBSTEPS = 80
TARGET = 1.25


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

    def step(self) -> tuple[float, float]:
        """Wall times of physics and of drawing [s]."""
        self.data.ctrl[:] = self.source.ctrl
        start = time.perf_counter()
        mujoco.mj_step(self.model, self.data, nstep=SUBSTEPS)
        stepped = time.perf_counter()
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self.model, self.data, self.option, None, self.camera, everything, self.scene)
        mujoco.mjr_render(self.viewport, self.scene, self.context)
        mujoco.mjr_readPixels(self.pixels, None, self.viewport, self.context)
        return stepped - start, time.perf_counter() - stepped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    rounds = parser.parse_args().rounds
    kitchen = Kitchen(cameras=("head",), profile="lean")
    kitchen.begin(some_episodes(1)[0])
    floor, tokens = NoiseFloor(kitchen), motions()
    ours, bare, physics, drawing = (Samples(n) for n in ("rtbench", "floor", "physics", "drawing"))
    for turn in range(rounds + 5):
        floor.copy()
        start = time.perf_counter()
        observation = kitchen.advance(tokens[turn % len(tokens)])
        seconds = time.perf_counter() - start
        stepped, drawn = floor.step()
        if turn < 5:  # warm-up
            continue
        ours.values.append(seconds)
        bare.values.append(stepped + drawn)
        physics.values.append(stepped)
        drawing.values.append(drawn)
    # Both must have drawn the same world, or the comparison is of nothing.
    difference = np.abs(observation.images["head"].astype(int) - floor.pixels[::-1]).mean()
    if floor.pixels.std() < 5 or difference > 5:
        raise RuntimeError(f"the two frames show different things: mean difference {difference:.1f} of 255")
    ratio = ratios(ours, bare)
    summary = {s.name: s.summary() for s in (ours, bare, physics, drawing)}
    rows = [
        [
            "rtbench",
            ms(summary["rtbench"]),
            f"{ratio['median']:.2f} ({ratio['q1']:.2f} to {ratio['q3']:.2f})",
        ],
        ["floor", ms(summary["floor"]), "1"],
        ["  mj_step, 80 steps", ms(summary["physics"]), ""],
        ["  one frame", ms(summary["drawing"]), ""],
    ]
    data = {
        "rounds": rounds,
        "ms": summary,
        "ratio": ratio,
        "target": TARGET,
        "difference": round(difference, 3),
    }
    report("Our control step above bare MuJoCo", ["side", "ms (quartiles)", "times floor"], rows, data)


if __name__ == "__main__":
    main()
