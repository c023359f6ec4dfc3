"""The gate: decides whether a candidate is at most a margin worse than a baseline.

Non-inferiority test with three outcomes: the candidate passes where the lower bound of its difference to the
baseline lies above -margin, it is a regression where the upper bound lies below, else the test is
inconclusive. Each bound holds with 1 - alpha. Errors count at their worst: the candidate's as failures, the
baseline's as successes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rtbench.analysis.compare import Contrast, adjusted, contrasts, flips
from rtbench.analysis.noise_floor import read_reruns
from rtbench.analysis.pairing import Joined, join
from rtbench.analysis.sample_size import Odds, PlanError, Risk, paired, unpaired
from rtbench.analysis.verdict import (
    ERRORS,
    INCONCLUSIVE,
    PASS,
    REGRESSION,
    Flip,
    Judgement,
    NoiseFloor,
    Side,
    Terms,
)
from rtbench.core.errors import NotComparableError
from rtbench.result.scores import Scores, labels
from rtbench.stats import Sequential, inferiority, inferiority_independent

KINDS = ("split", "axis", "skill")
"""Kinds of groups of episodes."""
MOST = 100_000
"""Most further episodes that are suggested for one verdict."""


def gate(candidate: Scores, baseline: Scores, terms: Terms) -> Judgement:
    """Judge a candidate by a baseline.

    Args:
        candidate: The run to judge.
        baseline: The run to compare with.
        terms: Margin, alpha and choice of episodes.

    Raises:
        NotComparableError: the runs did not play the same, or a run is empty;
            see `rtbench.analysis.pairing.join`.
        UnknownNameError: a rule, split, axis or skill that is not there.
        GateError: a margin or alpha out of range.
    """
    terms.check()
    joined = join(baseline, candidate, rule=terms.rule, allow_partial=terms.allow_partial)
    joined = joined.where(split=terms.split, axis=terms.axis, skill=terms.skill)
    flipped = _flips(joined)
    _check_samples(joined)
    same = baseline.path.resolve() == candidate.path.resolve()
    joined = _at_worst(joined, excuse=not same)
    sides = _sides(joined)
    stopped = not same and candidate.meta.decision is not None
    verdict, bounds = (PASS, (0.0, 0.0)) if same else _bounds(joined, terms, stopped=stopped)
    if any(side.errors > terms.max_errors * side.n for side in sides):
        verdict = ERRORS
    return Judgement(
        verdict=verdict,
        terms=terms,
        baseline=sides[0],
        candidate=sides[1],
        pairs=joined.pairs if joined.paired else None,
        bounds=bounds,
        same=same,
        stopped=stopped,
        groups=_groups(joined),
        flips=flipped,
        left_out=tuple(joined.left_out.items()),
        notes=(*_unfinished((baseline, candidate)), *joined.notes, *baseline.notes, *candidate.notes),
        floor=_floor((baseline, candidate)),
        more=_more(joined, terms) if verdict == INCONCLUSIVE else None,
    )


def decide(bounds: tuple[float, float], margin: float) -> str:
    """The verdict by one-sided bounds (lower, upper), each -1 to 1, of candidate less baseline.

    `margin` is a difference of rates, 0 to 1.
    """
    if bounds[0] > -margin:
        return PASS
    return REGRESSION if bounds[1] < -margin else INCONCLUSIVE


def _check_samples(joined: Joined) -> None:
    """Refuse pairs without rows, and independent samples of different suites or ablation arms."""
    first, second = joined.first, joined.second
    if joined.paired:
        if joined.rows.empty:
            raise NotComparableError(f"{first.path} and {second.path} share no episodes of that kind.")
        return
    for column, what in (("suite", "suites"), ("arm", "control arms")):
        ours, theirs = ({str(name) for name in run.frame[column].unique()} for run in (first, second))
        if ours != theirs:
            told = " and ".join(", ".join(sorted(n or "none" for n in names)) for names in (ours, theirs))
            raise NotComparableError(
                f"{first.path} and {second.path} are runs of different {what}: {told}. Play the baseline's "
                "episodes with `rtbench run --vs`."
            )


def _at_worst(joined: Joined, *, excuse: bool) -> Joined:
    """Errors as outcomes: the candidate's are failures, the baseline's successes if they are excused."""
    rows, frame = joined.rows, joined.first.frame
    # An episode without an outcome has no success, so the candidate's errors count as failures already.
    excused = rows["first"] | (~rows["valid_first"] & excuse)
    rows = rows.assign(first=excused, valid_first=True, valid_second=True)
    frame = frame.assign(valid=True, **{joined.rule: frame[joined.rule] | (~frame["valid"] & excuse)})
    second = replace(joined.second, frame=joined.second.frame.assign(valid=True))
    return replace(joined, rows=rows, first=replace(joined.first, frame=frame), second=second)


def _sides(joined: Joined) -> tuple[Side, Side]:
    runs = joined.first, joined.second
    if joined.paired:
        pairs = joined.pairs
        successes = (pairs.first, pairs.second)
        errors = [int((joined.rows[f"error_{side}"] != "").sum()) for side in ("first", "second")]
        sizes = (pairs.n, pairs.n)
    else:
        (k1, n1), (k2, n2) = joined.counts
        successes, sizes = (k1, k2), (n1, n2)
        errors = [int((run.frame["error"] != "").sum()) for run in runs]
    first, second = (
        Side(label, str(run.path), n, wrong, k)
        for label, run, n, wrong, k in zip(labels(runs), runs, sizes, errors, successes, strict=True)
    )
    return first, second


def _bounds(joined: Joined, terms: Terms, *, stopped: bool) -> tuple[str, tuple[float, float]]:
    if stopped:
        return _in_order(joined, terms)
    if joined.paired:
        low, high = inferiority(joined.pairs, terms.alpha)
    else:
        low, high = inferiority_independent(*joined.counts, terms.alpha)
    return decide((low, high), terms.margin), (low, high)


def _in_order(joined: Joined, terms: Terms) -> tuple[str, tuple[float, float]]:
    """Sequential bounds, for a run that ended when it was decided: those of fixed-size tests do not hold."""
    if not joined.paired:
        raise NotComparableError(
            f"{joined.second.path} ended as soon as it was decided, so only a run of the same episodes can "
            "judge it. Give the baseline it was played against, or play it to its end without --until."
        )
    test = Sequential(terms.margin, terms.alpha)
    rows = joined.rows.sort_values("order_second")
    for first, second in zip(rows["first"], rows["second"], strict=True):
        test.add(bool(first), bool(second))
    return test.verdict or INCONCLUSIVE, test.interval()


def _groups(joined: Joined) -> tuple[Contrast, ...]:
    """Contrasts by split, axis and skill, p adjusted as in a comparison.

    A kind with one group is left out, because it equals the whole.
    """
    by_kind = [contrasts(joined, kind) for kind in KINDS]
    return tuple(adjusted([group for found in by_kind if len(found) > 1 for group in found]))


def _flips(joined: Joined) -> tuple[Flip, ...]:
    """Outcomes that got worse. Errors are listed elsewhere, because they have no video."""
    if not joined.paired:
        return ()
    found = flips(joined)
    return tuple(
        Flip(
            key=row["key"],
            task=row["task"],
            instruction=row["instruction"],
            see=(
                row["video_first"] or f"rtbench replay {joined.first.path}:{row['key']}",
                row["video_second"] or f"rtbench replay {joined.second.path}:{row['key']}",
            ),
        )
        for row in found[found["change"] == "lost"].to_dict("records")
    )


def _unfinished(runs: tuple[Scores, Scores]) -> list[str]:
    found = []
    for who, run in zip(("baseline", "candidate"), runs, strict=True):
        planned = run.meta.episodes
        if len(run.frame) < planned and run.meta.decision is None:
            found.append(
                f"The {who}'s run is unfinished: {len(run.frame)} of {planned} episodes. If it was stopped "
                "for what was seen, no bound holds; let it end."
            )
    return found


def _floor(runs: tuple[Scores, Scores]) -> NoiseFloor | None:
    """The larger noise floor of the two runs, where either was measured."""
    found = [read_floor(run.path) for run in runs]
    return max((floor for floor in found if floor), key=lambda floor: floor.rate, default=None)


def read_floor(run: Path) -> NoiseFloor | None:
    """The noise floor that was measured with a run; None where none was.

    Raises:
        RunError: its file is damaged.
    """
    found = read_reruns(run)
    return NoiseFloor(found.flips, found.interval[1], str(run)) if found else None


def _more(joined: Joined, terms: Terms) -> int | None:
    """Number of further episodes that would decide with a chance of 80 %, were the rates as measured."""
    risk = Risk(terms.alpha)
    try:
        if joined.paired:
            pairs = joined.pairs
            n = pairs.n
            # Half a flip more on either side, because few pairs may show no flip by chance.
            lost, won = (pairs.first_only + 0.5) / (n + 1), (pairs.second_only + 0.5) / (n + 1)
            needed = paired(Odds(pairs.first / n, min(lost, won), lost - won), terms.margin, risk)
        else:
            (k1, n1), (k2, n2) = joined.counts
            n = min(n1, n2)
            first, second = (k1 + 0.5) / (n1 + 1), (k2 + 0.5) / (n2 + 1)
            needed = unpaired(Odds(first, 0.0, first - second), terms.margin, risk)
    except PlanError:
        return None
    if needed - n > MOST:
        return None
    return needed - n if needed > n else n  # undecided against the odds: as many again
