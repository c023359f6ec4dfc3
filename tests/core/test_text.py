"""Numbers as people read them, and strangers' texts as they are shown."""

import json

import pytest

from rtbench.core.text import spreadsheet_text, three_figures, visible, visible_json


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.50162, "0.502"), (17.44, "17.4"), (174.2, "174"), (999.4, "999"), (999.6, "1000"),
     (1071.3, "1071"), (-1234567.0, "-1234567")],
)  # fmt: skip
def test_three_figures_are_never_a_power_of_ten(value, text):
    assert three_figures(value) == text


HOSTILE = "a\x1b]0;owned\x07b\x9bc\u202ed\nerror: e\u2028f\r\x00g[/x]"
SHOWN = r"a\x1b]0;owned\x07b\x9bc\u202ed\nerror: e\u2028f\r\x00g[/x]"


def test_characters_that_act_are_shown_as_escapes():
    assert visible(HOSTILE) == SHOWN
    assert visible(SHOWN) == SHOWN
    assert visible("a\tb\nc\r", lines=True) == "a\tb\nc\\r"
    assert visible("सेब \u200d \u0645\u06cc\u200c\u062e é 苹果") == "सेब \u200d \u0645\u06cc\u200c\u062e é 苹果"
    assert visible("\ud800") == r"\ud800"


def test_json_with_escapes_says_the_same():
    text = json.dumps({"a": HOSTILE}, ensure_ascii=False, indent=2)
    assert json.loads(visible_json(text)) == {"a": HOSTILE}
    assert visible(visible_json(text), lines=True) == visible_json(text)


def test_a_spreadsheet_runs_nothing():
    assert spreadsheet_text("=1+1") == "'=1+1"
    assert spreadsheet_text("\t=1") == r"'\t=1"
