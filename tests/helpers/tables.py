"""Tables of made-up runs."""

from __future__ import annotations

from rtbench.report.table.number_format import caption, remarks
from rtbench.report.table.row import part
from rtbench.report.table.table import Options, tabulate
from rtbench.result.scores import load_scores
from tests.helpers import synthetic_runs as synthetic

SEEN = synthetic.episodes(60)
NOVEL = synthetic.episodes(30, suite="novel", split="novel", axis="backgrounds/easy")


def made(out, rule="success", **options):
    folders = sorted(path.parent for path in out.rglob("run.json"))
    parts = [part(load_scores(folder), rule) for folder in folders]
    return tabulate(parts, Options(rule=rule, **options))


def told(table):
    return " ".join((*caption(table), *remarks(table)))


def cell(table, policy, column):
    row = next(row for row in table.rows if row.name == policy)
    return row.cells[[found.name for found in table.columns].index(column)]


def three(out, **changes):
    for seed, (policy, rate) in enumerate({"good": 0.95, "middling": 0.55, "bad": 0.05}.items()):
        synthetic.write(out, synthetic.rated(SEEN, rate, seed), policy, **changes)
