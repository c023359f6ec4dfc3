"""Runs that are cut off: killed, interrupted, or left without room on the disk. What is there stays whole."""

import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import rtbench
from rtbench.core.errors import Exit
from rtbench.result.run import load_run
from tests.helpers.runs import FACTORY, FAKE, POLICIES, Listener, episodes, essence, play


def dead(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def script(tmp_path, body, variant="slow:0.01"):
    """A program that runs 16 episodes with two workers; without a guard, as users write them."""
    path = tmp_path / "run.py"
    path.write_text(
        textwrap.dedent(f"""
        import signal
        import sys
        from rtbench.evaluation.evaluate import Options, evaluate
        from rtbench.core.importing import load_object
        from rtbench.evaluation.plan import Limits
        from rtbench.core.errors import RunError
        # What a shell starts in the background ignores Ctrl-C, and so would the tests that it runs.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        chosen = load_object({f"{FAKE}:episodes"!r})(16, variant={variant!r})
        options = Options(factory={FACTORY!r}, limits=Limits(error_share=1.0))
        def go():
            return evaluate({f"{POLICIES}:Pusher"!r}, chosen, out=sys.argv[1], workers=2, options=options)
    """)
        + textwrap.dedent(body)
    )
    return path


def start(path, out):
    environment = {**os.environ, "PYTHONPATH": str(Path(rtbench.__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, str(path), str(out)], env=environment, cwd=path.parent, start_new_session=True,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def await_lines(out, count, process):
    """Wait until so many records are there; gives the file."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        files = list(Path(out).rglob("episodes.jsonl"))
        if files and files[0].read_bytes().count(b"\n") >= count:
            return files[0]
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    raise AssertionError("no records came")


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def assert_die(pids):
    deadline = time.monotonic() + 5
    while not all(map(dead, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert all(map(dead, pids)), "orphans"


def test_a_worker_in_a_hung_simulator_does_not_outlive_the_run(tmp_path):
    process = start(script(tmp_path, "go()", "hang_beside"), tmp_path / "out")
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("hung-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = children(process.pid)
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert_die(workers)


def test_workers_that_were_stopped_do_not_outlive_the_run(tmp_path):
    process = start(script(tmp_path, "go()"), tmp_path / "out")
    await_lines(tmp_path / "out", 1, process)
    workers = children(process.pid)
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert_die(workers)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return essence(play(tmp_path_factory.mktemp("whole"), episodes(16, variant="slow:0.01"), workers=2))


@pytest.mark.parametrize("lines", [0, 5])
def test_a_run_killed_at_any_point_is_finished_by_the_same_command(tmp_path, uninterrupted, lines):
    path = script(tmp_path, "go()")
    process = start(path, tmp_path / "out")
    file = await_lines(tmp_path / "out", lines, process)
    workers = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert_die(workers)
    assert lines == 0 or len(workers) == 2
    before = file.read_bytes()
    second = start(path, tmp_path / "out")
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 0, errors
    run = load_run(file.parent)
    assert essence(run) == uninterrupted
    assert run.notes == ()
    assert file.read_bytes().startswith(before), "earlier records were touched"
    assert len(run.meta.sessions) == 2 if lines else True
    assert run.summary.complete


def test_a_record_cut_off_by_the_kill_is_repaired_on_resume(tmp_path):
    whole = play(tmp_path, episodes(6))
    file = whole.path / "episodes.jsonl"
    expected = essence(whole)
    file.write_bytes(file.read_bytes()[:-200])
    listener = Listener()
    run = play(tmp_path, episodes(6), reporter=listener)
    assert "cut off" in listener.said[0]
    assert listener.begun == (6, 5)
    assert len(listener.seen) == 1
    assert essence(run) == expected
    assert (run.path / "episodes.jsonl.cut").exists()


@pytest.mark.parametrize(
    ("number", "times", "code", "word"),
    [
        (signal.SIGINT, 1, Exit.INTERRUPTED, "interrupted"),
        (signal.SIGINT, 3, Exit.INTERRUPTED, "interrupted"),
        (signal.SIGTERM, 1, Exit.TERMINATED, "stopped by SIGTERM"),
    ],
)
def test_a_signal_ends_with_its_code_a_summary_and_whole_records(
    tmp_path, uninterrupted, number, times, code, word
):
    body = """
        try:
            go()
        except RunError as error:
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)
    """
    process = start(script(tmp_path, body), tmp_path / "out")
    file = await_lines(tmp_path / "out", 3, process)
    workers = children(process.pid)
    # Ctrl-C reaches the whole group; SLURM tells the first process alone.
    for _ in range(times):
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        time.sleep(0.01)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert re.fullmatch(rf"{word} after \d+ of 16 episodes; the same command continues the run.\n", errors)
    assert all(map(dead, workers))
    run = load_run(file.parent)
    assert 3 <= len(run.records) < 16
    assert essence(run).items() <= uninterrupted.items()
    assert (file.parent / "summary.json").exists()


def test_a_disk_that_fills_up_keeps_earlier_records(tmp_path, uninterrupted):
    body = """
        import os, resource
        # Python does not see that bytecode was cut off, and other tests could not import it.
        sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        try:
            go()
        except RunError as error:
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)
    """
    process = start(script(tmp_path, body), tmp_path / "out")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == Exit.USAGE
    assert "File too large. Earlier records are intact. Free some space" in errors
    assert "Traceback" not in errors
    (file,) = (tmp_path / "out").rglob("episodes.jsonl")
    run = load_run(file.parent)
    assert run.notes == ()
    assert 1 <= len(run.records) < 16
    assert essence(run).items() <= uninterrupted.items()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 5000
