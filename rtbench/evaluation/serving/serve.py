"""Serves a policy by a protocol, over the transport that goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rtbench.core.extras import require
from rtbench.evaluation.serving.host import PolicyHost
from rtbench.evaluation.serving.listening import Listening
from rtbench.evaluation.serving.translation import Translation
from rtbench.policy.remote.address import PROTOCOLS, check_protocol


@asynccontextmanager
async def serving(
    host: PolicyHost, translation: Translation, protocol: str, where: Listening
) -> AsyncIterator[int]:
    """Serve a policy while the context lasts; gives the port.

    Raises:
        ServeError: a port in use, an address that this machine does not have, or no key for others.
        UnknownNameError: no such protocol.
    """
    require("remote", "rtbench serve")
    check_protocol(protocol)
    where.check()
    if protocol == "gr00t":
        from rtbench.evaluation.serving import gr00t

        context = gr00t.serving(host, translation, where)
    elif protocol == "roboeval":
        from rtbench.evaluation.serving import roboeval

        context = roboeval.serving(host, translation, where)
    else:
        from rtbench.evaluation.serving import websocket

        context = websocket.serving(host, translation, protocol, where)
    async with context as port:
        yield port


def url_of(protocol: str, where: Listening, port: int) -> str:
    """Address of a server, as a client writes it."""
    return f"{PROTOCOLS[protocol][0]}://{where.host}:{port}"


async def serve_forever(
    host: PolicyHost,
    translation: Translation,
    protocol: str,
    where: Listening,
    on_ready: Callable[[int], None],
) -> None:
    """Serve until this is cancelled; `on_ready` is given the port."""
    async with serving(host, translation, protocol, where) as port:
        on_ready(port)
        await asyncio.get_running_loop().create_future()
