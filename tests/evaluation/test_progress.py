"""What a user reads while a run goes on."""

from io import StringIO

import pytest
from rich.console import Console

from rtbench.evaluation import progress
from rtbench.evaluation.progress import Display, clock


def shown(terminal, monkeypatch):
    out = StringIO()
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    console = Console(file=out, force_terminal=terminal, width=100)
    with Display(console) as display:
        display.begin(20, 4)
        for success in (True, True, False, None):
            now[0] += 3.0
            display.episode(success)
        display.say("a worker was killed [9]")
    return out.getvalue()


def test_plain_lines_come_every_few_seconds(monkeypatch):
    lines = shown(terminal=False, monkeypatch=monkeypatch).splitlines()
    assert lines[0] == "continuing: 4 of 20 episodes are done"
    assert lines[1] == "6/20 episodes, 2 of 2 succeeded, 20.0 a minute, 0:42 left"
    assert lines[2] == "8/20 episodes, 2 of 4 succeeded, 1 error, 20.0 a minute, 0:36 left"
    assert lines[3:] == ["a worker was killed [9]"]


def test_a_terminal_gets_a_bar(monkeypatch):
    text = shown(terminal=True, monkeypatch=monkeypatch)
    assert "8/20" in text
    assert "━" in text
    assert "2 of 4 succeeded, 1 error" in text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (85.4, "1:25"), (7380, "2:03:00"), (-3, "0:00")])
def test_a_time_left_is_read_at_a_glance(seconds, text):
    assert clock(seconds) == text


def test_what_no_plain_line_has_told_comes_at_the_end(monkeypatch):
    out, now = StringIO(), [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Display(Console(file=out, force_terminal=False, width=80)) as display:
        display.begin(2, 0)
        now[0] = 1.0
        display.episode(success=True)
    assert out.getvalue().splitlines() == ["1/2 episodes, 1 of 1 succeeded, 1.0 a second, 0:01 left"]


def test_the_last_plain_line_is_printed_once(monkeypatch):
    """The last episode may have had a line of its own; a second one would differ in its time alone."""
    out, now = StringIO(), [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Display(Console(file=out, force_terminal=False, width=80)) as display:
        display.begin(1, 0)
        now[0] = 2 * progress.PLAIN_EVERY_S
        display.episode(success=True)
        now[0] += 1.0
    assert out.getvalue().splitlines() == ["1/1 episodes, 1 of 1 succeeded, 6.0 a minute, 0:00 left"]


def test_a_narrow_terminal_shows_every_number_of_the_bar(monkeypatch):
    out, now = StringIO(), [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Display(Console(file=out, force_terminal=True, width=80, color_system=None)) as display:
        display.begin(1200, 1000)
        for k in range(174):
            now[0] += 2.0
            display.episode(success=None if k == 9 else k % 7 > 0)
    assert "1174/1200" in out.getvalue()
    assert "148 of 174 succeeded, 1 error, 30.0 a minute, 0:52 left" in out.getvalue()
    assert "…" not in out.getvalue()
