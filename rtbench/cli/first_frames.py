"""Writes first frames: of one episode, or of many on a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.core.errors import PlacementError, RtbenchError

if TYPE_CHECKING:
    from PIL.Image import Image

    from rtbench.core.episode import Episode
    from rtbench.report.contact_sheet import Panel, Sheet
    from rtbench.task.library import Library

FRAME_ENDINGS = (".png", ".jpg", ".jpeg")
SHEET_ENDINGS = (".png",)


class FrameError(RtbenchError):
    """An image that cannot be written."""


def write_frame(episode: Episode, path: Path, library: Library) -> None:
    """Write what the head camera sees before the first action, 320 x 256 pixels.

    Raises:
        FrameError: a file name without the ending of an image, or a folder that cannot be written.
        RtbenchError: the episode cannot be set up, or nothing draws here.
    """
    from PIL import Image

    from rtbench.env.registration import make

    _check("--frame", path, FRAME_ENDINGS)
    kitchen = make(episode.task, cameras=("head",), content=library.roots, robot=episode.robot)
    try:
        image = kitchen.begin(episode).images["head"]
    finally:
        kitchen.close()
    _save("--frame", Image.fromarray(image), path)


def write_sheet(title: str, episodes: Sequence[Episode], path: Path, library: Library) -> Sheet:
    """Write a contact sheet of first frames; see `rtbench.report.contact_sheet.compose`.

    An episode for which no placement is found stands on it without a frame, with the reason.

    Raises:
        FrameError: a file name without the ending of an image, or a folder that cannot be written.
        RtbenchError: an episode's scene cannot be built, or nothing draws here.
    """
    from rtbench.report.contact_sheet import compose

    _check("--sheet", path, SHEET_ENDINGS)
    sheet = compose(title, _panels(episodes, library))
    _save("--sheet", sheet.image, path)
    return sheet


def _panels(episodes: Sequence[Episode], library: Library) -> list[Panel]:
    """Panels in the order of the episodes; drawn scene by scene, for each with its objects is built anew."""
    from rtbench.env.registration import make
    from rtbench.report.contact_sheet import Panel

    if not episodes:
        return []
    things = library.things()

    def scene_key(k: int) -> tuple[str, list[str], str, int]:
        episode = episodes[k]
        sets = {things[name].set for name in episode.objects if name in things}
        return episode.scene, sorted(sets), episode.variant, k

    kitchen = make(episodes[0].task, cameras=("head",), content=library.roots, robot=episodes[0].robot)
    panels: dict[int, Panel] = {}
    try:
        for k in sorted(range(len(episodes)), key=scene_key):
            episode = episodes[k]
            try:
                frame, fault = kitchen.begin(episode).images["head"], ""
            except PlacementError as error:
                frame, fault = None, str(error)
            panels[k] = Panel(episode, frame, fault or str(kitchen.task.goal), kitchen.task.templates[0])
    finally:
        kitchen.close()
    return [panels[k] for k in range(len(episodes))]


def _check(option: str, path: Path, endings: Sequence[str]) -> None:
    """Refuse a name before anything is drawn for it."""
    if path.suffix.lower() not in endings:
        raise FrameError(f"{option} {path}: expected a file name that ends in {', '.join(endings)}.")


def _save(option: str, image: Image, path: Path) -> None:
    try:
        image.save(path)
    except OSError as error:
        raise FrameError(f"{option} {path}: cannot be written: {error.strerror or error}.") from None
