"""The process of a command: exit codes are verdicts, whatever happens to its streams."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtbench.core.errors import Exit
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.paths import HELPERS, ROOT

INTERRUPTED = "error: interrupted.\n"


def command(*arguments, cwd=ROOT, **environment):
    """The command line as a process of its own, with Ctrl-C as on a terminal."""
    return {
        "args": [sys.executable, "-m", "rtbench", *map(str, arguments)],
        "env": {**os.environ, "PYTHONPATH": str(ROOT), **environment},
        "cwd": cwd,
        # What a shell starts in the background ignores Ctrl-C, and so would the tests that it runs.
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    }


def ran(line, **streams):
    return subprocess.run(**line, check=False, **streams)


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """Arguments of a gate whose verdict is a regression."""
    folder = tmp_path_factory.mktemp("gate")
    episodes = [synthetic.episode(i) for i in range(40)]
    runs = [
        synthetic.write(folder / name, [synthetic.record(e, success=good) for e in episodes], name)
        for name, good in (("good", True), ("bad", False))
    ]
    return ["gate", runs[1], "--baseline", runs[0]]


def test_the_gate_of_these_tests_finds_a_regression(regression):
    done = ran(command(*regression), capture_output=True, text=True)
    assert done.returncode == Exit.REGRESSION, done.stderr


def test_a_pipe_that_nobody_reads_ends_quietly_with_the_shells_code(regression):
    read, write = os.pipe()
    os.close(read)
    done = ran(command(*regression), stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, "")


def test_a_full_output_is_told_and_no_verdict(regression):
    with Path("/dev/full").open("w") as full:
        done = ran(command(*regression), stdout=full, stderr=subprocess.PIPE, text=True)
        version = ran(command("--version"), stdout=full, stderr=subprocess.PIPE, text=True)
    said = "error: standard output cannot be written: No space left on device.\n"
    assert (done.returncode, done.stderr) == (Exit.OUTPUT, said)
    assert (version.returncode, version.stderr) == (Exit.OUTPUT, said)


def test_closed_streams_leave_the_verdict(regression):
    command_line = command(*regression)
    command_line["args"] = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command_line["args"]]
    assert ran(command_line).returncode == Exit.REGRESSION
    with Path("/dev/full").open("w") as full:
        wrong = ran(command("gate", "nothing", "--baseline", "nothing"), stderr=full)
    assert wrong.returncode == Exit.USAGE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_a_sign_gets_its_escape(encoding, tmp_path):
    folder = synthetic.write(
        tmp_path, [synthetic.record(synthetic.episode(0, instruction="집어"), success=True)]
    )
    done = ran(
        command("show", f"{folder}:", "--out", folder.parent, PYTHONIOENCODING=encoding),
        capture_output=True,
    )
    listed = ran(command("show", folder, "--json", PYTHONIOENCODING=encoding), capture_output=True)
    for one in (done, listed):
        assert one.returncode in {Exit.OK, Exit.USAGE}, one.stderr.decode()
        assert b"Traceback" not in one.stderr


SLEEPER = """
import time
class Sleeper:
    def __init__(self):
        open("started", "w").close()
        time.sleep(60)
"""


def interrupted(process, times=1):
    for _ in range(times):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.02)
    return process.communicate(timeout=60)


SCRIPT = """
import sys
import rtbench
print("go", flush=True)
from rtbench.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(("after_s", "times"), [(0, 1), (0.05, 1), (0.2, 3), (0.6, 1)])
def test_ctrl_c_in_the_first_second_is_one_sentence(after_s, times, tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    # As pip installs it. Before its first line, Python itself starts, and no code of ours can answer.
    (tmp_path / "rtbench").write_text(SCRIPT)
    line = command("run", "--policy", "./sleeper.py:Sleeper", "--suite", "seen", "--limit", 1, cwd=tmp_path)
    line["args"][1:3] = [str(tmp_path / "rtbench")]
    with subprocess.Popen(**line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "go\n"
        time.sleep(after_s)
        _, errors = interrupted(process, times)
    assert (process.returncode, errors) == (Exit.INTERRUPTED, INTERRUPTED)


@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_is_one_sentence_however_often_it_is_pressed(times, tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    line = command("run", "--policy", "./sleeper.py:Sleeper", "--suite", "seen", "--limit", 1, cwd=tmp_path)
    with subprocess.Popen(**line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        _, errors = interrupted(process, times)
    assert (process.returncode, errors) == (Exit.INTERRUPTED, INTERRUPTED)


CLOSES = f"""
import os, sys
sys.path.insert(0, {str(HELPERS.parent.parent)!r})
from rtbench.policy.baselines import NoopPolicy
class Closes(NoopPolicy):
    fingerprint = "closes"
    def act(self, observations, slots):
        sys.stdout.close()
        os.close(1) if not os.path.exists("closed") else None
        open("closed", "w").close()
        return super().act(observations, slots)
"""


@pytest.mark.slow
def test_a_policy_that_closes_stdout_does_not_silence_the_result(tmp_path):
    (tmp_path / "closes.py").write_text(CLOSES)
    done = ran(
        command(
            "run",
            "--policy",
            "./closes.py:Closes",
            "--suite",
            "seen",
            "--limit",
            1,
            "--jobs",
            1,
            cwd=tmp_path,
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == Exit.OK, done.stderr
    assert "results: " in done.stdout


def test_a_name_that_is_not_utf8_is_no_crash(tmp_path):
    folder = os.fsencode(tmp_path) + b"/runs\xff"
    Path(os.fsdecode(folder)).mkdir()
    for arguments in (["ls", "runs", "--out"], ["show", "nothing", "--out"]):
        line = command(*arguments)
        line["args"].append(folder)
        done = ran(line, capture_output=True)
        assert b"Traceback" not in done.stderr
        assert done.returncode in {Exit.OK, Exit.USAGE}
