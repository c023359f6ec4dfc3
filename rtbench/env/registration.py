"""Makes every task known to gymnasium: ``gymnasium.make("rtbench/PickCokeCan-v0")``.

Gymnasium loads no plugins by itself since 1.0, so `import rtbench` is what registers, as for any package of
environments. Listing policies or reading results should not wait for gymnasium (0.15 s), nor for the 1,300
tasks: where gymnasium is not imported yet, registering waits until it is.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rtbench.core.errors import RtbenchError

if TYPE_CHECKING:
    from rtbench.env.kitchen import Kitchen

ENTRY_POINT = "rtbench.env.kitchen:Kitchen"
_HOME = "gymnasium.envs"
"""Module after whose import `gymnasium.register` can be called."""


def make(task: str, **settings: Any) -> Kitchen:
    """The environment of a task, without gymnasium's wrappers.

    Args:
        task: A task's id, 'pick/coke_can-v0', or its gymnasium id, 'rtbench/PickCokeCan-v0'.
        **settings: Those of `rtbench.env.kitchen.Kitchen`, such as ``cameras=("head", "wrist")``.

    Raises:
        UnknownNameError: no such task.
        RenderError: no OpenGL back end works here.
    """
    from rtbench.env import gl

    gl.prepare()  # before MuJoCo is imported, with the kitchen, and takes a back end for itself
    from rtbench.env.kitchen import Kitchen

    return Kitchen(task, **settings)


def register(content: Sequence[Path] = ()) -> None:
    """Register all tasks that are not yet known to gymnasium; those of the user's content roots too.

    Raises:
        ContentError: content that cannot be used.
    """
    # Not from the package itself, which may still be in the middle of its import.
    from gymnasium.envs import registration

    from rtbench.task.library import Library

    own = {"content": tuple(content)} if content else {}
    for task in Library(content).tasks().values():
        if task.gym_id not in registration.registry:
            registration.register(task.gym_id, entry_point=ENTRY_POINT, kwargs={"task": task.id, **own})


def follow_gymnasium() -> None:
    """Register now if gymnasium has been imported, otherwise as soon as it is."""
    if _HOME in sys.modules:
        _register()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Waits for the import of gymnasium; finds nothing itself."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The module's own spec, with registering added to its execution."""
        if name != _HOME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _register()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register() -> None:
    """`register`, but content that cannot be used must not keep anybody from importing gymnasium."""
    try:
        register()
    except RtbenchError as error:
        warnings.warn(f"tasks of rtbench are not registered: {error}", stacklevel=2)
