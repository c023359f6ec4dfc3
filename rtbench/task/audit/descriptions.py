"""Do the words that describe a thing say what the data say: its kind, its place among others, a sum?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtbench.task.audit.interpretation import Reading

_STRUCTURAL = frozenset(
    {"movable", "platform", "mat", "receptacle", "can topple", "fits bowl", "fits drawer"}
)
_NOUN = re.compile(
    r"\b(?:pick(?: up)?|get(?: me)?|grab|take|lift|move|put|place|bring(?: me)?|fetch|near|into) "
    r"(?:the|an?|every|each) (\w+)\b"
)
"""The word that says what is asked for."""
_ELSEWHERE = re.compile(r"\b(?:not|no|nor|neither|but|except|than|same|between|left|right|other)\b")
"""Words beside which a kind may be named that is not the kind of what is meant."""
_EXTREMES = {
    "leftmost": re.compile(r"\bleftmost\b|\b(?:far|farthest|furthest)(?: to the)? left\b"),
    "rightmost": re.compile(r"\brightmost\b|\b(?:far|farthest|furthest)(?: to the)? right\b"),
    "nearest": re.compile(r"\b(?:nearest|closest) to (?:you|yourself|the robot)\b"),
    "farthest": re.compile(r"\b(?:farthest|furthest) (?:away\b|from (?:you|yourself|the robot)\b)"),
    "smallest": re.compile(r"\b(?:smallest|lowest) (?:\w+ )?(?:number|digit|value)\b"),
    "largest": re.compile(r"\b(?:largest|biggest|greatest|highest) (?:\w+ )?(?:number|digit|value)\b"),
}
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER = rf"({'|'.join(_NUMBERS)}|\d+)"
_SUM = re.compile(rf"\b{_NUMBER} (plus|minus|times) {_NUMBER}\b(?! (?:plus|minus|times))")


def faults_of_description(reading: Reading) -> Iterator[str]:
    """Where a text's description of a thing is not the task's."""
    if reading.task.means or reading.task.every:
        yield from _kind(reading)
        yield from _place(reading)
        yield from _sum(reading)


def _kind(reading: Reading) -> Iterator[str]:
    if _ELSEWHERE.search(reading.text):
        return
    named = {mention.start for mention in reading.mentions}
    known = reading.tags(frozenset(reading.catalogue.objects)) - _STRUCTURAL
    own = reading.tags(frozenset(reading.task.objects))
    for match in _NOUN.finditer(reading.text):
        if match[1] in known - own and match.start(1) not in named:
            yield f"asks for a {match[1]!r}, but nothing of the task's own is tagged so; correct one of them."


def _place(reading: Reading) -> Iterator[str]:
    meant = {reference.extreme for reference in reading.task.means.values()}
    for extreme, pattern in _EXTREMES.items():
        match = pattern.search(reading.text)
        if match and extreme not in meant:
            yield f"says {match[0]!r}, but 'means' has no 'extreme: {extreme}'; correct one of them."


def _sum(reading: Reading) -> Iterator[str]:
    match = _SUM.search(reading.text)
    shown = {reading.catalogue.objects[name].value for name in reading.task.means}
    if match and shown - {None}:
        a, b = (int(word) if word.isdigit() else _NUMBERS.index(word) for word in match.group(1, 3))
        result = {"plus": a + b, "minus": a - b, "times": a * b}[match[2]]
        if result not in shown:
            yield f"says {match[0]!r}, but what is meant shows no {result}; correct one of them."
