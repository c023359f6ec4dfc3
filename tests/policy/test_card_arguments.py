"""Arguments of policies: misspelt ones are told, and words are truth values where those are taken."""

import pytest

from rtbench.core.errors import PolicyError
from rtbench.policy.card import build, resolve

SWITCHED = """
class Switched:
    from rtbench import Needs
    needs = Needs()

    def __init__(self, plan: bool = True, how: bool | None = None, note: str = ""):
        self.given = (plan, how, note)

    def reset(self, slot, instruction, seed): ...

    def act(self, observations, slots): ...
"""


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("off", False),
        ("on", True),
        ("No", False),
        ("yes", True),
        ("false", False),
        (False, False),
        (True, True),
    ],
)
def test_words_are_truth_values_where_those_are_taken(tmp_path, future, word, value):
    (tmp_path / "switched.py").write_text(future + SWITCHED)
    card = resolve(f"{tmp_path / 'switched.py'}:Switched", arguments={"plan": word, "how": word})
    assert build(card).given == (value, value, "")


def test_other_words_are_refused_and_texts_stay_texts(tmp_path):
    (tmp_path / "switched.py").write_text(SWITCHED)
    place = f"{tmp_path / 'switched.py'}:Switched"
    with pytest.raises(PolicyError, match="argument plan is 'maybe'; give on or off"):
        build(resolve(place, arguments={"plan": "maybe"}))
    assert build(resolve(place, arguments={"note": "off"})).given == (True, None, "off")


def test_a_misspelt_argument_is_explained():
    with pytest.raises(PolicyError, match=r"'convnetion'.*Did you mean 'convention'"):
        build(resolve("random", arguments={"convnetion": "rt1"}))
