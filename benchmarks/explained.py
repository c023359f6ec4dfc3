"""How much of where the oracle puts things, and of how it turns to grip them, follows from what can be seen.

    .venv/bin/python benchmarks/explained.py [--scenes 2000] [--steps 4000] [--seed 900] [--json FILE]

In the first state of training episodes the oracle is asked where it would put the object. A perceptron learns
that place from the exact places and sizes of the object, its target and the things around. What it cannot
tell in scenes that are held back, a policy that sees images has to guess. Beside it: the share of places that
are within 1.2 cm of where the straight way to the target ends, and of grips that take the nearest heading.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from measure import report
from numpy.typing import NDArray

from rtbench.core.rotation import wrap
from rtbench.core.vector import length
from rtbench.core.world import Pose
from rtbench.data.collect import Recording, draw
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle.grasp import best_grasp, gripped_along
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.planner import spot_of
from rtbench.policy.oracle.subgoal import left_to_do

Array = NDArray[np.float64]

SKILLS = ("move_near", "pick_from", "place_into")
"""The first alone has a straight way to something that it is put near."""
HELD_BACK = 5
"""One scene in so many is held back."""
THINGS = 4
"""Things around that are told, the nearest first."""
GAP = 0.04
"""Gap of the plain rule [m]."""
STRAIGHT = 0.012
"""So near to the end of the straight way it was taken [m]: the oracle meets a spot to 12 mm."""
TURNING = 0.12
"""The hand turns if it turns by more than this [rad]."""
WIDTH, BATCH = 256, 256


def look(view: View, name: str, target: str | None) -> Array:
    """What can be seen, base frame, relative to the target or, without one, to the object; float64[n]."""
    origin = _middle(view, target or name)
    row = [*_middle(view, name), *(origin - _middle(view, name)), *_direction(origin - _middle(view, name))]
    row += [*_size(view, name), *(_size(view, target) if target else [0.0] * 3)]
    others = [n for n in view.world.names() if n not in (name, target)]
    others.sort(key=lambda n: length(_middle(view, n)[:2] - origin[:2]))
    for other in others[:THINGS]:
        away = _middle(view, other) - origin
        row += [1.0, *away, *_direction(away), *_size(view, other)]
    return np.array([*row, *([0.0] * 10 * max(0, THINGS - len(others)))])


def _direction(vector: Array) -> list[float]:
    far = length(vector[:2])
    return [far, *(vector[:2] / max(far, 1e-6))]


def _middle(view: View, name: str) -> Array:
    low, high = view.world.box(name)
    return view.world.to_base(Pose((low + high) / 2, view.hand.quaternion)).position


def _size(view: View, name: str) -> list[float]:
    low, high = view.world.box(name)
    return list((high - low) / 2)


def straight(view: View, name: str, target: str) -> Array:
    """Place float64[2] [m], base frame, at which the straight way to the target ends."""
    away = _middle(view, name)[:2] - _middle(view, target)[:2]
    away /= length(away)
    reach = sum(math.hypot(*(np.array(_size(view, n)[:2]) * away)) for n in (name, target))
    place: Array = _middle(view, target)[:2] + (reach + GAP) * away
    return place


def fit(seen: Array, wanted: Array, train: NDArray[np.bool_], steps: int) -> Array:
    """What a perceptron that has learnt the rows `train` says of all rows, in the units of `wanted`."""
    torch.manual_seed(0)
    mean, std = seen[train].mean(0), seen[train].std(0) + 1e-3
    x = torch.tensor(np.clip((seen - mean) / std, -5, 5), dtype=torch.float32)
    scale = float(wanted[train].std())
    y = torch.tensor(wanted / scale, dtype=torch.float32)
    layers: list[torch.nn.Module] = []
    for width in (x.shape[1], WIDTH, WIDTH):
        layers += [torch.nn.Linear(width, WIDTH), torch.nn.GELU(), torch.nn.Dropout(0.1)]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, y.shape[1]))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    rows = torch.tensor(np.flatnonzero(train))
    for _ in range(steps):
        batch = rows[torch.randint(len(rows), (BATCH,))]
        loss = torch.linalg.vector_norm(network(x[batch]) - y[batch], dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        return (network(x) * scale).numpy().astype(np.float64)


def measure(kitchen: Kitchen, skill: str, seed: int, scenes: int, steps: int) -> dict[str, float | None]:
    """Figures of a skill."""
    seen, places, starts, plain, turns, expected = [], [], [], [], [], []
    for episode in draw(Recording(seed=seed, skills=(skill,)), scenes):
        kitchen.begin(episode)
        view = View(kitchen)
        job = left_to_do(view, kitchen.task.goal)[0]
        target = next((n for n in kitchen.task.objects if n != job.name), None)
        if any("counter" in n and n != view.world.counter(job.name) for n in job.others):
            continue  # the place is asked for only once the robot has driven there
        spot = Pose(np.array([*spot_of(view, job).place, 0.0]), view.hand.quaternion)
        seen.append(look(view, job.name, target))
        places.append(view.world.to_base(spot).position[:2])
        starts.append(_middle(view, job.name)[:2])
        near = target is not None and job.asks("near")
        plain.append(straight(view, job.name, target) if near and target else np.full(2, np.inf))
        along = gripped_along(view, job.name)
        turns.append(wrap(best_grasp(view, job.name).yaw - view.hand_yaw))
        expected.append(0.0 if along is None else wrap(2 * (along - view.hand_yaw)) / 2)
    back = np.arange(len(seen)) % HELD_BACK == 0
    place, start = np.array(places), np.array(starts)
    told = start + fit(np.array(seen), place - start, ~back, steps)
    off, turn, guess = length_of(told - place)[back], np.array(turns), np.array(expected)
    turned = np.abs(turn) > TURNING
    return {
        "scenes": len(seen),
        "way": float(length_of(start - place)[back].mean()),
        "mean": float(off.mean()),
        "median": float(np.median(off)),
        "far": float((off > 0.05).mean()),
        "straight": float((length_of(np.array(plain) - place) < STRAIGHT).mean()),
        "turning": float(turned.mean()),
        "turned_nearest": float((np.abs(turn - guess) < TURNING).mean()),
    }


def length_of(vectors: Array) -> Array:
    """Lengths float64[n] of vectors float64[n, 2]."""
    lengths: Array = np.hypot(*vectors.T)
    return lengths


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=2000, help="of each skill")
    parser.add_argument("--steps", type=int, default=4000, help="of training")
    parser.add_argument("--seed", type=int, default=900, help="number of the draw of training episodes")
    parser.add_argument("--skill", action="append", choices=SKILLS)
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kitchen, data, rows = Kitchen(cameras=()), {}, []
    for skill in arguments.skill or SKILLS:
        figures = measure(kitchen, skill, arguments.seed, arguments.scenes, arguments.steps)
        data[skill] = figures
        cm = [f"{100 * figures[key]:.1f}" for key in ("mean", "median", "way")]
        percent = [f"{100 * figures[key]:.0f}" for key in ("far", "straight", "turning", "turned_nearest")]
        rows.append((skill, str(figures["scenes"]), *cm, *percent))
    heads = ("skill", "n", "unexplained cm", "median", "of", "over 5 cm %", "straight %", "turning %",
             "nearest %")  # fmt: skip
    report("Where the oracle puts things, as told from what can be seen", heads, rows, data)


if __name__ == "__main__":
    main()
