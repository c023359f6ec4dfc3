"""The chain from nothing to RT-1's weights: `make rt1`, or `python -m rtbench.train.recipe_rt1`.

Demonstrations are recorded as states, drawn under random looks, and trained on. Then the policy acts, the
oracle labels its steps (DAgger), and the next training begins with the last weights and all data. Each step
is a command of rtbench that goes on where it was killed, and is left out once it is done, so that the same
command continues the chain at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtbench.train.recipe import Step, on_cores, play, precision

PREFIX = "RT1_"
"""Parameters are environment variables of these names in capitals: RT1_ROUNDS."""
WEAKER = (
    "place_upright", "move_near", "pick_from", "open_drawer", "long_horizon", "place_into", "bring", "pick",
)  # fmt: skip
"""Skills of which there are more demonstrations, and all of those of DAgger: what failed most."""

FROZEN = 3
"""Stages of `lite` that stay as ImageNet has them; see decision 96."""

ACTING = ("--policy-arg", "temperature=0.3", "--policy-arg", "terminate_threshold=0.9")
"""How the last weights act, as the shipped card says."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of the chain. Each default is for two CPU cores, and some six hours."""

    folder: str = "runs/rt1"
    """Folder of all files."""
    rounds: int = 3
    """Trainings: the first from nothing, each further one with DAgger episodes of the one before."""
    demos: int = 3300
    """Demonstrations of all skills."""
    weaker: int = 4000
    """Further demonstrations, of `WEAKER` alone."""
    segments: int = 12000
    """Short segments of all skills."""
    dagger: int = 1200
    """Episodes of a DAgger round."""
    looks: int = 2
    """Looks of each demonstration, beside its own."""
    frames: int = 8
    """Frames of each look."""
    steps: int = 9600
    """Steps of the first training; a further one has half of them."""
    batch: int = 64
    """Frames of a step."""
    rate: float = 6e-4
    """Peak learning rate."""
    test: int = 110
    """Episodes of the suites seen and novel, each, that the last weights play."""
    imagenet: str = ""
    """File of ImageNet weights for size `lite`, whose first stages stay so; empty: size `small`, from
    nothing."""
    jobs: int = 0
    """Worker processes, and training processes without a GPU; 0: as many as cores."""
    bf16: int = 0
    """1: trainings on a CPU compute in bfloat16, faster where it has instructions for it (AMX)."""


def steps(how: Parameters, *, cores: int, gpu: bool) -> list[Step]:
    """All steps, in their order.

    Args:
        how: The parameters.
        cores: Cores of the machine.
        gpu: Whether training is on a GPU.
    """
    root, jobs = Path(how.folder), how.jobs or cores
    jobs_option = ("--jobs", str(jobs))
    found, data = [], []

    def record(name: str, count: int, seed: int, *options: str) -> None:
        """Record states, and draw them."""
        states, drawn = str(root / f"{name}.states.h5"), str(root / f"{name}.h5")
        recorded = ("demos", "-n", str(count), "--seed", str(seed), "--states-only", *options, "-o", states)
        found.append(Step(f"states of {name}", recorded, without=jobs_option))
        look = ("looks", states, "--own", "--looks", str(how.looks), "--frames", str(how.frames))
        seeded = (*look, "--seed", str(seed), "-o", drawn)
        found.append(Step(f"frames of {name}", seeded, without=jobs_option))
        data.append(drawn)

    weaker = tuple(word for skill in WEAKER for word in ("--skill", skill))
    record("all", how.demos, 0, "--noise", "0.3", "--shift-start")
    record("weaker", how.weaker, 1, "--noise", "0.3", "--shift-start", *weaker)
    record("segments", how.segments, 2, "--noise", "0.3", "--shift-start", "--short-segments")
    for number in range(how.rounds):
        name = f"round{number}"
        if number:
            before = f"round{number - 1}"
            acting = ("--policy", before, "--content", str(root / before), "--relabel", "oracle")
            record(f"dagger{number}", how.dagger, 2 + number, *acting, "--beta", "0.1", *weaker)
        found.append(_training(how, name, data, number, processes=1 if gpu else jobs))
    last = f"round{how.rounds - 1}"
    play = ("run", "--policy", last, "--content", str(root / last), "--out", str(root / "runs"), *ACTING)
    found.extend(
        Step(suite, (*play, "--suite", suite, "--limit", str(how.test)), without=jobs_option)
        for suite in ("seen", "novel")
    )
    return found


def _training(how: Parameters, name: str, data: Sequence[str], number: int, *, processes: int) -> Step:
    root = Path(how.folder)
    count = how.steps if number == 0 else max(1, how.steps // 2)
    before = f"round{number - 1}"
    begun: tuple[str, ...] = ("--imagenet", how.imagenet) if how.imagenet else ()
    if number:
        begun = ("--init", str(root / before / "policies" / f"{before}.safetensors"))
    size = ("--size", "lite", "--freeze-stages", str(FROZEN)) if how.imagenet else ()
    losses = ("--keypoint-loss-weight", "2", "--naming-loss-weight", "1", *precision(how.bf16))
    command = (
        "train", "rt1", "--data", *data, "--output", str(root / name), "--steps", str(count), "--batch",
        str(how.batch), "--lr", f"{how.rate:g}", "--episodes", "0", "--random-shift", "0", *losses,
        *size, *begun,
    )  # fmt: skip
    return Step(name, command, processes, on_cores(processes))


def main() -> int:
    """Run the chain with the parameters of the environment."""
    return play(Parameters, PREFIX, steps)


if __name__ == "__main__":
    sys.exit(main())
