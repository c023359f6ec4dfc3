"""A toy environment for tests of the evaluator: one cart on a line, to be pushed beyond a mark.

It starts in milliseconds and imports no simulator. `Episode.variant` makes it misbehave.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np

from rtbench.core.action import MODE, Mode, convention
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Episode, Observation
from rtbench.core.errors import PlacementError, RenderError
from rtbench.core.seeding import generator

MARK = 0.5
"""Where the cart must be [m]."""
FACTORY = f"{Path(__file__).resolve()}:make"
BROKEN_FACTORY = f"{Path(__file__).resolve()}:make_broken"
DYING_FACTORY = f"{Path(__file__).resolve()}:make_dying"


def episode(seed: int = 0, **changes) -> Episode:
    fields = {
        "suite": "fake", "split": "seen", "axis": "seen", "skill": "push" if seed % 2 else "pull",
        "task": "push/cart-v0", "scene": "line", "objects": ("cart",), "instruction": "push the cart",
        "language": "en", "seed": seed, "variant": "", "horizon": 15,
    }  # fmt: skip
    return Episode(**{**fields, **changes})


def episodes(count: int, **changes) -> list[Episode]:
    return [episode(seed, **changes) for seed in range(count)]


class FakeEnv:
    def __init__(self, settings: EnvSettings = EnvSettings()) -> None:  # noqa: B008 - frozen
        self.settings = settings
        self.convention = convention(settings.convention)
        self.x = self.speed = 0.0
        self.time = self.step = 0
        self.terminated = False
        self.clipped = 0
        self.episode = episode()

    def begin(self, episode: Episode) -> Observation:
        if episode.variant == "crowded":
            raise PlacementError("the cart does not fit: 3 cm missing.")
        self.episode = episode
        self.x = float(generator("fake", episode.key, "placement").uniform(0, 0.2))
        self.speed, self.time, self.step, self.terminated, self.clipped = 0.0, 0, 0, False, 0
        return self._observe()

    def advance(self, tokens) -> Observation:
        self._misbehave()
        action = self.convention.decode(tokens)
        self.step += 1
        self.terminated = action[MODE] == Mode.TERMINATE
        self.speed = float(action[0]) * 3 if action[MODE] == Mode.ARM else 0.0
        self.clipped += abs(action[0]) > 0.079
        self.wait(1 / self.settings.control_hz)
        return self._observe()

    def wait(self, seconds: float) -> None:
        ticks = seconds * 240
        assert abs(ticks - round(ticks)) < 1e-6, f"{seconds} s is no multiple of 1/240 s"
        self.time += round(ticks)
        self.x += self.speed * seconds

    def success(self) -> bool:
        return self.x > MARK

    def rules(self) -> dict[str, bool]:
        return {}

    def leaves(self) -> dict[str, bool]:
        return {"begun(cart)": self.x > 0.3, "beyond(cart)": self.x > MARK}

    def touched(self) -> str:
        return "cart" if self.step else ""

    def events(self) -> dict[str, int]:
        return {"clipped": int(self.clipped), "dropped": 0}

    def fingerprint(self) -> dict[str, str]:
        return {"state": hashlib.sha256(self.episode.key.encode()).hexdigest()[:16]}

    def state_hash(self) -> str:
        return hashlib.sha256(np.array([self.x, self.speed, self.time]).tobytes()).hexdigest()

    def frame(self, camera: str = "head") -> np.ndarray:
        image = np.full((IMAGE_HEIGHT, IMAGE_WIDTH, 3), 40, dtype=np.uint8)
        column = int(np.clip(self.x, 0, 1) * (IMAGE_WIDTH - 20))
        image[100:140, column : column + 20] = (200, 60, 60)
        return image

    def info(self) -> dict[str, str]:
        return {"mujoco": "none", "renderer": "fake", "pid": "-"}

    def close(self) -> None:
        pass

    def _observe(self) -> Observation:
        images = {camera: self.frame(camera) for camera in self.settings.cameras}
        proprio = np.zeros(15, dtype=np.float32)
        proprio[0] = self.x
        return Observation(images, self.episode.instruction, proprio, self.step)

    def _misbehave(self) -> None:
        kind, _, detail = self.episode.variant.partition(":")
        if kind == "slow":
            time.sleep(float(detail))
        if self.step != 2:
            return
        if kind == "raise":
            raise RuntimeError("the simulator is unstable")
        if kind == "hang_beside":
            Path(f"hung-{os.getpid()}").touch()
        if kind.startswith("hang"):
            time.sleep(1000)
        if kind == "kill_replica" and not Path(detail).exists():
            Path(detail).touch()
            os.kill(os.getppid(), signal.SIGKILL)
        once, again = kind == "die_once", kind == "die_while"
        if kind == "die" or (once and not Path(detail).exists()) or (again and Path(detail).exists()):
            if once:
                Path(detail).touch()
            print("last words", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def make(settings: EnvSettings) -> FakeEnv:
    return FakeEnv(settings)


def make_broken(settings: EnvSettings) -> FakeEnv:
    raise OSError("libEGL.so.1 not found")


def make_blind(settings: EnvSettings) -> FakeEnv:
    env = FakeEnv(settings)

    def begin(episode: Episode) -> Observation:
        raise RenderError("no OpenGL back end works here; run `rtbench doctor`.")

    env.begin = begin
    return env


def make_dying(settings: EnvSettings) -> FakeEnv:
    print("GL said no", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
