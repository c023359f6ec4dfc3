"""Widths of columns, and words that are too long for theirs."""

import io

import hypothesis
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from rtbench.cli import console
from rtbench.cli.column_widths import break_words, fit, longest_word, room_for_names


def test_columns_keep_their_width_where_there_is_room():
    assert fit([10, 5], [4, 5], 15) == [10, 5]


def test_the_widest_column_gives_way_and_words_stay_whole():
    assert fit([40, 30, 8], [10, 9, 8], 60) == [26, 26, 8]
    assert fit([40, 9, 8], [39, 9, 8], 56) == [39, 9, 8]


def test_where_no_word_has_room_the_widest_column_is_cut():
    assert fit([40, 9], [40, 9], 30) == [21, 9]


def test_names_of_rows_get_what_other_columns_leave():
    assert room_for_names(["pick", "all episodes"], [5, 5], 30) == (12, 2)
    assert room_for_names(["a" * 17], [5, 5], 30) == (16, 1)
    assert room_for_names([], [5, 5], 30) == (1, 2)


def test_a_long_word_is_broken_after_a_sign():
    assert break_words("bring/green_jalapeno_chip_bag-v0", 23) == "bring/green_jalapeno_\nchip_bag-v0"
    assert break_words("a short text", 5) == "a short text"
    assert break_words("abcdefgh", 3) == "abc\ndef\ngh"


@hypothesis.given(st.text(max_size=40), st.integers(2, 20))
def test_broken_words_fit_and_lose_nothing(text, width):
    broken = break_words(text, width)
    assert longest_word(broken) <= width
    assert "".join(broken.split()) == "".join(text.split())
    assert cell_len(broken) >= 0


def test_a_listing_of_runs_breaks_no_word_on_80_columns(monkeypatch):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80, color_system=None, highlight=False)
    monkeypatch.setattr(console, "console", lambda: terminal)
    columns = {"folder": "run", "done": "episodes", "success": "success %", "errors": "errors"}
    row = {"folder": "/data/results/runs/oracle/seen/069878bc7436", "done": "3/3", "success": 100.0,
           "errors": 0, "started": "2026-11-29 12:52"}  # fmt: skip
    console.print_rows([row], {**columns, "started": "started"}, as_json=False)
    words = shown.getvalue().split()
    assert {row["folder"], "episodes", "errors", "started", "2026-11-29", "12:52"} <= set(words)
    assert max(map(len, shown.getvalue().splitlines())) <= 80
