"""Looks: random surfaces, colours, light and a slightly shifted camera, for training frames.

A policy that is trained in one room learns it by heart. A look changes all of a room but its shape. It is
drawn from a seed, and from nothing of the suites: neither the variants of envs/variants nor their textures
are read. So what a policy has seen does not change: the backgrounds of the suite `novel` stay new to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import from_rotation_vector, multiply
from rtbench.core.seeding import generator
from rtbench.data.procedural_texture import Pixels, paint
from rtbench.env.material import SURFACES, material, surface_of
from rtbench.env.perturbation import HEAD, restore
from rtbench.env.room import AMBIENT as OWN_AMBIENT
from rtbench.env.room import LIGHT, LIGHT_DIFFUSE, LIGHT_DIRECTION
from rtbench.task.appearance import Surface, Texture

KEPT = 0.15
"""Share of the surfaces that keep the scene's own picture."""
SIDE = 128
"""Height and width of a picture [pixels], those of the scene's own textures."""
AMBIENT = (0.36, 0.58)
"""Range of the light on all sides. Darker light, and one from elsewhere, belong to the suite `novel`."""
DIFFUSE = (0.30, 0.58)
"""Range of the ceiling light's brightness."""
CAST = 0.12
"""Largest change of a channel of light by its colour, as a share."""
TILT = 25.0
"""Largest angle of the ceiling light from its own direction [degrees]."""
CAMERA_SHIFT = (0.015, 0.015, 0.015)
"""Largest shift of the head camera in the base frame [m]: half of the suite `novel`'s smallest."""
CAMERA_TURN = (0.7, 1.0, 0.7)
"""Largest turn of the head camera about its own axes [degrees], likewise."""
_COLORS = 8
"""Colours for ornaments."""


@dataclass(frozen=True)
class Look:
    """How a room looks, and from where it is seen."""

    surfaces: Mapping[Surface, Pixels] = field(default_factory=dict)
    """Kind of surface -> picture uint8[128, 128, 3], RGB; kinds that are not named keep their own."""
    ambient: float = OWN_AMBIENT[0]
    """What lights all sides alike: the headlight, grey, 0 to 1."""
    diffuse: tuple[float, float, float] = LIGHT_DIFFUSE
    """Colour of the ceiling's light, RGB, 0 to 1."""
    direction: tuple[float, float, float] = LIGHT_DIRECTION
    """Where the ceiling's light shines to, in the world."""
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift of the head camera: forwards, to the left and up [m], in the base frame."""
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Turn of the head camera: a rotation vector in the picture's axes right, up and backwards [degrees]."""
    ornaments: tuple[tuple[float, float, float], ...] = ()
    """Colours of what is fixed to the counters as ornament, RGB, 0 to 1, in turn; none: their own."""


def draw_look(*names: str | int) -> Look:
    """The look of that name: the same names give the same look in any process."""
    random = generator("look", *names)
    chosen = [surface for surface in SURFACES if random.random() >= KEPT]
    surfaces = {surface: paint(random, SIDE, SIDE) for surface in chosen}
    brightness, cast = random.uniform(*DIFFUSE), random.uniform(1 - CAST, 1 + CAST, 3)
    return Look(
        surfaces=surfaces,
        ambient=float(random.uniform(*AMBIENT)),
        diffuse=_three(brightness * cast),
        direction=_tilted(random),
        shift=_three(random.uniform(-1, 1, 3) * CAMERA_SHIFT),
        turn=_three(random.uniform(-1, 1, 3) * CAMERA_TURN),
        ornaments=tuple(_three(color) for color in random.uniform(0.05, 0.95, (_COLORS, 3))),
    )


def dress(
    model: mujoco.MjModel, whole: mujoco.MjModel, look: Look | None, ornaments: Iterable[str]
) -> set[int]:
    """Write a look into a model, in place of any earlier one; None undoes it. No state is touched.

    Args:
        model: A copy of `whole` of the caller's own.
        whole: The scene as compiled.
        look: The look.
        ornaments: Names of the geoms that are ornaments.

    Returns:
        Numbers of the textures that have changed, which the renderer must be given again.
    """
    restore(model, whole)
    model.geom_rgba[:] = whole.geom_rgba
    if look is None:
        return set()
    changed = _cover(model, look)
    number = model.light(LIGHT).id
    model.vis.headlight.ambient[:] = look.ambient
    model.light_diffuse[number] = look.diffuse
    model.light_dir[number] = np.array(look.direction) / np.linalg.norm(look.direction)
    camera = model.camera(HEAD).id
    model.cam_pos[camera] += look.shift
    turn = from_rotation_vector(np.radians(look.turn))
    model.cam_quat[camera] = multiply(model.cam_quat[camera], turn)
    for k, name in enumerate(ornaments if look.ornaments else ()):
        model.geom(name).rgba[:3] = look.ornaments[k % len(look.ornaments)]
    return changed


def _cover(model: mujoco.MjModel, look: Look) -> set[int]:
    """Paint pictures over textures that nothing in the scene shows, and let its surfaces show those."""
    worn = [model.mat(int(number)).name if number >= 0 else "" for number in model.geom_matid]
    free = _free(model, worn)
    changed = set[int]()
    for surface, pixels in look.surfaces.items():
        name = next(free)
        texture = model.texture(name).id
        begin = int(model.tex_adr[texture])
        model.tex_data[begin : begin + pixels.size] = pixels.ravel()
        changed.add(texture)
        model.geom_matid[[surface_of(of) == surface for of in worn]] = model.mat(material(surface, name)).id
    return changed


def _free(model: mujoco.MjModel, worn: Iterable[str]) -> Iterator[Texture]:
    """Names of the textures that no worn material shows, and that have the size of a look's pictures."""
    shown = {name.partition("/")[2] for name in worn if surface_of(name)}
    for name in get_args(Texture):
        number = model.texture(name).id
        if name not in shown and model.tex_height[number] == model.tex_width[number] == SIDE:
            yield name


def _tilted(random: np.random.Generator) -> tuple[float, float, float]:
    """The ceiling light's direction, turned by up to `TILT` about a random axis that is square to it."""
    down = np.array(LIGHT_DIRECTION) / np.linalg.norm(LIGHT_DIRECTION)
    aside = np.cross(down, random.standard_normal(3))
    aside /= np.linalg.norm(aside)
    angle = math.radians(TILT) * math.sqrt(random.random())
    return _three(math.cos(angle) * down + math.sin(angle) * aside)


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
