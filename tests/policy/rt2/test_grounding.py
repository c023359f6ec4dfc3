"""Grounding: what a plan names is what it points at, and the likeliest of such plans is taken."""

import math

import pytest
import torch

from rtbench.policy.rt2 import grounding as grounding_module
from rtbench.policy.rt2.decoding import Plan
from rtbench.policy.rt2.grounding import Grounding
from rtbench.policy.rt2.network import Picture
from rtbench.policy.rt2.vocabulary import Vocabulary

TEXTS = (
    "move apple near sponge", "pick red cup", "pick red cup near apple", "open top drawer",
    "pick apple from red cup", "put apple away", "open top drawer and place apple into it",
) * 2  # fmt: skip
NAMES = ("apple", "sponge", "red cup", "cup", "top drawer", "handle of the top drawer")
PLACES = ((0.1, 0.8), (0.5, 0.3), (0.9, 0.6))
WORDS = 12


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.of_texts(TEXTS)


@pytest.fixture
def grounding(vocabulary):
    return Grounding(vocabulary, NAMES, WORDS)


def picture(names=("apple", "sponge", "red cup"), presence=(0.9, 0.8, 0.7), sure=0.9):
    """Things at `PLACES`, each with one likely name."""
    chances = torch.full((1, len(PLACES), len(NAMES)), (1 - sure) / (len(NAMES) - 1))
    for k, name in enumerate(names):
        chances[0, k, NAMES.index(name)] = sure
    nothing = torch.zeros(1, len(PLACES), 2)
    return Picture(nothing, nothing, nothing, torch.tensor([PLACES]), chances, torch.tensor([presence]))


def plan(vocabulary, text, first=(0.1, 0.8), second=(0.1, 0.8)):
    numbers = [int(value * 256) for x, y in (first, second) for value in (y, x)]
    return Plan(tuple(vocabulary.encode(text)), tuple(numbers))


def indifferent(vocabulary):
    """Logits to which all is alike."""
    return lambda ids: torch.zeros(*ids.shape, len(vocabulary))


def pointing(vocabulary, *numbers, strength=30.0):
    """Logits that like these rows and columns, in turn, from the end of words on."""

    def logits(ids):
        found = torch.zeros(*ids.shape, len(vocabulary))
        end = vocabulary.table().end_of_words[0]
        for number, suffix in enumerate(ids.tolist()):
            places = suffix[suffix.index(end) :] if end in suffix else []
            for k, value in zip(range(len(places)), numbers * 2, strict=False):
                found[number, len(suffix) - len(places) + k, value] = strength
        return found

    return logits


def grounded(grounding, vocabulary, given, seen, logits):
    found = grounding(given, seen, logits)
    return vocabulary.decode(found.words), found.points(vocabulary.table())


def test_a_name_follows_the_place_that_is_pointed_at(grounding, vocabulary):
    given = plan(vocabulary, "pick red cup")
    likes = pointing(vocabulary, int(0.3 * 256), int(0.5 * 256))
    text, places = grounded(grounding, vocabulary, given, picture(), likes)
    assert text == "pick sponge"
    for place in places:
        assert place == pytest.approx((0.5, 0.3), abs=1 / 256)


def test_a_place_follows_the_name_where_nothing_is_pointed_at(grounding, vocabulary):
    given = plan(vocabulary, "pick red cup", (0.1, 0.8), (0.1, 0.8))
    text, places = grounded(grounding, vocabulary, given, picture(), indifferent(vocabulary))
    names = {"apple": PLACES[0], "sponge": PLACES[1], "red cup": PLACES[2]}
    name = text.removeprefix("pick ")
    assert places[0] == pytest.approx(names[name], abs=1 / 256)


def test_two_names_are_two_things(grounding, vocabulary):
    given = plan(vocabulary, "move apple near sponge", PLACES[0], PLACES[0])
    likes = pointing(vocabulary, int(0.8 * 256), int(0.1 * 256))
    text, places = grounded(grounding, vocabulary, given, picture(), likes)
    assert math.dist(*places) > 0.1
    first, second = text.removeprefix("move ").split(" near ")
    assert first != second


def test_what_is_taken_from_a_thing_is_where_that_is(grounding, vocabulary):
    at, seen = PLACES[0], picture(names=("red cup", "sponge", "cup"))
    likes = pointing(vocabulary, int(at[1] * 256), int(at[0] * 256), strength=12.0)
    given = plan(vocabulary, "pick apple from red cup", at, at)
    _, places = grounded(grounding, vocabulary, given, seen, likes)
    assert places == [pytest.approx(at, abs=1 / 256)] * 2


def test_a_place_that_was_decided_is_kept_where_it_means_what_is_said(grounding, vocabulary):
    """As of an open drawer: seen are its handle, before its front, and a part behind it."""
    seen, decided = picture(names=("handle of the top drawer", "top drawer", "sponge")), (0.14, 0.76)
    likes = pointing(vocabulary, int(decided[1] * 256), int(decided[0] * 256))
    given = plan(vocabulary, "open top drawer", decided, decided)
    text, places = grounded(grounding, vocabulary, given, seen, likes)
    assert text == "open top drawer"
    assert places[0] == pytest.approx(decided, abs=1 / 256)


def test_a_drawer_is_the_second_place_though_it_is_named_first(grounding, vocabulary):
    seen = picture(names=("apple", "top drawer", "sponge"), sure=0.999)
    given = plan(vocabulary, "open top drawer and place apple into it", PLACES[0], PLACES[1])
    likes = pointing(vocabulary, *given.places)
    text, places = grounded(grounding, vocabulary, given, seen, likes)
    assert text == "open top drawer and place apple into it"
    assert places == [pytest.approx(place, abs=1 / 256) for place in PLACES[:2]]


def test_a_second_place_that_no_name_is_said_of_is_kept(grounding, vocabulary):
    likes = pointing(vocabulary, int(0.8 * 256), int(0.1 * 256))
    for second in (PLACES[1], PLACES[0]):
        given = plan(vocabulary, "put apple away", PLACES[0], second)
        text, places = grounded(grounding, vocabulary, given, picture(), likes)
        assert text == "put apple away"
        assert places == [pytest.approx(place, abs=1 / 256) for place in (PLACES[0], second)]


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("seed", range(5))
def test_the_likeliest_plan_is_found_among_all_of_one_name(grounding, vocabulary, seed, at_once, monkeypatch):
    """Against a search of all things and names that adds the probabilities up token by token."""
    monkeypatch.setattr(grounding_module, "AT_ONCE", at_once)
    numbers = torch.Generator().manual_seed(seed)
    chances = torch.randn(1, len(PLACES), len(NAMES), generator=numbers).softmax(-1)
    seen, given = picture()._replace(names=chances), plan(vocabulary, "pick red cup")
    weights = torch.randn(len(vocabulary), len(vocabulary), generator=numbers)
    table, best = vocabulary.table(), (-math.inf, "", PLACES[0])
    allowed = [table.end_of_words[0], *table.words.tolist()]
    for k, place in enumerate(PLACES):
        tried = {*chances[0, k].topk(3).indices.tolist(), NAMES.index("red cup")}
        for name in sorted(tried):
            score, last = float(chances[0, k, name].log()), table.plan[-1]
            for token in (*vocabulary.encode(f"pick {NAMES[name]}"), table.end_of_words[0]):
                score += float(weights[last, token] - weights[last, allowed].logsumexp(0))
                last = token
            for number in [int(place[1] * 256), int(place[0] * 256)] * 2:
                near = weights[last, :256].softmax(-1)[max(0, number - 5) : number + 6]
                score, last = score + math.log(float(near.sum())), number
            best = max(best, (score, f"pick {NAMES[name]}", place))
    text, places = grounded(grounding, vocabulary, given, seen, lambda ids: weights[ids])
    assert text == best[1]
    assert places[0] == pytest.approx(best[2], abs=1 / 256)


@pytest.mark.parametrize("text", ["", "pick something", "open applesauce"])
def test_a_plan_without_names_stays(grounding, vocabulary, text):
    given = plan(vocabulary, text)
    assert grounding(given, picture(), indifferent(vocabulary)) == given


def test_a_plan_stays_where_nothing_is_seen(grounding, vocabulary):
    given = plan(vocabulary, "pick apple")
    assert grounding(given, picture(presence=(0.1, 0.1, 0.1)), indifferent(vocabulary)) == given


def test_the_longest_name_is_taken(grounding, vocabulary):
    given = plan(vocabulary, "pick red cup")
    likes = pointing(vocabulary, int(0.8 * 256), int(0.1 * 256))
    text, _ = grounded(grounding, vocabulary, given, picture(), likes)
    assert text == "pick apple", "not 'pick red apple'"


def test_words_stay_bounded(vocabulary):
    grounding = Grounding(vocabulary, NAMES, 5)
    given = Plan(tuple(vocabulary.encode("pick apple"))[:5], plan(vocabulary, "").places)
    likes = pointing(vocabulary, int(0.6 * 256), int(0.9 * 256))
    assert len(grounding(given, picture(), likes).words) <= 5
