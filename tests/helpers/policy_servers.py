"""Servers of policies on the loopback, for tests: ours in a thread, and ones that answer with given bytes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

from rtbench.evaluation.player import player_of
from rtbench.evaluation.serving.host import PolicyHost
from rtbench.evaluation.serving.listening import Listening
from rtbench.evaluation.serving.serve import serving, url_of
from rtbench.evaluation.serving.translation import translation


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
        where = Listening(port=0, key=key)
        with in_thread(lambda: serving(host, how, protocol, where)) as port:
            yield url_of(protocol, where, port), host
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


@contextmanager
def scripted_zmq(reply):
    """A ZeroMQ server; `reply` is given a request, and gives a reply's bytes or, to be silent, None."""
    import zmq

    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    ended = threading.Event()

    def work():
        while not ended.is_set():
            if socket.poll(20):
                client, *head, data = socket.recv_multipart()
                said = reply(data)
                if said is not None:
                    socket.send_multipart([client, *head, said])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield f"zmq://127.0.0.1:{port}"
    finally:
        ended.set()
        thread.join(5)
        socket.close(linger=0)
        context.term()


@contextmanager
def scripted_http(reply):
    """A server of TCP; `reply` is given method, path and body of a request and gives all bytes of its reply.

    None is silence; an empty reply closes the connection.
    """
    import socketserver

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while line := self.rfile.readline():
                method, path, _ = line.decode().split(" ", 2)
                size = 0
                while (head := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = head.decode().partition(":")
                    size = int(value) if name.lower() == "content-length" else size
                said = reply(method, path, self.rfile.read(size))
                if said == b"":
                    return
                self.wfile.write(said or b"")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request, client_address):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
