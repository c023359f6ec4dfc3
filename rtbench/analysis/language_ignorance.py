"""The language-ignorance score: how much success does not depend on the instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtbench.result.record import Record
from rtbench.result.summary import Drop, drop, interval
from rtbench.stats import rate


@dataclass(frozen=True)
class Ignorance:
    """The language-ignorance score, with all that is needed to read it."""

    score: float | None
    """Share of the episodes solved with their own instruction that are solved in the control arm too; None
    where nothing was solved."""
    interval: tuple[float, float]
    """Wilson's, of the score."""
    solved: int
    """Episodes solved with their own instruction."""
    kept: int
    """Of these, solved in the control arm too."""
    unchanged: int
    """Episodes whose instruction the arm could not change; they are not counted."""
    drop: Drop
    """How success differs, the episodes with their own instructions being the reference."""


def ignorance(truth: Sequence[Record], control: Sequence[Record]) -> Ignorance:
    """How much success does not depend on the instruction.

    The language-ignorance score is the share of the episodes solved with their own instruction that the
    policy also solves in the control arm, with Wilson's interval: 0 where every success needed the
    instruction, 1 where none did. It asks about successes only, for a failure says nothing of what was
    understood: over all episodes a bad policy would look as if it listened. It is no verdict by itself:

    - A task may be the only thing to do in its scene, and then needs no words: compare axes and skills.
    - Success by chance counts as ignorance. Chance is the rate of a policy that only moves.

    So the rates of both arms stand beside it, with the drop between them. Episodes with an error in either
    arm, and those whose instruction the arm could not change, tell nothing and are counted apart.

    Args:
        truth: Records of the episodes with their own instructions.
        control: Records of the control arm; twins of episodes that `truth` lacks are not counted.
    """
    by_key = {record.key: record for record in truth}
    paired = [(by_key[r.episode.twin], r) for r in control if r.episode.twin in by_key]
    changed = [(a, b) for a, b in paired if a.episode.instruction != b.episode.instruction]
    both = drop(changed)
    solved, kept = both.twin_successes, both.successes - both.gained
    score = rate(kept, solved)
    return Ignorance(
        score=None if score is None else round(score, 6),
        interval=interval(kept, solved),
        solved=solved,
        kept=kept,
        unchanged=len(paired) - len(changed),
        drop=both,
    )
