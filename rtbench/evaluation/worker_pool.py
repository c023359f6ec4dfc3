"""The main process's side of its workers: starting, hearing, burying."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Literal

from rtbench.core.episode import Episode, Observation
from rtbench.env.gl import DEVICE
from rtbench.evaluation.messages import FromWorker, Hello, ToWorker, Wire

# First of all, to die with the parent: a worker that was stopped cannot look whether it still lives. Linux
# sends the signal when the thread ends that started the worker, which is the one that waits for it here.
# Then the parent's path: a worker must import the very rtbench, and the user's modules, that we did.
_BOOT = (
    "import ctypes, json, os, signal, sys; "
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL); "  # PR_SET_PDEATHSIG
    "os.getppid() == int(sys.argv[2]) or os._exit(1); "
    "sys.path[:] = json.loads(sys.argv[3]); "
    "from rtbench.evaluation.worker import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
HALF_MESSAGE_S = 20
"""How long a worker may stop in the middle of a message [s]: one that was stopped there is dead to us."""
BACK_OFF_S = (0.1, 1.6)
"""Wait after a worker that died while it started [s], doubled with each in a row up to the second value."""
SPARE_DESCRIPTORS = 12
"""File descriptors that are left for files, modules that are imported late, and ffmpeg."""
PER_WORKER = 2
"""File descriptors of a worker: its connection, and the file of what it prints."""
LEAVE_S = 3.0
"""How long workers may take to close their environments before they are killed [s]."""
OUTPUT_TAIL = 4000
"""Characters of a dead worker's output that are kept."""


@dataclass
class Job:
    """An episode on its way through the workers."""

    episode: Episode
    """The episode."""
    number: int
    """Its place in the list, from 0."""
    deaths: int = 0
    """Workers that died while playing it."""
    losses: int = 0
    """Times that the policy's server was lost while it was played."""
    alone: bool = False
    """Decide for it in batches of its own, because a batch it was in failed as a whole."""
    withdrawn: bool = False
    """Given up; what its worker still says of it does not count."""


class Worker:
    """A worker process as the main process sees it."""

    def __init__(self, slot: int, hello: Hello, environ: Mapping[str, str] | None = None) -> None:
        """Start it, with other environment variables if given; it answers `Ready` or `Broken`."""
        self.slot = slot
        self.state: Literal["starting", "idle", "playing", "asking"] = "starting"
        self.job: Job | None = None
        self.question: Observation | None = None
        self.heard = time.monotonic()
        with ExitStack() as undo:
            self._output: IO[bytes] = undo.enter_context(tempfile.TemporaryFile())
            ours, theirs = map(undo.enter_context, socket.socketpair())
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", HALF_MESSAGE_S, 0))
            arguments = [str(theirs.fileno()), str(os.getpid()), json.dumps(sys.path)]
            # -P: before the path is set, no file of the working directory is taken for a module of Python's.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env=environ,
            )
            undo.pop_all()
        theirs.close()
        self.wire: Wire = Connection(ours.detach())
        self.send(hello)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: ToWorker | Hello) -> None:
        """Tell it something; a worker that is dead is noticed when it is next heard."""
        try:
            self.wire.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return

    def hear(self) -> FromWorker | None:
        """Its next message, or None when it is dead."""
        self.heard = time.monotonic()
        try:
            message: FromWorker = self.wire.recv()
        except (EOFError, OSError):
            return None
        return message

    def touch(self) -> None:
        """Begin to count its silence anew, for it has just been given something to do."""
        self.heard = time.monotonic()

    def silent_s(self) -> float:
        """Seconds since it was last heard."""
        return time.monotonic() - self.heard

    def exit_reason(self) -> str:
        """How it died, once it has."""
        try:
            code = self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            return "the worker hung"
        if code >= 0:
            return f"the worker left with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = "; perhaps memory ran out" if -code == signal.SIGKILL else ""
        return f"the worker was killed by {name}{hint}"

    def output_tail(self) -> str:
        """The end of what it wrote to stdout and stderr."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - OUTPUT_TAIL))
        return self._output.read().decode(errors="replace").strip()

    def kill(self) -> None:
        """End it at once, and free what belongs to it."""
        self._process.kill()
        self._process.wait()
        self.wire.close()
        self._output.close()

    def leave(self, deadline: float) -> None:
        """Wait for it to go until `deadline` [s, monotonic], then end it."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()


def surroundings(slot: int, devices: Sequence[str]) -> dict[str, str]:
    """Environment variables of the worker in a slot, which draws on one of these devices."""
    chosen = {DEVICE: devices[slot % len(devices)]} if devices else {}
    return {**os.environ, **chosen}


def workers_possible(wanted: int) -> int:
    """As many workers as are wanted, or fewer, at least one, where file descriptors are scarce.

    Raises this process's soft limit where the hard one allows more.
    """
    here = sum(1 for _ in Path("/proc/self/fd").iterdir())
    needed = here + SPARE_DESCRIPTORS + PER_WORKER * wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (soft - here - SPARE_DESCRIPTORS) // PER_WORKER))


class WorkerPool:
    """All workers of a run, by slot."""

    def __init__(self, hello: Hello, devices: Sequence[str] = ()) -> None:
        """Note what workers are told, and the cards that they draw on in turn; none is started yet."""
        self._hello = hello
        self._devices = devices
        self.workers: dict[int, Worker] = {}
        self.failed_starts = 0
        """Workers in a row that did not come so far as to play."""
        self._start_from = -math.inf

    @property
    def may_start(self) -> bool:
        """Whether a worker may be started now; after failures only when some time has passed."""
        return time.monotonic() >= self._start_from

    def start(self, slot: int) -> Worker:
        """Start a worker in that slot.

        Raises:
            OSError: it cannot be started: no memory, too many processes, no file descriptor.
        """
        self.workers[slot] = Worker(slot, self._hello, surroundings(slot, self._devices))
        return self.workers[slot]

    def note_start(self, *, good: bool) -> None:
        """Count a worker that is ready, or one that died while it started."""
        self.failed_starts = 0 if good else self.failed_starts + 1
        if good:
            self._start_from = -math.inf
        else:
            least, most = BACK_OFF_S
            self._start_from = time.monotonic() + min(most, least * 2 ** (self.failed_starts - 1))

    def ready(self, timeout_s: float) -> list[Worker]:
        """Workers with something to say, or that died; waits up to `timeout_s` for the first."""
        wires = {id(worker.wire): worker for worker in self.workers.values()}
        heard = wait([worker.wire for worker in self.workers.values()], timeout_s)
        return [wires[id(wire)] for wire in heard]

    def discard(self, worker: Worker) -> None:
        """Take a dead or hung worker out."""
        worker.kill()
        del self.workers[worker.slot]

    def close(self) -> None:
        """Send the idle home and end those in the middle of an episode."""
        for worker in self.workers.values():
            if worker.state == "idle":
                worker.send(None)
            else:
                worker.kill()
        deadline = time.monotonic() + LEAVE_S
        for worker in self.workers.values():
            worker.leave(deadline)
        self.workers.clear()
