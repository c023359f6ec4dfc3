"""The whole way with LeRobot, once: demonstrations, export, training, its own evaluation, ours.

    .venv/bin/python plugins/lerobot/try_lerobot.py --lerobot PYTHON [--folder DIR] [--steps 20]

PYTHON is an interpreter that has LeRobot 0.6, this plugin and rtbench-client. It takes minutes, needs no
network, and is no part of the tests. Each step prints its command and the end of what it says.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(name: str, command: list[str], **environ: str) -> str:
    """Run a step, and give what it says; a failing one ends the script."""
    print(f"\n## {name}\n$ {' '.join(command)}", flush=True)
    start = time.monotonic()
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | environ,
    )  # fmt: skip
    lines = done.stdout.replace("\r", "\n").splitlines()
    print("\n".join(lines[-12 if done.returncode == 0 else -60 :]))
    print(f"exit code {done.returncode}, {time.monotonic() - start:.0f} s", flush=True)
    if done.returncode:
        sys.exit(1)
    return done.stdout


def main() -> None:
    """All steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lerobot", metavar="PYTHON", required=True)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp(prefix="rtbench-lerobot-")))
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    folder, lerobot = options.folder.resolve(), options.lerobot
    rtbench = [sys.executable, "-m", "rtbench"]
    demos, data, trained = folder / "demos.h5", folder / "data", folder / "trained"
    if not data.exists():
        run("demonstrations", [*rtbench, "demos", "-n", "4", "--skill", "pick", "--size", "256x320",
                               "-o", str(demos), "--jobs", "1"])  # fmt: skip
        run("export", [*rtbench, "export", str(demos), "--format", "lerobot",
                       "--action", "rtbench-7d", "-o", str(data)])  # fmt: skip
    policy = trained / "checkpoints" / "last" / "pretrained_model"
    if not policy.exists():
        run("training", [
            lerobot, "-m", "lerobot.scripts.lerobot_train", "--dataset.repo_id=rtbench/pick",
            f"--dataset.root={data}", "--dataset.video_backend=pyav", "--policy.type=act",
            "--policy.push_to_hub=false", "--policy.device=cpu", "--policy.chunk_size=8",
            "--policy.n_action_steps=8", "--policy.pretrained_backbone_weights=null", "--policy.dim_model=64",
            "--policy.n_heads=4", "--policy.dim_feedforward=128", f"--steps={options.steps}",
            "--batch_size=2", "--num_workers=0", f"--save_freq={options.steps}", "--log_freq=5",
            f"--output_dir={trained}", "--wandb.enable=false",
        ], HF_HUB_OFFLINE="1")  # fmt: skip
    run("LeRobot's evaluation", [
        lerobot, "-m", "lerobot.scripts.lerobot_eval", f"--policy.path={policy}", "--policy.device=cpu",
        "--env.type=rtbench", "--env.task=seen", "--env.skill=pick", "--env.rounds=3", "--eval.n_episodes=3",
        "--eval.batch_size=1", f"--output_dir={folder / 'eval'}",
    ], HF_HUB_OFFLINE="1", RTBENCH_PYTHON=sys.executable)  # fmt: skip
    print("\n## the bridge")
    command = [lerobot, "-m", "rtbench_client.lerobot", f"--policy.path={policy}", "--port", "0"]
    print(f"$ {' '.join(command)}", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bridge:
        try:
            assert bridge.stdout is not None  # noqa: S101 - a pipe was asked for
            said = next(line for line in bridge.stdout if line.startswith("serving at "))
            url = said.split()[2].rstrip(";")
            run("rtbench's evaluation", [*rtbench, "run", "--policy", f"remote:{url}", "--suite", "seen",
                                         "--skill", "pick", "-n", "2", "--out", str(folder / "runs"),
                                         "--jobs", "1"])  # fmt: skip
        finally:
            bridge.terminate()


if __name__ == "__main__":
    main()
