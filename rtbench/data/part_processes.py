"""Processes that make the parts of a file side by side, and end with the process that waits for them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")


def make_parts(
    make: Callable[[Part], Made], parts: Sequence[Part], workers: int, died: Exception
) -> Iterator[Made]:
    """What is made of each part, as it is done.

    Args:
        make: Makes a part; a function of a module, or a partial of one, since it is sent to processes.
        parts: What is made, each sent to a process.
        workers: Processes at most.
        died: Raised where one of them was killed.
    """
    # A GL context does not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(parts)), context, initializer=_begin)
    try:
        jobs = [pool.submit(make, part) for part in parts]
        for job in as_completed(jobs):
            yield job.result()
    except BrokenProcessPool:
        raise died from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that waits, and end with it.

    A process of the pool waits for its next job at a pipe that the others hold open as well, so that it would
    wait for ever once the command was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
