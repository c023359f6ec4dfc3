"""Where a server listens, and who may ask it."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass

from rtbench.core.errors import RtbenchError
from rtbench.policy.remote.address import KEY_VARIABLE


class ServeError(RtbenchError):
    """A server that cannot be started."""


@dataclass(frozen=True)
class Listening:
    """Where a server listens."""

    host: str = "127.0.0.1"
    """Address; others than the loopback's need a key."""
    port: int = 8000
    """Port; 0 for any that is free."""
    key: str | None = None
    """Key that clients must send."""

    def check(self) -> None:
        """Refuse to listen to other machines without a key.

        Raises:
            ServeError: no key.
        """
        if not self.key and not _is_loopback(self.host):
            raise ServeError(
                f"--host {self.host} lets other machines ask the policy: put a key that they must send into "
                f"{KEY_VARIABLE}, or listen at 127.0.0.1."
            )

    def admits(self, sent: str) -> bool:
        """Whether a client that sent this key may ask."""
        return not self.key or hmac.compare_digest(sent.encode(), self.key.encode())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
