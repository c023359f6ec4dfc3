"""Sessions by name, for protocols in which a client names its own."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import ExitStack
from typing import Self

from rtbench.evaluation.serving.host import PolicyHost, Session


class NamedSessions:
    """Sessions that are opened when they are first asked for.

    Clients do not say when they go. So where there are too many, the session that was asked longest ago ends.
    """

    def __init__(self, host: PolicyHost, most: int) -> None:
        self._host, self._most = host, most
        self._open: dict[Hashable, tuple[Session, ExitStack]] = {}
        """In the order in which they were asked last."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._end_oldest()

    def get(self, name: Hashable) -> Session:
        """The session of that name.

        Raises:
            ServedPolicyError: too many sessions of all clients together.
        """
        if name in self._open:
            self._open[name] = self._open.pop(name)  # asked last
            return self._open[name][0]
        while len(self._open) >= self._most:
            self._end_oldest()
        stack = ExitStack()
        session = stack.enter_context(self._host.session())
        self._open[name] = session, stack
        return session

    def _end_oldest(self) -> None:
        _, stack = self._open.pop(next(iter(self._open)))
        stack.close()
