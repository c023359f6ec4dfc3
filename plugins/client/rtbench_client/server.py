"""Serves a policy by the protocols of RoboArena and openpi: the one a client speaks."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import threading
import time
import uuid
from http import HTTPStatus
from typing import Any, Optional, Sequence

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve as listen

from rtbench_client.codec import MOST_BYTES, MessageError, pack, unpack
from rtbench_client.observation import read

INTERNAL_ERROR = 1011
"""Close code after an error."""
MOST_SESSIONS = 4
"""Sessions of a connection: rtbench names a new one in each episode. The one asked longest ago ends."""
RESET_KEY, SEED_KEY = "rtbench/reset", "rtbench/seed"
"""Keys in which rtbench says that an episode begins, and its seed."""


class Server:
    """A policy behind a server, in threads of its own."""

    def __init__(  # noqa: PLR0913 - each says one thing of a policy
        self,
        policy: Any,
        *,
        action: str,
        cameras: Sequence[str] = ("head",),
        history: int = 1,
        name: str = "",
        host: str = "127.0.0.1",
        port: int = 8000,
        key: Optional[str] = None,
    ) -> None:
        """Begin to listen.

        Args:
            policy: A function from an `Observation` to numbers [H, D] or [D], or an object with such a method
                `infer` and, if it wants to know, `reset(session, seed)` and `end(session)`.
            action: What the numbers mean: a mapping of rtbench, such as 'bridge-7d'.
            cameras: Whose images the policy wants: 'head', 'wrist'.
            history: Observations that the policy remembers.
            name: What the policy is called; its class where not given.
            host: Address to listen at.
            port: Port to listen at; 0 for any that is free.
            key: What clients must send; needed at addresses that other machines reach.

        Raises:
            ValueError: another camera, or no key for other machines.
            OSError: the port is in use.
        """
        unknown = [camera for camera in cameras if camera not in ("head", "wrist")]
        if unknown:
            raise ValueError(f"cameras: unknown {unknown}; there are 'head' and 'wrist'.")
        if not key and not _is_loopback(host):
            raise ValueError(
                f"host {host} lets other machines ask the policy: give a key that they must send."
            )
        self._policy, self._key = policy, key
        self._infer = policy.infer if hasattr(policy, "infer") else policy
        self._lock = threading.Lock()
        name = name or getattr(policy, "__name__", type(policy).__name__)
        told = {"version": 1, "policy": name, "cameras": list(cameras), "history": history, "action": action}
        mark = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()
        self._said = pack(
            {
                "image_resolution": None,
                "needs_wrist_camera": "wrist" in cameras,
                "n_external_cameras": int("head" in cameras),
                "needs_stereo_camera": False,
                "needs_session_id": True,
                "action_space": "cartesian_velocity",
                "rtbench": {**told, "fingerprint": mark, "convention": "rtbench"},
            }
        )
        self._server = listen(
            self._handle,
            host,
            port,
            process_request=self._before,
            compression=None,
            max_size=MOST_BYTES,
            ping_interval=None,
        )
        self.port: int = self._server.socket.getsockname()[1]
        """Where it listens."""
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)

    def serve_forever(self) -> None:
        """Serve until Ctrl-C."""
        try:
            self._server.serve_forever()
        except KeyboardInterrupt:
            self._server.shutdown()

    def _before(self, socket: Any, request: Any) -> Any:
        """Answer a question for health, or refuse a client without the key."""
        if request.path.partition("?")[0] == "/healthz":
            return socket.respond(HTTPStatus.OK, "OK\n")
        sent = request.headers.get("Authorization", "")
        if self._key and not hmac.compare_digest(sent.encode(), f"Api-Key {self._key}".encode()):
            return socket.respond(
                HTTPStatus.UNAUTHORIZED, "the header Authorization: Api-Key KEY is needed\n"
            )
        return None

    def _handle(self, socket: Any) -> None:
        """One client, to its end."""
        sessions: dict[str, _Session] = {}
        own = str(uuid.uuid4())
        try:
            socket.send(self._said)
            for data in socket:
                message = _message(data)
                name = message.get("session_id")
                name = name[:200] if isinstance(name, str) else own
                session = sessions[name] = sessions.pop(name, None) or _Session(name)  # asked last
                while len(sessions) > MOST_SESSIONS:
                    self._end(sessions, next(iter(sessions)))
                socket.send(self._answer(session, message))
        except ConnectionClosed:
            pass
        except Exception as error:  # a policy may raise anything: its client is told, as openpi's is
            _refuse(socket, f"{type(error).__name__}: {error}")
        finally:
            for name in list(sessions):
                self._end(sessions, name)

    def _answer(self, session: _Session, message: dict[str, Any]) -> Any:
        seed = message.get(SEED_KEY)
        seed = seed if type(seed) is int else 0
        endpoint = message.get("endpoint", "infer")
        if endpoint == "reset":
            self._reset(session, seed)
            return "reset successful"
        if endpoint != "infer":
            raise MessageError(f"endpoint {str(endpoint)[:40]!r}; expected infer or reset.")
        prompt = message.get("prompt")
        # A client of openpi cannot say where an episode begins, but for a new instruction.
        if message.get(RESET_KEY) is True or ("endpoint" not in message and prompt != session.prompt):
            self._reset(session, seed)
        session.prompt = prompt
        seen = read(message, session.name, session.step)
        session.step += 1
        start = time.perf_counter()
        with self._lock:
            actions = np.atleast_2d(np.asarray(self._infer(seen), dtype=np.float64))
        spent = 1e3 * (time.perf_counter() - start)
        if actions.ndim != 2 or not np.isfinite(actions).all():
            raise ValueError(f"the policy gave {actions.shape} numbers; expected finite ones [H, D].")
        return pack({"actions": actions, "policy_timing": {"infer_ms": spent}})

    def _reset(self, session: _Session, seed: int) -> None:
        session.step, session.prompt = 0, None
        reset = getattr(self._policy, "reset", None)
        if callable(reset):
            with self._lock:
                reset(session.name, seed)

    def _end(self, sessions: dict[str, _Session], name: str) -> None:
        del sessions[name]
        end = getattr(self._policy, "end", None)
        if callable(end):
            with self._lock:
                end(name)


class _Session:
    """One client's episode."""

    def __init__(self, name: str) -> None:
        self.name, self.step = name, 0
        self.prompt: Any = None


def serve(policy: Any, **options: Any) -> None:
    """Serve a policy until Ctrl-C; arguments as of `Server`."""
    server = Server(policy, **options)
    print(f"serving at ws://{options.get('host', '127.0.0.1')}:{server.port}; Ctrl-C ends it.", flush=True)
    server.serve_forever()


def _message(data: Any) -> dict[str, Any]:
    message = unpack(data) if isinstance(data, bytes) else None
    if not isinstance(message, dict):
        raise MessageError("a message is no map; expected an observation.")
    return message


def _refuse(socket: Any, reason: str) -> None:
    try:
        socket.send(f"error: {reason}")
        socket.close(INTERNAL_ERROR, "error")
    except ConnectionClosed:
        pass


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
