"""Audit of verbs: the words of an English instruction must ask for what the goal checks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtbench.task.task import Task

PLACED = frozenset({"near", "in", "on", "left_of", "right_of", "between", "nearer"})
MOVED = PLACED | {"upright", "toppled", "out"}
_PUT = r"\b(?:put|place|move|set|bring|carry|push|slide|leave|drop)\b[^,.]*"
_ASKS: tuple[tuple[str, frozenset[str]], ...] = (
    (rf"{_PUT}\b(?:near|next to|beside|close to|alongside)\b", PLACED - {"in"}),
    (rf"{_PUT}\bto the left of\b", frozenset({"left_of"})),
    (rf"{_PUT}\bto the right of\b", frozenset({"right_of"})),
    (rf"{_PUT}\b(?:into|inside)\b", frozenset({"in"})),
    (rf"{_PUT}\b(?:on top of|onto)\b", frozenset({"on"})),
    (r"\b(?:upright|stand (?:\w+ )*up|on its base|on its feet)\b", frozenset({"upright"})),
    (r"\b(?:knock|topple|tip|push over|push [^,.]* over)\b(?! to\b)", frozenset({"toppled"})),
    (
        r"^(?:please )?(?:open|pull (?:\w+ )*open|slide (?:\w+ )*open)\b",
        frozenset({"open", "in", "lifted", "on"}),
    ),
    (
        r"(?<!is )(?<!are )\b(?:shut|push (?:\w+ )*closed|slide (?:\w+ )*closed)\b|(?:^|\band )close\b",
        frozenset({"closed"}),
    ),
    (r"^(?:drive|go)\b", frozenset({"at", "on", "lifted"})),
    (r"^(?:pick|grab|lift|hold)\b", MOVED | {"lifted"}),
    (r"^(?:put|place|move|bring|set|drop|push)\b", MOVED | {"open", "closed", "at"}),
)
"""Words -> predicates of which the goal must have one."""
_SAYS: dict[str, str] = {
    "lifted": r"pick|grab|lift|take|get|raise|fetch|hold|give|hand|pull|hoist|bring|grasp|seize",
    "upright": r"upright|stand|standing|base|feet|up",
    "toppled": r"knock|tip|topple|over|side",
    "open": r"open|pull|slide|draw",
    "closed": r"close|closed|shut",
    "in": r"in|into|away|inside|there|store|stow|fill",
    "near": r"near|next|beside|close|by|to|with|alongside|together|join",
    "at": r"drive|go|move|roll|head|travel",
    "left_of": r"left",
    "right_of": r"right",
    "between": r"between|middle",
}
"""Predicate -> words of which a skill's own template must have one."""
_NEGATION = re.compile(r"\b(?:not|no|never|without|nothing)\b")
_ASKING = tuple((re.compile(words), wanted) for words, wanted in _ASKS)
_SAYING = {predicate: re.compile(rf"\b(?:{words})\b") for predicate, words in _SAYS.items()}


def faults_of_verbs(text: str, task: Task, *, strict: bool) -> Iterator[str]:
    """Disagreements between words and goal.

    Args:
        text: An English instruction.
        task: The task that it is an instruction of.
        strict: Whether every predicate must be asked for, as in a skill's own templates; a request may leave
            one open ("something to write with").
    """
    goals = filter(None, (task.goal, task.strict))
    predicates = {leaf.predicate for goal in goals for leaf in goal.leaves()}
    if not _NEGATION.search(text):  # "it should not be shut" asks for the contrary
        for pattern, wanted in _ASKING:
            match = pattern.search(text)
            if match and not predicates & wanted:
                known = ", ".join(sorted(wanted))
                yield f"asks for {match[0]!r}, but the goal {task.goal} has none of {known}; correct one."
                return
    for predicate in sorted(predicates & _SAYING.keys()) if strict else ():
        if not _SAYING[predicate].search(text):
            yield f"says nothing of the goal's {predicate!r}; say it, or correct the goal."
            return
