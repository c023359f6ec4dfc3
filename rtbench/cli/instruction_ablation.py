"""What `rtbench run --language` adds: an instruction ablation, and the language-ignorance score."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtbench.analysis.language_ignorance import Ignorance
    from rtbench.core.episode import Episode
    from rtbench.result.run import Run
    from rtbench.task.library import Library

CHANCE_POLICIES = ("random", "noop")
"""Policies that ignore their observations: what they solve is solved by chance."""
_LABEL = 11
"""Columns of a label."""


class Ablation(StrEnum):
    """What becomes of the instruction; see `rtbench.task.instruction_ablation`."""

    BLANK = "blank"
    SWAPPED = "swapped"
    SHUFFLED = "shuffled"


def ablated(episodes: Sequence[Episode], ablation: Ablation, library: Library) -> list[Episode]:
    """The same episodes with other instructions."""
    from rtbench.task import instruction_ablation

    return instruction_ablation.controlled(episodes, ablation.value, library.tasks())


def report_ablation(original: Run, ablation: Run) -> None:
    """Print the score, with all that is needed to read it."""
    from rtbench.analysis.language_ignorance import ignorance
    from rtbench.cli.console import console

    found = ignorance(original.records, ablation.records)
    where = console()
    where.print(f"\nlanguage ignorance, {ablation.meta.arm} instruction", style="bold", markup=False)
    for label, text in _lines(found, ablation.meta.arm, chance_rates(original)):
        where.print(f"  {label:<{_LABEL}}{text}", markup=False, soft_wrap=True)


def _lines(found: Ignorance, arm: str, by_chance: dict[str, tuple[int, int]]) -> list[tuple[str, str]]:
    """Labels and texts."""
    lines = [("score", "none: nothing was solved with the true instruction")]
    if found.score is not None:
        low, high = (100 * bound for bound in found.interval)
        kept = f"{found.kept} of the {found.solved} solved with the true one"
        lines = [("score", f"{100 * found.score:.1f} % ({low:.1f}-{high:.1f}): {kept}")]
    both = found.drop
    if both.drop is not None:
        low, high = (100 * bound for bound in both.interval)
        lines.append(("true", _share(both.twin_successes, both.pairs)))
        lines.append((arm, _share(both.successes, both.pairs)))
        lines.append(("drop", f"{100 * both.drop:.1f} points ({low:.1f} to {high:.1f})"))
    told = ", ".join(f"{name} {_share(k, of)}" for name, (k, of) in by_chance.items())
    lines.append(("by chance", told or "not known; play the same episodes with --policy random"))
    apart = {"with an error": both.errors, "whose instruction could not be changed": found.unchanged}
    left_out = ", ".join(f"{count} {words}" for words, count in apart.items() if count)
    return [*lines, *([("left out", left_out)] if left_out else [])]


def _share(k: int, n: int) -> str:
    return f"{100 * k / n:.1f} % ({k} of {n})" if n else "-"


def original_of(ablation: Run) -> Run | None:
    """The run of the same policy with the true instructions, in the same folder; None where there is none."""
    if not ablation.meta.arm:
        return None
    return _run_with({record.episode.twin for record in ablation.records}, ablation.path.parent)


def chance_rates(original: Run) -> dict[str, tuple[int, int]]:
    """Successes and episodes of the `CHANCE_POLICIES` that have played all episodes of a run.

    Their runs are looked for in the same folder of runs.
    """
    wanted = {record.key for record in original.records}
    found = {}
    for name in CHANCE_POLICIES:
        run = _run_with(wanted, original.path.parents[2] / name / original.path.parent.name)
        ends = [r.outcome.end for r in run.records if r.outcome and r.key in wanted] if run else []
        if ends:
            found[name] = (sum(ends), len(ends))
    return found


def _run_with(keys: set[str], folder: Path) -> Run | None:
    """The first run in a folder that has all these episodes."""
    from rtbench.core.errors import RunError
    from rtbench.result.folder import RUN
    from rtbench.result.run import load_run

    for path in sorted(folder.glob(f"*/{RUN}")):
        try:
            run = load_run(path.parent)
        except RunError:
            continue  # another run's damage is told where that run is shown
        if keys and keys <= {record.key for record in run.records}:
            return run
    return None
