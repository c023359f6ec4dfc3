"""A gate's terms and its judgement: the verdict, with the numbers that it is based on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rtbench.analysis.compare import Contrast
from rtbench.analysis.pairing import RULES
from rtbench.core.errors import Exit, RtbenchError, UnknownNameError
from rtbench.stats import Pairs, wilson

PASS, REGRESSION, INCONCLUSIVE, ERRORS = "pass", "regression", "inconclusive", "errors"
CODES = {
    PASS: Exit.OK,
    REGRESSION: Exit.REGRESSION,
    INCONCLUSIVE: Exit.INCONCLUSIVE,
    ERRORS: Exit.TOO_MANY_ERRORS,
}
CONFIDENCE = 0.95
"""Confidence of the intervals that inform; the bounds that decide have 1 - alpha."""


class GateError(RtbenchError):
    """Terms that no run can meet or miss, such as a margin out of range."""


@dataclass(frozen=True)
class Terms:
    """Terms of a gate: margin, error rate and choice of episodes."""

    margin: float
    """Most by which its rate may be lower, above 0 and below 1."""
    alpha: float = 0.05
    """Chance of a wrong verdict, for passes and for regressions."""
    rule: str = "success"
    """Rule of success; one of `rtbench.analysis.pairing.RULES`."""
    max_errors: float = 0.1
    """Share of errors above which there is no verdict."""
    allow_partial: bool = False
    """Judge by the episodes that agree where some do not."""
    split: str = ""
    """Only this split; '' for all."""
    axis: str = ""
    """Only this axis; '' for all."""
    skill: str = ""
    """Only this skill; '' for all."""

    def check(self) -> None:
        """Refuse values out of range.

        Raises:
            GateError: a margin or alpha out of range.
            UnknownNameError: a rule that does not exist.
        """
        if self.rule not in RULES:
            raise UnknownNameError("rule", self.rule, RULES, where="--rule")
        if not 0 < self.margin < 1:
            whom = "no equal candidate" if self.margin <= 0 else "every candidate"
            reason = f"with a margin of {points(self.margin)} {whom} would pass"
            raise GateError(f"--margin: {reason}; give some points, such as --margin 5pp.")
        if not 0 < self.alpha <= 0.5:
            raise GateError(f"--alpha {self.alpha:g}: expected a chance above 0 and up to 0.5, such as 0.05.")


@dataclass(frozen=True)
class Side:
    """Counts of one of the two runs in the judged episodes."""

    label: str
    """Its policy, with the run's id where both have the same name."""
    path: str
    """Its folder."""
    n: int
    """Episodes."""
    errors: int
    """Number of errors among them."""
    successes: int
    """Successes, errors counted at their worst."""

    @property
    def rate(self) -> float:
        """Success rate; 0 of no episodes."""
        return self.successes / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval (low, high) of the rate, each 0 to 1."""
        return wilson(self.successes, self.n, CONFIDENCE)


@dataclass(frozen=True)
class Flip:
    """An episode that the baseline solved and the candidate did not."""

    key: str
    """Its key."""
    task: str
    """Its task."""
    instruction: str
    """Its instruction."""
    see: tuple[str, str]
    """Videos of baseline and candidate, or the commands that make them."""


@dataclass(frozen=True)
class NoiseFloor:
    """Share of a policy's outcomes that flip between two runs of it; see `rtbench.analysis.noise_floor`."""

    rate: float
    """Share of the pairs."""
    high: float
    """Upper end of its interval."""
    path: str
    """Run that it was measured with."""


@dataclass(frozen=True)
class Judgement:
    """A verdict with its basis."""

    verdict: str
    """PASS, REGRESSION, INCONCLUSIVE or ERRORS."""
    terms: Terms
    """Terms of the gate."""
    baseline: Side
    """The baseline."""
    candidate: Side
    """The candidate."""
    pairs: Pairs | None
    """Outcomes of both, first the baseline; None where the runs share no episodes."""
    bounds: tuple[float, float]
    """One-sided bounds of candidate less baseline."""
    same: bool = False
    """Whether the candidate is the baseline itself."""
    stopped: bool = False
    """The candidate's run ended when it was decided; the bounds are then those of a sequential test."""
    groups: tuple[Contrast, ...] = ()
    """By split, axis and skill, p adjusted by `rtbench.analysis.compare.adjusted`; they inform and do not
    decide."""
    flips: tuple[Flip, ...] = ()
    """All episodes that got worse, by key."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Reasons why episodes are not judged, with their numbers."""
    notes: tuple[str, ...] = ()
    """Further notes, in sentences."""
    floor: NoiseFloor | None = None
    """Noise floor of baseline or candidate, the larger one."""
    more: int | None = None
    """Where inconclusive: how many more episodes would decide with a chance of 80 %, were the rates as
    measured; None where no reasonable number would."""

    @property
    def exit_code(self) -> Exit:
        """Exit code of the command."""
        return CODES[self.verdict]

    @property
    def difference(self) -> float:
        """Candidate less baseline."""
        return self.candidate.rate - self.baseline.rate

    def worse(self, group: Contrast) -> bool:
        """Whether the candidate is worse in a group, more than by chance among the groups of a kind."""
        return (group.difference or 0.0) < 0 and group.p_holm <= self.terms.alpha

    @property
    def sentence(self) -> str:
        """The verdict in a plain sentence."""
        if self.verdict == ERRORS:
            side = self.candidate if _share(self.candidate) > self.terms.max_errors else self.baseline
            who = "candidate" if side is self.candidate else "baseline"
            told = f"{side.errors} of {side.n} episodes of the {who} are errors"
            return f"No verdict: {told}, more than {percent(self.terms.max_errors)}."
        if self.same:
            return "Pass: the candidate is the baseline itself, so there was nothing to compare."
        found = {PASS: _passed, REGRESSION: _regressed, INCONCLUSIVE: _undecided}[self.verdict](self)
        sure = f"({percent(1 - self.terms.alpha)} sure)"
        return f"{found} {sure}; the margin is {points(self.terms.margin)}."

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks in sentences: method, errors, noise, and the number of episodes that would decide."""
        said = [*([] if self.same else [_method(self)]), *_errors(self), *self.notes]
        if self.left_out:
            told = ", ".join(f"{count} {reason}" for reason, count in self.left_out)
            said.append(f"Left out: {told}.")
        if self.floor:
            said.append(_noise(self, self.floor))
        if self.verdict == INCONCLUSIVE:
            said.append(_outlook(self))
        return tuple(said)

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON; rates and differences are shares, differences candidate less baseline."""
        pairs = self.pairs and {
            "n": self.pairs.n,
            "both": self.pairs.both,
            "lost": self.pairs.first_only,
            "won": self.pairs.second_only,
            "neither": self.pairs.neither,
        }
        sides = {
            name: {**asdict(side), "rate": side.rate, "interval": list(side.interval)}
            for name, side in (("baseline", self.baseline), ("candidate", self.candidate))
        }
        return {
            "verdict": self.verdict,
            "exit_code": int(self.exit_code),
            "sentence": self.sentence,
            "terms": asdict(self.terms),
            **sides,
            "difference": self.difference,
            "bounds": list(self.bounds),
            "paired": self.pairs is not None,
            "stopped": self.stopped,
            "pairs": pairs,
            "groups": [group.as_dict() for group in self.groups],
            "flips": [asdict(flip) for flip in self.flips],
            "left_out": dict(self.left_out),
            "noise": self.floor and asdict(self.floor),
            "more": self.more,
            "remarks": list(self.remarks),
        }


def points(share: float) -> str:
    """A difference of rates in points: 0.05 is '5 points'."""
    number = f"{round(100 * share, 1) + 0.0:g}"  # the sum makes a minus zero a zero
    return f"{number} point{'' if number == '1' else 's'}"


def percent(share: float) -> str:
    """A share in percent: 0.95 is '95 %'."""
    return f"{100 * share:.4g} %"


def chance(p: float) -> str:
    """A p value, to three digits after the point."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _share(side: Side) -> float:
    return side.errors / side.n if side.n else 0.0


def _passed(judged: Judgement) -> str:
    low = judged.bounds[0]
    if low > 0:
        return f"Pass: the candidate is at least {points(low)} better than the baseline"
    return f"Pass: the candidate is at most {points(-low)} worse than the baseline"


def _regressed(judged: Judgement) -> str:
    if judged.stopped:
        measured = f"measured {points(-judged.difference)} below the baseline"
        return f"Regression: the candidate, {measured}, is worse"
    return f"Regression: the candidate is at least {points(-judged.bounds[1])} worse than the baseline"


def _undecided(judged: Judgement) -> str:
    low, high = judged.bounds
    best = f"{points(high)} better" if high >= 0 else f"only {points(-high)} worse"
    return f"Inconclusive: the candidate may be {points(-low)} worse or {best}"


def _method(judged: Judgement) -> str:
    if judged.stopped:
        return (
            "The candidate's run ended as soon as it was decided, so it is judged by a test that allows for "
            "that (e-values), in the order in which it was played."
        )
    if judged.pairs is None:
        return (
            "The runs share no episodes: judged as independent samples, which needs several times as many. "
            "Play the baseline's episodes with `rtbench run --vs`."
        )
    return f"Judged on the same {judged.pairs.n} episodes, by exact bounds for pairs."


def _errors(judged: Judgement) -> list[str]:
    sides = (
        ("candidate", judged.candidate, ("a failure", "failures")),
        ("baseline", judged.baseline, ("a success", "successes")),
    )
    found = []
    for who, side, (one, many) in sides:
        if side.errors:
            told = f"is an error, counted as {one}" if side.errors == 1 else f"are errors, counted as {many}"
            found.append(f"{side.errors} of {side.n} episodes of the {who} {told}.")
    return found


def _noise(judged: Judgement, floor: NoiseFloor) -> str:
    own = f"{percent(floor.rate)} of outcomes flip between two runs of one policy"
    if judged.pairs is None or not judged.pairs.n:
        return f"Noise floor: {own}."
    differ = (judged.pairs.first_only + judged.pairs.second_only) / judged.pairs.n
    more = "more than noise explains" if differ > floor.high else "no more than noise"
    return f"Noise floor: {own}; here {percent(differ)} do, {more}."


def _outlook(judged: Judgement) -> str:
    if judged.more is None:
        return (
            "The measured difference lies so near the margin that no reasonable number of episodes would "
            "decide; choose another margin."
        )
    more = f"{judged.more:,} more episodes{'' if judged.pairs else ' in each run'}"
    return f"Some {more} would decide with a chance of 80 %, were the rates as measured."
