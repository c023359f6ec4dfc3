"""robosuite's side of `step_cost.py`: PickPlaceCan with PandaOmron, behind a pipe of JSON lines.

Runs with the Python of robosuite's own environment (robosuite 1.5.2, MuJoCo 3.9.0) and imports nothing of
rtbench. `step_cost.py` starts it; by hand:

    echo '{"do": "second"}' | VENV/bin/python benchmarks/robosuite_env.py lean

Requests, one a line: {"do": "second"} simulates one second and draws three frames, {"do": "quit"} ends.
Answers: {"seconds": wall time, "draw": the part of it spent on frames}; the first line describes the
environment.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import time
import xml.etree.ElementTree as ET
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")
HEIGHT, WIDTH, CAMERA = 256, 320, "agentview"
CONTROL_HZ = 20
FRAMES_A_SECOND = 3
"""RT-1's control rate: one frame each 1/3 s of simulated time, and no other."""


def no_extras(xml: str) -> str:
    """The MJCF without multisampling and shadow map, which MuJoCo allocates when a context is made."""
    root = ET.fromstring(xml)  # noqa: S314
    visual = root.find("visual")
    if visual is None:
        visual = ET.SubElement(root, "visual")
    quality = visual.find("quality")
    if quality is None:
        quality = ET.SubElement(visual, "quality")
    quality.set("offsamples", "0")
    quality.set("shadowsize", "0")
    return ET.tostring(root, encoding="unicode")


class Peer:
    """The environment, with as much drawing as RT-1 needs."""

    def __init__(self, *, lean: bool) -> None:
        import numpy as np
        import robosuite

        self.env = robosuite.make(
            "PickPlaceCan",
            robots="PandaOmron",
            has_renderer=False,
            has_offscreen_renderer=False,  # we make its context ourselves, see _one_context
            use_camera_obs=False,  # else it draws at every one of its 20 steps a second
            control_freq=CONTROL_HZ,
            ignore_done=True,
            seed=0,
        )
        if lean:
            self.env.set_xml_processor(no_extras)
        self.env.reset()
        low, high = self.env.action_spec
        # Small seeded motions: the arm moves and the controllers work, but nothing is thrown about.
        noise = np.random.default_rng(0).uniform(-0.2, 0.2, size=(CONTROL_HZ, len(low)))
        self.actions = np.clip(noise, low, high)
        self.env.step(self.actions[0])  # numba compiles here, seconds on a first run
        self.renderer = self._one_context(lean=lean)
        self.seen = hashlib.sha256(self.draw().tobytes()).hexdigest()

    def _one_context(self, *, lean: bool) -> Any:
        """The renderer of robosuite, made once and last.

        `make` resets, and each reset makes a context. When the garbage collector takes the one before, its
        destructor frees objects of the one in use: from then on "frames" are unwritten memory and take
        0.1 ms, without any error. Compiling with a cold numba cache is enough to set it off.
        """
        import mujoco
        from robosuite.utils.binding_utils import MjRenderContextOffscreen

        gc.collect()
        renderer = MjRenderContextOffscreen(self.env.sim, device_id=-1)
        # As robosuite's reset leaves it: visual geoms drawn, collision geoms not.
        renderer.vopt.geomgroup[0], renderer.vopt.geomgroup[1] = 0, 1
        if lean:
            renderer.scn.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
            renderer.scn.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        return renderer

    def draw(self) -> Any:
        """One frame uint8[256, 320, 3]."""
        return self.env.sim.render(height=HEIGHT, width=WIDTH, camera_name=CAMERA)

    def second(self) -> dict[str, float]:
        """Simulate one second and draw three frames."""
        start = time.perf_counter()
        for action in self.actions:
            self.env.step(action)
        simulated = time.perf_counter()
        for _ in range(FRAMES_A_SECOND):
            frame = self.draw()
        end = time.perf_counter()
        self._check(frame)
        return {"seconds": end - start, "draw": end - simulated}

    def _check(self, frame: Any) -> None:
        """Refuse to time frames that show nothing: a fast answer must also be a picture of the world now."""
        from OpenGL import GL

        digest = hashlib.sha256(frame.tobytes()).hexdigest()
        if not GL.glGetString(GL.GL_RENDERER):
            raise RuntimeError("robosuite lost its OpenGL context: its frames are not pictures")
        if frame.shape != (HEIGHT, WIDTH, 3) or digest == self.seen:
            raise RuntimeError(f"robosuite's frame {frame.shape} did not change while the robot moved")
        self.seen = digest

    def describe(self) -> dict[str, object]:
        """What is being measured."""
        import mujoco
        import robosuite
        from OpenGL import GL

        model = self.env.sim.model._model  # noqa: SLF001
        return {
            "robosuite": robosuite.__version__,
            "mujoco": mujoco.__version__,
            "renderer": (GL.glGetString(GL.GL_RENDERER) or b"").decode(),
            "timestep": float(model.opt.timestep),
            "offsamples": int(model.vis.quality.offsamples),
            "shadowsize": int(model.vis.quality.shadowsize),
            "faces": int(model.nmeshface),
            "dof": int(model.nv),
            "frame": [HEIGHT, WIDTH, 3],
        }


def main() -> None:
    # Everything robosuite prints goes to stderr: stdout is the pipe.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = Peer(lean=sys.argv[1:] == ["lean"])
    print(json.dumps(peer.describe()), file=answers)
    for line in sys.stdin:
        if json.loads(line)["do"] == "quit":
            break
        print(json.dumps(peer.second()), file=answers)
    peer.env.close()


if __name__ == "__main__":
    main()
