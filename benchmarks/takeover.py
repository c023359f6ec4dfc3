"""Whether the oracle goes on from a state that another policy has spoilt, here one of random actions.

    .venv/bin/python benchmarks/takeover.py [--rounds 20] [--random 10] [--json FILE]

The random actions are uniform tokens, one in ten in base mode, none of them terminate.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

from measure import report, some_episodes

from rtbench.core.action import BINS, MODE, RTBENCH, Mode
from rtbench.core.episode import Episode
from rtbench.core.seeding import generator
from rtbench.env.kitchen import Kitchen
from rtbench.evaluation.rollout import HOLD_STEPS
from rtbench.policy.oracle import oracle_action
from rtbench.stats import wilson

TARGET = 0.95
SKILLS = 10
"""Skills of the seen suite; each has one turn a round."""


def play(kitchen: Kitchen, episode: Episode, spoilt: int) -> bool:
    """One episode: random actions, then the oracle for the whole horizon. True if it succeeds and holds."""
    random = generator(episode.key, "takeover")
    kitchen.begin(episode)
    for _ in range(spoilt):
        tokens = random.integers(0, BINS, 11)
        tokens[MODE] = Mode.BASE if random.random() < 0.1 else Mode.ARM
        kitchen.advance(tokens)
    for _ in range(episode.horizon):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            break
    held = kitchen.success()
    for _ in range(HOLD_STEPS):
        kitchen.wait(1 / 3)
        held = held and kitchen.success()
    return held


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()
    outcomes: dict[str, list[bool]] = defaultdict(list)
    kitchen = Kitchen(cameras=())
    for episode in some_episodes(SKILLS * arguments.rounds):
        outcomes[episode.skill].append(play(kitchen, episode, arguments.random))
    everything = [held for skill in outcomes.values() for held in skill]
    outcomes = dict(sorted(outcomes.items())) | {"all": everything}
    rows = []
    for skill, held in outcomes.items():
        low, high = wilson(sum(held), len(held))
        interval = f"{100 * low:.1f} to {100 * high:.1f}"
        rows.append((skill, str(len(held)), f"{100 * sum(held) / len(held):.1f}", interval))
    data = {"rate": {skill: sum(held) / len(held) for skill, held in outcomes.items()}, "target": TARGET}
    title = f"Oracle after {arguments.random} random actions, success in %"
    report(title, ("skill", "n", "success", "95 % interval"), rows, data)


if __name__ == "__main__":
    main()
