"""robosuite's side of `step_cost.py`: PickPlaceCan with PandaOmron, behind a pipe of JSON lines.

Runs with the Python of robosuite's own environment (robosuite 1.5.2, MuJoCo 3.9.0) and imports nothing of
rtbench. Started by `step_cost.py`; by hand: `echo '{"do": "second"}' | VENV/bin/python robosuite_env.py lean`.

Requests, one a line: {"do": "second"} simulates one second and draws three frames, {"do": "quit"} ends.
Answers: {"seconds": wall time, "draw": the part of it spent on frames}; the first line describes the
environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
import xml.etree.ElementTree as ET  # robosuite hands over its own MJCF

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
            has_offscreen_renderer=True,
            use_camera_obs=False,  # else it draws at every one of its 20 steps a second
            control_freq=CONTROL_HZ,
            ignore_done=True,
            seed=0,
        )
        if lean:
            self.env.set_xml_processor(no_extras)
        self.env.reset()
        self.lean = lean
        low, high = self.env.action_spec
        # Small seeded motions: the arm moves and the controllers work, but nothing is thrown about.
        noise = np.random.default_rng(0).uniform(-0.2, 0.2, size=(CONTROL_HZ, len(low)))
        self.actions = np.clip(noise, low, high)
        self.draw()

    def draw(self) -> None:
        """One frame uint8[256, 320, 3]."""
        if self.lean:
            import mujoco

            flags = self.env.sim._render_context_offscreen.scn.flags  # noqa: SLF001 - it has no public door
            flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
            flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        frame = self.env.sim.render(height=HEIGHT, width=WIDTH, camera_name=CAMERA)
        if frame.shape != (HEIGHT, WIDTH, 3) or frame.std() < 1.0:
            raise RuntimeError(f"robosuite drew nothing: {frame.shape}, deviation {frame.std():.2f}")

    def second(self) -> dict[str, float]:
        """Simulate one second and draw three frames."""
        start = time.perf_counter()
        for action in self.actions:
            self.env.step(action)
        simulated = time.perf_counter()
        for _ in range(FRAMES_A_SECOND):
            self.draw()
        end = time.perf_counter()
        return {"seconds": end - start, "draw": end - simulated}

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
