"""Addresses of policy servers as names of policies: 'remote:ws://HOST:PORT'."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from rtbench.core.errors import PolicyError, UnknownNameError

PREFIX = "remote:"
"""What a policy's name begins with that is a server's address."""
FACTORY = "rtbench.policy.remote.policy:RemotePolicy"
KEY_VARIABLE = "RTBENCH_API_KEY"
"""Environment variable of the key that a server asks for; a key on the command line would be recorded."""
PROTOCOLS = {
    "openpi": ("ws", "wss"), "roboarena": ("ws", "wss"), "vla-eval": ("ws", "wss"), "gr00t": ("zmq",),
    "roboeval": ("http", "https"),
}  # fmt: skip
"""Protocol -> schemes of the addresses at which it is spoken."""
SCHEMES = tuple(dict.fromkeys(scheme for schemes in PROTOCOLS.values() for scheme in schemes))
FORMS = "ws://HOST:PORT, zmq://HOST:PORT or http://HOST:PORT"


@dataclass(frozen=True)
class Address:
    """A server, and how long to wait for it."""

    url: str
    """Scheme, host and port, such as 'ws://HOST:PORT'."""
    key: str | None
    """Key that it asks for."""
    timeout_s: float
    """Seconds that a reply may take."""
    connect_s: float
    """Seconds that the connection may take."""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or {"https": 443, "zmq": 5555}.get(parts.scheme, 80)


def run_name(name: str) -> str:
    """'HOST-PORT' of a name that begins with `PREFIX`: how its runs are called.

    Raises:
        PolicyError: no address.
    """
    return urlsplit(check_url(name.removeprefix(PREFIX))).netloc.replace(":", "-").strip("[]")


def check_url(url: str) -> str:
    """The address, if it is one that there can be.

    Raises:
        PolicyError: another scheme, no host, a port that there is not, or a password.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in SCHEMES and parts.hostname and (parts.port or True)
    except ValueError:
        fine = None
    if not fine:
        raise PolicyError(f"{url!r} is no address of a policy server; expected {FORMS}.")
    if "@" in parts.netloc:
        raise PolicyError(f"an address with a password would be recorded; put a key into {KEY_VARIABLE}.")
    return url


def check_protocol(name: str, url: str = "") -> None:
    """Refuse a protocol that there is not, or that is not spoken at an address.

    Raises:
        UnknownNameError: no such protocol.
        PolicyError: the address is one of another.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS, where="--protocol")
    scheme = urlsplit(url).scheme
    if url and scheme not in PROTOCOLS[name]:
        raise PolicyError(f"protocol {name} is spoken at {PROTOCOLS[name][0]}://HOST:PORT, not at {url}.")
