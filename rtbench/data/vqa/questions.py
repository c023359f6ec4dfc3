"""Questions about a picture, with answers that its simulator knows.

A maker takes an `Asking` and gives a pair, or None where the picture has nothing to ask for. What is asked
for by a description fits one thing in the picture and no other, unless all that it fits are the answer.
"""

from __future__ import annotations

from rtbench.data.vision_language import MAX_PLACES, Pair
from rtbench.data.vqa.asking import NUMBERS, Asking, Maker, place, pointed
from rtbench.data.vqa.picture import Seen
from rtbench.data.vqa.relations import relation
from rtbench.task.instruction import with_article

_PLAIN_KINDS = frozenset({
    "can", "bottle", "cup", "bowl", "digit", "letter", "shape", "picture", "animal", "fruit", "vegetable",
})  # fmt: skip
"""Kinds of which a thing without the tag is none for certain."""
_OPPOSITES = (("healthy", "unhealthy"), ("unhealthy", "healthy"), ("even", "odd"), ("odd", "even"))
"""Properties of which a thing has one or the other, or neither."""


def described(ask: Asking) -> list[tuple[str, Seen, str]]:
    """Descriptions that fit one object of the picture: the words, the object, and of what kind they are."""
    known, found = ask.known, list[tuple[str, Seen, str]]()
    colors = [known.color(thing.entry) if thing.entry else "" for thing in ask.seen]
    for thing, color in zip(ask.seen, colors, strict=True):
        fact = known.fact(thing.name)
        found += [(f"the thing to {use}", thing, "use") for use in fact.uses]
        found += [(f"what you need to {use}", thing, "use") for use in fact.uses]
        found += [(f"the thing that fits this: {text}", thing, "phrase") for text in fact.told]
        if color and colors.count(color) == 1:
            found += [(f"the {color} thing", thing, "color"), (f"whatever is {color}", thing, "color")]
    for tag, nouns in known.kinds.items():
        group = ask.tagged(tag)
        if len(group) == 1:
            found += [(f"the {noun}", group[0], "kind") for noun in nouns]
        for thing in group:
            color = known.color(thing.entry) if thing.entry else ""
            same = [other for other in group if other.entry and known.color(other.entry) in ("", color)]
            if color and len(group) > 1 and same == [thing]:
                found.append((f"the {color} {nouns[0]}", thing, "color"))
    for tag, words in known.properties.items():
        if len(group := ask.tagged(tag)) == 1:
            found += [(f"the thing that is {word}", group[0], "property") for word in words]
    found += [(words, thing, "symbol") for words, thing in _symbols(ask)]
    return found


def _symbols(ask: Asking) -> list[tuple[str, Seen]]:
    """Other words for digits and letters."""
    found = list[tuple[str, Seen]]()
    letters = ask.tagged("letter")
    for thing in ask.tagged("digit"):
        value = _value(thing)
        found += [(f"the number {NUMBERS[value]}", thing), (f"the card that shows a {NUMBERS[value]}", thing)]
        if value:
            found.append((f"the number that follows {NUMBERS[value - 1]}", thing))
    for thing in letters:
        letter = _letter(thing)
        found += [(f"the letter {letter}", thing), (f"the card with {letter} on it", thing)]
        if letter not in "ax":
            found.append((f"the letter that comes after {chr(ord(letter) - 1)}", thing))
    return found


def where(ask: Asking) -> Pair | None:
    """Where is NAME?"""
    things = [*ask.seen, *ask.view.drawers.values()]
    if (thing := ask.one(things)) is None:
        return None
    name = ask.name(thing)
    text = ask.say(f"where is {name}?", f"point at {name}", f"find {name}", f"show me {name}")
    return pointed(text, [thing], "where", "")


def name(ask: Asking) -> Pair | None:
    """Names of things from left to right, or whether something is there."""
    things = sorted(ask.seen, key=lambda thing: thing.x)
    if not things:
        return None
    if ask.random.random() < 0.5:
        return pointed("name some things from left to right", things[:MAX_PLACES], "name")
    if ask.random.random() < 0.5:
        thing = things[int(ask.random.integers(len(things)))]
        return pointed(f"do you see {ask.name(thing)}?", [thing], "name", "yes")
    absent = [other for other in ask.known.words["things"] if other not in ask.view.seen]
    other = ask.one(absent)
    if other is None or other.startswith("digit"):
        return None
    word = other.replace("_", " ")
    if any(word in thing.text or thing.text in word for thing in things):
        return None
    return Pair(f"do you see the {word}?", "no", kind="name")


def kind(ask: Asking) -> Pair | None:
    """Of what kind something is, or what is of a kind."""
    tag = ask.one([tag for tag in ask.known.kinds if ask.tagged(tag)])
    if tag is None:
        return None
    nouns, group = ask.known.kinds[tag], ask.tagged(tag)
    noun = ask.say(*nouns)
    if len(group) == 1:
        return pointed(ask.say(f"which one is {with_article(noun)}?", f"point at the {noun}"), group, "kind")
    if len(group) <= MAX_PLACES and ask.random.random() < 0.6:
        group = sorted(group, key=lambda thing: thing.x)
        return pointed(f"point at every {noun}, from left to right", group, "kind")
    rest = [thing for thing in ask.seen if thing not in group] if tag in _PLAIN_KINDS else []
    answer, among = ("no", rest) if rest and ask.random.random() < 0.5 else ("yes", group)
    thing = among[int(ask.random.integers(len(among)))]
    return pointed(f"is {ask.name(thing)} {with_article(noun)}?", [thing], "kind", answer)


def color(ask: Asking) -> Pair | None:
    """What colour something has, or what has a colour."""
    colors = {thing.name: ask.known.color(thing.entry) for thing in ask.seen if thing.entry}
    thing = ask.one([thing for thing in ask.seen if colors[thing.name]])
    if thing is None:
        return None
    word = colors[thing.name]
    if ask.random.random() < 0.4 and word not in thing.text:
        return pointed(f"what color is {ask.name(thing)}?", [thing], "color", word)
    group = sorted((t for t in ask.seen if colors[t.name] == word), key=lambda t: t.x)
    if len(group) > MAX_PLACES:
        return None
    single = ask.say(f"what is {word}?", f"point at the {word} thing")
    return pointed(single if len(group) == 1 else f"point at all {word} things", group, "color")


def of_description(wanted: str) -> Maker:
    """A maker of questions for what is described in words of a kind: 'use', 'symbol' and so on."""

    def maker(ask: Asking) -> Pair | None:
        found = ask.one([item for item in described(ask) if item[2] == wanted])
        if found is None:
            return None
        words, thing, _ = found
        return pointed(ask.say(f"where is {words}?", f"point at {words}", f"find {words}"), [thing], wanted)

    return maker


def count(ask: Asking) -> Pair | None:
    """How many there are of a kind, none too."""
    tag = ask.one([tag for tag in ask.known.kinds if len(ask.tagged(tag)) != 1 or ask.random.random() < 0.3])
    if tag is None or (not ask.tagged(tag) and ask.random.random() < 0.7):
        return None
    group, noun = sorted(ask.tagged(tag), key=lambda t: t.x), ask.known.kinds[tag][0]
    places = group if len(group) <= MAX_PLACES else []
    text = ask.say(f"how many things here are of the kind {noun}?", f"count: {noun}")
    return pointed(text, places, "count", str(len(group)))


def total(ask: Asking) -> Pair | None:
    """Sums of digits, and the digit that is a sum."""
    digits = ask.tagged("digit")
    if len(digits) >= 2 and ask.random.random() < 0.4:
        a, b = (digits[k] for k in ask.random.permutation(len(digits)).tolist()[:2])
        return pointed(f"add up {a.text} and {b.text}", [a, b], "sum", str(_value(a) + _value(b)))
    if (thing := ask.one(digits)) is None:
        return None
    value = _value(thing)
    if ask.random.random() < 0.6:
        a = int(ask.random.integers(0, value + 1))
        b, words = value - a, ("plus", "and")
    else:
        a = int(ask.random.integers(value, 10))
        b, words = a - value, ("minus", "less")
    word = ask.say(*words)
    left, right = (NUMBERS[a], NUMBERS[b]) if ask.random.random() < 0.5 else (str(a), str(b))
    return pointed(ask.say(f"find {left} {word} {right}", f"{left} {word} {right} is?"), [thing], "sum")


def compare(ask: Asking) -> Pair | None:
    """The largest and smallest number, and which of two things is taller or heavier."""
    digits = sorted(ask.tagged("digit"), key=_value)
    if len(digits) >= 2 and ask.random.random() < 0.6:
        if ask.random.random() < 0.5:
            return pointed(
                ask.say("which number is biggest?", "find the highest number"), digits[-1:], "compare"
            )
        return pointed(ask.say("which number is least?", "find the lowest number"), digits[:1], "compare")
    things = [t for t in ask.seen if t.entry and not t.entry.platform]
    if len(things) < 2:
        return None
    a, b = (things[k] for k in ask.random.permutation(len(things)).tolist()[:2])
    if a.entry is None or b.entry is None or a.name in ask.view.lying or b.name in ask.view.lying:
        return None
    by, more, less = [
        ("height", "taller", "lower"), ("mass", "heavier", "lighter"),
        ("length", "longer", "shorter from end to end"),
    ][int(ask.random.integers(3))]  # fmt: skip
    sizes = [
        float({"height": e.half[2], "mass": e.mass, "length": max(e.half)}[by]) for e in (a.entry, b.entry)
    ]
    if max(sizes) < 1.25 * min(sizes):
        return None
    big, small = (a, b) if sizes[0] > sizes[1] else (b, a)
    word, answer = (more, big) if ask.random.random() < 0.5 else (less, small)
    return pointed(f"which is {word}, {ask.name(a)} or {ask.name(b)}?", [answer], "compare")


def negation(ask: Asking) -> Pair | None:
    """What is not: of a kind without a colour, of two, or of all."""
    pairs = list[tuple[str, list[Seen]]]()
    for tag, nouns in ask.known.kinds.items():
        group = ask.tagged(tag)
        rest = [thing for thing in ask.seen if thing not in group]
        if tag in _PLAIN_KINDS and group and 1 <= len(rest) <= 2:
            pairs.append((f"what is no {ask.say(*nouns)}?", rest))
        for thing in group if 2 <= len(group) <= 3 else ():
            others = [other for other in group if other is not thing]
            pairs.append((f"which {nouns[0]} is other than {ask.name(thing)}?", others))
            word = ask.known.color(thing.entry) if thing.entry else ""
            hues = [ask.known.color(other.entry) for other in others if other.entry]
            if word and "" not in hues and word not in hues:
                pairs.append((f"which {nouns[0]} isn't {word}?", others))
    for tag, other in _OPPOSITES:
        group = ask.tagged(other)
        if ask.tagged(tag) and 1 <= len(group) <= MAX_PLACES:
            noun = "number" if tag in ("even", "odd") else "food or drink"
            pairs.append((f"which {noun} isn't {tag}?", group))
    found = ask.one(pairs)
    if found is None:
        return None
    return pointed(found[0], sorted(found[1], key=lambda t: t.x), "negation")


def translation(ask: Asking) -> Pair | None:
    """Where something is, in another language; the answer is its English name."""
    language = ask.say(*ask.known.languages)
    things = [*ask.seen, *ask.view.drawers.values()]
    named = [(t, ask.known.name(t.name, language)) for t in things]
    found = ask.one([(t, word) for t, word in named if word])
    if found is None:
        return None
    thing, word = found
    text = ask.say(*ask.known.phrases["where"][language]).format(a=word)
    return Pair(text, thing.text, (place(thing),), "translation", language)


def _value(thing: Seen) -> int:
    return thing.entry.value or 0 if thing.entry else 0


def _letter(thing: Seen) -> str:
    return thing.text.split(" ")[-1]


MAKERS: dict[str, tuple[float, Maker]] = {
    "where": (3.0, where),
    "name": (1.5, name),
    "kind": (1.5, kind),
    "use": (1.5, of_description("use")),
    "property": (1.0, of_description("property")),
    "phrase": (1.5, of_description("phrase")),
    "color": (1.5, color),
    "symbol": (3.0, of_description("symbol")),
    "relation": (3.0, relation),
    "count": (3.0, count),
    "sum": (2.0, total),
    "compare": (1.5, compare),
    "negation": (2.0, negation),
    "translation": (3.0, translation),
}
"""Kind -> weight in the draw, and maker. Commands are in `rtbench.data.vqa.commands`."""
