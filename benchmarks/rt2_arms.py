"""Does co-fine-tuning help? Arms of `make rt2` on the same episodes: success, and the choice of targets.

    .venv/bin/python benchmarks/rt2_arms.py ROBOT_0 CO_0 ROBOT_1 CO_1 [--json FILE] [--csv FILE]

Folders of runs in pairs, the baseline first, each pair of one seed. Pairs of episodes of all seeds are put
together. McNemar's test is exact and two-sided; the two groups for which a difference was foretold, symbols
and languages, are adjusted by Holm. The CSV has a row an episode.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import report

from rtbench.analysis.pairing import check
from rtbench.analysis.target_choice import points_right, targets
from rtbench.result.record import Record
from rtbench.result.run import Run, load_run
from rtbench.stats import Pairs, holm, mcnemar

FORETOLD = ("symbols", "languages")
"""Axes on which co-fine-tuning was to be better, named before anything was trained."""
MEASURES: dict[str, Callable[[Record], bool | None]] = {
    "success": lambda record: record.outcome and record.outcome.end,
    "choice": lambda record: points_right(record) if record.outcome and targets(record) else None,
}
HEADS = ("measure", "episodes", "n", "base %", "cand %", "lost", "won", "p", "p (Holm)")
Pair = tuple[Record, Record]


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    if len(options.runs) % 2:
        parser.error("give runs in pairs: the baseline, then the candidate.")
    runs = [load_run(path) for path in options.runs]
    if options.csv:
        _write_episodes(runs, options.csv)
    sides = zip(runs[::2], runs[1::2], strict=True)
    pairs = [pair for first, second in sides for pair in _paired(first, second)]
    rows, data = [], []
    for measure, of in MEASURES.items():
        chosen = {"all": pairs, "all else": [p for p in pairs if _family(p) not in FORETOLD]}
        chosen |= {name: [p for p in pairs if _family(p) == name] for name in FORETOLD}
        found = {name: _counts(group, of) for name, group in chosen.items()}
        tests = {name: mcnemar(counts) for name, counts in found.items()}
        adjusted = dict(zip(FORETOLD, holm([tests[name] for name in FORETOLD]).tolist(), strict=True))
        for name, counts in found.items():
            rates = [f"{100 * right / max(counts.n, 1):.1f}" for right in (counts.first, counts.second)]
            changed = str(counts.first_only), str(counts.second_only)
            holms = f"{adjusted[name]:.4f}" if name in adjusted else ""
            rows.append([measure, name, str(counts.n), *rates, *changed, f"{tests[name]:.4f}", holms])
            data.append(dict(zip(HEADS, rows[-1], strict=True)))
    report("Arms of RT-2, paired", HEADS, rows, {"runs": len(options.runs), "rows": data})


def _paired(first: Run, second: Run) -> list[Pair]:
    """Episodes that both runs have."""
    check(first.meta, second.meta)
    other = {record.episode.key: record for record in second.records}
    return [(one, other[key]) for one in first.records if (key := one.episode.key) in other]


def _family(pair: Pair) -> str:
    return pair[0].episode.axis.partition("/")[0]


def _counts(pairs: Sequence[Pair], of: Callable[[Record], bool | None]) -> Pairs:
    """The four counts of the pairs in which both have an answer."""
    found = [(of(one), of(other)) for one, other in pairs]
    return Pairs.count((a, b) for a, b in found if a is not None and b is not None)


def _write_episodes(runs: Sequence[Run], path: Path) -> None:
    """What each episode of each run came to, with its first plan and the things that this points at."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("policy", "key", "axis", "instruction", *MEASURES, "plan", "first", "second"))
        for run in {run.path: run for run in runs}.values():
            for record in sorted(run.records, key=lambda record: record.episode.key):
                plan = record.plans[0] if record.plans else None
                things = [" or ".join(place.things) for place in (plan.places if plan else ())]
                told = (plan.text if plan else "", *([*things, "", ""])[:2])
                measured = ("" if (value := of(record)) is None else int(value) for of in MEASURES.values())
                episode = record.episode
                out.writerow(
                    (run.meta.policy.name, episode.key, episode.axis, episode.instruction, *measured, *told)
                )


if __name__ == "__main__":
    main()
