"""Materials of a room's surfaces: every texture for every kind of surface, so that variants can swap them.

A model holds all of them. Which one a surface wears is then a number in the model (`geom_matid`), and a new
background costs neither a compilation nor an upload to the renderer.
"""

from __future__ import annotations

from typing import get_args

import mujoco

from rtbench.env import texture as textures
from rtbench.task.appearance import Surface, Texture

SURFACES: tuple[Surface, ...] = get_args(Surface)
"""Kinds of surfaces: floor, walls, tops of counters, their fronts, and fronts of drawers."""
_REPEATS: dict[Surface, float] = {"floor": 1.0, "walls": 1.0, "tops": 2.0, "fronts": 1.5, "drawers": 2.0}
"""Times that a texture is repeated in a metre."""


def material(surface: Surface, texture: Texture) -> str:
    """Name of the material that shows a texture on that kind of surface."""
    return f"{surface}/{texture}"


def surface_of(name: str) -> str:
    """The kind of surface that a material of that name is for; '' if it is none of ours."""
    head, slash, _ = name.partition("/")
    return head if slash and head in SURFACES else ""


def add_texture(spec: mujoco.MjSpec, name: str, pixels: textures.Pixels) -> None:
    """Add a picture uint8[h, w, 3], RGB, row 0 at v = 1, to a model under construction."""
    texture = spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=pixels.shape[1],
        height=pixels.shape[0],
        nchannel=3,
    )
    texture.data = pixels.tobytes()


def add_materials(world: mujoco.MjSpec) -> None:
    """Add all textures, and a material for each kind of surface, to a model under construction."""
    for name in sorted(textures.TEXTURES):
        add_texture(world, name, textures.texture(name))
        for surface, repeat in _REPEATS.items():
            made = world.add_material(
                name=material(surface, name),
                texuniform=True,
                texrepeat=(repeat, repeat),
                specular=0.1,
                shininess=0.1,
            )
            made.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
