"""`RemotePolicy`: a policy whose predictions come from a server, over a connection for each slot."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import CONVENTIONS
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.core.extras import require
from rtbench.policy.base import Needs
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.address import KEY_VARIABLE, Address, check_protocol, check_url
from rtbench.policy.remote.codec import WireError
from rtbench.policy.remote.connect import connect
from rtbench.policy.remote.connection import Connection, extension
from rtbench.policy.remote.observation_keys import ObservationKeys, find_keys

FIRST_WAIT_S = 0.25
"""Seconds until a lost server is tried again; they double each time."""
ACTIONS = {
    "libero": "libero-7d", "vla-eval-libero": "libero-7d", "roboeval-libero": "libero-7d", "droid": "droid-8d"
}  # fmt: skip
"""Keys -> the action mapping that goes with them where none is named."""
DEFAULT_KEYS = {
    "openpi": "rtbench", "roboarena": "rtbench", "vla-eval": "vla-eval", "gr00t": "gr00t",
    "roboeval": "roboeval",
}  # fmt: skip
"""Protocol -> the keys of a server of ours."""
OTHERS_KEYS = {"roboarena": "roboarena", "vla-eval": "vla-eval", "gr00t": "gr00t-libero"}
"""Protocol -> the keys of another's server, where these can be told or are checked."""


@dataclass
class _Slot:
    """The connection of a slot, and what its episode has taken."""

    connection: Connection
    trips_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)


class RemotePolicy:
    """Asks a server for chunks of numbers; what these mean says an action mapping, as of any such policy."""

    def __init__(
        self,
        url: str,
        *,
        protocol: str | None = None,
        keys: str | Mapping[str, Any] | None = None,
        history: int = 1,
        timeout_s: float = 300.0,
        reconnect_s: float = 10.0,
    ) -> None:
        """Connect, and hear what the server says of itself.

        Args:
            url: 'ws://HOST:PORT', 'zmq://HOST:PORT' or 'http://HOST:PORT'.
            protocol: One of `rtbench.policy.remote.address.PROTOCOLS`, to insist on it; None to find out.
            keys: What is sent under which keys: the name of a preset, or a map; see
                `rtbench.policy.remote.observation_keys`. None: those that go with the protocol.
            history: Observations that the served policy remembers. More than one needs a protocol that tells
                where an episode begins.
            timeout_s: Seconds that a reply may take before the server is given up as lost.
            reconnect_s: Seconds for which a lost server is tried again before the episode is given up.

        Raises:
            PolicyError: no server there, another one, or one that this policy cannot be played with.
        """
        require("remote", "--policy remote:")
        self._url = check_url(url)
        if protocol is not None:
            check_protocol(protocol, url)
        self._protocol, self._asked_keys = protocol, keys
        self._timeout_s, self._reconnect_s = timeout_s, reconnect_s
        self._keys: ObservationKeys | None = find_keys(keys) if keys is not None else None
        self._slots: dict[int, _Slot] = {}
        try:
            first = self._open()
        except PolicyLostError as error:
            raise PolicyError(f"{error} Start the server, or correct the address.") from None
        self._spare: Connection | None = first
        self._protocol = first.protocol
        ours = extension(first.said)
        self._keys = self._keys or self._find_keys(first.protocol, first.said)
        self.action = _action(ours, keys)
        self.needs = Needs(
            cameras=self._keys.cameras, history=max(history, _whole(ours.get("history"))),
            convention=_convention(ours),
        )  # fmt: skip
        if self.needs.history > 1 and first.resets == "none":
            raise PolicyError(
                f"{self._url}: the policy remembers {self.needs.history} observations, and protocol "
                f"{first.protocol} cannot tell it where an episode begins. Serve it by roboarena or vla-eval."
            )
        self._resets = first.resets
        self._batches = bool(getattr(first, "batches", False))
        """Whether several slots may ask by one request."""
        self.fingerprint = json.dumps(
            {"protocol": first.protocol, "said": first.said}, sort_keys=True, default=_shown
        )
        """Protocol, and what the server says of itself, as JSON."""

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode; a connection that was lost is made anew."""
        held = self._slots.get(slot)
        others = self._slots.keys() - {slot}
        if others and self._resets == "global" and self.needs.history > 1:
            raise PolicyError(
                f"{self._url}: the policy remembers {self.needs.history} observations, and a reset by "
                f"protocol {self._protocol} is one for all episodes. Play one at a time: --jobs 1."
            )
        if held is not None:
            try:
                self._begin(slot, held.connection, instruction, seed)
            except PolicyLostError:
                self._drop(slot)
            else:
                return
        self._begin(slot, self._take(), instruction, seed)

    def predict(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.floating]:
        """float64[len(slots), H, D]: all slots are asked, then all answers are awaited.

        Raises:
            PolicyLostError: the server is gone.
            WireError: an answer that cannot be used.
        """
        if len(slots) > 1 and self._batches and self.needs.history == 1:
            return self._predict_together(observations, slots)
        chunks, starts = [], {}
        try:
            for seen, slot in zip(observations, slots, strict=True):
                starts[slot] = time.perf_counter()
                self._slots[slot].connection.ask(seen)
            for slot in slots:
                held = self._slots[slot]
                chunk, server_ms = held.connection.answer()
                held.trips_ms.append(1e3 * (time.perf_counter() - starts[slot]))
                if server_ms is not None:
                    held.server_ms.append(server_ms)
                chunks.append(np.asarray(chunk, dtype=np.float64))
        except BaseException:
            # Answers that were not read would be taken for those to the next question.
            for slot in slots:
                self._drop(slot)
            raise
        return self._stacked(chunks)

    def _predict_together(
        self, observations: Sequence[Observation], slots: Sequence[int]
    ) -> NDArray[np.floating]:
        """As `predict`, by one request with a row for each slot; by one each if the server refuses that."""
        held = [self._slots[slot] for slot in slots]
        connections: list[Any] = [one.connection for one in held]
        try:
            rows = [c.note(seen) for c, seen in zip(connections, observations, strict=True)]
            start = time.perf_counter()
            try:
                chunks, server_ms = _answered(connections[0], rows)
            except WireError:
                # Does it refuse what is asked, or that several ask at once?
                found = [_answered(c, [row]) for c, row in zip(connections, rows, strict=True)]
                chunks, server_ms = [chunk for (chunk,), _ in found], None
                self._batches = False
        except BaseException:
            for slot in slots:
                self._drop(slot)
            raise
        for one in held:
            one.trips_ms.append(1e3 * (time.perf_counter() - start))
            if server_ms is not None:
                one.server_ms.append(server_ms)
        return self._stacked([np.asarray(chunk, dtype=np.float64) for chunk in chunks])

    def _stacked(self, chunks: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        shapes = {chunk.shape for chunk in chunks}
        if len(shapes) > 1:
            raise WireError(f"{self._url} gave chunks of several shapes: {sorted(shapes)}; expected one.")
        return np.stack(chunks)

    def episode_report(self, slot: int) -> dict[str, Any]:
        """Of the slot's episode: protocol, how it was reset, and each round trip [ms].

        'policy_ms' has the policy's own times, of a server that says them.
        """
        held = self._slots.get(slot)
        if held is None:
            return {}
        told: dict[str, Any] = {"protocol": self._protocol, "reset": self._resets}
        told["round_trip_ms"] = _rounded(held.trips_ms)
        if held.server_ms:
            told["policy_ms"] = _rounded(held.server_ms)
        return {"remote": told}

    def close(self) -> None:
        """End all connections."""
        for slot in list(self._slots):
            self._drop(slot)
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _begin(self, slot: int, connection: Connection, instruction: str, seed: int) -> None:
        self._slots[slot] = _Slot(connection)
        try:
            connection.begin(instruction, seed)
        except WireError:
            self._drop(slot)
            raise

    def _drop(self, slot: int) -> None:
        held = self._slots.pop(slot, None)
        if held is not None:
            held.connection.close()

    def _take(self) -> Connection:
        """A connection; a server that is gone is tried for a while."""
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        end, wait = time.monotonic() + self._reconnect_s, FIRST_WAIT_S
        while True:
            try:
                return self._open()
            except PolicyLostError:
                if time.monotonic() + wait > end:
                    raise
            time.sleep(wait)
            wait *= 2

    def _open(self) -> Connection:
        key = os.environ.get(KEY_VARIABLE) or None
        where = Address(self._url, key, self._timeout_s, connect_s=min(10.0, self._timeout_s))
        return connect(where, self._keys, self._find_keys, self._protocol)

    def _find_keys(self, protocol: str, said: dict[str, Any]) -> ObservationKeys:
        """Keys that go with a protocol; a server of ours says which, and which cameras it looks at."""
        ours = extension(said)
        cameras = ours.get("cameras")
        named = (DEFAULT_KEYS if ours or _is_of_our_export(said) else OTHERS_KEYS).get(protocol)
        if named is None:
            likely = {"openpi": "keys=libero or keys=droid", "roboeval": "keys=roboeval-libero"}[protocol]
            raise PolicyError(
                f"{self._url} speaks {protocol}, which does not say what its policy wants to see. "
                f"Name it: --policy-arg {likely}, or a map in a card."
            )
        found = find_keys(named, tuple(map(str, cameras)) if isinstance(cameras, list) else None)
        taken = _modality_keys(said, "video") if protocol == "gr00t" else None
        if taken is None:
            return found
        images = {key: image for key, image in found.images.items() if key.removeprefix("video.") in taken}
        return found.model_copy(update={"images": images})


def _answered(connection: Any, rows: Sequence[Any]) -> tuple[list[NDArray[Any]], float | None]:
    """A chunk for each row, and the policy's own time [ms]."""
    connection.ask_together(rows)
    answered: tuple[list[NDArray[Any]], float | None] = connection.answer_together(len(rows))
    return answered


def _is_of_our_export(said: dict[str, Any]) -> bool:
    """Whether a GR00T server takes the keys of our exports' meta/modality.json."""
    return _modality_keys(said, "state") == ["proprio"]


def _modality_keys(said: dict[str, Any], name: str) -> list[str] | None:
    """Keys of a modality of a GR00T server; None where it says none."""
    config = said.get(name)
    told = config.get("as_json") if isinstance(config, dict) else None
    keys = told.get("modality_keys") if isinstance(told, dict) else None
    return [str(key) for key in keys] if isinstance(keys, list) else None


def _action(ours: dict[str, Any], keys: Any) -> str | None:
    said = ours.get("action")
    return str(said) if said else ACTIONS.get(keys) if isinstance(keys, str) else None


def _convention(ours: dict[str, Any]) -> str:
    said = ours.get("convention", "rtbench")
    return said if isinstance(said, str) and said in CONVENTIONS else "rtbench"


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 3) for value in values]


def _shown(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
