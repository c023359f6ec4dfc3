"""Tables of one run for the terminal: success by skill, axis and split, and the drops against twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rtbench.analysis.noise_floor import read_reruns
from rtbench.core.text import three_figures, visible
from rtbench.result.control_rate import Spread
from rtbench.result.metadata import Decision
from rtbench.result.run import Run
from rtbench.result.summary import Group, Summary

if TYPE_CHECKING:
    from rich.table import Table


def tables(run: Run) -> list[Table]:
    """All tables of the summary, at most 80 columns wide: success, then drops where twins were played."""
    return [table(run), *([drop_table(run)] if run.summary.drops else [])]


def table(run: Run) -> Table:
    """A rich table of success by skill, axis and split, at most 80 columns wide."""
    summary = run.summary
    policy, suite, arm = run.meta.policy.name, run.meta.suite, run.meta.arm
    again = run.meta.repeat
    told = f"{f', {arm} instructions' if arm else ''}{f', repeat {again}' if again else ''}"
    shown = _table(visible(f"{policy} on {suite}{told}"), "skill")
    for head in ("n", "err", "success", "95 % CI", "held", "ever", "steps"):
        shown.add_column(head, justify="right", no_wrap=True)
    _add_groups(shown, summary.skills)
    if len(summary.axes) > 1:
        _add_groups(shown, dict(sorted(summary.axes.items())), "axis")
    if len(summary.splits) > 1 or summary.splits_by == "card":
        _add_groups(shown, summary.splits, f"split, by the {summary.splits_by}")
    shown.add_section()
    shown.add_row(*_cells("all episodes", summary.overall), style="bold")
    means = summary.macro
    shown.add_row("mean of skills", "", "", *map(_percent, (means.rate,)), "",
                  *map(_percent, (means.held_rate, means.ever_rate)), "")  # fmt: skip
    reruns = read_reruns(run.path)
    shown.caption = "\n".join([caption(summary), *([f"reruns agree: {reruns}"] if reruns else [])])
    shown.caption_justify = "left"
    return shown


def drop_table(run: Run) -> Table:
    """A rich table of how success differs from that of the unperturbed twins, at most 80 columns wide."""
    shown = _table("\nagainst the same episodes unperturbed", "axis")
    for head in ("pairs", "twin", "here", "drop", "95 % CI", "p"):
        shown.add_column(head, justify="right", no_wrap=True)
    for axis, found in sorted(run.summary.drops.items()):
        low, high = (100 * bound for bound in found.interval)
        shown.add_row(
            visible(axis),
            str(found.pairs),
            *map(_percent, (found.twin_rate, found.rate, found.drop)),
            f"{low:.1f} to {high:.1f}" if found.pairs else "-",
            "<0.001" if found.p < 0.001 else f"{found.p:.3f}",
        )
    shown.caption = "drop in points, with Newcombe's interval of pairs;\np of McNemar's exact test"
    shown.caption_justify = "left"
    return shown


def _table(title: str, first: str) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 0, 0, 1))
    shown.add_column(first, no_wrap=True, max_width=20, overflow="ellipsis")
    return shown


def _add_groups(shown: Table, groups: Mapping[str, Group], head: str = "") -> None:
    """A row a group, in a section of its own with that head."""
    if head:
        shown.add_section()
        shown.add_row(head, style="bold")
    for name, group in groups.items():
        shown.add_row(*_cells(visible(name), group))


def caption(summary: Summary) -> str:
    """Control rates, terminations and errors of a summary, in lines short enough for any table."""
    rates, overall = summary.hz, summary.overall
    lines = []
    if rates.decisions:
        met = "met" if rates.met else "NOT met"
        policy, env, loop = rates.policy, rates.env, rates.loop
        lines.append(f"policy       {_ms(policy)} ms (p50/p95/p99); {rates.control_hz} Hz {met}")
        if rates.round_trip:
            lines.append(f"round trip   {_ms(rates.round_trip)} ms")
        if rates.server:
            lines.append(f"server alone {_ms(rates.server)} ms")
        lines.append(f"environment  {_ms(env)} ms")
        slots = rates.slots_per_call
        told = "" if slots is None else f", {slots:.2f} slots per call"
        lines.append(f"closed loop  {_ms(loop)} ms, {loop.hz:.1f} Hz{told}")
    if found := summary.by_task:
        ends = " to ".join(f"{100 * bound:.1f}" for bound in found.interval)
        lines.append(f"success clustered by task: {ends} % ({found.tasks} tasks)")
    for rule, rated in (summary.rules or {}).items():
        ends = " to ".join(f"{100 * bound:.1f}" for bound in rated.interval)
        beside = f"{_percent(rated.success_rate)} by the goal"
        lines.append(f"{rule} rule: {_percent(rated.rate)} % ({ends}), {beside}")
        lines += [f"  {skill}: {met} of {n}" for skill, (met, n) in rated.skills.items()]
    ends = ", ".join(f"{name} {count}" for name, count in overall.terminations.items())
    lines.append(f"termination: {ends}")
    if errors := overall.errors:
        low = _percent(overall.rate_errors_as_failures)
        left = "1 error" if errors == 1 else f"{errors} errors"
        lines.append(f"{left} left out; counted as failures: {low} % success")
    if trained := summary.left_out.n:
        what = (
            "1 episode that the card was trained on is"
            if trained == 1
            else (f"{trained} episodes that the card was trained on are")
        )
        lines.append(f"{what} left out of axes, splits and drops")
    if decision := summary.decision:
        lines += _decided(decision, summary.planned)
    elif not summary.complete:
        lines.append(f"unfinished: {overall.n} of {summary.planned} episodes")
    return "\n".join(lines)


def _decided(decision: Decision, planned: int) -> list[str]:
    """Lines on when and why a run against a baseline has ended."""
    after = decision.n + decision.left_out
    where = f"stopped after {after} of" if after < planned else "ended after all"
    lines = [f"{where} {planned} episodes: {decision.verdict}"]
    if decision.difference is not None:
        difference, margin = 100 * decision.difference, 100 * decision.margin
        low, high = (100 * bound for bound in decision.interval)
        lines.append(
            f"difference {difference:+.1f} points ({low:+.1f} to {high:+.1f} at any stop), margin {margin:g}"
        )
    return lines


def _cells(name: str, group: Group) -> list[str]:
    low, high = group.interval
    steps = group.steps
    return [
        name,
        str(group.n),
        str(group.errors or ""),
        _percent(group.rate),
        f"{100 * low:.1f}-{100 * high:.1f}" if group.rate is not None else "-",
        _percent(group.held_rate),
        _percent(group.ever_rate),
        "-" if steps is None else f"{steps:.0f}",
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _ms(spread: Spread) -> str:
    return "/".join("-" if ms is None else three_figures(ms) for ms in (spread.p50, spread.p95, spread.p99))
