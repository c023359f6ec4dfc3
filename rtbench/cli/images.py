"""The environment of `rtbench run --images`: it draws the head camera whatever the policy wants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtbench.env.kitchen import Kitchen
    from rtbench.messages import EnvSettings

FACTORY = "rtbench.cli.images:make_worker_env"
"""For `rtbench.evaluate.Options.factory`; being part of a run's id, it keeps runs with images apart."""


def make_worker_env(settings: EnvSettings) -> Kitchen:
    """The kitchen of a worker, with the head camera among its cameras."""
    from rtbench.env.kitchen import make_worker_env as make

    cameras = settings.cameras if "head" in settings.cameras else ("head", *settings.cameras)
    return make(replace(settings, cameras=cameras))
