"""Typing errors stay readable and never say something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.seeding import generator
from rtbench.task.typos import SHORTEST, misspell, one_slip_apart, slips

WORD = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
TEXT = st.lists(st.one_of(WORD, st.sampled_from(["7up", "3", "hand's"])), min_size=1, max_size=6, unique=True)
KNOWN = frozenset({"can", "cap", "cup", "battle", "bottle", "apple", "apples", "drawer", "draw", "near"})
PIECES = ["please,", "move", "apple", "near", "drawer?"]


@given(TEXT, st.integers(0, 4), st.integers(0, 1000), st.frozensets(WORD, max_size=30))
def test_so_many_words_are_a_slip_away(pieces, count, seed, known):
    text = " ".join(pieces)
    wrong = misspell(text, count, generator("slip", seed), known).split(" ")
    assert len(wrong) == len(pieces)
    changed = [(a, b) for a, b in zip(pieces, wrong, strict=True) if a != b]
    assert len(changed) <= count
    for before, after in changed:
        assert before.isalpha()
        assert len(before) >= SHORTEST
        assert before[0] == after[0]
        assert one_slip_apart(before, after)
        others = {word for word in known | set(pieces) if word != before and word[0] == after[0]}
        assert not any(one_slip_apart(after, other) for other in others)


@given(TEXT, st.integers(0, 1000))
def test_the_same_stream_misspells_alike(pieces, seed):
    text = " ".join(pieces)
    assert misspell(text, 2, generator("slip", seed)) == misspell(text, 2, generator("slip", seed))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_marks_stay_and_every_word_has_its_turn(count):
    texts = [misspell(" ".join(PIECES), count, generator("turn", k), KNOWN) for k in range(80)]
    assert len(set(texts)) > 30
    turns = [0] * 5
    for text in texts:
        pairs = list(zip(text.split(" "), PIECES, strict=True))
        assert sum(a != b for a, b in pairs) == count
        assert text.split(" ")[0].endswith(",")
        assert text.endswith("?")
        turns = [turn + (a != b) for turn, (a, b) in zip(turns, pairs, strict=True)]
    assert min(turns) > 5


def test_a_misspelt_word_is_taken_for_no_other():
    drawn = {misspell("drawer bottle", 2, generator("guard", k), KNOWN) for k in range(400)}
    words = {word for text in drawn for word in text.split(" ")}
    assert len(words) > 20
    assert words.isdisjoint({"drawr", "bttle", "draw", "battle"})
    assert "drawr" in slips("drawer")
    assert "bttle" in slips("bottle")


def test_a_text_without_letters_is_left_alone():
    assert misspell("7up 3 to 10", 3, generator("none"), KNOWN) == "7up 3 to 10"


@given(WORD, st.data())
def test_all_slips_are_one_slip(word, data):
    for slip in slips(word):
        assert slip != word
        assert one_slip_apart(word, slip)
        assert one_slip_apart(slip, word)


@pytest.mark.parametrize(("a", "b"), [("abcd", "abdce"), ("abcd", "badc"), ("can", "vane"), ("abc", "cba")])
def test_two_slips_are_too_many(a, b):
    assert not one_slip_apart(a, b)
