"""Diagnosis of the machine: packages, libraries, OpenGL, speed and folders, each with a remedy."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from rtbench.core.cache import cache_folder
from rtbench.core.errors import RtbenchError
from rtbench.env import gl

Status = Literal["ok", "warn", "fail"]
PACKAGES = ("rtbench", "mujoco", "mujoco-core", "gymnasium", "numpy", "scipy", "onnxruntime")
OPTIONAL = {"imageio-ffmpeg": "video", "pyarrow": "parquet", "torch": "train", "accelerate": "train"}
"""Package -> the extra that brings it."""
LIBRARIES = ("libGL.so.1",)
"""What PyOpenGL loads, whichever back end draws."""
FREE_GB = 2.0
"""Free disk [GB] below which videos of a suite may not fit."""
SLOW_FRAME_MS = 50.0
"""A frame slower than this leaves too little of the 333 ms of a control step for a policy."""
SLOW_STEPS = 2400.0
"""Physics steps a second: ten times real time at 240 a simulated second."""
HEIGHT, WIDTH = 256, 320
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_MODEL = """
<mujoco>
  <option timestep="0.0041666666666666667" integrator="implicitfast" cone="elliptic" jacobian="dense"/>
  <visual><global offwidth="320" offheight="256"/><quality shadowsize="0" offsamples="0"/></visual>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="2 2 0.1" rgba="0.7 0.7 0.7 1"/>
    <body pos="0 0 0.3"><freejoint/><geom type="box" size="0.05 0.05 0.05" rgba="1 0 0 1"/></body>
    <body pos="0.1 0 0.5"><freejoint/><geom size="0.05" rgba="0 0 1 1"/></body>
    <camera name="head" pos="0 -1 0.7" xyaxes="1 0 0 0 0.5 1"/>
  </worldbody>
</mujoco>
"""


@dataclass(frozen=True)
class Check:
    """One check of the machine."""

    name: str
    """Its name, one or two words."""
    status: Status
    """Its result: fine, a warning, or an obstacle."""
    found: str
    """Its finding."""
    remedy: str = ""
    """Remedy; '' where none is needed."""


@dataclass(frozen=True)
class Report:
    """All checks of the machine."""

    checks: tuple[Check, ...]
    """In the order in which they are shown."""

    @property
    def ok(self) -> bool:
        """Whether a run is possible."""
        return all(check.status != "fail" for check in self.checks)


@dataclass(frozen=True)
class Speed:
    """Speed of a scene on this machine."""

    scene: str
    """Name of the measured scene."""
    frame_ms: float
    """Median of one 256 x 320 frame [ms]."""
    steps: float
    """Physics steps in a second of wall time."""


def examine(measure: Callable[[], Speed] | None = None) -> Report:
    """Run all checks. It never raises: an exception becomes a failed check.

    Args:
        measure: Measurement of speed; by default of the kitchen, or of a small scene if that cannot be built.
    """
    checks = [_python(), *_packages(), _libraries()]
    backend, drawing = _opengl()
    checks.append(drawing)
    if backend is not None:
        checks += _speed(measure or measure_kitchen)
    return Report((*checks, *_folders()))


def render(report: Report) -> Table:
    """The report as a table that fits 80 columns."""
    bad = [check for check in report.checks if check.status != "ok"]
    caption = "all is well" if not bad else f"{len(bad)} of {len(report.checks)} need attention"
    table = Table(title="rtbench doctor", caption=caption, title_justify="left", width=80, show_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", ratio=1, overflow="fold")
    for check in report.checks:
        found = Text(check.found)
        if check.remedy:
            found.append(f"\n{check.remedy}", style="bold")
        table.add_row(check.name, Text(check.status, style=_COLOURS[check.status]), found)
    return table


def measure_kitchen() -> Speed:
    """Frame and step rate of the real kitchen, lean profile; bakes the robot if that is still to do."""
    from rtbench.env.kitchen import Kitchen
    from rtbench.task.library import load_suite
    from rtbench.task.suite import episodes

    kitchen = Kitchen(cameras=(), profile="lean")
    try:
        kitchen.begin(episodes(load_suite("seen"), limit=1)[0])
        frame = _median_ms(lambda: kitchen.frame("head"), 10)
        seconds = _median_ms(lambda: kitchen.wait(1.0), 3) / 1e3
    finally:
        kitchen.close()
    return Speed("the kitchen at rest", frame, 240 / seconds)


def measure_small() -> Speed:
    """Frame and step rate of two falling bodies: needs MuJoCo and OpenGL, nothing of ours."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(_MODEL)
    data = mujoco.MjData(model)
    seconds = _median_ms(lambda: mujoco.mj_step(model, data, nstep=240), 3) / 1e3
    context = gl.context(WIDTH, HEIGHT)
    try:
        with mujoco.Renderer(model, HEIGHT, WIDTH) as renderer:

            def draw() -> None:
                renderer.update_scene(data, "head")
                renderer.render()

            frame = _median_ms(draw, 10)
    finally:
        context.free()
    return Speed("two bodies", frame, 240 / seconds)


def _median_ms(action: Callable[[], object], count: int) -> float:
    """Median wall time of an action [ms]; its first call is not counted."""
    action()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return Check("python", "ok", found)


def _packages(names: Sequence[str] = PACKAGES, optional: Mapping[str, str] = OPTIONAL) -> list[Check]:
    checks = []
    for name in (*names, *optional):
        try:
            checks.append(Check(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            if name in optional:
                checks.append(
                    Check(name, "ok", f"not installed; to have it: pip install 'rtbench[{optional[name]}]'")
                )
            else:
                checks.append(
                    Check(name, "fail", "not installed", "Run: pip install rtbench -c constraints.txt")
                )
    return checks


def _libraries(names: Sequence[str] = LIBRARIES) -> Check:
    missing = []
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    if missing:
        return Check("libraries", "fail", f"missing: {', '.join(missing)}", f"Run as root: {gl.INSTALL}")
    return Check("libraries", "ok", ", ".join(names))


def _opengl() -> tuple[gl.Backend | None, Check]:
    try:
        backend = gl.prepare()
    except RtbenchError as error:
        remedy = f"Run: unset {gl.DEVICE}" if gl.DEVICE in str(error) else f"Run as root: {gl.INSTALL}"
        return None, Check("OpenGL", "fail", str(error), remedy)
    kind = "the processor draws" if backend.software else backend.vendor
    return backend, Check("OpenGL", "ok", f"{backend.name}: {backend.renderer} ({kind}), {backend.version}")


def _speed(measure: Callable[[], Speed]) -> list[Check]:
    try:
        speed = measure()
    except Exception as error:  # noqa: BLE001 - the report shows any error
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        failed = Check(
            "kitchen", "fail", reason, "Below, a small scene; try `rtbench run` for the whole error."
        )
        return [failed, *_fallback()]
    return _judge(speed)


def _fallback() -> list[Check]:
    try:
        return _judge(measure_small())
    except Exception as error:  # noqa: BLE001 - likewise
        return [
            Check(
                "frame",
                "fail",
                f"{type(error).__name__}: {error}".splitlines()[0],
                f"Run as root: {gl.INSTALL}",
            )
        ]


def _judge(speed: Speed) -> list[Check]:
    slow_frame, slow_steps = speed.frame_ms > SLOW_FRAME_MS, speed.steps < SLOW_STEPS
    return [
        Check(
            "frame",
            "warn" if slow_frame else "ok",
            f"{speed.frame_ms:.1f} ms for {HEIGHT} x {WIDTH} of {speed.scene}",
            "Slow; is the machine busy? The profile `lean` and fewer workers help." if slow_frame else "",
        ),
        Check(
            "physics",
            "warn" if slow_steps else "ok",
            f"{speed.steps:.0f} steps a second of {speed.scene}, {speed.steps / 240:.0f} times real time",
            "Slow; is the machine busy? Fewer workers help." if slow_steps else "",
        ),
    ]


def _folders() -> list[Check]:
    cache = cache_folder()
    baked = sorted(cache.glob("robot-*/robot.xml"))
    robot = (
        f"{len(baked)} baked"
        if baked
        else "not baked yet; the first run does it, from 157 MB that it fetches once"
    )
    existing = next(p for p in (cache, *cache.parents) if p.exists())
    if os.access(existing, os.W_OK):
        folder = Check("cache", "ok", str(cache))
    else:
        folder = Check(
            "cache", "fail", f"{cache} cannot be written", "Set RTBENCH_CACHE to a folder that can."
        )
    return [
        folder,
        Check("robot", "ok", robot),
        _disk("disk (cache)", existing),
        _disk("disk (here)", Path.cwd()),
    ]


def _disk(name: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free / 1e9
    if free < FREE_GB:
        return Check(
            name, "warn", f"{free:.1f} GB free at {folder}", "Free some, or run with `--video none`."
        )
    return Check(name, "ok", f"{free:.0f} GB free at {folder}")
