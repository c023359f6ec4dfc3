"""Runs of policies whose success is a matter of chance, played against each other in the fake environment."""

from __future__ import annotations

from importlib import import_module

from rtbench.analysis.early_stopping import StoppingRule
from rtbench.evaluation.evaluate import Options
from rtbench.policy.card import resolve
from rtbench.task.ordering import balanced
from tests.helpers.runs import FACTORY, HERE, TOLERANT, episode

evaluation = import_module("rtbench.evaluation.evaluate")
CHANCY = f"{HERE / 'fake_chances.py'}:Chancy"


def chancy(rate, **arguments):
    return resolve(CHANCY, (), {"rate": rate, "name": "chance", **arguments})


def unequal(count):
    """Episodes of four tasks; every third one is slow, so that with several workers others overtake it."""
    return [
        episode(
            i,
            axis="AB"[i % 2],
            task=f"push/{'xy'[i // 2 % 2]}-v0",
            variant="slow:0.005" if i % 3 == 0 else "",
        )
        for i in range(count)
    ]


def run(out, chosen, rate, workers=2, stopping_rule=None, *, limits=TOLERANT, **arguments):
    options = Options(factory=FACTORY, limits=limits, stopping_rule=stopping_rule)
    return evaluation.evaluate(chancy(rate, **arguments), chosen, out=out, workers=workers, options=options)


def ordered(baseline):
    return balanced([record.episode for record in baseline.records], "versus", baseline.meta.id)


def rule_of(baseline, target, chosen=None, **options):
    return StoppingRule(baseline, [e.key for e in chosen or ordered(baseline)], target, **options)


def essence(played):
    """The file in its order, without what the clock says."""
    return [(r.key, r.outcome, r.tokens, r.error and r.error.kind) for r in played.records]
