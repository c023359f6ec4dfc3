"""Off-screen rendering of a scene's cameras, to RGB images and to images of geom ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.core.errors import RenderError
from rtbench.env import gl
from rtbench.env.object import VISUAL_GROUP

Profile = Literal["lean", "full"]


@dataclass(frozen=True)
class Quality:
    """Settings of MuJoCo's renderer in one render profile."""

    samples: int
    """Multisamples per pixel."""
    shadow: int
    """Edge of the shadow map [pixels]; 0 for no shadows."""
    slices: int
    """Facets round a capsule or cylinder."""
    stacks: int
    """Facets along one."""
    quads: int
    """Pieces along the edge of a box's face or a plane; the lean light is even enough for one."""


PROFILES: dict[str, Quality] = {
    # Coarser primitives alone took a frame from 3.9 to 2.7 ms on llvmpipe (2026-11-21).
    "lean": Quality(samples=0, shadow=0, slices=12, stacks=6, quads=1),
    "full": Quality(samples=4, shadow=2048, slices=28, stacks=16, quads=4),
}


class Renderer:
    """One GL context for one model; images are uint8[256, 320, 3], RGB, row 0 at the top."""

    _current: ClassVar[Renderer | None] = None

    def __init__(
        self,
        model: mujoco.MjModel,
        profile: Profile = "lean",
        *,
        height: int = IMAGE_HEIGHT,
        width: int = IMAGE_WIDTH,
        scale: int = 1,
    ) -> None:
        """For a model.

        Args:
            model: The model; its settings of quality are changed.
            profile: Render profile.
            height: Of the images [pixels].
            width: Of the images [pixels].
            scale: Each pixel of an image is the mean of this many drawn pixels, squared.
        """
        self._model, self.profile = model, profile
        wanted, quality = PROFILES[profile], model.vis.quality
        quality.offsamples, quality.shadowsize = wanted.samples, wanted.shadow
        quality.numslices, quality.numstacks, quality.numquads = wanted.slices, wanted.stacks, wanted.quads
        gl.check_process()
        try:
            self._gl = gl.context(scale * width, scale * height)
            self._make_current()
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except Exception as error:
            raise RenderError(f"no OpenGL context: {error}. Run `rtbench doctor` for the remedy.") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = wanted.shadow > 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 0
        self._option.geomgroup[VISUAL_GROUP] = 1
        self._option.sitegroup[:] = 0
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._scale = scale
        self._viewport = mujoco.MjrRect(0, 0, scale * width, scale * height)
        self._pixels = np.empty((scale * height, scale * width, 3), dtype=np.uint8)

    def render(self, data: mujoco.MjData, camera: str) -> NDArray[np.uint8]:
        """Image uint8[height, width, 3] of a camera, RGB, row 0 at the top; of the state in `data`."""
        self._draw(data, camera)
        drawn = self._pixels[::-1]
        return np.ascontiguousarray(drawn if self._scale == 1 else _area(drawn, self._scale))

    def segment(self, data: mujoco.MjData, camera: str, only: set[int] | None = None) -> NDArray[np.int32]:
        """Geom id of each pixel, int32[height, width], row 0 at the top, -1 where there is none.

        Args:
            data: The state to draw.
            camera: Camera name.
            only: Draw these geoms alone, so that nothing hides them.
        """
        groups = self._model.geom_group.copy()
        if only is not None:
            self._model.geom_group[[g for g in range(self._model.ngeom) if g not in only]] = 5
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = True
        self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = True
        try:
            self._draw(data, camera)
        finally:
            self._scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = False
            self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = False
            self._model.geom_group[:] = groups
        # The drawn pixel nearest to the middle of each, for ids have no mean.
        coded = self._pixels[::-1][self._scale // 2 :: self._scale, self._scale // 2 :: self._scale]
        coded = coded.astype(np.int32)
        index = coded[..., 0] + (coded[..., 1] << 8) + (coded[..., 2] << 16) - 1
        lookup = np.full(self._scene.ngeom + 1, -1, dtype=np.int32)
        for i in range(self._scene.ngeom):
            geom = self._scene.geoms[i]
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.segid >= 0:
                lookup[geom.segid] = geom.objid
        found: NDArray[np.int32] = np.where(index >= 0, lookup[np.clip(index, 0, self._scene.ngeom)], -1)
        return found

    def _make_current(self) -> None:
        """Switch the GL context only when another renderer had it: a switch costs 2 ms on llvmpipe."""
        gl.check_process()
        if Renderer._current is not self:
            self._gl.make_current()
            Renderer._current = self

    def _draw(self, data: mujoco.MjData, camera: str) -> None:
        self._make_current()
        self._camera.fixedcamid = self._model.camera(camera).id
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        mujoco.mjr_render(self._viewport, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._viewport, self._context)

    def close(self) -> None:
        """Free the GL context."""
        context: Any = getattr(self, "_context", None)
        if context is not None:
            self._make_current()  # otherwise freeing breaks the context that is current
            context.free()
            self._context = None
        Renderer._current = None
        self._gl.free()


def _area(drawn: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Image uint8[h, w, 3] whose pixels are the rounded means of `scale` x `scale` drawn ones."""
    total = np.zeros((drawn.shape[0] // scale, drawn.shape[1] // scale, 3), dtype=np.uint16)
    for row in range(scale):
        for column in range(scale):
            total += drawn[row::scale, column::scale]
    return ((total + scale**2 // 2) // scale**2).astype(np.uint8)
