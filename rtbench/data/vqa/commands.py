"""Command sentences: what a robot might be asked for, answered by the plan in canonical words and its places.

They teach the plan step. No action belongs to them. The answers are worded as the first instructions of the
skills of the suite `seen`, see `rtbench.data.plan_text`; the sentences are made here.
"""

from __future__ import annotations

import numpy as np

from rtbench.data.vision_language import Pair
from rtbench.data.vqa.asking import Asking, place
from rtbench.data.vqa.knowledge import moved
from rtbench.data.vqa.picture import Seen
from rtbench.data.vqa.questions import described
from rtbench.task.object_entry import CAN_TOPPLE, FITS_BOWL, MOVABLE, RECEPTACLE

DESCRIBED = 0.65
"""Share of the things that are described and not named."""
FOREIGN = 0.4
"""Share of the commands in another language."""
SHARES = {
    "pick": 0.2, "near": 0.35, "into": 0.9, "out": 0.6,
    "upright": 0.3, "over": 0.08, "open": 0.06, "close": 0.15,
}  # fmt: skip
"""What is done -> weight among all that the picture allows; large where few pictures do."""
PLANS = {
    "pick": "pick {a}",
    "near": "move {a} near {b}",
    "into": "place {a} into {b}",
    "out": "pick {a} from {b} and place on counter",
    "upright": "place {a} upright",
    "over": "knock {a} over",
    "open": "open {a}",
    "close": "close {a}",
}
"""What is done -> the plan."""
SENTENCES = {
    "pick": ("pick {a}", "hand me {a}", "get hold of {a}", "i want {a}", "please raise {a}", "fetch {a}"),
    "near": (
        "move {a} near {b}", "slide {a} towards {b}", "bring {a} right beside {b}", "set {a} by {b}",
        "i would like {a} to be where {b} is", "shift {a} to {b}", "move {a} to {b}",
    ),
    "into": ("place {a} into {b}", "drop {a} inside {b}", "{b} should hold {a}", "fill {b} with {a}"),
    "out": (
        "take {a} out of {b}", "get {a} out of {b} and leave it on the counter", "remove {a} from {b}",
        "{a} should not be in {b}", "move {a} from {b} to the counter",
    ),
    "upright": ("make {a} stand again", "straighten up {a}"),
    "over": ("tip over {a}", "make {a} fall"),
    "open": ("pull {a} out", "open up {a}"),
    "close": ("push {a} in", "shut {a} again"),
}  # fmt: skip
"""What is done -> sentences with {a}, what is moved, and {b}, where it goes or is taken from."""


def command(ask: Asking) -> Pair | None:
    """A sentence with its plan; None where nothing can be asked for, or has no name in the language."""
    can = {what: things for what, things in _possible(ask).items() if things}
    if not can:
        return None
    weights = np.array([SHARES[what] for what in can])
    what = list(can)[int(ask.random.choice(len(can), p=weights / weights.sum()))]
    a, b = can[what][int(ask.random.integers(len(can[what])))]
    things = [a] if b is None else [a, b]
    plan = PLANS[what].format(a=a.text, b=b.text if b else "")
    places = tuple(place(thing) for thing in things)
    if ask.random.random() < FOREIGN:
        language = ask.say(*ask.known.languages)
        text = _foreign(ask, what, a, b, language)
        return Pair(text, plan, places, "command", language) if text else None
    told = [_told(ask, thing) for thing in things]
    text = ask.say(*SENTENCES[what]).format(a=told[0], b=told[-1])
    return Pair(text, plan, places, "command")


def _possible(ask: Asking) -> dict[str, list[tuple[Seen, Seen | None]]]:
    """What can be done, with what, and where it goes or lies."""
    view = ask.view
    movable, bowls = ask.tagged(MOVABLE), ask.tagged(RECEPTACLE)
    topple = ask.tagged(CAN_TOPPLE)
    free = [thing for thing in ask.tagged(FITS_BOWL) if thing.name not in view.under]
    sources = {**{bowl.name: bowl for bowl in bowls}, **view.drawers}
    under = [(thing, view.under.get(thing.name, "")) for thing in movable]
    return {
        "pick": [(thing, None) for thing in movable],
        "near": [(a, b) for a, base in under for b in ask.seen if b is not a and b.name != base],
        "into": [(a, b) for a in free for b in bowls],
        "out": [(thing, sources[base]) for thing, base in under if base in sources],
        "upright": [(thing, None) for thing in topple if thing.name in view.lying],
        "over": [(thing, None) for thing in topple if thing.name not in view.lying],
        "open": [(drawer, None) for name, drawer in view.drawers.items() if name not in view.open],
        "close": [(drawer, None) for name, drawer in view.drawers.items() if name in view.open],
    }


def _foreign(ask: Asking, what: str, a: Seen, b: Seen | None, language: str) -> str:
    """The sentence in a language; '' where a thing has no name in it."""
    thing, other = ask.known.name(a.name, language), ""
    if b is not None:
        named = ask.known.source if what == "out" else ask.known.name
        other = named(b.name, language)
    if not thing or (b is not None and not other):
        return ""
    if language == "de" and what != "out":
        other = moved(other, language)
    return ask.say(*ask.known.phrases[what][language]).format(a=moved(thing, language), b=other)


def _told(ask: Asking, thing: Seen) -> str:
    """A thing by its name, or by what it is alone in."""
    words = [text for text, other, _ in described(ask) if other is thing]
    if not words or ask.random.random() > DESCRIBED:
        return ask.name(thing)
    return ask.say(*words)
