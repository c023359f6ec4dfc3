"""Section on failures: reasons, terminations, events, goal leaves that never held, and errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure as Canvas

from rtbench.core.episode import EVENTS, Outcome
from rtbench.report.html import svg_chart
from rtbench.report.html.section import UNKNOWN, Figure, Section, Series, Table, percent, table
from rtbench.result.record import Record
from rtbench.stats import rate

REASONS: Mapping[str, Callable[[Outcome], bool]] = {
    "undone later": lambda o: o.ever,
    "touched a wrong object": lambda o: o.events.get("wrong_object", 0) > 0,
    "dropped something": lambda o: o.events.get("dropped", 0) > 0,
    "gave up early": lambda o: o.termination == "early",
    "partly done": lambda o: o.progress > 0,
    "out of time": lambda _: True,
}
"""Reasons of failures; the first one that is true of a failure counts."""
_MOST_LEAVES = 15


def reason(record: Record) -> str:
    """Reason of a failure; 'error: KIND' for an error, '' for a success."""
    if record.error:
        return f"error: {record.error.kind}"
    outcome = record.outcome
    if outcome is None or outcome.end:
        return ""
    return next(name for name, test in REASONS.items() if test(outcome))


def section(runs: Sequence[Series]) -> Section:
    """Reasons, terminations, events and goal leaves, and the errors' messages."""
    figures = [_reasons(runs), _terminations(runs), _events(runs)]
    leaves = _leaves(runs)
    figures += [leaves] if leaves else []
    errors = _errors(runs)
    figures += [errors] if errors else []
    return Section("failures", "Failures and errors", tuple(figures))


def never_true(records: Sequence[Record]) -> dict[str, tuple[int, int]]:
    """By goal leaf: (failures in which it never held, episodes with an outcome that have it)."""
    missed, asked = Counter[str](), Counter[str]()
    for record in records:
        if record.outcome:
            for leaf, held in record.outcome.subgoals.items():
                asked[leaf] += 1
                missed[leaf] += not held and not record.outcome.end
    return {leaf: (missed[leaf], asked[leaf]) for leaf in asked}


def _reasons(runs: Sequence[Series]) -> Figure:
    counts = [Counter(filter(None, map(reason, one.run.records))) for one in runs]
    names = [*REASONS, *sorted({name for found in counts for name in found} - set(REASONS))]
    return _counted(
        "What failures are put down to",
        "failure-reason",
        names,
        runs,
        counts,
        "Each failure counts once, under the first that is true of it, from above: the goal was true and no "
        "longer is, a wrong object was touched, something fell, the policy ended the episode, a part of the "
        "goal is true, or nothing of all that.",
    )


def _terminations(runs: Sequence[Series]) -> Figure:
    counts = [
        Counter(r.outcome.termination for r in one.run.records if r.outcome and not r.outcome.end)
        for one in runs
    ]
    return _counted(
        "How failures ended",
        "failure-termination",
        ("early", "missing"),  # the others are of successes
        runs,
        counts,
        "Early: the policy terminated, but the goal was not true. Missing: it never terminated.",
    )


def _counted(
    title: str,
    name: str,
    names: Sequence[str],
    runs: Sequence[Series],
    counts: Sequence[Counter[str]],
    note: str,
) -> Figure:
    """Bars of the share of all episodes, with counts in the table."""
    if not any(counts):
        return Figure(title, note="There is none.")
    totals = [len(one.run.records) for one in runs]
    shares = [[100 * found[n] / total for n in names] for found, total in zip(counts, totals, strict=True)]

    def paint(canvas: Canvas) -> None:
        svg_chart.bars(canvas.subplots(), names, shares, "share of all episodes [%]")

    rows = [
        (n, *(f"{found[n]} of {total}" for found, total in zip(counts, totals, strict=True))) for n in names
    ]
    return Figure(
        title,
        svg_chart.draw(name, svg_chart.rows_high(names, len(runs)), paint),
        f"{title}, as a share of all episodes.",
        Table(("", *(one.label for one in runs)), tuple(rows)),
        note,
    )


def _events(runs: Sequence[Series]) -> Figure:
    """Number of episodes in which an event occurs, solved and failed ones separately."""
    rows, shares = [], []
    for one in runs:
        outcomes = [record.outcome for record in one.run.records if record.outcome]
        of_run = []
        for event in EVENTS:
            told = [(o.end, o.events.get(event, 0)) for o in outcomes]
            among = [[count for end, count in told if end is solved] for solved in (True, False)]
            of_run.append(100 * (rate(sum(count > 0 for _, count in told), len(told)) or 0.0))
            in_each = (percent(rate(sum(count > 0 for count in each), len(each))) for each in among)
            rows.append((event.replace("_", " "), one.label, *in_each, str(sum(count for _, count in told))))
        shares.append(of_run)
    names = [event.replace("_", " ") for event in EVENTS]

    def paint(canvas: Canvas) -> None:
        svg_chart.bars(canvas.subplots(), names, shares, "episodes with at least one [%]")

    return Figure(
        "What happened on the way",
        svg_chart.draw("failure-event", svg_chart.rows_high(names, len(runs)), paint),
        "Share of the episodes in which each kind of event occurs.",
        table(runs, ("event", "policy", "in successes", "in failures", "events in all"), rows),
        "Clipped counts dimensions of actions out of range, collision the robot's body against furniture.",
    )


def _leaves(runs: Sequence[Series]) -> Figure | None:
    found = [never_true(one.run.records) for one in runs]
    by_predicate: list[Counter[str]] = []
    for leaves in found:
        counts = Counter[str]()
        for leaf, (missed, _) in leaves.items():
            counts[leaf.partition("(")[0]] += missed
        by_predicate.append(counts)
    names = [name for name, missed in sum(by_predicate, Counter[str]()).most_common() if missed]
    if not names:
        return None
    worst = sum((Counter({leaf: m for leaf, (m, _) in leaves.items()}) for leaves in found), Counter[str]())
    rows = []
    for leaf, _ in worst.most_common(_MOST_LEAVES):
        told = [leaves.get(leaf) for leaves in found]
        rows.append((leaf, *(UNKNOWN if pair is None else f"{pair[0]} of {pair[1]}" for pair in told)))

    def paint(canvas: Canvas) -> None:
        values = [[float(counts[name]) for name in names] for counts in by_predicate]
        axes = canvas.subplots()
        svg_chart.bars(axes, names, values, "times never true in a failure")
        svg_chart.count_axis(axes.xaxis)

    return Figure(
        "Parts of the goal that never came true",
        svg_chart.draw("failure-leaf", svg_chart.rows_high(names, len(runs)), paint),
        "How often each kind of goal leaf was never true in an episode that failed.",
        Table(
            ("goal leaf", *(one.label for one in runs)),
            tuple(rows),
            f"The {min(len(rows), _MOST_LEAVES)} most frequent leaves: failures without it, of its episodes",
        ),
    )


def _errors(runs: Sequence[Series]) -> Figure | None:
    counts = Counter(
        (one.label, record.error.kind, record.error.message)
        for one in runs
        for record in one.run.records
        if record.error
    )
    rows = tuple(
        (kind, label, str(n), message) for (label, kind, message), n in counts.most_common(_MOST_LEAVES)
    )
    if not rows:
        return None
    return Figure("Errors", table=Table(("kind", "policy", "n", "message"), rows), whole_width=True)
