"""What every test gets: a chosen OpenGL back end, no network, and settled hypothesis profiles."""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if sys.dont_write_bytecode:
    # Else each of the thousand processes that tests start compiles what it imports: 11 s instead of 5 for
    # transformers. What is not wanted beside the sources is kept in a folder of its own.
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parents[1] / "build" / "pycache")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

import hypothesis
import pytest

from rtbench.core.errors import RenderError
from rtbench.env import gl

# A deadline would measure the machine's other work, not the code.
hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI", "").lower() == "true" else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets golden files be written anew."""
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing")


def pytest_configure() -> None:
    """Before any test module imports MuJoCo, which then fixes its back end."""
    try:
        gl.prepare()
    except RenderError as error:
        pytest.exit(str(error), returncode=int(error.exit_code))


@pytest.fixture(autouse=True)
def _pytorch_as_it_starts() -> Iterator[None]:
    """Some tests tell PyTorch to take tiny numbers for zero, which the next test's simulator must not, or to
    keep no gradients, which the next training needs."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
        torch.set_grad_enabled(True)


LOOPBACK = {"127.0.0.1", "::1"}
"""Addresses of this machine, at which tests of servers listen. A name would be looked up."""


class NetworkError(RuntimeError):
    """A test tried to reach the network."""


def _refuse(what: str, address: object) -> None:
    raise NetworkError(f"tests are offline: {what} to {address!r}")


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every socket that leaves this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            original = getattr(socket.socket, name)

            def guarded(self: socket.socket, *args: Any, _original: Any = original, _name: str = name) -> Any:
                if self.family != socket.AF_UNIX and args[-1][0] not in LOOPBACK:
                    _refuse(_name, args[-1])
                return _original(self, *args)

            patch.setattr(socket.socket, name, guarded)
        found = socket.getaddrinfo

        def here(host: Any, *args: Any, **options: Any) -> Any:
            return found(host, *args, **options) if host in LOOPBACK else _refuse("getaddrinfo", host)

        patch.setattr(socket, "getaddrinfo", here)
        yield


# What tests of the simulator share. MuJoCo is imported inside: `pytest_configure` must come first.


@pytest.fixture(scope="session")
def kitchen() -> Any:
    """A kitchen that draws nothing unless asked; every test begins an episode of its own in it."""
    from rtbench.env.kitchen import Kitchen

    return Kitchen(cameras=())


@pytest.fixture(scope="session")
def episode_of() -> Callable[..., Any]:
    """episode_of(task, seed=0, **changes): an episode of the seen suite, with other fields if named."""
    from rtbench.task.library import BUNDLED, load_suite
    from rtbench.task.suite import draw

    def make(task: str, seed: int = 0, **changes: Any) -> Any:
        return dataclasses.replace(draw(load_suite("seen"), BUNDLED.task(task), seed), **changes)

    return make


@pytest.fixture(scope="session")
def act() -> Callable[..., Any]:
    """act(kitchen, **dimensions): one step of an action that is idle but for the dimensions named."""
    from rtbench.core.action import DIMENSIONS, RTBENCH, idle

    def step(kitchen: Any, **dimensions: float) -> Any:
        action = idle()
        for name, value in dimensions.items():
            action[DIMENSIONS.index(name)] = value
        return kitchen.advance(RTBENCH.encode(action))

    return step
