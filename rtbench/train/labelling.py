"""The environment of a worker that records: the oracle beside it says what it would do, whoever acts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import mujoco
import numpy as np

from rtbench.action import SIZE
from rtbench.env.kitchen import Kitchen
from rtbench.messages import EnvSettings
from rtbench.policy.oracle import oracle_action
from rtbench.spec import Observation
from rtbench.train.recorder import Labelled


class LabellingKitchen(Kitchen):
    """A kitchen whose observations carry the oracle's closed-loop answer."""

    def observe(self) -> Labelled:
        """What the policy sees now, and what the oracle would do."""
        seen = super().observe()
        over = np.zeros(SIZE, dtype=np.int64)
        label = over if self.terminated else self.convention.encode(oracle_action(self))
        return Labelled(
            **{field.name: getattr(seen, field.name) for field in fields(Observation)}, label=label
        )


def make_env(settings: EnvSettings) -> LabellingKitchen:
    """The environment of a worker."""
    # As in `make_worker_env`: no MUJOCO_LOG.TXT in the user's folder.
    mujoco.set_mju_user_warning(lambda _: None)
    return LabellingKitchen(
        cameras=settings.cameras,
        profile="lean",
        convention_name=settings.convention,
        control_hz=settings.control_hz,
        content=tuple(Path(root) for root in settings.content),
    )
