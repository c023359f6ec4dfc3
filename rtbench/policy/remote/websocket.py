"""WebSocket connections: openpi, RoboArena and vla-eval, told apart by who speaks first.

An openpi server sends its metadata as soon as it is connected to; RoboArena's configuration comes the same
way, and names an action space. A vla-eval server waits for the client's hello.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.address import Address
from rtbench.policy.remote.codec import MOST_BYTES, WireError, pack, unpack
from rtbench.policy.remote.connection import (
    RESET_KEY,
    SEED_KEY,
    FindKeys,
    chunk_of,
    extension,
    milliseconds,
    server_error,
)
from rtbench.policy.remote.observation_keys import ObservationKeys

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

SILENCE_S = 1.0
"""Seconds without a message after which a server is taken for one that waits for a hello."""


class Socket:
    """A WebSocket whose failures are told in a sentence."""

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            PolicyLostError: nothing answers there.
            WireError: something answers that is no server of this kind.
        """
        from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
        from websockets.sync.client import connect

        url = self.url = address.url
        key, connect_s, self._timeout_s = address.key, address.connect_s, address.timeout_s
        headers = {"Authorization": f"Api-Key {key}"} if key else None
        try:
            self._socket: ClientConnection = connect(
                url,
                additional_headers=headers,
                compression=None,
                max_size=MOST_BYTES,
                open_timeout=connect_s,
                # Many servers compute in their event loop, and miss pings while they do.
                ping_interval=None,
                close_timeout=1,
                proxy=None,
                # Messages that nobody waits for are not kept in memory.
                max_queue=1,
            ).__enter__()  # closed by `close`
        except InvalidStatus as error:
            status = error.response.status_code
            remedy = " RTBENCH_API_KEY holds the key." if status in (401, 403) else ""
            raise WireError(f"{url} refuses the connection with HTTP status {status}.{remedy}") from None
        except InvalidURI as error:
            raise WireError(f"{url} is no address of a server: {error}") from None
        except (InvalidMessage, InvalidHandshake) as error:
            raise WireError(f"what listens at {url} is no WebSocket server: {error}") from None
        except TimeoutError:
            raise PolicyLostError(f"{url} did not answer within {connect_s:g} s.") from None
        except OSError as error:
            raise PolicyLostError(f"no server at {url}: {error.strerror or error}") from None

    def send(self, data: bytes) -> None:
        """Send a binary message."""
        from websockets.exceptions import ConnectionClosed

        try:
            self._socket.send(data)
        except ConnectionClosed as error:
            raise self._closed(error) from None
        except OSError as error:
            raise PolicyLostError(f"{self.url} was lost: {error.strerror or error}") from None

    def receive(self, timeout_s: float | None = None) -> bytes | str:
        """The next message.

        Raises:
            TimeoutError: none came within `timeout_s`, where that was given.
            PolicyLostError: the connection ended, or none came within the connection's own time.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            message: bytes | str = self._socket.recv(self._timeout_s if timeout_s is None else timeout_s)
        except ConnectionClosed as error:
            raise self._closed(error) from None
        except TimeoutError:
            if timeout_s is not None:
                raise
            raise PolicyLostError(f"{self.url} gave no reply within {self._timeout_s:g} s.") from None
        return message

    def close(self) -> None:
        """End the connection; never fails."""
        with contextlib.suppress(Exception):
            self._socket.__exit__(None, None, None)

    def _closed(self, error: Exception) -> Exception:
        code = getattr(getattr(error, "rcvd", None), "code", None)
        sent = getattr(getattr(error, "sent", None), "code", None)
        if sent in (1002, 1007, 1009):  # ours: what came was not allowed
            reason = "is too large" if sent == 1009 else "is no WebSocket message"
            return WireError(f"what {self.url} sent {reason}; at most {MOST_BYTES} bytes are read.")
        said = f" with code {code}" if code else ""
        return PolicyLostError(f"{self.url} closed the connection{said}.")


class Openpi:
    """openpi's protocol: no reset, no session. A server of ours is told of new episodes by a key."""

    protocol = "openpi"

    def __init__(self, socket: Socket, said: dict[str, Any], keys: ObservationKeys) -> None:
        """Take over a socket on which the server has said what it is."""
        self._socket, self.said, self._keys = socket, said, keys
        self.resets = "seed" if extension(said) else "none"
        self._extra: dict[str, Any] = {}

    def begin(self, instruction: str, seed: int) -> None:  # noqa: ARG002 - the instruction is in each request
        """Note the seed for a server of ours; others cannot be told."""
        self._extra = {RESET_KEY: True, SEED_KEY: seed} if self.resets == "seed" else {}

    def ask(self, seen: Observation) -> None:
        """Send an observation."""
        self._socket.send(pack({**self._keys.message(seen), **self._extra}))
        self._extra = {}

    def answer(self) -> tuple[NDArray[Any], float | None]:
        """The chunk [H, D], and the policy's own time [ms]."""
        reply = _binary(self._socket, self._socket.receive())
        return chunk_of(reply), milliseconds(reply)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class RoboArena(Openpi):
    """RoboArena's protocol: as openpi, with an endpoint in each request, a session and a reset."""

    protocol = "roboarena"

    def __init__(self, socket: Socket, said: dict[str, Any], keys: ObservationKeys) -> None:
        """Take over a socket on which the server has said its configuration."""
        super().__init__(socket, said, keys)
        self.resets = "session"
        self._session = ""

    def begin(self, instruction: str, seed: int) -> None:  # noqa: ARG002 - as above
        """Reset under a session id that is new."""
        self._session = str(uuid.uuid4())
        extra = {SEED_KEY: seed} if extension(self.said) else {}
        self._socket.send(pack({"endpoint": "reset", "session_id": self._session, **extra}))
        reply = self._socket.receive()
        # A text is the reply to a reset, and an error after anything else.
        if not isinstance(reply, str) or not reply.startswith("reset"):
            raise server_error(self._socket.url, str(reply)[:2000])

    def ask(self, seen: Observation) -> None:
        """Send an observation."""
        message = {**self._keys.message(seen), "endpoint": "infer", "session_id": self._session}
        self._socket.send(pack(message))


class VlaEval:
    """vla-eval's protocol: typed messages, and a session to each connection."""

    protocol = "vla-eval"
    resets = "episode"

    def __init__(self, socket: Socket, keys: ObservationKeys | None, find_keys: FindKeys) -> None:
        """Exchange hellos.

        Raises:
            WireError: the server is of another kind.
        """
        self._socket, self._number, self._playing = socket, 0, False
        self._send(
            "hello", {"harness_version": version("rtbench"), "protocol_version": 1, "benchmark": "rtbench"}
        )
        self.said = self._receive("hello")
        self._keys = keys or find_keys(self.protocol, self.said)

    def begin(self, instruction: str, seed: int) -> None:
        """Begin an episode; the server does not reply to it."""
        if self._playing:
            self._send("episode_end", {"metrics": {}, "steps": 0, "elapsed_sec": 0.0})
        self._send("episode_start", {"task": {"name": instruction, "seed": seed}, "mode": "sync"})
        self._playing = True

    def ask(self, seen: Observation) -> None:
        """Send an observation."""
        message = self._keys.message(seen)
        images = {key: message.pop(key) for key in self._keys.images}
        self._send("observation", {"images": images, **message})

    def answer(self) -> tuple[NDArray[Any], float | None]:
        """The action as a chunk of one, or the chunk."""
        reply = self._receive("action")
        return chunk_of(reply), milliseconds(reply)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _send(self, kind: str, payload: dict[str, Any]) -> None:
        self._number += 1
        message = {"type": kind, "payload": payload, "seq": self._number, "timestamp": time.time()}
        self._socket.send(pack(message, keys=str))

    def _receive(self, kind: str) -> dict[str, Any]:
        reply = _binary(self._socket, self._socket.receive())
        came, payload = reply.get("type"), reply.get("payload")
        if came == "error" and isinstance(payload, dict):
            raise server_error(self._socket.url, str(payload.get("error")))
        if came != kind or not isinstance(payload, dict):
            raise WireError(
                f"{self._socket.url} sent {str(came)[:40]!r}; expected {kind!r} of protocol vla-eval."
            )
        return payload


def connect(
    address: Address, keys: ObservationKeys | None, find_keys: FindKeys, protocol: str | None = None
) -> Openpi | RoboArena | VlaEval:
    """Connect to a server, and find out what it is.

    Args:
        address: The server.
        keys: What is sent under which keys; `find_keys` is asked where None.
        find_keys: Given protocol and what the server said, its keys.
        protocol: The one to insist on; None to find out.

    Raises:
        PolicyLostError: nothing answers.
        WireError: something else answers; says what.
    """
    socket = Socket(address)
    try:
        return _recognized(socket, keys, find_keys, protocol)
    except BaseException:
        socket.close()
        raise


def _recognized(
    socket: Socket, keys: ObservationKeys | None, find_keys: FindKeys, protocol: str | None
) -> Openpi | RoboArena | VlaEval:
    if protocol == "vla-eval":
        return VlaEval(socket, keys, find_keys)
    try:
        first = socket.receive(SILENCE_S if protocol is None else None)
    except TimeoutError:
        return VlaEval(socket, keys, find_keys)
    said = _binary(socket, first)
    found = "roboarena" if _is_roboarena(said) else "openpi"
    if protocol is not None and found != protocol:
        raise WireError(f"{socket.url} speaks {found}, not {protocol}; leave protocol out, or name {found}.")
    made = RoboArena if found == "roboarena" else Openpi
    return made(socket, said, keys or find_keys(found, said))


def _is_roboarena(said: dict[str, Any]) -> bool:
    return "action_space" in said or any(str(name).startswith("needs_") for name in said)


def _binary(socket: Socket, message: bytes | str) -> dict[str, Any]:
    """The map of a binary message; a text is the server's traceback."""
    if isinstance(message, str):
        raise server_error(socket.url, message)
    found = unpack(message)
    if not isinstance(found, dict):
        raise WireError(f"{socket.url} sent {type(found).__name__}; expected a map.")
    return cast("dict[str, Any]", found)
