"""First frames of episodes, rendered again or taken from their videos, and cached in the run's folder."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.core.errors import RtbenchError
from rtbench.result.folder import VIDEOS, read_json, write_json
from rtbench.result.record import Record
from rtbench.result.run import Run
from rtbench.task.library import BUNDLED, Library

if TYPE_CHECKING:
    from rtbench.env.kitchen import Kitchen

FILE = "frames.json"
"""The cache, in the run's folder."""
SIZE = 160, 128
"""Size of a picture [pixels], half of the camera's."""
SOME = 200
"""Pictures of `Frames.SOME` at most: 10 s of drawing in software, 0.5 MB of the page."""
_QUALITY = 60
_SCHEMA = 1


@dataclass(frozen=True)
class Frame:
    """The first frame of an episode."""

    picture: bytes
    """WebP, 160 x 128 pixels."""
    distance: float | None = None
    """Distance from the grip point to the centre of the goal's first object [m]; None where it has none, or
    where the frame is from a video."""


@dataclass(frozen=True)
class Drawn:
    """The first frames of a report."""

    frames: dict[str, Frame]
    """By key."""
    remarks: tuple[str, ...] = ()
    """Reasons why some are missing, in sentences."""


def first_frames(run: Run, keys: Iterable[str], library: Library = BUNDLED) -> Drawn:
    """First frames of some episodes of a run; unavailable ones are left out.

    An episode that is set up again counts only if its settled state has the fingerprint that was recorded.

    Args:
        run: The run. Its folder keeps the frames, if it can be written.
        keys: Keys of the episodes; keys that the run lacks are ignored.
        library: Where its content lies now; where it lay then, if it has no roots of the user's.
    """
    wanted = set(keys)
    records = [record for record in run.records if record.key in wanted]
    frames = _kept(run)
    missing = [record for record in records if record.key not in frames]
    remarks = []
    if missing:
        reason = _unlike(run, library)
        try:
            if not reason:
                frames |= _drawn(run, missing, library)
        except RtbenchError as error:
            reason = str(error)
        for record in missing:
            if record.key not in frames and (picture := _of_video(run, record)) is not None:
                frames[record.key] = Frame(picture)
        if reason and any(record.key not in frames for record in missing):
            remarks.append(f"{run.path}: first frames come from videos alone: {reason}")
        remarks += keep(run, frames)
    return Drawn({key: frame for key, frame in frames.items() if key in wanted}, tuple(remarks))


def webp(image: NDArray[np.uint8]) -> bytes:
    """A small picture of an image uint8[h, w, 3]."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(image).resize(SIZE, Image.Resampling.LANCZOS).save(data, "WEBP", quality=_QUALITY)
    return data.getvalue()


def _unlike(run: Run, library: Library) -> str:
    """Reason why the run's episodes cannot be reset to their recorded states; '' if they can."""
    from rtbench.evaluation.evaluate import FACTORY

    meta = run.meta
    if meta.settings.factory != FACTORY:
        return f"it was played in {meta.settings.factory}, which is not the kitchen."
    if (then := meta.simulator.mujoco) != version("mujoco"):
        return f"it was played with MuJoCo {then}, this is {version('mujoco')}."
    if _library(run, library).content_hash() != meta.content_hash:
        return "the content (envs/ or tasks/) has changed since."
    return ""


def _library(run: Run, library: Library) -> Library:
    return library if library.roots else Library(run.meta.settings.content)


def _drawn(run: Run, records: Sequence[Record], library: Library) -> dict[str, Frame]:
    """Frames of episodes reset again, in order of scene and objects, because each such pair is compiled."""
    from rtbench.env.registration import make

    library = _library(run, library)
    things = library.things()

    def room(record: Record) -> tuple[str, list[str], str]:
        episode = record.episode
        sets = {things[name].set for name in episode.objects if name in things}
        return episode.scene, sorted(sets), episode.variant

    profile = run.meta.settings.profile
    kitchen = make(records[0].episode.task, cameras=("head",), profile=profile, content=library.roots)
    try:
        return dict(_played(kitchen, sorted(records, key=room)))
    finally:
        kitchen.close()


def _played(kitchen: Kitchen, records: Iterable[Record]) -> Iterator[tuple[str, Frame]]:
    for record in records:
        try:
            image = kitchen.begin(record.episode).images["head"]
        except RtbenchError:
            continue  # an error of its own: the record has it
        state = record.fingerprint.get("state")
        if state is not None and kitchen.fingerprint()["state"] != state:
            continue
        yield record.key, Frame(webp(image), _distance(kitchen))


def _distance(kitchen: Kitchen) -> float | None:
    """See `Frame.distance`."""
    world = kitchen.world
    named = (name for leaf in kitchen.task.goal.leaves() for name in leaf.arguments)
    target = next((name for name in named if name in world.names()), None)
    if target is None:
        return None
    return round(float(np.linalg.norm(world.pose(target).position - world.gripper().position)), 3)


def _of_video(run: Run, record: Record) -> bytes | None:
    """The head camera's first picture of an episode's video; None where there is none."""
    import imageio.v2 as imageio

    path = run.path / VIDEOS / Path(record.video or "").name
    if not record.video or not path.is_file():
        return None
    try:
        reader: Any
        with imageio.get_reader(path) as reader:
            return webp(np.asarray(reader.get_data(0))[:IMAGE_HEIGHT, :IMAGE_WIDTH])
    except (ImportError, OSError, ValueError, IndexError, RuntimeError):
        return None  # a truncated or unreadable video, or no ffmpeg: the report omits the frame


def _kept(run: Run) -> dict[str, Frame]:
    """Frames of the cache that belong to what is recorded now."""
    states = {record.key: record.fingerprint.get("state", "") for record in run.records}
    try:
        data = read_json(run.path / FILE)
        if data["schema"] != _SCHEMA:
            return {}
        return {
            key: Frame(base64.b64decode(kept["picture"], validate=True), kept["distance"])
            for key, kept in data["frames"].items()
            if key in states and kept["state"] == states[key]
        }
    except (RtbenchError, KeyError, TypeError, ValueError, AttributeError):
        return {}  # none yet, or damaged: they are made again


def keep(run: Run, frames: dict[str, Frame]) -> list[str]:
    """Write the cache; a remark where the folder cannot be written."""
    states = {record.key: record.fingerprint.get("state", "") for record in run.records}
    kept = {
        key: {
            "state": states[key],
            "distance": frame.distance,
            "picture": base64.b64encode(frame.picture).decode(),
        }
        for key, frame in frames.items()
    }
    try:
        write_json(run.path / FILE, {"schema": _SCHEMA, "frames": kept})
    except RtbenchError:
        return [f"{run.path}: first frames are not kept, for the folder cannot be written."]
    return []
