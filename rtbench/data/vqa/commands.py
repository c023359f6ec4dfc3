"""Command sentences: what a robot might be asked for, answered by the plan in canonical words and its places.

They teach the plan step. No action belongs to them. The answers are the first instructions of the skills of
the suite `seen`, see `rtbench.data.plan_text`; the sentences are made here.
"""

from __future__ import annotations

from rtbench.data.vision_language import Pair
from rtbench.data.vqa.asking import Asking, place
from rtbench.data.vqa.knowledge import moved
from rtbench.data.vqa.picture import Seen
from rtbench.data.vqa.questions import described
from rtbench.task.object_entry import CAN_TOPPLE, FITS_BOWL, MOVABLE, RECEPTACLE

DESCRIBED = 0.65
"""Share of the things that are described and not named."""
FOREIGN = 0.3
"""Share of the commands in another language."""
PLANS = {
    "pick": "pick {a}",
    "near": "move {a} near {b}",
    "into": "place {a} into {b}",
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
    "upright": ("make {a} stand again", "straighten up {a}"),
    "over": ("tip over {a}", "make {a} fall"),
    "open": ("pull {a} out", "open up {a}"),
    "close": ("push {a} in", "shut {a} again"),
}  # fmt: skip
"""What is done -> sentences with {a}, what is moved, and {b}, where it goes."""


def command(ask: Asking) -> Pair | None:
    """A sentence with its plan; None where nothing in the picture can be asked for."""
    what, a, b = _deed(ask)
    if a is None or (what in ("near", "into") and b is None):
        return None
    things = [a] if b is None else [a, b]
    plan = PLANS[what].format(a=a.text, b=b.text if b else "")
    places = tuple(place(thing) for thing in things)
    if what in ask.known.phrases and ask.random.random() < FOREIGN:
        language = ask.say(*ask.known.languages)
        words = [ask.known.name(thing.name, language) for thing in things]
        if not all(words):
            return None
        sentence = ask.say(*ask.known.phrases[what][language])
        text = sentence.format(a=moved(words[0], language), b=_goal(words, language))
        return Pair(text, plan, places, "command", language)
    told = [_told(ask, thing) for thing in things]
    text = ask.say(*SENTENCES[what]).format(a=told[0], b=told[-1])
    return Pair(text, plan, places, "command")


def _deed(ask: Asking) -> tuple[str, Seen | None, Seen | None]:
    """What is done, with what, and where to."""
    view = ask.view
    tagged = {tag: ask.tagged(tag) for tag in (MOVABLE, FITS_BOWL, RECEPTACLE, CAN_TOPPLE)}
    draw = ask.random.random()
    if draw < 0.08 and view.drawers:
        drawer = ask.one(list(view.drawers.values()))
        return ("close" if drawer and drawer.name in view.open else "open"), drawer, None
    if draw < 0.2 and tagged[CAN_TOPPLE]:
        thing = ask.one(tagged[CAN_TOPPLE])
        return ("upright" if thing and thing.name in view.lying else "over"), thing, None
    if draw < 0.35 and tagged[RECEPTACLE]:
        free = [thing for thing in tagged[FITS_BOWL] if thing.name not in view.under]
        return "into", ask.one(free), ask.one(tagged[RECEPTACLE])
    if draw < 0.5:
        return "pick", ask.one(tagged[MOVABLE]), None
    thing = ask.one(tagged[MOVABLE])
    others = [other for other in ask.seen if other is not thing and thing]
    others = [other for other in others if thing and view.under.get(thing.name) != other.name]
    return "near", thing, ask.one(others)


def _told(ask: Asking, thing: Seen) -> str:
    """A thing by its name, or by what it is alone in."""
    words = [text for text, other, _ in described(ask) if other is thing]
    if not words or ask.random.random() > DESCRIBED:
        return ask.name(thing)
    return ask.say(*words)


def _goal(words: list[str], language: str) -> str:
    """The second name as where something goes."""
    return moved(words[-1], language) if language == "de" else words[-1]
