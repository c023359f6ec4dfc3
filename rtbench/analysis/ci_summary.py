"""Verdicts for CI systems: Markdown for the page of a job, and a JUnit report.

The report fails exactly where the command's exit code does. Every verdict but a pass is a failure, an
inconclusive one too: as a skipped test it would let a candidate pass without evidence. The failure's type is
the verdict. A group of episodes informs and does not decide, so it fails only with a regression. A group that
is worse in spite of a pass is marked as skipped, which is visible and stops nothing.
"""

from __future__ import annotations

from pathlib import Path

from rtbench.analysis.compare import ADJUSTMENT, Contrast
from rtbench.analysis.junit import Case, write
from rtbench.analysis.verdict import ERRORS, PASS, REGRESSION, Flip, Judgement, Side, chance, points
from rtbench.core.errors import RtbenchError, RunError
from rtbench.core.text import visible

SUITE = "rtbench gate"
FLIPS = 10
"""Flips listed; the JSON has all."""
SIGNS = {PASS: "✅", REGRESSION: "❌"}
_MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#~"})


def write_junit(path: Path, judged: Judgement) -> None:
    """Write the report of a verdict; overwrites the file.

    Raises:
        RunError: it cannot be written.
    """
    terms = judged.terms
    asked = {"margin": terms.margin, "alpha": terms.alpha, "rule": terms.rule}
    runs = {"baseline": judged.baseline.path, "candidate": judged.candidate.path}
    write(path, SUITE, [_verdict(judged), *(_case(judged, group) for group in judged.groups)], asked | runs)


def write_refusal(path: Path, error: RtbenchError) -> None:
    """Write the report of runs that could not be judged; overwrites the file.

    Raises:
        RunError: it cannot be written.
    """
    write(path, SUITE, [Case("verdict", "no verdict", "error", str(error))], {})


def append_summary(path: Path, text: str) -> None:
    """Append Markdown to a file: a job has one page for all of its steps.

    Raises:
        RunError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"{path}: the summary cannot be written: {error.strerror}.") from None


def markdown(judged: Judgement) -> str:
    """A verdict as a section in GitHub's Markdown."""
    low, high = judged.bounds
    lines = [
        f"### {SIGNS.get(judged.verdict, '⚠️')} rtbench gate: {judged.verdict}",
        "",
        f"**{_text(judged.sentence)}**",
        "",
        "| run | success | 95 % interval | errors | episodes |",
        "|---|--:|--:|--:|--:|",
        *(
            _row(f"{who} {_text(side.label)}", *_numbers(side), side.errors, side.n)
            for who, side in (("baseline", judged.baseline), ("candidate", judged.candidate))
        ),
        "",
        f"Difference {points(judged.difference)}, bounds {100 * low:+.1f} to {100 * high:+.1f}.",
        *(f"{_text(remark)}" for remark in judged.remarks),
        "",
    ]
    if judged.groups:
        lines += [
            "| group (does not decide) | n | baseline | candidate | difference | 95 % interval | p |",
            "|---|--:|--:|--:|--:|--:|--:|",
            *(_group(judged, group) for group in judged.groups),
            "",
            f"Newcombe's intervals; p {ADJUSTMENT}.",
            "",
        ]
    if judged.flips:
        lines += [f"<details><summary>Got worse: {len(judged.flips)}</summary>", ""]
        lines += [_flip(flip) for flip in judged.flips[:FLIPS]]
        lines += ["", "</details>", ""]
    return "\n".join(lines) + "\n"


def refusal(error: RtbenchError) -> str:
    """Markdown for runs that could not be judged."""
    return f"### ⚠️ {SUITE}: no verdict\n\n{_text(str(error))}\n\n"


def _verdict(judged: Judgement) -> Case:
    outcome = {PASS: "", ERRORS: "error"}.get(judged.verdict, "failure")
    text = "\n".join((judged.sentence, *judged.remarks))
    # The case keeps one name, so that CI systems see the same test pass and fail from day to day.
    return Case("verdict", "not worse by the margin", outcome, judged.sentence, text, judged.verdict)


def _case(judged: Judgement, group: Contrast) -> Case:
    low, high = (100 * bound for bound in group.interval)
    told = (
        f"{points(group.difference or 0.0)} (95 % interval {low:+.1f} to {high:+.1f}, n {group.second[1]}, "
        f"p {chance(group.p_holm)}, {ADJUSTMENT}); informs, does not decide"
    )
    outcome = ""
    if judged.worse(group):
        outcome = "failure" if judged.verdict == REGRESSION else "skipped"
    return Case(group.by, group.group, outcome, told if outcome else "", told, judged.verdict)


def _numbers(side: Side) -> tuple[str, str]:
    low, high = (100 * bound for bound in side.interval)
    return f"{100 * side.rate:.1f} %", f"{low:.1f} to {high:.1f}"


def _group(judged: Judgement, group: Contrast) -> str:
    low, high = (100 * bound for bound in group.interval)
    name = f"{group.by} {_text(group.group)}"
    rates = (f"{100 * k / n:.1f} %" if n else "-" for k, n in (group.first, group.second))
    difference = "-" if group.difference is None else f"{100 * group.difference:+.1f}"
    shown = f"**{name}**" if judged.worse(group) else name
    return _row(
        shown, group.second[1], *rates, difference, f"{low:+.1f} to {high:+.1f}", chance(group.p_holm)
    )


def _flip(flip: Flip) -> str:
    before, after = (f"`{visible(place).replace('`', chr(39))}`" for place in flip.see)
    return f"- {_text(flip.task)}, “{_text(flip.instruction)}”: baseline {before}, candidate {after}"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _text(text: str) -> str:
    """The text escaped for Markdown."""
    return visible(text).translate(_MARKUP)
