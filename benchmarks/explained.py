"""How much of what the oracle does can be told from what can be seen: places, steps sideways, turns.

    .venv/bin/python benchmarks/explained.py [--episodes 300] [--epochs 40] [--seed 900] [--json FILE]

The oracle plays training episodes with disturbed actions, as demonstrations are recorded. A perceptron learns
from the exact places, sizes and headings of the hand, the object, its target and the things around them: where
the object will be put, how far the hand goes sideways and how far it turns. What it cannot tell in scenes that
were held back is what no policy can learn from images; a policy has to guess it.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from measure import report
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, GRIPPER, MODE, RTBENCH, Mode
from rtbench.core.episode import Episode
from rtbench.core.rotation import rotate, wrap
from rtbench.core.seeding import generator
from rtbench.core.world import Pose
from rtbench.data.action_noise import perturb
from rtbench.data.collect import Recording, draw
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle import oracle_action
from rtbench.policy.oracle.grasp import gripped_along
from rtbench.policy.oracle.motion import View

Array = NDArray[np.float64]

SKILLS = ("pick", "pick_from", "place_into", "move_near", "bring", "place_upright", "knock_over")
NOISE = 0.3
"""Share of disturbed steps, as in the demonstrations of the shipped RT-1."""
HELD_BACK = 5
"""One scene in so many is held back."""
THINGS = 5
"""Things around that are told, the nearest to the object first."""
FAR, FARTHEST = 0.05, 0.80
"""Steps at which the object still has this far to go [m] count for its place; what is farther has to be
driven first."""
TURNING = 0.12
"""A step turns the hand if it turns it by more than this [rad]."""


@dataclass
class Steps:
    """What was seen and done in all steps of all episodes, one row a step."""

    skill: list[int] = field(default_factory=list)
    scene: list[int] = field(default_factory=list)
    seen: list[Array] = field(default_factory=list)
    action: list[Array] = field(default_factory=list)
    """Motion of the arm, float64[6], xyz [m] and rotation [rad], base frame, and the gripper's command."""
    held: list[bool] = field(default_factory=list)
    ahead: list[Array] = field(default_factory=list)
    """From the object's middle to where it will stand at the end, float64[2] [m], base frame."""
    steps: int = 0


def look(view: View, episode: Episode) -> Array:
    """All that decides and can be seen, base frame: hand, object, target, things around; float64[n]."""
    names = list(view.env.task.objects)
    hand = view.world.to_base(view.hand).position
    yaw = view.hand_yaw
    row = [*hand, math.sin(yaw), math.cos(yaw), view.leaning, view.opening, float(view.carried() is not None)]
    row += _thing(view, names[0]) if names else [0.0] * 15
    middle = view.world.pose(names[0]).position[:2] if names else view.base[:2]
    target = next((n for n in names[1:]), None)
    row += _thing(view, target) if target else [0.0] * 15
    drawers = [_in_base(view, view.world.drawn_out(d).center) for d in view.world.scene.spec.drawers]
    row += [x for place in drawers for x in place]
    others = [n for n in view.world.names() if n not in (names[:1] + [target])]
    others.sort(key=lambda n: float(np.hypot(*(view.world.pose(n).position[:2] - middle))))
    for name in others[:THINGS]:
        row += [1.0, *_thing(view, name)]
    row += [0.0] * (16 * max(0, THINGS - len(others)))
    row += [float(episode.task.split("/")[0] == skill) for skill in SKILLS]
    row += [*view.base[:2], math.sin(view.base[2]), math.cos(view.base[2])]
    row += [float("side" in episode.task), float("drawer" in episode.task), float("bowl" in episode.task)]
    return np.array(row)


def _thing(view: View, name: str) -> list[float]:
    """Middle [m], half size, axis, and heading at which it is gripped, base frame: 15 numbers."""
    low, high = view.world.box(name)
    quaternion = view.world.pose(name).quaternion
    axis = _turned(view, rotate(quaternion, [0.0, 0.0, 1.0]))
    along = gripped_along(view, name)
    hollow = view.world.scene.objects[name].cavity is not None
    heading = [0.0, 0.0] if along is None else [math.cos(2 * along), math.sin(2 * along)]
    bend = 0.0 if along is None else wrap(2 * along) / 2
    half = (high - low) / 2
    obj = view.world.scene.objects[name].half
    return [*_in_base(view, (low + high) / 2), *half, *axis, *heading, bend, float(hollow), *obj[[0, 2]]]


def _in_base(view: View, point: Array) -> Array:
    return view.world.to_base(Pose(point, view.hand.quaternion)).position


def _turned(view: View, vector: Array) -> Array:
    c, s = math.cos(view.base[2]), math.sin(view.base[2])
    return np.array([c * vector[0] + s * vector[1], -s * vector[0] + c * vector[1], vector[2]])


def play(kitchen: Kitchen, episode: Episode, scene: int, into: Steps) -> bool:
    """One episode with disturbed actions; its steps with the arm are added. True if it succeeds."""
    random = generator(episode.key, "explained")
    kitchen.begin(episode)
    places: list[tuple[Array, float]] = []
    name = kitchen.task.objects[0] if kitchen.task.objects else None
    for _ in range(episode.horizon):
        action = oracle_action(kitchen)
        if int(action[MODE]) == Mode.ARM:
            view = View(kitchen)
            into.skill.append(SKILLS.index(episode.skill))
            into.scene.append(scene)
            into.seen.append(look(view, episode))
            into.action.append(np.array([*action[ARM_SLICE], action[GRIPPER]]))
            into.held.append(name is not None and bool(kitchen.world.held(name)))
            places.append((_middle(kitchen, name), float(view.base[2])))
        kitchen.advance(perturb(RTBENCH.encode(action), RTBENCH, NOISE, random))
        into.steps += 1
        if kitchen.terminated:
            break
    end = _middle(kitchen, name)
    for place, yaw in places:
        c, s = math.cos(yaw), math.sin(yaw)
        x, y = end - place
        into.ahead.append(np.array([c * x + s * y, -s * x + c * y]))
    return kitchen.success()


def _middle(kitchen: Kitchen, name: str | None) -> Array:
    if name is None:
        return np.zeros(2)
    low, high = kitchen.world.box(name)
    middle: Array = ((low + high) / 2)[:2]
    return middle


def fit(seen: Array, wanted: Array, train: Array, epochs: int) -> Array:
    """What a perceptron that has learnt the rows `train` says of all rows, in the units of `wanted`."""
    torch.manual_seed(0)
    mean, std = seen[train].mean(0), seen[train].std(0) + 1e-3
    x = torch.tensor(np.clip((seen - mean) / std, -5, 5), dtype=torch.float32)
    scale = torch.tensor(wanted[train].std(0) + 1e-6, dtype=torch.float32)
    y = torch.tensor(wanted, dtype=torch.float32) / scale
    layers: list[torch.nn.Module] = []
    width = x.shape[1]
    for _ in range(3):
        layers += [torch.nn.Linear(width, 384), torch.nn.GELU(), torch.nn.Dropout(0.1)]
        width = 384
    network = torch.nn.Sequential(*layers, torch.nn.Linear(width, y.shape[1]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    rows = torch.tensor(np.flatnonzero(train))
    batches = epochs * max(1, len(rows) // 256)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=batches)
    for _ in range(batches):
        batch = rows[torch.randint(len(rows), (256,))]
        loss = (network(x[batch]) - y[batch]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        return (network(x) * scale).numpy().astype(np.float64)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=300, help="of each skill")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=900, help="number of the draw of training episodes")
    parser.add_argument("--skill", action="append", choices=SKILLS)
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kitchen, steps, rate, count = Kitchen(cameras=()), Steps(), {}, {}
    scene = 0
    for skill in arguments.skill or SKILLS:
        found = draw(Recording(seed=arguments.seed, skills=(skill,)), arguments.episodes)
        before = steps.steps
        held = []
        for episode in found:
            held.append(play(kitchen, episode, scene, steps))
            scene += 1
        rate[skill], count[skill] = float(np.mean(held)), (steps.steps - before) / len(found)
    skills, scenes = np.array(steps.skill), np.array(steps.scene)
    seen, action = np.array(steps.seen), np.array(steps.action)
    ahead, held_now = np.array(steps.ahead), np.array(steps.held)
    back = scenes % HELD_BACK == 0
    done = fit(seen, action, ~back, arguments.epochs)
    put = np.zeros_like(ahead)
    way = np.hypot(*ahead.T)
    carrying = held_now & (skills != SKILLS.index("pick")) & (way < FARTHEST)
    put[carrying] = fit(seen[carrying], ahead[carrying], ~back[carrying], arguments.epochs)
    rows, data = [], {}
    for number, skill in enumerate(SKILLS):
        mine = back & (skills == number)
        if not mine.any():
            continue
        far = mine & carrying & (way > FAR)
        place = np.hypot(*(put - ahead)[far].T)
        empty, full = mine & ~held_now, mine & held_now
        turned = empty & (np.abs(action[:, 5]) > TURNING)
        right = (np.sign(done[:, 5]) == np.sign(action[:, 5])) & (np.abs(done[:, 5]) > TURNING / 2)
        figures = {
            "success": rate[skill],
            "steps": count[skill],
            "place": float(place.mean()) if len(place) else None,
            "place_median": float(np.median(place)) if len(place) else None,
            "place_way": float(way[far].mean()) if far.any() else None,
            "held_step": _error(done, action, full),
            "held_step_way": _way(action, full),
            "empty_step": _error(done, action, empty),
            "empty_step_way": _way(action, empty),
            "turning": float(turned.sum() / max(1, empty.sum())),
            "turned_right": float(right[turned].mean()) if turned.any() else None,
        }
        data[skill] = figures
        cm = [f"{100 * figures[k]:.1f}" if figures[k] is not None else "" for k in
              ("place", "place_median", "place_way", "held_step", "held_step_way", "empty_step",
               "empty_step_way", "turning", "turned_right")]  # fmt: skip
        rows.append((skill, f"{100 * figures['success']:.1f}", f"{figures['steps']:.1f}", *cm))
    heads = ("skill", "success %", "steps", "place off cm", "median", "of", "held step off cm", "of",
             "empty step off cm", "of", "turning %", "told right %")  # fmt: skip
    report(f"What the oracle does, unexplained; {arguments.episodes} episodes a skill", heads, rows, data)


def _error(done: Array, action: Array, rows: NDArray[np.bool_]) -> float | None:
    """Mean distance [m] between steps sideways that are told and done."""
    return float(np.hypot(*(done - action)[rows, :2].T).mean()) if rows.any() else None


def _way(action: Array, rows: NDArray[np.bool_]) -> float | None:
    """Mean length of steps sideways [m]."""
    return float(np.hypot(*action[rows, :2].T).mean()) if rows.any() else None


if __name__ == "__main__":
    main()
