"""What one RT-1 control step costs here and in robosuite, side by side in one run.

    .venv/bin/python benchmarks/step_cost.py [--rounds 15] [--venv DIR] [--json FILE]

A control step is 1/3 s of simulated time and one 256 x 320 frame. Each round simulates one second and draws
three frames with: rtbench, lean profile; robosuite's PickPlaceCan with PandaOmron, its defaults; the same
without shadows, reflections and multisampling. The order rotates, and ratios are taken within a round, for
the speed of a shared machine drifts by more than what is compared. robosuite runs in an environment of its
own with MuJoCo 3.9.0 (its environments do not run on later ones), made on first use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import platformdirs

from rtbench.env import gl

gl.prepare()

from measure import Samples, motions, ms, ratios, report, some_episodes  # noqa: E402

from rtbench.env.kitchen import Kitchen  # noqa: E402

HERE = Path(__file__).resolve().parent
STEPS = 3
"""RT-1's control steps in a second."""


class Ours:
    """The side of rtbench."""

    def __init__(self) -> None:
        self.kitchen = Kitchen(cameras=("head",), profile="lean")
        self.episode = some_episodes(1)[0]
        self.tokens, self.turn, self.seen = motions(), 0, ""
        self.kitchen.begin(self.episode)

    def second(self) -> float:
        """Wall time of three control steps with a frame each [s]; only if the frame shows the world now."""
        tokens = [self.tokens[(self.turn + k) % len(self.tokens)] for k in range(STEPS)]
        self.turn += STEPS
        start = time.perf_counter()
        for chosen in tokens:
            observation = self.kitchen.advance(chosen)
        seconds = time.perf_counter() - start
        digest = hashlib.sha256(observation.images["head"].tobytes()).hexdigest()
        if digest == self.seen:
            raise RuntimeError("our frame did not change while the robot moved")
        self.seen = digest
        return seconds


class Robosuite:
    """The other side: a process that answers JSON lines, see robosuite_env.py."""

    def __init__(self, python: Path, flags: str) -> None:
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process
        self.process = subprocess.Popen(
            [python, HERE / "robosuite_env.py", flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.about = self._answer()

    def second(self) -> float:
        """Wall time of one second with three frames [s]."""
        return float(self._ask("second")["seconds"])

    def close(self) -> None:
        """End the process."""
        self.process.communicate('{"do": "quit"}\n', timeout=60)

    def _ask(self, what: str) -> dict[str, Any]:
        if self.process.stdin is None:
            raise RuntimeError("robosuite was started without a pipe")
        self.process.stdin.write(json.dumps({"do": what}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"robosuite ended: {self.log.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def robosuite_python(folder: Path) -> Path:
    """Python of the environment with robosuite; made here if it is not there."""
    python = folder / "bin" / "python"
    if (folder / ".complete").exists():
        return python
    print(f"making an environment with robosuite in {folder} (two minutes, 1.3 GB) ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    # The same versions as here, but for the one MuJoCo on which its environments run.
    pins = (HERE.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(p for p in pins if not p.startswith("mujoco")) + "\n")
        constraints.flush()
        install = [python, "-m", "pip", "install", "--quiet", "-c", constraints.name]
        subprocess.run([*install, "robosuite==1.5.2", "mujoco==3.9.0"], check=True)
    (folder / ".complete").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--venv", type=Path, default=Path(platformdirs.user_cache_dir("rtbench")) / "robosuite"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    python = robosuite_python(options.venv)
    peers = {flags: Robosuite(python, flags) for flags in ("defaults", "lean")}
    sides: dict[str, Any] = {"rtbench": Ours(), **peers}
    times = {name: Samples(name) for name in sides}
    names = list(sides)
    for side in sides.values():  # warm-up, not counted
        side.second()
    for turn in range(options.rounds):
        for k in range(len(names)):
            name = names[(turn + k) % len(names)]
            times[name].values.append(sides[name].second() / STEPS)
    for peer in peers.values():
        peer.close()
    summary = {name: samples.summary() for name, samples in times.items()}
    cheaper = {name: ratios(times[name], times["rtbench"]) for name in peers}
    target = {"defaults": 25.0, "lean": 15.0}
    rows = [["rtbench, lean", ms(summary["rtbench"]), "1", ""]]
    for name, ratio in cheaper.items():
        spread = f"{ratio['median']:.1f} ({ratio['q1']:.1f} to {ratio['q3']:.1f})"
        rows.append([f"robosuite, {name}", ms(summary[name]), spread, f"{target[name]:.0f}"])
    about = {name: peer.about for name, peer in peers.items()}
    data = {"rounds": options.rounds, "ms": summary, "ratio": cheaper, "target": target, "robosuite": about}
    report("One RT-1 control step", ["side", "ms (quartiles)", "times ours", "target"], rows, data)


if __name__ == "__main__":
    main()
