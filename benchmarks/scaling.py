"""How far does a run scale, and what limits it: the policy, or the simulators?

    .venv/bin/python benchmarks/scaling.py [--policy rt1] [--rounds 40] [--measured FILE] [--json FILE]

Measured are the service times of this machine: a step of the simulator with a head image, a call of the
policy for 1, 2, 4 and 8 slots, and what the main process pays to receive a worker's question, each in
processor time, which other programs do not stretch. From these a run is simulated event by event, as the
scheduler plays it: workers step at the same time, each on a core of its own; those that ask while the policy
thinks are answered together by its next call. `--measured` takes the times out of an earlier run's JSON.

Two ways to play are compared: one policy for all workers, as by `--engine local`, and a replica of the policy
for every eight (`--replica`), as by `--engine ray`.
"""

from __future__ import annotations

import argparse
import heapq
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
from measure import report, some_episodes

from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.evaluation.messages import Ask
from rtbench.policy import card as cards

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
SIZES = (1, 2, 4, 8)
"""Slots for which a call of the policy is timed."""
REPLICA = 8
"""Workers of a replica."""
STEPS = 400
"""Control steps of each worker that are simulated."""


@dataclass(frozen=True)
class Service:
    """Service times [ms]."""

    step: tuple[float, ...]
    """Steps of the simulator, drawn from at random."""
    call: float
    """A call of the policy, whatever the number of slots."""
    slot: float
    """What each slot adds to a call."""
    message: float
    """What the main process pays for a question, its observation and its answer."""

    def policy(self, slots: int) -> float:
        """A call for so many slots [ms]."""
        return self.call + self.slot * slots + self.message * slots


def spent(action: Callable[[], Any]) -> float:
    """Processor time of an action, of all threads [ms]."""
    start = time.process_time()
    action()
    return 1e3 * (time.process_time() - start)


def question(image: np.ndarray, step: int) -> Observation:
    """An observation of the head camera."""
    return Observation({"head": image}, "pick coke can", np.zeros(15, np.float32), step)


def received(seen: Observation, times: int = 200) -> float:
    """Processor time in which this thread receives a worker's question [ms], the median."""
    ours, theirs = Pipe()
    sender = threading.Thread(target=lambda: [theirs.send(Ask(seen)) for _ in range(times)], daemon=True)
    sender.start()
    found = []
    for _ in range(times):
        start = time.thread_time()
        ours.recv()
        found.append(1e3 * (time.thread_time() - start))
    return statistics.median(found)


def draws(values: Sequence[float], random: np.random.Generator) -> Iterator[float]:
    """Some of the values, at random, without end."""
    while True:
        yield from map(float, random.choice(values, size=4096))


def measure(name: str, rounds: int) -> tuple[Service, dict[int, float]]:
    """Service times here, and the medians of the policy's calls [ms] by slots."""
    from rtbench.env.kitchen import Kitchen
    from rtbench.policy.oracle import OraclePolicy

    kitchen, oracle, steps = Kitchen(cameras=("head",)), OraclePolicy(), []
    oracle.attach(0, kitchen)
    seen = None
    for episode in some_episodes(max(2, rounds // 10)):
        seen = kitchen.begin(episode)
        while not kitchen.terminated and len(steps) < 12 * rounds:
            (tokens,) = oracle.act([seen], [0])
            start = time.process_time()
            seen = kitchen.advance(tokens)
            steps.append(1e3 * (time.process_time() - start))
    kitchen.close()
    policy = cards.build(cards.resolve(name))
    for slot in range(max(SIZES)):
        policy.reset(slot, "pick coke can", 0)
    images = generator("scaling").integers(0, 256, (16, 256, 320, 3), dtype=np.uint8)
    calls: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(rounds + 8):
        for size in SIZES:
            batch = [question(images[(turn + k) % 16], turn) for k in range(size)]
            took = spent(lambda batch=batch: policy.act(batch, range(len(batch))))
            if turn >= 8:
                calls[size].append(took)
    message = received(question(images[0], 0))
    medians = {size: statistics.median(values) for size, values in calls.items()}
    slot, call = np.polyfit(list(medians), list(medians.values()), 1)
    found = Service(tuple(round(ms, 3) for ms in steps), max(0.0, float(call)), float(slot), message)
    return found, medians


def simulate(service: Service, workers: int, steps: int = STEPS) -> tuple[float, float]:
    """Control steps a second of one policy and its workers, and the share of the time in which it is busy."""
    random = np.random.default_rng(workers)
    draw = draws(service.step, random)
    # Workers by the moment at which they ask; they begin spread over a step.
    asking = [(random.uniform(0, next(draw)), number) for number in range(workers)]
    heapq.heapify(asking)
    now = busy = 0.0
    done = 0
    while done < workers * steps:
        now = max(now, asking[0][0])
        batch = []
        while asking and asking[0][0] <= now:
            batch.append(heapq.heappop(asking)[1])
        took = service.policy(len(batch))
        now, busy, done = now + took, busy + took, done + len(batch)
        for number in batch:
            heapq.heappush(asking, (now + next(draw), number))
    return 1e3 * done / now, busy / now


def table(service: Service, workers: Sequence[int], replica: int) -> list[list[str]]:
    """A row for each number of workers: one policy, and replicas of it."""
    rows = []
    for count in workers:
        alone, share = simulate(service, count)
        whole, rest = divmod(count, replica)
        apart = whole * simulate(service, replica)[0] + (simulate(service, rest)[0] if rest else 0.0)
        limit = "policy" if share > 0.9 else "simulators"
        replicas = whole + (rest > 0)
        rows.append(
            [str(count), f"{alone:.0f}", f"{100 * share:.0f} %", limit, str(replicas), f"{apart:.0f}"]
        )
    return rows


def main() -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policy", default="rt1")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--replica", type=int, default=REPLICA, metavar="N", help="workers of a replica")
    parser.add_argument("--measured", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.measured:
        said = json.loads(options.measured.read_text())["service"]
        service, medians = Service(**said | {"step": tuple(said["step"])}), {}
    else:
        service, medians = measure(options.policy, options.rounds)
    mean = statistics.fmean(service.step)
    title = (
        f"{options.policy}: a step {mean:.1f} ms, a call {service.call:.1f} + {service.slot:.1f} ms a slot, "
        f"a question {service.message:.2f} ms"
    )
    columns = ["workers", "steps/s, one policy", "policy busy", "limit", "replicas", "steps/s, replicas"]
    rows = table(service, WORKERS, options.replica)
    report(title, columns, rows, {"service": asdict(service), "calls ms": medians, "rows": rows})


if __name__ == "__main__":
    main()
