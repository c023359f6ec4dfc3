"""What the places of a plan point at, looked up in the simulator as the plan is stated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.core.stated_plan import StatedPlan

if TYPE_CHECKING:
    from rtbench.env.kitchen import Kitchen

NEAR = 0.1
"""Greatest distance of what a place points at, as a share of the picture's width: 32 pixels of 320."""
SAME = 0.03
"""Greatest distance of others that may be meant as well, likewise: ten pixels, less than the width of a can.
On a counter, things are further apart; one in another is not."""
CAMERA = "head"


def with_things(plan: StatedPlan, env: Any) -> StatedPlan:
    """The plan with the names of what its places point at, where the environment is a kitchen.

    A place points at the object, drawer or sink whose middle is nearest to it in the picture, if that is
    within `NEAR`; others that are within `SAME` of it are named beside it. The environment must be in the
    state that the policy saw. Nothing is changed in it.
    """
    # Other environments have no such names; a worker of those has not imported MuJoCo either.
    if not plan.places or not hasattr(env, "world") or not hasattr(env, "task"):
        return plan
    names, points = _in_picture(env)
    wide = np.array([1.0, IMAGE_HEIGHT / IMAGE_WIDTH])
    found = []
    for place in plan.places:
        distances = np.linalg.norm((points - (place.x, place.y)) * wide, axis=1)
        distances = np.where(np.isfinite(distances), distances, np.inf)
        order = np.argsort(distances, kind="stable")
        nearest = names[order[0]] if len(order) and distances[order[0]] <= NEAR else ""
        others = tuple(names[k] for k in order[1:] if distances[k] <= SAME)
        found.append(replace(place, thing=nearest, beside=others))
    return replace(plan, places=tuple(found))


def _in_picture(env: Kitchen) -> tuple[list[str], np.ndarray[Any, np.dtype[np.float64]]]:
    """Names of all objects, drawers and sinks, and their middles in the picture, float64[n, 2]."""
    from rtbench.env.visibility import in_picture

    world, spec = env.world, env.world.scene.spec
    stage = env._current()  # noqa: SLF001 - where the camera is, is nobody else's business
    camera, model = stage.data.camera(CAMERA), stage.scene.model
    names = [*world.names(), *spec.drawers]
    places = [world.pose(name).position for name in names]
    names += spec.sinks
    places += [world.cavity(name).center for name in spec.sinks]
    axes, fovy = camera.xmat.reshape(3, 3), float(model.camera(CAMERA).fovy[0])
    return names, in_picture(np.array(places).reshape(-1, 3), camera.xpos, axes, fovy)
