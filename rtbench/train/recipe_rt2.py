"""The chain from RT-1's weights to RT-2's: `make rt2`, or `python -m rtbench.train.recipe_rt2`.

Pictures with questions are made, and demonstrations recorded and drawn. An RT-1 is trained to follow plans
and their places, unless one is given. Eyes are trained next, then plans and answers behind frozen eyes.
Actions are that RT-1's. `RT2_ARM` names the arm of a comparison: all arms have the same network, first
weights, demonstrations and numbers of steps, and differ in the vision-language data alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtbench.core.errors import UnknownNameError
from rtbench.train.recipe import Step, on_cores, play, precision
from rtbench.train.recipe_rt1 import ACTING

PREFIX = "RT2_"
"""Parameters are environment variables of these names in capitals: RT2_ARM."""
CO, ROBOT, FIRST, CARDLESS = "co", "robot", "first", "cardless"
ARMS = (CO, ROBOT, FIRST, CARDLESS)
"""Both kinds of data mixed; demonstrations alone; first the other data, then demonstrations; mixed, but no
card in any picture."""
WITHOUT_CARDS = ("tools", "cups", "snacks", "seen")
"""Sets of objects of which none is a card."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of the chain. Each default is for two CPU cores, and some four hours."""

    folder: str = "runs/rt2"
    """Folder of all files; arms and seeds share its data."""
    arm: str = CO
    """One of `ARMS`."""
    seed: int = 0
    """Of the decoder's first weights, and of what is drawn in training."""
    rt1: str = "policies/rt1.safetensors"
    """RT-1's weights, with whose backbone the eyes begin."""
    motor: str = ""
    """Weights of an RT-1 that follows plans and their places, which acts; empty: `rt1`, trained to do so."""
    motor_steps: int = 4000
    """Steps of that training."""
    pictures: int = 6000
    """Pictures with questions."""
    demos: int = 2000
    """Demonstrations."""
    frames: int = 6
    """Frames of a demonstration, in the room's own look and in a random one."""
    eyes: int = 1500
    """Steps of the eyes."""
    steps: int = 8000
    """Steps of plans and answers."""
    batch: int = 32
    """Samples of such a step."""
    rate: float = 8e-4
    """Its peak learning rate."""
    share: float = 0.6
    """Share of the robot samples, where there are others."""
    test: int = 330
    """Episodes of each suite that the last weights play."""
    jobs: int = 0
    """Worker processes; 0: as many as cores."""
    bf16: int = 0
    """1: trainings on a CPU compute in bfloat16, faster where it has instructions for it (AMX)."""


def steps(how: Parameters, *, cores: int, gpu: bool) -> Sequence[Step]:
    """All steps, in their order.

    Args:
        how: The parameters.
        cores: Cores of the machine.
        gpu: Whether training is on a GPU.

    Raises:
        UnknownNameError: no such arm.
    """
    if how.arm not in ARMS:
        raise UnknownNameError("arm", how.arm, ARMS)
    root, jobs = Path(how.folder), ("--jobs", str(how.jobs or cores))
    states, frames = str(root / "states.h5"), str(root / "frames.h5")
    cards = how.arm != CARDLESS
    questions = str(root / ("questions.h5" if cards else "cardless.h5"))
    sets = () if cards else tuple(word for name in WITHOUT_CARDS for word in ("--set", name))
    vqa = ("vqa", "-n", str(how.pictures), "--emoji", *sets, "-o", questions)
    demos = ("demos", "-n", str(how.demos), "--noise", "0.3", "--states-only", "-o", states)
    looks = ("looks", states, "--own", "--looks", "1", "--frames", str(how.frames), "-o", frames)
    found = [Step("states", demos, without=jobs), Step("frames", looks, without=jobs)]
    if how.arm != ROBOT:
        found.insert(0, Step(Path(questions).stem, vqa, without=jobs))
    motor = how.motor
    if not motor:
        processes = 1 if gpu else how.jobs or cores
        found.append(_motor(how, root, frames, processes))
        motor = str(root / "motor" / "policies" / "motor.safetensors")
    found += _trainings(how, root, frames, questions, motor)
    last = found[-1].name
    acting = (*ACTING, "--policy-arg", "plan_steps=0")
    play_last = ("run", "--policy", last, "--content", str(root / last), "--out", str(root / "runs"), *acting)
    found += [
        Step(f"{suite} of {last}", (*play_last, "--suite", suite, "--limit", str(how.test)), without=jobs)
        for suite in ("seen", "novel", "emergent")
    ]
    return found


def _motor(how: Parameters, root: Path, frames: str, processes: int) -> Step:
    command = (
        "train", "rt1", "--data", frames, "--init", how.rt1, "--steps", str(how.motor_steps), "--batch", "64",
        "--lr", "4e-4", "--keypoint-loss-weight", "2", "--plan-share", "0.5", "--random-shift", "0",
        "--episodes", "0", *precision(how.bf16), "--output", str(root / "motor"),
    )  # fmt: skip
    return Step("motor", command, processes, on_cores(processes))


def _trainings(how: Parameters, root: Path, frames: str, questions: str, motor: str) -> list[Step]:
    robot, other = ("--data", frames), ("--vqa", questions)

    def train(name: str, stage: str, count: int, share: float, init: tuple[str, str], *more: str) -> Step:
        data = (*(robot if share > 0 else ()), *(other if share < 1 else ()))
        command = (
            "train", "rt2", *data, "--stage", stage, "--steps", str(count), "--robot-share", f"{share:g}",
            *init, "--seed", str(how.seed), "--episodes", "0", *more, *precision(how.bf16),
            "--output", str(root / name),
        )  # fmt: skip
        return Step(name, command)

    def weights(name: str) -> tuple[str, str]:
        return "--init", str(root / name / "policies" / f"{name}.safetensors")

    tuned = ("--freeze-eyes", "--batch", str(how.batch), "--lr", f"{how.rate:g}")
    # Of arms that see the same pictures, the eyes are the same.
    seen, share = ("frames", 1.0) if how.arm == ROBOT else (Path(questions).stem, 0.0)
    eyes, last = f"eyes-{seen}-{how.seed}", f"rt2-{how.arm}-{how.seed}"
    first = ("--motor", motor, "--batch", "64", "--lr", "1e-3")
    found = [train(eyes, "eyes", how.eyes, share, ("--eyes", how.rt1), *first)]
    if how.arm == FIRST:
        before, half = f"first-{how.seed}", how.steps // 2
        found.append(train(before, "grounding", half, 0.0, weights(eyes), *tuned))
        found.append(train(last, "grounding", how.steps - half, 1.0, weights(before), *tuned))
    else:
        mixed = 1.0 if how.arm == ROBOT else how.share
        found.append(train(last, "grounding", how.steps, mixed, weights(eyes), *tuned))
    return found


def main() -> int:
    """Run the chain with the parameters of the environment."""
    return play(Parameters, PREFIX, steps)


if __name__ == "__main__":
    sys.exit(main())
