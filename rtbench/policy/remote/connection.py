"""What a remote policy asks of a connection, whatever its protocol. One connection plays one episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.policy.remote.codec import WireError, check_finite
from rtbench.policy.remote.observation_keys import ObservationKeys

EXTENSION = "rtbench"
"""Key under which a server of ours says what it serves, in the first message of any protocol."""
RESET_KEY, SEED_KEY = "rtbench/reset", "rtbench/seed"
"""Keys of a request in which a server of ours is given an episode's beginning and seed."""
FindKeys = Callable[[str, dict[str, Any]], ObservationKeys]
"""The keys that go with a protocol and what the server said."""


class Connection(Protocol):
    """A connection to a server of a known protocol."""

    protocol: str
    """One of `rtbench.policy.remote.address.PROTOCOLS`."""
    resets: str
    """How the server is told of a new episode: 'session', 'episode' or 'seed', or 'global' where a reset is
    one for all its clients; 'none' where it is not told."""
    said: dict[str, Any]
    """What the server said of itself."""

    def begin(self, instruction: str, seed: int) -> None:
        """Tell the server of a new episode, where the protocol can."""
        ...

    def ask(self, seen: Observation) -> None:
        """Send an observation."""
        ...

    def answer(self) -> tuple[NDArray[Any], float | None]:
        """The chunk [H, D] for what was asked, and the policy's own time [ms] where the server says it."""
        ...

    def close(self) -> None:
        """End the connection; never fails."""
        ...


def extension(said: dict[str, Any]) -> dict[str, Any]:
    """What a server of ours says of its policy; empty for another's."""
    found = said.get(EXTENSION)
    if not isinstance(found, dict):
        capabilities = said.get("capabilities")
        found = capabilities.get(EXTENSION) if isinstance(capabilities, dict) else None
    return found if isinstance(found, dict) else {}


def chunk_of(reply: Any, key: str = "actions") -> NDArray[Any]:
    """The chunk [H, D] in a reply; a single action [D] is a chunk of one.

    Raises:
        WireError: no actions, or no finite numbers in two axes.
    """
    if not isinstance(reply, dict) or key not in reply:
        came = f"keys {sorted(map(str, reply))[:12]}" if isinstance(reply, dict) else type(reply).__name__
        raise WireError(f"the reply has no {key!r}; came: {came}.")
    try:
        actions = np.asarray(reply[key])
    except ValueError:
        raise WireError(f"{key!r} is ragged; expected an array [H, D].") from None
    if actions.dtype.kind not in "iuf" or actions.ndim not in (1, 2):
        raise WireError(f"{key!r} is {actions.dtype}{list(actions.shape)}; expected numbers [H, D].")
    check_finite(actions, f"{key!r}")
    return actions[None] if actions.ndim == 1 else actions


def milliseconds(reply: dict[str, Any]) -> float | None:
    """The policy's own time [ms] that a reply of openpi's kind says, if it does."""
    for part in ("policy_timing", "server_timing"):
        timing = reply.get(part)
        spent = timing.get("infer_ms") if isinstance(timing, dict) else None
        if isinstance(spent, int | float):
            return float(spent)
    return None


def server_error(url: str, text: str) -> WireError:
    """What a server reports: the last line of its traceback, as a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return WireError(f"{url} reports an error: {lines[-1][:300] if lines else 'no text'}")
