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


def test_plain_lines_come_every_few_seconds_and_at_the_end(monkeypatch):
    lines = shown(terminal=False, monkeypatch=monkeypatch).splitlines()
    assert lines[0] == "continuing: 4 of 20 episodes are done"
    assert lines[1] == "6/20 episodes, 2 of 2 succeeded, 20.0 a minute, 0:42 left"
    assert lines[-2] == "a worker was killed [9]"
    assert lines[-1] == "8/20 episodes, 2 of 4 succeeded, 1 error, 20.0 a minute, 0:36 left"
    assert len(lines) == 5


def test_a_terminal_gets_a_bar(monkeypatch):
    text = shown(terminal=True, monkeypatch=monkeypatch)
    assert "8/20" in text
    assert "━" in text
    assert "2 of 4 succeeded, 1 error" in text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (85.4, "1:25"), (7380, "2:03:00"), (-3, "0:00")])
def test_a_time_left_is_read_at_a_glance(seconds, text):
    assert clock(seconds) == text
