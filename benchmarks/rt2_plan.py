"""Where does the time of a new plan of the shipped RT-2 go, with and without a cache, and in eight bits?

    .venv/bin/python benchmarks/rt2_plan.py [--images 8] [--rounds 5] [--json FILE]

First images of tasks of the suite emergent, each with its instruction. A round takes each image once with
each variant, in turn. All times are processor times of one thread, which other programs on the machine do not
stretch. Parts: the instruction and the image are read; the plan is decided, token by token; it is grounded in
what is seen; an action is decided by it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from measure import Samples, ms, ratios, report, some_episodes

from rtbench.env.kitchen import Kitchen
from rtbench.policy import card as cards
from rtbench.policy.rt2.checkpoint import load
from rtbench.policy.rt2.decoding import Choice, Decoder
from rtbench.policy.rt2.policy import SmallBody

Result = TypeVar("Result")
VARIANTS: dict[str, dict[str, Any]] = {
    "cached": {},
    "uncached": {"cache": False},
    "int8": {"precision": "int8"},
}
PARTS = ("read", "plan", "ground", "act")


class Variant:
    """A body, and the times of its parts."""

    def __init__(self, name: str, weights: Path) -> None:
        self.name = name
        self.body = SmallBody(load(weights), **VARIANTS[name])
        # The parts of a plan are timed one by one: deciding it here is without grounding.
        self.grounding, self.body._grounding = self.body._grounding, None  # noqa: SLF001
        self.decoder = Decoder(self.body.table, self.body.layout, self.body.most_words)
        self.times = {part: Samples(part) for part in PARTS}

    @torch.inference_mode()
    def play(self, instruction: str, image: Any, *, counts: bool) -> tuple[int, ...]:
        """Decide a plan and an action; ids of the plan before it is grounded."""
        spent: dict[str, float] = {}

        def timed(part: str, do: Callable[[], Result]) -> Result:
            start = time.process_time()
            found = do()
            spent[part] = time.process_time() - start
            return found

        def read() -> Any:
            reader: Any = self.body.look(self.body.begin(instruction), image)
            _ = reader._images  # noqa: SLF001
            return reader

        reader = timed("read", read)
        plan = timed("plan", lambda: self.decoder.plan(reader, Choice()))
        reader._look.grounding = self.grounding  # noqa: SLF001
        grounded = timed("ground", lambda: reader.ground(plan))
        timed("act", lambda: self.decoder.action(reader, Choice(), grounded))
        if counts:
            for part, seconds in spent.items():
                self.times[part].values.append(seconds)
        return (*plan.words, *plan.places)


def main() -> None:
    """Play, and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kitchen = Kitchen(cameras=("head",))
    begun = [kitchen.begin(episode) for episode in some_episodes(options.images, "emergent")]
    weights = Path(str(cards.resolve("rt2").weights))
    variants = [Variant(name, weights) for name in VARIANTS]
    same = dict.fromkeys(VARIANTS, 0)
    for turn in range(1 + options.rounds):
        for seen in begun:
            first: tuple[int, ...] = ()
            for variant in variants:
                ids = variant.play(seen.instruction, seen.images["head"], counts=turn > 0)
                first = first or ids
                same[variant.name] += ids == first
    cached, data, rows = variants[0].times, {}, []
    for variant in variants:
        found = {part: times.summary() for part, times in variant.times.items()}
        ratio = {part: ratios(times, cached[part]) for part, times in variant.times.items()}
        share = same[variant.name] / (len(begun) * (1 + options.rounds))
        data[variant.name] = {"ms": found, "ratio": ratio, "same_plans": share}
        rows += [
            [variant.name, part, ms(found[part]), f"{ratio[part]['median']:.2f}", f"{share:.0%}"]
            for part in PARTS
        ]
    columns = ["variant", "part", "ms", "times cached", "same plans"]
    report("A new plan of RT-2, in parts", columns, rows, {"rounds": options.rounds, "variants": data})


if __name__ == "__main__":
    main()
