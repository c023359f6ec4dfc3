"""Questions about relations: left and right in the picture, nearest on the counter, between, in and on."""

from __future__ import annotations

import math
from collections.abc import Callable

from rtbench.data.vision_language import Pair
from rtbench.data.vqa.asking import Asking, pointed
from rtbench.data.vqa.picture import Seen
from rtbench.task.object_entry import RECEPTACLE

_LEFT, _CLOSER = 0.04, 1.4
"""Least difference of places in the picture for 'left of'; of distances, as a factor, for 'nearest'."""


def relation(ask: Asking) -> Pair | None:
    """Left, right, nearest, between, in and on."""
    makers: list[Callable[[Asking], Pair | None]] = [_extreme, _beside, _nearest, _between, _on]
    for number in map(int, ask.random.permutation(len(makers))):
        if pair := makers[number](ask):
            return pair
    return None


def _extreme(ask: Asking) -> Pair | None:
    things = sorted(ask.seen, key=lambda thing: thing.x)
    if len(things) < 2:
        return None
    side = ask.say("left", "right")
    first, second = things[:2] if side == "left" else (things[-1], things[-2])
    if abs(first.x - second.x) < _LEFT:
        return None
    text = ask.say(f"what is furthest to the {side}?", f"which thing is {side}most?")
    return pointed(text, [first], "relation")


def _beside(ask: Asking) -> Pair | None:
    """One thing to the left of another, of two: a yes or a no, alike often."""
    things = ask.random.permutation(len(ask.seen)).tolist()[:2]
    if len(things) < 2:
        return None
    a, b = (ask.seen[k] for k in things)
    if abs(a.x - b.x) < _LEFT:
        return None
    side = ask.say("left", "right")
    if ask.random.random() < 0.5:
        answer = "yes" if (a.x < b.x) == (side == "left") else "no"
        return pointed(f"is {ask.name(a)} to the {side} of {ask.name(b)}?", [a, b], "relation", answer)
    chosen = a if (a.x < b.x) == (side == "left") else b
    text = f"which is more to the {side}, {ask.name(a)} or {ask.name(b)}?"
    return pointed(text, [chosen], "relation")


def _nearest(ask: Asking) -> Pair | None:
    thing = ask.one([t for t in ask.seen if t.name not in ask.view.under])
    if thing is None:
        return None
    others = sorted((t for t in ask.seen if t is not thing), key=lambda t: _distance(t, thing))
    if len(others) < 2 or _distance(others[1], thing) < _CLOSER * _distance(others[0], thing):
        return None
    text = ask.say(f"what is nearest to {ask.name(thing)}?", f"what stands closest to {ask.name(thing)}?")
    return pointed(text, others[:1], "relation")


def _between(ask: Asking) -> Pair | None:
    things = sorted(ask.seen, key=lambda t: t.x)
    middles = [
        k
        for k in range(1, len(things) - 1)
        if min(things[k].x - things[k - 1].x, things[k + 1].x - things[k].x) > _LEFT
    ]
    k = ask.one(middles)
    if k is None:
        return None
    text = f"from left to right, what comes between {ask.name(things[k - 1])} and {ask.name(things[k + 1])}?"
    return pointed(text, [things[k]], "relation")


def _on(ask: Asking) -> Pair | None:
    seen = ask.view.seen
    bases = {**seen, **ask.view.drawers}
    pairs = [(seen[a], bases[b]) for a, b in ask.view.under.items() if a in seen and b in bases]
    if (found := ask.one(pairs)) is None:
        return None
    top, base = found
    word = "in" if base.entry is None or RECEPTACLE in base.entry.tags else "on"
    if ask.random.random() < 0.5:
        return pointed(f"what is {word} {ask.name(base)}?", [top], "relation")
    return pointed(f"what is {ask.name(top)} {word}?", [base], "relation")


def _distance(a: Seen, b: Seen) -> float:
    return math.dist(a.position, b.position)
