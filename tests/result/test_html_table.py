"""Tables for notebooks."""

from __future__ import annotations

from html.parser import HTMLParser

import rtbench
from rtbench.result.html_table import html_table, percent, percent_range
from tests.helpers.paths import ROOT

REFERENCE = ROOT / "results" / "reference"


class Cells(HTMLParser):
    """The texts of a table's rows."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(page)
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def runs(*policies):
    return [next((REFERENCE / policy / "seen").iterdir()) for policy in policies]


def test_texts_are_escaped():
    page = html_table("<b>", ["a"], [["<script>"]], ["x & y"])
    assert "<script>" not in page
    assert Cells(page).rows == [["a"], ["<script>"]]
    assert "x &amp; y" in page


def test_numbers():
    assert (percent(None), percent(0.1234)) == ("-", "12.3")
    assert percent_range(-0.02, 0.055, sign=True) == "-2.0 to +5.5"


def test_a_run_shows_success_by_skill():
    run = rtbench.load_run(*runs("oracle"))
    rows = Cells(run._repr_html_()).rows
    assert rows[0][:4] == ["skill", "n", "errors", "success %"]
    overall = run.summary.overall
    assert rows[-1][:4] == [
        "all episodes",
        str(overall.n),
        str(overall.errors),
        percent(overall.rate),
    ]
    assert len(rows) == len(run.summary.skills) + 2


def test_a_comparison_shows_differences_overall_and_by_skill():
    comparison = rtbench.compare(runs("random", "oracle"))
    rows = Cells(comparison._repr_html_()).rows
    (overall,) = comparison.by("overall")
    assert rows[1][0] == "oracle, all"
    assert rows[1][3] == f"{100 * overall.difference:+.1f}"
    assert rows[1][6:] == [str(overall.lost), str(overall.gained)]
    assert len(rows) == len(comparison.by("skill")) + 2
