"""How far the arm lags under the controller 'simpler', beside the response that its drive table predicts.

    .venv/bin/python benchmarks/controller_lag.py [--plot FILE.png] [--json FILE]

One joint at a time gets a jerk-limited path of 0.3 rad away from home, the others hold still. Predicted is
the response of inertia x acceleration + damping x speed + stiffness x (angle - path) = 0, with the inertia
that MuJoCo has for this joint at home and the figures of the robot's file. Needs MENAGERIE_ROOT, or the robot
in the cache.
"""

from __future__ import annotations

import argparse
from typing import Any

import mujoco
import numpy as np
from measure import report
from numpy.typing import NDArray

from rtbench.env.jerk_limited_path import JerkLimitedPath
from rtbench.env.robot_model import drives, robot_spec
from rtbench.env.scene import set_options
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import RobotEntry

Floats = NDArray[np.float64]

TURN = -0.3
"""[rad]: the wrist stands near the end of its range."""
SECONDS = 4.0


def planned(robot: RobotEntry, seconds: float) -> Floats:
    """The path from 0 to `TURN` at steps of that length, float64[steps] [rad]."""
    simpler = robot.controllers.simpler
    assert simpler is not None
    limits = np.array([simpler.speed]), np.array([simpler.acceleration])
    path = JerkLimitedPath(np.zeros(1), *limits, simpler.jerk)
    return path.ahead(np.array([TURN]), round(SECONDS / seconds), seconds)[:, 0]


def measured(robot: RobotEntry, joint: str, path: Floats) -> tuple[Floats, float]:
    """Turn of a joint whose drive follows the path, float64[steps] [rad], and its inertia [kg m^2]."""
    spec = robot_spec(robot)
    set_options(spec)
    model = spec.compile()
    data = mujoco.MjData(model)
    for name, entry in robot.arm.joints.items():
        data.joint(name).qpos[0] = data.actuator(name).ctrl[0] = entry.home
    mujoco.mj_forward(model, data)
    whole = np.zeros((model.nv, model.nv))
    mujoco.mju_sym2dense(whole, data.M, model.M_rownnz, model.M_rowadr, model.M_colind)
    home, dof = robot.arm.joints[joint].home, int(model.joint(joint).dofadr[0])
    turns = np.empty(len(path))
    for step, place in enumerate(path):
        data.actuator(joint).ctrl[0] = home + place
        mujoco.mj_step(model, data)
        turns[step] = data.joint(joint).qpos[0] - home
    return turns, float(whole[dof, dof])


def predicted(robot: RobotEntry, joint: str, path: Floats, inertia: float, seconds: float) -> Floats:
    """The second-order response to the path, float64[steps] [rad], in steps a tenth as long."""
    stiffness, damping, _ = drives(robot)[joint]
    turns, place, speed = np.empty(len(path)), 0.0, 0.0
    for step, wanted in enumerate(path):
        for _ in range(10):
            speed += seconds / 10 * (stiffness * (wanted - place) - damping * speed) / inertia
            place += seconds / 10 * speed
        turns[step] = place
    return turns


def main() -> None:
    """Measure and print one row a joint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE", help="picture of path, measured and predicted turn")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    robot = BUNDLED.robot("google_robot:simpler")
    seconds = 1 / 240
    path = planned(robot, seconds)
    rows: list[dict[str, Any]] = []
    curves = {}
    for joint in robot.arm.joints:
        found, inertia = measured(robot, joint, path)
        wanted = predicted(robot, joint, path, inertia, seconds)
        curves[joint] = found, wanted
        stiffness, damping, _ = drives(robot)[joint]
        rows.append(
            {
                "joint": joint,
                "damping/stiffness s": round(damping / stiffness, 3),
                "63 % of the turn at s": round(float(np.argmax(found / TURN > 0.632)) * seconds, 3),
                "63 % of the path at s": round(float(np.argmax(path / TURN > 0.632)) * seconds, 3),
                "after 1/3 s, share": round(float(found[79]) / TURN, 3),
                "predicted": round(float(wanted[79]) / TURN, 3),
                "largest difference mrad": round(1000 * float(np.abs(found - wanted).max()), 3),
            }
        )
    columns = tuple(rows[0])
    report(
        f"lag of {robot.known_as} over a path of {TURN} rad", columns,
        [[str(row[column]) for column in columns] for row in rows], {"joints": rows},
    )  # fmt: skip
    if options.plot:
        draw(options.plot, path, curves, seconds)


def draw(file: str, path: Floats, curves: dict[str, tuple[Floats, Floats]], seconds: float) -> None:
    """A picture with one panel a joint."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    times = seconds * np.arange(1, len(path) + 1)
    for panel, (joint, (found, wanted)) in zip(panels, curves.items(), strict=False):
        panel.plot(times, path, color="0.6", label="path")
        panel.plot(times, found, label="measured")
        panel.plot(times, wanted, "--", label="predicted")
        panel.set(title=joint, xlabel="s", ylabel="rad")
    panels[0].legend()
    panels[-1].axis("off")
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
