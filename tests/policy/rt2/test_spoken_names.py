"""Names in plans are found as whole words, the longer one first."""

import pytest

from rtbench.policy.rt2.spoken_names import hidden, pattern


@pytest.mark.parametrize(
    ("names", "text", "found"),
    [
        (["red cup"], "move red cup near apple", "move thing near apple"),
        (["cup", "red cup"], "pick red cup", "pick thing"),
        (["cup"], "pick cupboard", "pick cupboard"),
        (["7"], "pick 7", "pick thing"),
        (["a.c"], "pick abc", "pick abc"),
        (["apple", "lime"], "move apple near lime", "move thing near thing"),
        ([], "pick apple", "pick apple"),
    ],
)
def test_names_are_hidden(names, text, found):
    assert hidden(text, pattern(names)) == found
