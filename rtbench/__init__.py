"""rtbench: evaluate language-conditioned robot policies in simulation.

    import rtbench
    run = rtbench.evaluate("oracle", "seen")      # play a suite, get the results
    run = rtbench.load_run("runs/oracle/seen/ID")  # or read them back
    run.frame                                      # one row an episode
    rtbench.compare([base.path, run.path])         # paired differences, tests and flips
    env = rtbench.make("pick/coke_can-v0")         # a gymnasium environment

Names are imported when they are first used, so that `import rtbench` costs next to nothing. It also makes the
tasks known to gymnasium; see `rtbench.registration`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rtbench import registration

if TYPE_CHECKING:
    from rtbench.comparison.contrast import Comparison, compare
    from rtbench.evaluate import Options, evaluate
    from rtbench.registration import make
    from rtbench.result import Run, load_run
    from rtbench.spec import Episode

    __version__: str

__all__ = [
    "Comparison",
    "Episode",
    "Options",
    "Run",
    "__version__",
    "compare",
    "evaluate",
    "load_run",
    "make",
]

_HOMES = {
    "Comparison": "rtbench.comparison.contrast",
    "Episode": "rtbench.spec",
    "Options": "rtbench.evaluate",
    "Run": "rtbench.result",
    "compare": "rtbench.comparison.contrast",
    "evaluate": "rtbench.evaluate",
    "load_run": "rtbench.result",
    "make": "rtbench.registration",
}
"""Public name -> module that defines it."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'rtbench' has no attribute {name!r}; public are {', '.join(__all__)}.")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rtbench")
    except PackageNotFoundError:
        return "0+not-installed"


class _Package(ModuleType):
    """Keeps `rtbench.evaluate` the function: importing the module of that name would put it in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
registration.follow_gymnasium()
