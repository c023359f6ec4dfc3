"""Addresses of policy servers as names of policies: 'remote:ws://HOST:PORT'."""

from __future__ import annotations

from urllib.parse import urlsplit

from rtbench.core.errors import PolicyError

PREFIX = "remote:"
"""What a policy's name begins with that is a server's address."""
FACTORY = "rtbench.policy.remote.policy:RemotePolicy"
KEY_VARIABLE = "RTBENCH_API_KEY"
"""Environment variable of the key that a server asks for; a key on the command line would be recorded."""
SCHEMES = ("ws", "wss")


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
        raise PolicyError(f"{url!r} is no address of a policy server; expected ws://HOST:PORT.")
    if "@" in parts.netloc:
        raise PolicyError(f"an address with a password would be recorded; put a key into {KEY_VARIABLE}.")
    return url
