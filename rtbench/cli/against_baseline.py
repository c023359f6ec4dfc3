"""What `rtbench run --vs` adds: the episodes of a baseline, when to stop, and how the two compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rtbench.core.errors import Exit, RtbenchError, UnknownNameError

if TYPE_CHECKING:
    from rtbench.analysis.early_stopping import StoppingRule, Target
    from rtbench.core.episode import Episode
    from rtbench.result.metadata import Decision
    from rtbench.result.run import Run

EXITS = {"pass": Exit.OK, "regression": Exit.REGRESSION, "inconclusive": Exit.INCONCLUSIVE}
ALPHA = 0.05


class OptionConflictError(RtbenchError):
    """Options that need each other, or that do not go together."""


class Until(StrEnum):
    """When to stop."""

    DECIDED = "decided"


@dataclass(frozen=True)
class BaselineOptions:
    """What the command line says of a comparison; None and '' for what was not given."""

    vs: str | None
    until: Until | None
    margin: str | None
    alpha: float | None
    budget: str | None
    allow_partial: bool

    def check(self, others: dict[str, bool]) -> None:
        """Refuse options that do not go together.

        Args:
            others: Options that --vs does not go with, and whether each was given.

        Raises:
            OptionConflictError: names the option and what to do.
        """
        if self.vs is None:
            if self.until:
                raise OptionConflictError(
                    "--until decided stops a comparison: name the baseline with --vs BASE."
                )
            if self.allow_partial:
                raise OptionConflictError(
                    "--allow-partial is about a comparison: name the baseline with --vs BASE."
                )
        given = {"--margin": self.margin, "--alpha": self.alpha, "--budget": self.budget}
        for option, value in given.items():
            if value is not None and self.until is None:
                raise OptionConflictError(
                    f"{option} is for a run that may stop: add --vs BASE --until decided."
                )
        if self.until and self.margin is None:
            raise OptionConflictError(
                "--until decided needs the drop that matters: add --margin, such as --margin 5pp."
            )
        for option, there in others.items():
            if self.vs is not None and there:
                raise OptionConflictError(
                    f"{option} does not go with --vs, which plays the very episodes of BASE: leave one out."
                )

    @property
    def target(self) -> Target | None:
        """What is to be decided; None where nothing is.

        Raises:
            OptionConflictError: a margin of 100 points, or an alpha that is no chance.
            UnitError: a margin or budget that cannot be read.
        """
        from rtbench.analysis.early_stopping import Target
        from rtbench.cli.units import duration, points

        if self.until is None or self.margin is None:
            return None
        margin = points(self.margin)
        if margin >= 1:
            raise OptionConflictError(
                f"--margin {self.margin}: no drop is beyond it; give less, such as --margin 5pp."
            )
        alpha = ALPHA if self.alpha is None else self.alpha
        return Target(margin, alpha, duration(self.budget) if self.budget is not None else None)


@dataclass(frozen=True)
class EpisodeFilter:
    """Which of the baseline's episodes."""

    suite: str | None
    limit: int | None
    skills: Sequence[str]
    axes: Sequence[str]


def episodes_of(baseline: Run, chosen: EpisodeFilter) -> list[Episode]:
    """The episodes of a run that are chosen, in a balanced order.

    Raises:
        OptionConflictError: the run has none, or is of another suite.
        UnknownNameError: a skill or axis that none of them has.
    """
    from rtbench.task.ordering import balanced

    suite, path = baseline.meta.suite, baseline.path
    if chosen.suite not in (None, suite):
        raise OptionConflictError(
            f"--suite {chosen.suite}: the baseline {path} played {suite}; leave --suite out, or give "
            f"a baseline of {chosen.suite}."
        )
    found = [record.episode for record in baseline.records]
    if not found:
        raise OptionConflictError(f"--vs {path}: has no episodes; play it first, or give another run.")
    for kind, names in (("skill", chosen.skills), ("axis", chosen.axes)):
        known = {getattr(episode, kind) for episode in found}
        if unknown := [name for name in names if name not in known]:
            raise UnknownNameError(kind, unknown[0], known, where=f"--{kind}, in {path}")
        found = [episode for episode in found if not names or getattr(episode, kind) in names]
    if not found:
        raise OptionConflictError(
            f"--vs {path}: no episode is of these skills and of these axes; ask for fewer."
        )
    return balanced(found, "versus", baseline.meta.id)[: chosen.limit]


def report_comparison(baseline: Run, played: Run, rule: StoppingRule) -> None:
    """Print how the candidate compares with the baseline."""
    from rtbench.cli.console import console, print_fields

    name, run_id = baseline.meta.policy.name, baseline.meta.id
    console().print(f"\nagainst {name}, run {run_id}", style="bold", markup=False)
    print_fields(_fields(played, rule))
    console().print(f"in full: rtbench compare {baseline.path} {played.path}", markup=False, soft_wrap=True)


def _fields(played: Run, rule: StoppingRule) -> Iterator[tuple[str, object]]:
    from rtbench.stats import mcnemar, newcombe_paired

    pairs, decision = rule.pairs, played.meta.decision
    if pairs.n:
        yield "baseline", _share(pairs.first, pairs.n)
        yield "candidate", _share(pairs.second, pairs.n)
        yield "outcomes", f"{pairs.second_only} gained, {pairs.first_only} lost"
        if decision:
            said, (low, high) = f"{1 - 2 * decision.alpha:.0%}, at any stop", decision.interval
        else:
            # Newcombe's is of the first less the second.
            high, low = (-bound for bound in newcombe_paired(pairs))
            said = f"95 %; McNemar's p {_p(mcnemar(pairs))}"
        points = 100 * (pairs.second - pairs.first) / pairs.n
        yield "difference", f"{points:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}; {said})"
    if rule.left_out:
        yield "left out", f"{rule.left_out} that began differently, or whose task has changed"
    for note in rule.notes:
        yield "note", note
    if decision:
        yield "verdict", _verdict(decision, len(played.records), played.meta.episodes)


def _verdict(decision: Decision, played: int, planned: int) -> list[str]:
    """The decision, and how it came to an end."""
    margin = f"{100 * decision.margin:g} points"
    said = {
        "pass": f"pass: not worse by {margin} or more",
        "regression": f"regression: worse, by more than {margin} as measured",
        "inconclusive": f"inconclusive: neither shown to be worse nor within {margin}",
    }[decision.verdict]
    if decision.verdict != "inconclusive":
        return [said, f"after {decision.n} of {planned} episodes"]
    why = "all episodes are played" if played >= planned else "time is up; the same command plays on"
    return [said, why]


def _share(k: int, n: int) -> str:
    return f"{100 * k / n:.1f} % ({k} of {n})"


def _p(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"
