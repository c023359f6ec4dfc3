"""roboeval's protocol: JSON by HTTP, images as PNG in base64; one policy, and one reset, for all clients."""

from __future__ import annotations

import contextlib
import http.client
import struct
import uuid
import zlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.address import Address
from rtbench.policy.remote.codec import WireError
from rtbench.policy.remote.connection import (
    EXTENSION,
    FindKeys,
    chunk_of,
    extension,
    milliseconds,
    server_error,
)
from rtbench.policy.remote.observation_keys import ObservationKeys

MOST_JSON = 2**20
"""Bytes of a reply: a chunk of 100 actions takes some 20 kB. More could be a list of a million lists."""


class Roboeval:
    """A connection to a roboeval policy server; a server of ours has sessions."""

    protocol = "roboeval"

    def __init__(self, address: Address, keys: ObservationKeys | None, find_keys: FindKeys) -> None:
        """Connect, and ask what the server is.

        Raises:
            PolicyLostError: nothing answers, or the server is not ready.
            WireError: something else answers.
        """
        self._url, self._key = address.url, address.key
        kind = http.client.HTTPSConnection if address.url.startswith("https") else http.client.HTTPConnection
        self._http = kind(*address.place, timeout=address.connect_s)
        try:
            self.said = self._call("GET", "/info")
            self._check_said()
            self._keys = keys or find_keys(self.protocol, self.said)
        except BaseException:
            self.close()
            raise
        if self._http.sock:
            self._http.sock.settimeout(address.timeout_s)
        self._http.timeout = address.timeout_s
        self.resets = "session" if extension(self.said) else "global"
        self._ours: dict[str, Any] = {}

    def begin(self, instruction: str, seed: int) -> None:  # noqa: ARG002 - the instruction is in each request
        """Reset the server; one of ours is told session and seed."""
        if self.resets == "session":
            self._ours = {EXTENSION: {"session": str(uuid.uuid4()), "seed": seed}}
        self._call("POST", "/reset", self._ours or None)

    def ask(self, seen: Observation) -> None:
        """Send an observation."""
        message = self._keys.message(seen)
        images = {key: _png(message[key]) for key in self._keys.images}  # as base64 in JSON
        flat = [float(number) for key in self._keys.state for number in message[key]]
        self._check_state(len(flat))
        obs = {"instruction": seen.instruction, "images": images, "state": {"flat": flat}}
        self._send("POST", "/predict", {"obs": obs, **self._ours})

    def answer(self) -> tuple[NDArray[Any], float | None]:
        """The chunk [H, D], as long as the server says that chunks are at most, and the policy's own time."""
        reply = self._receive("/predict")
        longest = reply.get("action_chunk_size")
        chunk = chunk_of(reply)
        return chunk[:longest] if type(longest) is int and longest > 0 else chunk, milliseconds(reply)

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(Exception):
            self._http.close()

    def _check_said(self) -> None:
        if "action_space" not in self.said:
            raise WireError(f"what answers at {self._url} is no roboeval server: /info has no action_space.")

    def _check_state(self, sent: int) -> None:
        """Refuse a state of another length than the server says that it takes."""
        wants = self.said.get("obs_requirements")
        taken = (wants if isinstance(wants, dict) else {}).get("state_dim", self.said.get("state_dim"))
        if type(taken) is int and taken > 0 and taken != sent:
            raise WireError(f"{self._url} takes a state of {taken} numbers; the keys send {sent}.")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self._send(method, path, body)
        return self._receive(path)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Api-Key {self._key}"
        data = None if body is None else msgspec.json.encode(body)
        try:
            self._http.request(method, path, body=data, headers=headers)
        except TimeoutError:
            raise PolicyLostError(f"{self._url} did not answer within {self._http.timeout:g} s.") from None
        except OSError as error:
            raise PolicyLostError(f"no server at {self._url}: {error.strerror or error}") from None
        except http.client.HTTPException as error:
            raise PolicyLostError(f"{self._url} was lost: {type(error).__name__}.") from None

    def _receive(self, path: str) -> dict[str, Any]:
        try:
            reply = self._http.getresponse()
            data = reply.read(MOST_JSON + 1)
        except TimeoutError:
            raise PolicyLostError(f"{self._url} gave no reply within {self._http.timeout:g} s.") from None
        except (http.client.BadStatusLine, http.client.IncompleteRead, OSError) as error:
            if isinstance(error, http.client.BadStatusLine) and not isinstance(
                error, http.client.RemoteDisconnected
            ):
                raise WireError(f"what listens at {self._url} is no HTTP server.") from None
            raise PolicyLostError(f"{self._url} closed the connection.") from None
        except (http.client.HTTPException, ValueError) as error:
            raise WireError(f"{self._url} sent no HTTP that can be read ({type(error).__name__}).") from None
        if len(data) > MOST_JSON:
            raise WireError(f"{self._url}{path} sent more than {MOST_JSON} bytes.")
        return self._read(path, reply.status, data)

    def _read(self, path: str, status: int, data: bytes) -> dict[str, Any]:
        try:
            found = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            found = None
        told = found.get("error") if isinstance(found, dict) else None
        if status == http.client.SERVICE_UNAVAILABLE:
            raise PolicyLostError(f"{self._url} is not ready: {str(told or 'it still loads')[:300]}.")
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise WireError(f"{self._url} answers with HTTP status {status}. RTBENCH_API_KEY holds the key.")
        if status != http.client.OK:
            raise server_error(self._url, str(told) if told else f"HTTP status {status} of {path}")
        if not isinstance(found, dict):
            raise WireError(f"{self._url}{path} sent no JSON object that can be read.")
        return found


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """An image uint8[H, W, 3] as PNG, stored: an encoder that compresses takes ten times as long."""
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # the first byte of a row: no filter
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    found = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(rows.data, 0)), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
        found += [struct.pack(">I", len(body)), kind, body, check]
    return b"".join(found)
