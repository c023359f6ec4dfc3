"""Processes that make parts: all parts are made, a death is told, and none outlives a killed command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from rtbench.data.part_processes import make_parts

DIED = RuntimeError("a process died")
WAITS = """
import time
from rtbench.data.part_processes import make_parts
if __name__ == "__main__":
    for _ in make_parts(time.sleep, [0.01, 0.01, 0.01, 300.0], 2, RuntimeError()):
        print("made", flush=True)
"""


def test_every_part_is_made():
    assert sorted(make_parts(abs, [-3, 1, -2], 2, DIED)) == [1, 2, 3]


def test_a_process_that_dies_is_told():
    with pytest.raises(RuntimeError, match="a process died"):
        list(make_parts(os._exit, [1, 1], 2, DIED))


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_no_process_outlives_a_killed_command(tmp_path, kill):
    script = tmp_path / "waits.py"
    script.write_text(WAITS, "utf-8")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        for _ in range(3):
            assert command.stdout.readline() == "made\n"
        # Of the two that make parts, one is in the last part, the other waits for a further one.
        started = psutil.Process(command.pid).children(recursive=True)
        assert len(started) >= 2
        command.send_signal(kill)
    end = time.monotonic() + 30
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in started):
        assert time.monotonic() < end, "a process lasts"
        time.sleep(0.05)
