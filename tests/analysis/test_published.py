"""Published figures: whole, labelled, consistent, and beside nothing that they do not belong to."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from rtbench.analysis.published import (
    LABELS,
    PAPERS,
    VERSIONS,
    Cell,
    Figure,
    PublishedTable,
    beside,
    figures,
    load_published,
    rows,
)
from rtbench.cli.published_figures import comparisons
from rtbench.core.episode import Episode, Outcome
from rtbench.core.errors import ContentError
from rtbench.result.record import Record, Times
from rtbench.result.run import Run
from rtbench.task.library import BUNDLED
from rtbench.task.yaml_loader import read_file
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench, width
from tests.helpers.runs import episode, play

TABLES = load_published()
FIGURES = [figure for table in TABLES.values() for figure in figures(table)]
SIZES = {
    "rt1_table_1": (10, 1), "rt1_table_2": (4, 4), "rt1_table_3": (4, 4), "rt1_table_6": (4, 4),
    "rt1_table_7": (5, 5), "rt1_table_13": (10, 8), "rt1_simulated_data": (2, 3), "rt1_kuka_data": (3, 2),
    "rt1_speed": (2, 6), "rt2_table_1": (4, 1), "rt2_table_4": (6, 8), "rt2_table_5": (4, 13),
    "rt2_table_6": (5, 1), "rt2_control_rates": (4, 1),
}  # fmt: skip
NOT_OF_THEIR_TRIALS = {
    # The text says 22; 35, 53, 65 and 47 % are none of 22, and every rate of the column is one of 17.
    ("rt1_table_2", "backgrounds"),
    ("rt1_table_7", "backgrounds"),
    ("rt1_table_13", "backgrounds"),
}
AVERAGES = [(table, name, average) for table in TABLES.values() for name, average in table.averages.items()]


def cell(table: str, row: str, column: str) -> float:
    (found,) = (f for f in figures(TABLES[table]) if (f.row, f.column) == (row, column))
    return found.cell.value


# The data -------------------------------------------------------------------------------------------


def test_all_tables_are_there_in_full():
    assert {name: (len(table.rows), len(table.columns)) for name, table in TABLES.items()} == SIZES


def test_the_skills_of_rt_1_sum_to_744_instructions():
    *skills, total = figures(TABLES["rt1_table_1"])
    assert sum(skill.cell.value for skill in skills) == total.cell.value == 744


@pytest.mark.parametrize(("table", "name", "average"), AVERAGES, ids=lambda value: str(value)[:40])
def test_averages_are_those_of_their_parts_to_a_point(table, name, average):
    weights = average.weights or (1,) * len(average.of)
    for row in table.rows:
        parts = [cell(table.name, row, part) for part in average.of]
        mean = sum(w * p for w, p in zip(weights, parts, strict=True)) / sum(weights)
        assert abs(mean - cell(table.name, row, name)) <= 1, row


def test_the_levels_of_table_3_do_not_average_with_equal_weights():
    assert not math.isclose((63 + 75 + 38) / 3, cell("rt1_table_3", "BC-Z XL", "all"), abs_tol=1)


def test_rates_are_whole_numbers_of_their_trials():
    wrong = {
        (f.entry.name, f.column)
        for f in FIGURES
        if f.about.trials and f.cell and abs(round(f.cell.value * f.about.trials / 100) * 100 / f.about.trials
                                             - f.cell.value) > 0.51
    }  # fmt: skip
    assert wrong == NOT_OF_THEIR_TRIALS


def test_what_two_tables_of_a_paper_both_have_is_the_same():
    for column in ("seen", "unseen", "distractors", "backgrounds"):
        assert cell("rt1_table_2", "RT-1", column) == cell("rt1_table_7", "RT-1", column)
        for row in TABLES["rt1_table_2"].rows:
            assert cell("rt1_table_2", row, column) == cell("rt1_table_13", row, column)


def test_where_a_paper_differs_from_itself_both_numbers_are_told():
    (last,) = [f for f in figures(TABLES["rt2_table_6"]) if f.row == "RT-2-PaLI-X-55B, co-fine-tuned"]
    assert (last.cell.value, cell("rt2_table_4", "RT-2-PaLI-X-55B", "average")) == (63, 62)
    assert "62" in last.note
    unseen = next(f for f in figures(TABLES["rt1_table_2"]) if f.column == "unseen")
    assert all(number in unseen.note for number in ("21", "53"))
    smaller = next(f for f in figures(TABLES["rt1_table_13"]) if f.row == "RT-1, smaller")
    assert all(number in smaller.note for number in ("21", "25"))


def test_a_figure_says_where_it_comes_from():
    for figure in FIGURES:
        told = figure.as_dict()
        assert told["label"] in LABELS.values()
        assert told["version"] == VERSIONS[figure.entry.paper]
        assert all(told[key] for key in ("paper", "table", "evaluation", "row", "column", "says", "unit")), (
            told
        )
        assert figure.cell is not None or figure.note, told
        assert figure.unit != "%" or figure.cell is None or 0 <= figure.cell.value <= 100, told


def test_seen_rates_of_the_two_papers_are_never_of_one_evaluation():
    found = {(f.entry.evaluation, f.cell.value) for f in FIGURES if (f.row, f.column) == ("RT-1", "seen")}
    assert sorted(value for _, value in found) == [92, 97]
    assert len({evaluation for evaluation, _ in found}) == 2


def test_contradictions_keep_the_papers_figure():
    found = {(f.entry.name, f.row, f.column): f for f in FIGURES if f.disagrees}
    for key, value, other in (
        (("rt2_table_4", "RT-2-PaLI-X-55B", "seen"), 91, "93"),
        (("rt2_table_4", "RT-2-PaLM-E-12B", "seen"), 93, "90"),
        (("rt2_table_4", "RT-1", "average"), 32, "76"),
        (("rt2_table_4", "RT-2-PaLI-X-55B", "average"), 62, "89"),
        (("rt2_table_4", "RT-2-PaLM-E-12B", "average"), 62, "93"),
        (("rt2_table_5", "RT-1", "symbols"), 16, "0"),
        (("rt2_table_5", "RT-2-PaLI-X-55B", "symbols"), 82, "67"),
        (("rt2_table_5", "RT-2-PaLM-E-12B", "symbols"), 36, "84"),
    ):
        assert found[key].cell.value == value
        assert re.search(rf"\b{other}\b", found[key].disagrees)
    assert found["rt2_control_rates", "RT-2-PaLM-E-12B", "control"].cell is None


# Counterparts ---------------------------------------------------------------------------------------


def test_every_counterpart_is_an_axis_that_there_is():
    ours = {f"{suite.split}/{axis}" for suite in BUNDLED.suites().values() for axis in suite.axes}
    theirs = {axis for figure in FIGURES for axis in figure.about.axes}
    assert theirs <= ours


def test_only_success_rates_of_real_robots_stand_beside_ours():
    for figure in FIGURES:
        if figure.about.axes:
            assert (figure.unit, figure.entry.robot) == ("%", "real")


def test_rows_are_those_of_one_axis():
    found = {(f.entry.paper, f.row): f.cell.value for f in rows(split="seen", axis="seen")}
    assert found["rt1", "RT-1"] == 97
    assert found["rt2", "RT-1"] == 92
    assert len(found) == 10
    assert rows(split="seen", axis="no_such_axis") == ()
    assert rows(split="novel", axis="seen_camera") == ()


def test_a_table_stands_beside_the_axes_that_it_has():
    found = beside(["seen/seen", "nothing/here"])
    assert [(table.name, pairs) for table, pairs in found] == [
        ("rt1_table_2", (("seen/seen", "seen"),)),
        ("rt2_table_4", (("seen/seen", "seen"),)),
    ]
    assert beside([]) == ()


def run(axes: dict[tuple[str, str], list[bool]], policy: str = "a_policy_with_a_long_name") -> Run:
    """A run with these ends of episodes by split and axis."""
    records = []
    for (split, axis), ends in axes.items():
        for seed, end in enumerate(ends):
            drawn = Episode("s", split, axis, "pick", "t", "k", (), "pick coke can", "en", seed, "", 9)
            outcome = Outcome(end, end, end, 3, "on_time", float(end), {})
            records.append(Record(drawn, "rtbench", outcome, times=Times(1.0, (1.0,), (1.0,), (1.0,))))
    return Run(Path("nowhere"), synthetic.metadata(policy, "s", len(records)), tuple(records))


def printed(tables) -> list[str]:
    said = io.StringIO()
    terminal = Console(file=said, width=80, color_system=None)
    for table in tables:
        terminal.print(table)
    return said.getvalue().splitlines()


def test_published_rates_stand_beside_a_runs_own_one_table_an_evaluation():
    played = run({("seen", "seen"): [True, True, False, True], ("seen", "mine"): [False]})
    first, second = (" ".join(" ".join(printed([table])).split()) for table in comparisons(played))
    assert re.search(r" seen +4 +75.0 +65 +72 +56 +97 ", first)
    assert re.search(r" seen +4 +75.0 +45 +63 +92 +75 +91 +93 ", second)
    for text in (first, second):
        assert "published, real robot, another task set" in text
        assert " mine " not in text
    assert "RT-1 paper's own trials" in first


def test_a_comparison_fits_a_terminal_whatever_is_played():
    axes = {tuple(axis.split("/", 1)) for figure in FIGURES for axis in figure.about.axes}
    tables = comparisons(run(dict.fromkeys(sorted(axes), [True] * 1000)))
    assert len(tables) == len({f.entry.name for f in FIGURES if f.about.axes})
    lines = printed(tables)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("policy", ["rt1", "a_policy_with_a_long_name", "visuomotor-diffusion", "x" * 70])
def test_a_policys_name_is_never_broken_inside(policy):
    played = run({("seen", "seen"): [True]}, policy)
    for table in comparisons(played):
        lines = printed([table])
        assert max(map(len, lines)) <= 80
        assert any(policy in line for line in lines)


def test_nothing_stands_beside_axes_of_ones_own():
    assert comparisons(run({("novel", "mine"): [True]})) == []


# Texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Cell(value=97), "97 %"),
        (Cell(value=74, spread=13), "74 +- 13 %"),
        (Cell(value=1, high=3), "1 to 3 %"),
        (Cell(value=3, bound="at_least"), "at least 3 %"),
        (Cell(value=13.5), "13.5 %"),
        (None, "-"),
    ],
)
def test_a_figure_as_text(given, text):
    assert str(Figure(TABLES["rt1_table_2"], "RT-1", "seen", given)) == text


def test_notes_of_a_cell_come_before_those_of_its_row_column_and_table():
    table = TABLES["rt1_table_2"].model_copy(
        update={"notes": {"*/*": "4", "*/seen": "3", "RT-1/*": "2", "RT-1/seen": "1"}, "note": "5"}
    )
    assert Figure(table, "RT-1", "seen", None).note == "1 2 3 4 5"
    assert Figure(table, "Gato", "seen", None).note == "3 4 5"


TABLE = """
mine:
  paper: rt1
  table: Table 9
  title: t
  evaluation: e
  unit: "%"
  columns: {{a: {{says: a{column}}}, b: {{says: b}}}}
  rows: {{x: {cells}}}
  {extra}
"""


@pytest.mark.parametrize(
    ("column", "cells", "extra", "sentence"),
    [
        ("", "[1]", "", "row 'x' has 1 cells for 2 columns"),
        ("", "[1, 2]", "notes: {x/c: n}", "note 'x/c' is of no cell"),
        ("", "[1, 2]", "disagrees: {y/a: n}", "note 'y/a' is of no cell"),
        ("", "[1, 2]", "averages: {a: {of: [b, c]}}", "'c' is no column"),
        ("", "[1, 2]", "averages: {a: {of: [b, b], weights: [1]}}", "not as many weights"),
        (", axes: [seen/seen]", "[1, 2]", "", "no counterpart without a reason"),
        (", axes: [seen], because: r", "[1, 2]", "", "'seen' is not of the form SPLIT/AXIS"),
        ("", "[1, 2]", "models: [y]", "models: 'y' is no row"),
        ("", "[1, 2]", "robot: imagined", "'real' or 'simulated'"),
        ("", "[1, 2]", "tabel: x", "unknown key 'tabel'. Did you mean 'table'"),
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(column, cells, extra, sentence, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(TABLE.format(column=column, cells=cells, extra=extra))
    with pytest.raises(ContentError) as told:
        read_file(path, PublishedTable)
    assert sentence in str(told.value)
    assert f"{path}: mine" in str(told.value)


# Commands -------------------------------------------------------------------------------------------


def test_published_figures_are_listed_with_their_label():
    said = rtbench("ls", "published", "--paper", "rt2")
    assert len(said.out.splitlines()) == sum(f.entry.paper == "rt2" for f in FIGURES)
    assert "RT-2 paper, Table 4\tRT-1\tseen\t92 %" in said.out.splitlines()
    for label in LABELS.values():
        assert label in said.err
    assert all("RT-1 paper" not in text for text in (said.out, said.err))


def test_published_figures_are_json_for_programs():
    found = json.loads(rtbench("ls", "published", "--json").out)
    assert len(found) == len(FIGURES)
    assert {row["paper"] for row in found} == set(PAPERS.values())


def test_an_unknown_paper_is_told():
    said = rtbench("ls", "published", "--paper", "rt3")
    assert said.code == 2
    assert "unknown paper 'rt3'. Did you mean 'rt" in said.err


def test_a_run_is_shown_with_published_figures_beside_it(tmp_path):
    played = play(tmp_path, [episode(seed) for seed in range(2)], workers=1)
    said, plain = (rtbench("show", played.path, *option) for option in (["--published"], []))
    assert said.code == plain.code == 0
    assert said.out.startswith(plain.out)
    beside_it = said.out.removeprefix(plain.out)
    assert [line.split(":")[0] for line in beside_it.splitlines() if "paper, Table" in line] == [
        "RT-1 paper, Table 2", "RT-2 paper, Table 4",
    ]  # fmt: skip
    assert width(beside_it) <= 80


def test_only_a_run_has_published_figures_beside_it():
    said = rtbench("show", "noop", "--published")
    assert said.code == 2
    assert "noop is no run" in said.err
    assert width(said.out) == 0
