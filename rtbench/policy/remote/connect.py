"""Connects to a server of policies, by the protocol of its address."""

from __future__ import annotations

from rtbench.policy.remote.address import Address
from rtbench.policy.remote.connection import Connection, FindKeys
from rtbench.policy.remote.observation_keys import ObservationKeys


def connect(
    address: Address, keys: ObservationKeys | None, find_keys: FindKeys, protocol: str | None = None
) -> Connection:
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
    # A client loads what its own protocol needs, and no more.
    if address.url.startswith("zmq:"):
        from rtbench.policy.remote.gr00t import Gr00t

        return Gr00t(address, keys, find_keys)
    if address.url.startswith("http"):
        from rtbench.policy.remote.roboeval import Roboeval

        return Roboeval(address, keys, find_keys)
    from rtbench.policy.remote import websocket

    return websocket.connect(address, keys, find_keys, protocol)
