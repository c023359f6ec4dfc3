"""The environment of a recorded run, to play its tokens again."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from rtbench.core.errors import RunError

if TYPE_CHECKING:
    from rtbench.core.environment import EnvSettings
    from rtbench.evaluation.latency import Pace
    from rtbench.result.run import Run
    from rtbench.task.library import Library


def settings(run: Run, library: Library | None = None) -> EnvSettings:
    """What the run's environment was made from, without cameras: tokens need none.

    Args:
        run: The run.
        library: Where its content lies now; where it lay then, if None or without roots of the user's.

    Raises:
        RunError: it was played in another environment than the kitchen.
    """
    from rtbench.core.environment import EnvSettings
    from rtbench.evaluation.evaluate import FACTORY

    used = run.meta.settings
    if used.factory != FACTORY:
        raise RunError(
            f"{run.path}: was played in {used.factory}, which the command line does not load; "
            "use rtbench.evaluation.replay from Python."
        )
    return EnvSettings(
        profile=used.profile,
        convention=used.convention,
        content=tuple(map(str, library.roots if library else ())) or used.content,
        control_hz=used.control_hz,
    )


def pace(run: Run) -> Pace:
    """The run's control rate and thinking time."""
    from rtbench.evaluation.latency import Latency, Pace

    used = run.meta.settings
    played = Pace(Latency(used.latency_ms, measured=used.latency_measured), used.control_hz)
    return played.again((record.key, record.times.policy) for record in run.records)


def changes(run: Run, library: Library | None = None) -> list[str]:
    """What is different from when the run was played and may change results, in sentences."""
    from rtbench.task.library import Library

    found = []
    if Library(settings(run, library).content).content_hash() != run.meta.content_hash:
        found.append("the content (envs/ or tasks/) has changed since the run was played.")
    then, now = run.meta.simulator.rtbench, _version("rtbench")
    if then != now:
        found.append(f"played with rtbench {then or 'of a checkout'}, this is {now or 'a checkout'}.")
    return found


def mujoco_differs(run: Run) -> str:
    """A sentence where the run was played with another MuJoCo; '' where it was this one."""
    then, now = run.meta.simulator.mujoco, _version("mujoco")
    if then == now:
        return ""
    return f"played with MuJoCo {then}, this is {now}; pip install mujoco=={then} to compare."


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(package)
    except PackageNotFoundError:
        return None
