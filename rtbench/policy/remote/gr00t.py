"""GR00T's protocol: msgpack by ZeroMQ, a request and a reply.

The server says by its modality configuration which keys it takes and gives, and how many observations back
it looks. Facts: `gr00t/policy/server_client.py` of NVIDIA's Isaac-GR00T.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.core.extras import require
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.address import Address
from rtbench.policy.remote.codec import MOST_BYTES, WireError, check_finite, pack_npy, unpack
from rtbench.policy.remote.connection import (
    SEED_KEY,
    FindKeys,
    chunk_of,
    extension,
    milliseconds,
    server_error,
)
from rtbench.policy.remote.observation_keys import ObservationKeys

MODALITIES = ("video", "state", "action", "language")
Request = dict[str, dict[str, Any]]
"""Modality -> key -> an array [1, T, ...], or a list of one list of texts."""
MOST_HISTORY = 64
"""Observations that a server may look back."""


class Gr00t:
    """A connection to a GR00T server; its reset is one for all clients, but that of a server of ours."""

    protocol = "gr00t"

    def __init__(self, address: Address, keys: ObservationKeys | None, find_keys: FindKeys) -> None:
        """Connect, and read the modality configuration.

        Raises:
            PolicyLostError: nothing answers.
            WireError: something else answers, or a server that wants other keys.
        """
        require("remote", "protocol gr00t")
        import zmq

        self._zmq, self._address = zmq, address
        self._url = address.url
        _check_listens(address)
        self._socket: Any = zmq.Context.instance().socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        self._socket.setsockopt(zmq.IPV6, 1)
        try:
            self._socket.connect("tcp://" + self._url.partition("://")[2])
            self.said = self._first()
            self._modalities = {name: _keys_of(self.said, name, self._url) for name in MODALITIES}
            self._offsets = _offsets(self.said, self._url)
            self._keys = keys or find_keys(self.protocol, self.said)
            self._check_keys()
        except BaseException:
            self.close()
            raise
        self.resets = "seed" if extension(self.said) else "global"
        self._seen: deque[dict[str, Any]] = deque(maxlen=1 - min(self._offsets))

    def begin(self, instruction: str, seed: int) -> None:  # noqa: ARG002 - the instruction is in each request
        """Reset the server."""
        self._seen.clear()
        options = {SEED_KEY: seed} if self.resets == "seed" else None
        self._send("reset", {"options": options})
        self._receive()

    @property
    def batches(self) -> bool:
        """Whether several episodes may be rows of one request; a server of ours tells connections apart."""
        return self.resets == "global"

    def ask(self, seen: Observation) -> None:
        """Send an observation, and those before it that the server wants."""
        self.ask_together([self.note(seen)])

    def note(self, seen: Observation) -> Request:
        """A row of a request: an observation, and those before it that the server wants."""
        self._seen.append(self._keys.message(seen))
        last = len(self._seen) - 1
        asked = [self._seen[max(0, last + offset)] for offset in self._offsets]
        now = asked[-1]
        video = {
            key: np.stack([one[f"video.{key}"] for one in asked])[None] for key in self._modalities["video"]
        }
        state = {key: np.stack([now[f"state.{key}"]])[None] for key in self._modalities["state"]}
        language = {key: [[seen.instruction]] for key in self._modalities["language"]}
        return {"video": video, "state": state, "language": language}

    def ask_together(self, rows: Sequence[Request]) -> None:
        """Send rows, which may be those of other connections to the same server, in one request."""
        observation = {
            name: {key: _joined([row[name][key] for row in rows]) for key in part}
            for name, part in rows[0].items()
        }
        self._send("get_action", {"observation": observation, "options": None})

    def answer(self) -> tuple[NDArray[Any], float | None]:
        """The chunk [H, D], its keys in the configuration's order, and the policy's own time [ms]."""
        (chunk,), spent = self.answer_together(1)
        return chunk, spent

    def answer_together(self, rows: int) -> tuple[list[NDArray[Any]], float | None]:
        """A chunk for each row of the request, and the policy's own time [ms]."""
        reply = self._receive()
        if not isinstance(reply, list) or not reply or not isinstance(reply[0], dict):
            raise WireError(f"{self._url} sent {type(reply).__name__}; expected a list of action and info.")
        action = {key.removeprefix("action."): value for key, value in reply[0].items()}
        parts = [_part(action, key, rows) for key in self._modalities["action"]]
        if len({part.shape[1] for part in parts}) > 1:
            raise WireError(f"{self._url} sent parts of several lengths: {[part.shape for part in parts]}.")
        info = reply[1] if len(reply) > 1 and isinstance(reply[1], dict) else {}
        whole = np.concatenate(parts, axis=2)
        return [chunk_of({"actions": chunk}) for chunk in whole], milliseconds(info)

    def close(self) -> None:
        """End the connection."""
        self._socket.close(linger=0)

    def _first(self) -> dict[str, Any]:
        """The modality configuration, awaited for as long as a connection may take."""
        self._send("get_modality_config", None)
        said = self._receive(self._address.connect_s)
        if not isinstance(said, dict) or not set(MODALITIES) <= said.keys():
            came = sorted(map(str, said))[:8] if isinstance(said, dict) else type(said).__name__
            raise WireError(f"{self._url} sent {came}; expected a modality configuration of GR00T.")
        return said

    def _check_keys(self) -> None:
        """Refuse keys that are not those the server takes."""
        sent = {*self._keys.images, *self._keys.state}
        taken = {f"{name}.{key}" for name in ("video", "state") for key in self._modalities[name]}
        if missing := sorted(taken - sent):
            raise WireError(
                f"{self._url} takes {', '.join(sorted(taken))}; the keys do not say what "
                f"{', '.join(missing)} is. Name all of them by a card's argument keys."
            )

    def _send(self, endpoint: str, data: dict[str, Any] | None) -> None:
        message: dict[str, Any] = {"endpoint": endpoint}
        if data is not None:
            message["data"] = data
        if self._address.key:
            message["api_token"] = self._address.key
        try:
            self._socket.send(pack_npy(message), self._zmq.NOBLOCK)
        except self._zmq.ZMQError as error:
            raise PolicyLostError(f"{self._url} was lost: {error.strerror or error}") from None

    def _receive(self, timeout_s: float | None = None) -> Any:
        limit = self._address.timeout_s if timeout_s is None else timeout_s
        # A poll, for the receiving timeout of a socket that was made before it is not applied.
        if not self._socket.poll(round(1000 * limit)):
            raise PolicyLostError(f"{self._url} gave no reply within {limit:g} s.")
        parts = self._socket.recv_multipart()
        if len(parts) != 1 or parts[0] == b"ERROR":
            raise server_error(self._url, "ERROR" if len(parts) == 1 else f"{len(parts)} parts of a message")
        found = unpack(parts[0])
        if isinstance(found, dict) and "error" in found:
            raise server_error(self._url, str(found["error"]))
        return found


def _check_listens(address: Address) -> None:
    """A socket of ZeroMQ waits for ever for one that is not there; this says so at once."""
    try:
        socket.create_connection(address.place, timeout=address.connect_s).close()
    except TimeoutError:
        raise PolicyLostError(f"{address.url} did not answer within {address.connect_s:g} s.") from None
    except OSError as error:
        raise PolicyLostError(f"no server at {address.url}: {error.strerror or error}") from None


def _config(said: dict[str, Any], name: str) -> Any:
    found = said[name]
    return found.get("as_json", found) if isinstance(found, dict) else found


def _keys_of(said: dict[str, Any], name: str, url: str) -> tuple[str, ...]:
    """Keys of a modality."""
    config = _config(said, name)
    keys = config.get("modality_keys") if isinstance(config, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise WireError(f"{url}: its modality {name!r} has no list of keys.")
    if name == "action" and not keys:
        raise WireError(f"{url}: its modality 'action' has no keys.")
    return tuple(key.removeprefix(f"{name}.") for key in keys)


def _offsets(said: dict[str, Any], url: str) -> tuple[int, ...]:
    """Which observations before the newest the server's images are: 0 is that, -1 the one before."""
    config = _config(said, "video")
    found = config.get("delta_indices") if isinstance(config, dict) else None
    whole = isinstance(found, list) and bool(found) and all(type(n) is int for n in found)
    if not isinstance(found, list) or not whole or not all(-MOST_HISTORY < n <= 0 for n in found):
        raise WireError(f"{url}: its images are of {str(found)[:60]}; expected offsets of 0 and below.")
    return tuple(found)


def _joined(parts: Sequence[Any]) -> Any:
    """Arrays [1, ...] or lists of one, as the rows of one."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [row for part in parts for row in part]


def _part(action: dict[str, Any], key: str, rows: int) -> NDArray[Any]:
    """A part [rows, H, D] of an action."""
    value = action.get(key)
    if (
        not isinstance(value, np.ndarray)
        or value.ndim != 3
        or len(value) != rows
        or value.dtype.kind not in "iuf"
    ):
        came = f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
        raise WireError(f"part {key!r} of the action is {came}; expected numbers [{rows}, H, D].")
    check_finite(value, f"part {key!r}")
    part: NDArray[Any] = value
    return part
