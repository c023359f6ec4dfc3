"""Chooses an OpenGL back end that works here, before MuJoCo takes one for itself.

MuJoCo reads ``MUJOCO_GL`` once, when it is first imported, and without it takes GLFW, which fails without a
display. Back ends crash as well as fail, so each is tried in a process of its own. The answer is kept in the
user's cache under a key of everything it depends on; a cached answer costs about a millisecond.

Workers call `prepare` first thing; `context` makes a context of the chosen back end, whatever was imported
before. With llvmpipe leave ``LP_NUM_THREADS`` alone: on 2 cores a 256x320 frame takes 3.7 ms with the default
two threads and 5.4 ms with one, and two workers together draw as many frames either way (about 370 a second).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtbench.core.atomic_write import atomic_write
from rtbench.core.cache import cache_folder
from rtbench.core.errors import RenderError, nearest

BACKENDS = ("egl", "osmesa", "glfw")
"""Back ends that can be asked for with MUJOCO_GL."""
HEADLESS = ("egl", "osmesa")
"""Those that need no display, in the order in which they are tried."""
INSTALL = "apt-get install -y libegl1 libgl1 libosmesa6"
"""What mends a machine without OpenGL, as root, on Debian and Ubuntu."""
DEVICE = "MUJOCO_EGL_DEVICE_ID"
"""Variable that chooses EGL's device."""
PROBE_SECONDS = 60.0
"""A back end that takes longer to draw one small picture counts as broken."""

_USERS: list[int] = []
"""Processes that have made a context. A forked child inherits the list, and is not in it."""
_ALIASES = {"glx": "glfw", "on": "glfw", "enable": "glfw", "enabled": "glfw", "true": "glfw", "1": "glfw"}
_DISABLED = ("off", "disable", "disabled", "false", "0")
# Every variable that changes which driver answers. A change of one leads to a fresh probe.
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "DISPLAY",
    "EGL_PLATFORM",
    "GALLIUM_DRIVER",
    "LD_LIBRARY_PATH",
    "LIBGL_ALWAYS_SOFTWARE",
    "MESA_LOADER_DRIVER_OVERRIDE",
    DEVICE,
    "__EGL_VENDOR_LIBRARY_DIRS",
    "__EGL_VENDOR_LIBRARY_FILENAMES",
)
_PROBE_MODEL = """
<mujoco>
  <visual><global offwidth="32" offheight="32"/><quality shadowsize="0" offsamples="0"/></visual>
  <worldbody>
    <light pos="0 0 3"/>
    <geom size="0.1" rgba="1 0 0 1"/>
    <camera name="above" pos="0 0 0.5"/>
  </worldbody>
</mujoco>
"""


@dataclass(frozen=True)
class Backend:
    """A back end that has drawn a picture on this machine."""

    name: str
    """'egl', 'osmesa' or 'glfw': the value of MUJOCO_GL."""
    renderer: str
    """GL_RENDERER, such as 'llvmpipe (LLVM 15.0.6, 256 bits)'."""
    vendor: str
    """GL_VENDOR."""
    version: str
    """GL_VERSION, which names the driver: '4.5 (Compatibility Profile) Mesa 22.3.6'."""

    @property
    def software(self) -> bool:
        """Whether the processor draws, not a graphics card."""
        return any(word in self.renderer.lower() for word in ("llvmpipe", "softpipe", "swrast", "software"))


def select(*, cache: Path | None = None, fresh: bool = False) -> Backend:
    """The back end to use here. ``MUJOCO_GL`` is respected: then only that one is tried.

    Args:
        cache: folder of cached answers; the user's cache folder by default.
        fresh: probe again even where an answer is cached.

    Raises:
        RenderError: none works; one line with the reasons and the command that installs what is missing.
    """
    wanted = _wanted(os.environ)
    file = (cache or default_cache()) / f"{_key(wanted)}.json"
    if not fresh:
        known = _read(file)
        if known is not None:
            return known
    reasons = []
    for name in (wanted,) if wanted else HEADLESS:
        answer = _try(name)
        if isinstance(answer, Backend):
            _write(file, answer)
            return answer
        reasons.append(f"{name}: {answer}")
        if name == "egl" and os.environ.get(DEVICE):
            break  # a device was asked for: another back end would draw elsewhere
    raise _failure(wanted, reasons)


def prepare(*, cache: Path | None = None) -> Backend:
    """`select`, and set the environment so that MuJoCo and processes started from here follow it.

    Call it before the first ``import mujoco``; after that, contexts must come from `context`.

    Raises:
        RenderError: as `select`.
    """
    backend = select(cache=cache)
    os.environ["MUJOCO_GL"] = backend.name
    if backend.name in HEADLESS:
        # mujoco.egl sets this for itself and children inherit it: a stale value breaks their import.
        os.environ["PYOPENGL_PLATFORM"] = backend.name
    return backend


def context(width: int, height: int, backend: Backend | None = None) -> Any:
    """A current OpenGL context for pictures of `width` x `height` pixels, a ``mujoco.GLContext``.

    It belongs to the calling thread; keep it alive as long as its ``MjrContext``, and ``free()`` it last.

    Raises:
        RenderError: as `prepare` and `check_process`.
    """
    check_process()
    chosen = backend or prepare()
    _USERS.append(os.getpid())
    gl = importlib.import_module(f"mujoco.{chosen.name}").GLContext(width, height)
    gl.make_current()
    return gl


def check_process() -> None:
    """Refuse to draw in a process that was forked from one that has drawn.

    The driver's threads do not survive a fork, and every call would wait for them for ever, even where all
    contexts were freed before.

    Raises:
        RenderError: names the way to start processes that can draw.
    """
    if _USERS and os.getpid() not in _USERS:
        raise RenderError(
            "this process was forked from one that has drawn with OpenGL, and would hang if it drew. Start "
            "it with 'spawn': gymnasium.make_vec(..., vectorization_mode='async', "
            'vector_kwargs={"context": "spawn"}), or multiprocessing.get_context("spawn").'
        )


def default_cache() -> Path:
    """Folder of cached answers: in RTBENCH_CACHE where that is set, else in the user's cache."""
    return cache_folder() / "gl"


def _wanted(environment: Mapping[str, str]) -> str | None:
    """Back end that MUJOCO_GL asks for, None where it asks for nothing."""
    value = environment.get("MUJOCO_GL", "").lower().strip()
    if not value:
        return None
    if value in _DISABLED:
        raise RenderError(f"MUJOCO_GL={value} switches rendering off. Unset it or set MUJOCO_GL=egl.")
    name = _ALIASES.get(value, value)
    if name not in BACKENDS:
        close = nearest(value, BACKENDS)
        hint = f" Did you mean {close!r}?" if close else ""
        raise RenderError(f"MUJOCO_GL={value}: unknown back end.{hint} Allowed: {', '.join(BACKENDS)}.")
    return name


def _key(wanted: str | None) -> str:
    """16 hex digits that change whenever the answer might."""
    package = importlib.util.find_spec("mujoco")
    facts = {
        "wanted": wanted,
        # The installed file stands for the version: importlib.metadata alone would take 35 ms to import.
        "mujoco": [package.origin, _stamp(package.origin or "")] if package else None,
        "machine": platform.node(),
        "python": sys.prefix,
        # Installing or removing a library rewrites the loader's cache; drivers announce themselves to EGL.
        "libraries": [_stamp(p) for p in ("/etc/ld.so.cache", "/usr/share/glvnd/egl_vendor.d")],
        "devices": [_names("/dev/dri"), Path("/dev/nvidiactl").exists()],
        "variables": {name: os.environ.get(name) for name in _VARIABLES},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _stamp(path: str) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - half the time of Path.iterdir, and this is the hot path
    except OSError:
        return []


def _read(file: Path) -> Backend | None:
    """The cached answer; None where there is none or it is damaged."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        backend = Backend(**data)
    except (OSError, ValueError, TypeError):
        return None
    return backend if all(isinstance(v, str) for v in asdict(backend).values()) else None


def _write(file: Path, backend: Backend) -> None:
    """Store the answer in one step, so that workers starting together never read half of it."""
    # A read-only home costs a second at each start; it is no reason to fail.
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as beside:
            beside.write_text(json.dumps(asdict(backend)), encoding="utf-8")


def _try(name: str) -> Backend | str:
    """The back end as seen by a process that drew with it, or the reason why it cannot."""
    environment = {**os.environ, "MUJOCO_GL": name}
    environment.pop("PYOPENGL_PLATFORM", None)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rtbench.env.gl", name],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no picture within {PROBE_SECONDS:.0f} s"
    if done.returncode < 0:
        return f"crashed with signal {-done.returncode}"
    try:
        return Backend(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return lines[-1][:160] if lines else f"exit code {done.returncode}"


def _failure(wanted: str | None, reasons: list[str]) -> RenderError:
    device = os.environ.get(DEVICE)
    if device and reasons[-1].startswith("egl:"):
        return RenderError(f"{DEVICE}={device} does not work here ({reasons[-1]}). Correct it, or unset it.")
    root = not hasattr(os, "geteuid") or os.geteuid() == 0
    command = INSTALL if root else f"sudo {INSTALL}"
    first = f"MUJOCO_GL={wanted} does not work here" if wanted else "no OpenGL back end works here"
    other = "unset MUJOCO_GL, or run: " if wanted else "run: "
    return RenderError(f"{first} ({'; '.join(reasons)}). To mend it, {other}{command}")


def _probe(name: str) -> Backend:
    """Draw a red ball with the back end and ask the driver for its name. Runs in a process of its own."""
    import mujoco
    import numpy as np

    gl = context(32, 32, Backend(name, "", "", ""))
    model = mujoco.MjModel.from_xml_string(_PROBE_MODEL)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    scene = mujoco.MjvScene(model, 10)
    drawing = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, drawing)
    camera = mujoco.MjvCamera()
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    everything = mujoco.mjtCatBit.mjCAT_ALL
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, camera, everything, scene)
    area, pixels = mujoco.MjrRect(0, 0, 32, 32), np.zeros((32, 32, 3), dtype=np.uint8)
    mujoco.mjr_render(area, scene, drawing)
    mujoco.mjr_readPixels(pixels, None, area, drawing)
    red, green, _ = pixels[16, 16].tolist()
    if red < 20 or green > red / 2:
        # Some drivers accept every call and draw nothing.
        raise RenderError(f"drew a wrong picture: the middle of a red ball is {pixels[16, 16].tolist()}")

    # PyOpenGL picks its platform when it is imported, so only now.
    from OpenGL import GL

    def text(what: int) -> str:
        return bytes(GL.glGetString(what) or b"unknown").decode(errors="replace")

    found = Backend(name, text(GL.GL_RENDERER), text(GL.GL_VENDOR), text(GL.GL_VERSION))
    drawing.free()
    gl.free()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_probe(sys.argv[1]))) + "\n")
