"""rtbench: evaluate language-conditioned robot policies in simulation.

    import rtbench
    run = rtbench.evaluate("oracle", "seen")      # play a suite, get the results
    run = rtbench.load_run("runs/oracle/seen/ID")  # or read them back
    run.frame                                      # one row an episode
    rtbench.compare([base.path, run.path])         # paired differences, tests and flips
    env = rtbench.make("pick/coke_can-v0")         # a gymnasium environment

Names are imported when they are first used, so that `import rtbench` costs next to nothing. It also makes the
tasks known to gymnasium; see `rtbench.env.registration`.
"""

from __future__ import annotations

import sys

if (getattr(sys, "argv", None) or [""])[0].rpartition("/")[2] in {"rtbench", "-m"}:
    # This is the command line itself, and no program that imports us.
    from rtbench.core import early_interrupt

    early_interrupt.watch()

import importlib
from typing import TYPE_CHECKING, Any

from rtbench.env import registration

if TYPE_CHECKING:
    from rtbench.analysis.compare import Comparison, compare
    from rtbench.core.episode import Episode, Observation
    from rtbench.env.registration import make
    from rtbench.evaluation.evaluate import Options, evaluate
    from rtbench.policy.base import Needs, Policy
    from rtbench.result.run import Run, load_run
    from rtbench.task.library import load_suite
    from rtbench.task.suite import episodes

    __version__: str

__all__ = [
    "Comparison",
    "Episode",
    "Needs",
    "Observation",
    "Options",
    "Policy",
    "Run",
    "__version__",
    "compare",
    "episodes",
    "evaluate",
    "load_run",
    "load_suite",
    "make",
]

_HOMES = {
    "Comparison": "rtbench.analysis.compare",
    "Episode": "rtbench.core.episode",
    "Needs": "rtbench.policy.base",
    "Observation": "rtbench.core.episode",
    "Options": "rtbench.evaluation.evaluate",
    "Policy": "rtbench.policy.base",
    "Run": "rtbench.result.run",
    "compare": "rtbench.analysis.compare",
    "episodes": "rtbench.task.suite",
    "evaluate": "rtbench.evaluation.evaluate",
    "load_run": "rtbench.result.run",
    "load_suite": "rtbench.task.library",
    "make": "rtbench.env.registration",
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


registration.follow_gymnasium()
