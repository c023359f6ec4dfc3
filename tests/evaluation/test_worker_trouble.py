"""Workers and run folders in trouble: the run goes on, or stops with a sentence at the next record."""

import errno
import os
import resource
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rtbench.core.action import RTBENCH
from rtbench.core.errors import Exit, RunError
from rtbench.core.fault import MOST_MESSAGE, Fault
from rtbench.evaluation import worker_pool
from rtbench.evaluation.ending import NoWorkersError
from rtbench.evaluation.plan import Limits
from rtbench.policy.check import check_tokens
from rtbench.result.run import load_run
from tests.helpers.runs import FAKE, Listener, by_seed, episode, episodes, essence, play


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return essence(play(tmp_path_factory.mktemp("whole"), episodes(6), "Watcher"))


def factory(folder, body):
    """A factory of the toy environment whose `make` does something else first."""
    path = folder / "factory.py"
    path.write_text(f"""
import os, signal
from pathlib import Path
from rtbench.core.importing import load_object
HERE = Path(__file__).parent
def make(settings):
    {body}
    return load_object({f"{FAKE}:make"!r})(settings)
""")
    return f"{path}:make"


DIES = """
    (HERE / f"try-{os.getpid()}").touch()
    if len(list(HERE.glob("try-*"))) in range(2, 7):
        os.kill(os.getpid(), signal.SIGKILL)
"""
RAISES = DIES.replace("os.kill(os.getpid(), signal.SIGKILL)", "raise OSError('no memory')")


@pytest.mark.parametrize("body", [DIES, RAISES], ids=["dies", "raises"])
def test_starts_that_fail_in_the_middle_of_a_run_do_not_end_it(tmp_path, uninterrupted, body):
    listener, killed = Listener(), tmp_path / "killed"
    chosen = [episode(0, variant=f"die_once:{killed}"), *episodes(6)[1:]]
    run = play(tmp_path, chosen, workers=1, factory=factory(tmp_path, body), reporter=listener)
    assert killed.exists()
    assert all(record.outcome for record in run.records)
    told = Counter("another one is started" in text for text in listener.said)
    assert told[True] == 5
    assert {key: found for key, found in essence(run).items() if key in uninterrupted} == {
        e.key: uninterrupted[e.key] for e in chosen[1:]
    }


def test_workers_that_never_start_end_the_run_with_a_code_of_its_own(tmp_path):
    with pytest.raises(
        NoWorkersError, match=r"GL said no|SIGKILL.*3 times in a row; the same command"
    ) as error:
        play(tmp_path, episodes(3), factory=f"{FAKE}:make_dying", limits=Limits(failed_starts=3))
    assert error.value.exit_code == Exit.NO_WORKERS
    assert play(tmp_path, episodes(3)).summary.complete


def test_an_episode_whose_workers_died_is_played_again_by_the_same_command(tmp_path):
    flag = tmp_path / "dies"
    flag.touch()
    chosen = [episode(0, variant=f"die_while:{flag}"), episode(1)]
    assert by_seed(play(tmp_path / "runs", chosen, workers=1))[0].error.kind == "worker_died"
    flag.unlink()
    assert by_seed(play(tmp_path / "runs", chosen, workers=1))[0].outcome.end


HALF = """
    from multiprocessing.connection import Connection
    whole = Connection._send
    def half(self, data, write=os.write):
        if len(data) > 100_000 and not (HERE / "stopped").exists():
            (HERE / "stopped").touch()
            write(self._handle, bytes(data[:1000]))
            os.kill(os.getpid(), signal.SIGSTOP)
        return whole(self, data, write)
    Connection._send = half
"""


def test_a_worker_that_is_stopped_in_the_middle_of_an_image_costs_nothing(
    tmp_path, uninterrupted, monkeypatch
):
    monkeypatch.setattr(worker_pool, "HALF_MESSAGE_S", 1)
    monkeypatch.setattr(worker_pool, "LEAVE_S", 0.2)
    run = play(tmp_path, episodes(6), "Watcher", factory=factory(tmp_path, HALF))
    assert (tmp_path / "stopped").exists()
    assert essence(run) == uninterrupted


def test_workers_take_no_file_of_the_working_directory_for_a_module_of_pythons(tmp_path, monkeypatch):
    for name in ("json", "ctypes", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemError('not the one')\n")
    monkeypatch.chdir(tmp_path)
    assert play(tmp_path, episodes(1)).summary.complete


@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_is_moved_or_removed_stops_the_run_at_the_next_record(tmp_path, moved):
    class Mover(Listener):
        def episode(self, success):
            super().episode(success)
            (folder,) = (tmp_path / "runs/Pusher/fake").iterdir()
            if len(self.seen) == 3:
                shutil.move(folder, tmp_path / "elsewhere") if moved else shutil.rmtree(folder)

    with pytest.raises(RunError, match=r"moved or removed during the run.*same command continues"):
        play(tmp_path / "runs", episodes(12), workers=1, reporter=Mover())
    assert list((tmp_path / "runs/Pusher/fake").iterdir()) == []
    if moved:
        assert len(load_run(tmp_path / "elsewhere").records) == 4


BAD = {
    0: ("unreadable", "policy_output", "requires grad"),
    1: ("strange here", "policy", "StrangeError: <a StrangeError whose text cannot be had: RuntimeError>"),
    2: ("surrogate here", "policy", r"ValueError: no file \udcff"),
    3: ("long here", "policy", "30000012 characters in all"),
}


@pytest.mark.parametrize("policy", ["Pusher", "Seer"])
def test_a_bad_answer_is_its_episodes_fault_and_the_policys(tmp_path, policy):
    chosen = [episode(i, instruction=BAD[i][0]) if i in BAD else episode(i) for i in range(6)]
    found = by_seed(play(tmp_path, chosen, policy))
    for seed, (_, kind, message) in BAD.items():
        assert found[seed].error.kind == kind
        assert message in found[seed].error.message
        assert len(found[seed].line()) < 100_000
    assert found[4].outcome.end
    assert found[5].outcome.end


def test_a_tensor_that_requires_a_gradient_is_told():
    torch = pytest.importorskip("torch")
    answer = check_tokens(torch.zeros((1, 11), requires_grad=True), 1, RTBENCH)
    assert isinstance(answer, Fault)
    assert (answer.kind, "requires grad" in answer.message) == ("policy_output", True)
    assert check_tokens(torch.full((1, 11), 1), 1, RTBENCH)[0].tolist() == [1] * 11


def test_the_text_of_a_fault_can_always_be_stored():
    fault = Fault("policy", "x" * 10**6 + "\udcff")
    assert MOST_MESSAGE - 2 < len(fault.message) <= MOST_MESSAGE
    assert Fault("policy", fault.message) == fault, "a text that was read back is cut again"
    assert fault.message.encode().endswith(rb"\udcff")
    assert Fault("policy", "집어").message == "집어"


def test_a_complete_run_on_a_read_only_disk_is_shown(tmp_path, monkeypatch):
    play(tmp_path, episodes(3))
    half = play(tmp_path, episodes(5)).path
    lines = (half / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (half / "episodes.jsonl").write_bytes(b"".join(lines[:3]))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    opened = os.open

    def read_only(path, flags, *rest, **more):
        if str(path).startswith(str(tmp_path)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", read_only)
    assert len(play(tmp_path, episodes(3)).records) == 3
    with pytest.raises(RunError, match=r"Read-only file system.*--out"):
        play(tmp_path, episodes(5))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_workers_are_as_many_as_file_descriptors_allow(monkeypatch):
    here = len(list(Path("/proc/self/fd").iterdir()))
    limit = here + worker_pool.SPARE_DESCRIPTORS + 3 * worker_pool.PER_WORKER
    raised = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert worker_pool.workers_possible(8) == 3
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 20))
    assert worker_pool.workers_possible(8) == 1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 4096))
    assert worker_pool.workers_possible(8) == 8
    assert raised[-1][0] <= 4096


def test_rows_of_odd_numbers_are_told():
    assert isinstance(check_tokens(np.full((1, 11), "x"), 1, RTBENCH)[0], Fault)
