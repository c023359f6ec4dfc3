"""A replica: one policy and some workers in a process of a cluster, fed by the main process."""

from __future__ import annotations

import platform
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtbench.core.episode import Episode
from rtbench.core.errors import PolicyError, RtbenchError, RunError
from rtbench.evaluation.cluster.messages import Environment, Event, Failed, Order, Played, Said
from rtbench.evaluation.progress import Silent
from rtbench.result.record import Record

WAIT_S = 1.0
"""How long a replica waits for something to tell [s]: an answer without news is a sign of life."""
GATHER_S = 0.25
"""How long it gathers records while more episodes wait with it [s]; an answer costs some 3 ms."""
AT_ONCE_S = 0.01
"""How long it gathers what comes at the same time, where a worker may have nothing to do [s]."""


class EpisodeFeed:
    """Episodes that come from elsewhere while others are played; see `rtbench.evaluation.plan.Feed`."""

    def __init__(self) -> None:
        self.open = True
        """Whether more may come."""
        self._queue: queue.SimpleQueue[tuple[int, Episode]] = queue.SimpleQueue()

    def give(self, episodes: list[tuple[int, Episode]]) -> None:
        """Put episodes in, each with its number."""
        for numbered in episodes:
            self._queue.put(numbered)

    def take(self) -> list[tuple[int, Episode]]:
        """What has come; does not wait."""
        found = []
        while not self._queue.empty():  # one thread takes
            found.append(self._queue.get())
        return found


class Replica:
    """Plays what it is given by `exchange`. One process holds one, and it ends with the process."""

    def __init__(self, order: Order) -> None:
        """Begin to make the policy and the workers; what comes of it is told by `exchange`."""
        self._order = order
        self._held = 0
        """Episodes that were given and not told of."""
        self._feed = EpisodeFeed()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="replica", daemon=True)
        self._thread.start()

    def exchange(self, episodes: list[tuple[int, Episode]]) -> list[Event]:
        """Take episodes to play, and tell what has happened since; waits up to `WAIT_S` for something."""
        self._held += len(episodes)
        self._feed.give(episodes)
        try:
            found = [self._events.get(timeout=WAIT_S)]
        except queue.Empty:
            return []
        began = time.monotonic()
        while True:
            told = sum(isinstance(event, Played) for event in found)
            limit_s = GATHER_S if self._held - told > self._order.workers else AT_ONCE_S
            try:
                found.append(self._events.get(timeout=max(0.0, began + limit_s - time.monotonic())))
            except queue.Empty:
                self._held -= told
                return found

    def close(self) -> None:
        """Take no more; what was given is played."""
        self._feed.open = False
        self._thread.join()

    def _run(self) -> None:
        try:
            self._play()
        except RtbenchError as error:
            self._events.put(Failed(type(error).__name__, f"{platform.node()}: {error}"))
        except BaseException:  # noqa: BLE001 - whatever it is, the main process must hear of it
            self._events.put(Failed("", f"{platform.node()}: {traceback.format_exc()}"))

    def _play(self) -> None:
        order = self._order
        sys.path.extend(entry for entry in order.path if entry not in sys.path)
        from rtbench.evaluation.launch import Launch, play
        from rtbench.evaluation.player import player_of

        _check_code(order)
        player = player_of(order.card)
        _check_policy(order, player.identity)
        with tempfile.TemporaryDirectory(prefix="rtbench-films-") as films:

            def keep(record: Record) -> bool:
                film = None
                if record.video:
                    file = Path(films) / record.video
                    film = file.read_bytes()
                    file.unlink()
                self._events.put(Played(record, film))
                return False

            launch = Launch(
                policy=player.policy, factory=order.factory, env=order.env, videos=Path(films),
                reporter=_Teller(self._events), limits=order.limits, card=player.card,
                identity=player.identity, thread=player.thread, renew=player.renew, draws=order.draws,
                workers=order.workers, latency=order.latency, video=order.video, repeat=order.repeat,
                feed=self._feed, robots=order.robots,
            )  # fmt: skip
            play(launch, (), sink=keep, on_ready=lambda info: self._events.put(Environment(info)))


class _Teller(Silent):
    """Passes on what the user should read."""

    def __init__(self, events: queue.SimpleQueue[Event]) -> None:
        self._events = events

    def say(self, text: str) -> None:
        """Pass it on."""
        self._events.put(Said(text))


def _check_code(order: Order) -> None:
    from rtbench.evaluation.cluster.code import code_of

    here = code_of(order.env.content)
    other = [name for name, value in order.code.items() if here.get(name) != value]
    if other:
        told = ", ".join(f"{name} {here.get(name)} instead of {order.code[name]}" for name in other)
        raise RunError(
            f"another rtbench is installed here: {told}. One run holds one: install the same everywhere, for "
            "example in the image of docker/."
        )


def _check_policy(order: Order, here: Mapping[str, Any]) -> None:
    other = sorted(name for name in {*here, *order.identity} if here.get(name) != order.identity.get(name))
    if other:
        raise PolicyError(
            f"policy {order.card.name}: its {' and '.join(other)} differ from those of the main process. "
            "Copy its files to every machine, or put them on a disk that all share."
        )
