"""Servers of policies on the loopback, for tests: ours in a thread, and ones that answer with given bytes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

from rtbench.evaluation.player import player_of
from rtbench.evaluation.serving.host import PolicyHost
from rtbench.evaluation.serving.translation import translation
from rtbench.evaluation.serving.websocket import Listening, serving


@contextmanager
def in_thread(make):
    """Run an asynchronous context in an event loop of its own; gives what it gives."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = make()
    try:
        given = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(20)
        try:
            yield given
        finally:
            asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@contextmanager
def served(policy, protocol="openpi", *, keys=None, action="rt1-11d", key=None, limit_s=60.0):
    """Serve a policy or card; gives its address and the host."""
    host = PolicyHost(player_of(policy), limit_s=limit_s)
    how = translation(protocol, host.cameras, keys, action)
    try:
        with in_thread(lambda: serving(host, how, protocol, Listening(port=0, key=key))) as port:
            yield f"ws://127.0.0.1:{port}", host
    finally:
        host.close()


@contextmanager
def scripted(handle):
    """A WebSocket server whose connections are handled by a coroutine function; gives its address."""
    from contextlib import asynccontextmanager

    from websockets.asyncio.server import serve

    @asynccontextmanager
    async def context():
        async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None, close_timeout=1) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    with in_thread(context) as port:
        yield f"ws://127.0.0.1:{port}"
