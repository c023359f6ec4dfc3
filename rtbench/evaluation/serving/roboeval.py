"""Serves a policy by roboeval's protocol: JSON by HTTP.

The protocol has no session: all clients but those of ours, which name theirs, share one episode.
"""

from __future__ import annotations

import asyncio
import http
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import numpy as np

from rtbench.core.errors import RtbenchError
from rtbench.evaluation.serving.answer import answered, begin_unless, said, seed_of
from rtbench.evaluation.serving.host import MOST_SESSIONS, PolicyHost, ServedPolicyError
from rtbench.evaluation.serving.listening import Listening, ServeError
from rtbench.evaluation.serving.sessions import NamedSessions
from rtbench.evaluation.serving.translation import Translation
from rtbench.policy.remote.codec import MOST_BYTES, WireError, read_image
from rtbench.policy.remote.connection import SEED_KEY

MOST_CLIENTS = 2 * MOST_SESSIONS
"""Connections at a time, each of which has a thread."""
IDLE_S = 300.0
"""Seconds without a byte after which a connection is closed."""
_READY = {"status": "ok", "ready": True}


class _State(msgspec.Struct):
    flat: list[float] = []


class _Seen(msgspec.Struct):
    """An observation; what else is in it is not read."""

    instruction: str
    images: dict[str, bytes]
    """By role: PNG or JPEG, in base64."""
    state: _State = msgspec.field(default_factory=_State)


class _Ours(msgspec.Struct):
    """What a client of ours says of its episode."""

    session: str = ""
    seed: int = 0


class _Request(msgspec.Struct):
    obs: _Seen | None = None
    rtbench: _Ours = msgspec.field(default_factory=_Ours)


@asynccontextmanager
async def serving(host: PolicyHost, translation: Translation, where: Listening) -> AsyncIterator[int]:
    """Serve a policy while the context lasts; gives the port.

    Raises:
        ServeError: a port in use, or an address that this machine does not have.
    """
    with NamedSessions(host, MOST_SESSIONS) as sessions:
        served = _Served(host, translation, where, sessions, asyncio.get_running_loop())
        try:
            server = _Server((where.host, where.port), served)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ServeError(f"cannot listen at {where.host}:{where.port}: {reason}.") from None
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="roboeval", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()


class _Served:
    """What is served; the sessions are touched in the event loop alone."""

    def __init__(
        self, host: PolicyHost, translation: Translation, where: Listening,
        sessions: NamedSessions, loop: asyncio.AbstractEventLoop,
    ) -> None:  # fmt: skip
        self.where = where
        self._host, self._translation, self._sessions, self._loop = host, translation, sessions, loop

    def get(self, path: str) -> dict[str, Any]:
        """What is answered to a GET."""
        if path == "/healthz":
            return {"status": "ok"}
        name = {"model_id": self._host.name}
        if path == "/health":
            return _READY | name | {"gpu_mode": "single", "device": "cpu"}
        if path == "/info":
            keys, mapping = self._translation.keys[0], self._translation.mapping
            return {
                "name": self._host.name, **name, "action_space": self._space(), "state_dim": 0,
                "action_chunk_size": 1, "control_hz": mapping.control_hz,
                "obs_requirements": {
                    "cameras": list(keys.images), "state_format": "flat", "state_dim": 0,
                    "image_transform": "none",
                },
                **said(self._host, self._translation),
            }  # fmt: skip
        raise WireError(f"no such path: {path[:80]}; there are /health, /info, /reset and /predict.")

    def post(self, path: str, data: bytes) -> dict[str, Any]:
        """What is answered to a POST."""
        try:
            request = msgspec.json.decode(data or b"{}", type=_Request)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise WireError(f"the body cannot be read: {str(error)[:200]}.") from None
        if path == "/reset":
            return self._await(self._reset(request.rtbench))
        if path == "/predict" and request.obs:
            return self._await(self._predict(request.obs, request.rtbench))
        raise WireError(f"POST {path[:80]}: expected /reset, or /predict with an observation 'obs'.")

    def _await(self, answer: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result()

    async def _reset(self, ours: _Ours) -> dict[str, Any]:
        self._sessions.get(ours.session).forget(seed_of({SEED_KEY: ours.seed}))
        return {"success": True}

    async def _predict(self, obs: _Seen, ours: _Ours) -> dict[str, Any]:
        message = {role: read_image(data, _form(data)) for role, data in obs.images.items()}
        state = {"flat": np.array(obs.state.flat, dtype=np.float32)} if obs.state.flat else {}
        session = self._sessions.get(ours.session)
        told = {**message, **state, "instruction": obs.instruction}
        seen = self._translation.observation(told, session.step)
        await begin_unless(session, seen.instruction)
        found = await answered(session, self._translation, seen)
        plain = {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in found.items()
        }
        size = {"chunk_size": 1, "action_chunk_size": 1}
        return plain | size | {"action_space": self._space(), "model_id": self._host.name}

    def _space(self) -> dict[str, Any]:
        return {"type": "eef_delta", "dim": self._translation.mapping.width}


def _form(data: bytes) -> str:
    return "png" if data.startswith(b"\x89PNG") else "jpeg"


class _Server(ThreadingHTTPServer):
    """A thread for each connection, up to a number."""

    daemon_threads = True
    request_queue_size = MOST_SESSIONS

    def __init__(self, place: tuple[str, int], served: _Served) -> None:
        self.served = served
        self._free = threading.BoundedSemaphore(MOST_CLIENTS)
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a connection, or close it where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece: two would wait for each other
    timeout = IDLE_S
    server: _Server

    def do_GET(self) -> None:
        """Answer a question for health or what is served."""
        path = self.path.partition("?")[0]
        self._answer(lambda: self.server.served.get(path), open_to_all=path.startswith("/health"))

    def do_POST(self) -> None:
        """Answer a reset or an observation."""
        size = self.headers.get("Content-Length", "0")
        if not size.isdecimal() or int(size) > MOST_BYTES or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._send(
                http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"at most {MOST_BYTES} bytes are read."}
            )
            return
        data = self.rfile.read(int(size))
        self._answer(lambda: self.server.served.post(self.path, data))

    def _answer(self, answer: Any, *, open_to_all: bool = False) -> None:
        sent = self.headers.get("Authorization", "").removeprefix("Api-Key ")
        if not open_to_all and not self.server.served.where.admits(sent):
            self._send(
                http.HTTPStatus.UNAUTHORIZED, {"error": "the header Authorization: Api-Key KEY is needed"}
            )
            return
        try:
            self._send(http.HTTPStatus.OK, answer())
        except WireError as error:
            self._send(http.HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except (ServedPolicyError, RtbenchError) as error:
            self._send(http.HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})

    def _send(self, status: http.HTTPStatus, found: dict[str, Any]) -> None:
        data = msgspec.json.encode(found)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Requests are not logged."""
