"""The main process's side of its workers: starting, hearing, burying."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import IO, Literal

from rtbench.core.episode import Episode, Observation
from rtbench.evaluation.messages import FromWorker, Hello, ToWorker, Wire

# The parent's path first: a worker must import the very rtbench, and the user's modules, that we did.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from rtbench.evaluation.worker import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
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
    alone: bool = False
    """Decide for it in batches of its own, because a batch it was in failed as a whole."""
    withdrawn: bool = False
    """Given up; what its worker still says of it does not count."""


class Worker:
    """A worker process as the main process sees it."""

    def __init__(self, slot: int, hello: Hello) -> None:
        """Start it; it answers `Ready` or `Broken` when its environment stands."""
        self.slot = slot
        self.state: Literal["starting", "idle", "playing", "asking"] = "starting"
        self.job: Job | None = None
        self.question: Observation | None = None
        self.heard = time.monotonic()
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid()), json.dumps(sys.path)]
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
            )
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
            return "the worker closed its connection and hung"
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

    def leave(self, deadline: float) -> None:
        """Wait for it to go until `deadline` [s, monotonic], then end it."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()
            self._output.close()


class WorkerPool:
    """All workers of a run, by slot."""

    def __init__(self, hello: Hello) -> None:
        """Note what workers are told; none is started yet."""
        self._hello = hello
        self.workers: dict[int, Worker] = {}

    def start(self, slot: int) -> Worker:
        """Start a worker in that slot, in place of the one before."""
        self.workers[slot] = Worker(slot, self._hello)
        return self.workers[slot]

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
