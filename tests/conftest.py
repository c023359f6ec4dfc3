"""What every test gets: a chosen OpenGL back end, no network, and settled hypothesis profiles."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from rtbench import gl
from rtbench.errors import RenderError

# A deadline would measure the machine's other work, not the code.
hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI", "").lower() == "true" else "dev")


def pytest_configure() -> None:
    """Before any test module imports MuJoCo, which then fixes its back end."""
    try:
        gl.prepare()
    except RenderError as error:
        pytest.exit(str(error), returncode=int(error.exit_code))


class NetworkError(RuntimeError):
    """A test tried to reach the network."""


def _refuse(what: str, address: object) -> None:
    raise NetworkError(f"tests are offline: {what} to {address!r}")


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every socket but those of AF_UNIX, which processes of one machine use among themselves."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            original = getattr(socket.socket, name)

            def guarded(self: socket.socket, *args: Any, _original: Any = original, _name: str = name) -> Any:
                if self.family != socket.AF_UNIX:
                    _refuse(_name, args[-1])
                return _original(self, *args)

            patch.setattr(socket.socket, name, guarded)
        patch.setattr(socket, "getaddrinfo", lambda host, *_, **__: _refuse("getaddrinfo", host))
        yield
