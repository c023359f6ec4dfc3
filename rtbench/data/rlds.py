"""Demonstrations as an RLDS dataset, in the layout of TensorFlow Datasets, which OpenVLA and Octo read.

    OUTPUT/dataset_statistics.json                       by name of the dataset, as beside OpenVLA's weights
    OUTPUT/rtbench/1.0.0/features.json                   what a record holds
    OUTPUT/rtbench/1.0.0/dataset_info.json               name, splits, records of each file
    OUTPUT/rtbench/1.0.0/dataset_statistics.json         without the name, as loaders of both take it
    OUTPUT/rtbench/1.0.0/rtbench-train.tfrecord-00000-of-00002

A record is an episode: each feature of its steps holds the values of all steps, one after another
("RLDS: an ecosystem to generate, share and use datasets", arXiv 2111.02767; "Load external tfrecord with
TFDS", tensorflow.org/datasets/external_tfrecord).
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rtbench.core.atomic_write import write_text
from rtbench.data import exported
from rtbench.data.demonstration import (
    Demonstration,
    Demonstrations,
)
from rtbench.data.lerobot_card import ActionColumns, action_columns
from rtbench.data.tfrecord import Values, example, write_record

NAME, VERSION = "rtbench", "1.0.0"
"""Name and version of the dataset."""
FILE_BYTES = 200_000_000
"""A file is full from this size on, as TensorFlow Datasets advises 100 MB and more."""
UNSCALED = ("gripper", "mode", "terminate")
"""Numbers of an action that are not normalized."""
QUALITY = 95
"""Of the JPEG images."""
IMAGES = {"head": "image", "wrist": "wrist_image"}
"""Camera -> feature of its images."""
_CLASSES = "tensorflow_datasets.core.features."


def export_rlds(sources: Sequence[Path], output: Path, *, action: str = "rtbench-7d") -> int:
    """Write a dataset, and return the number of its episodes.

    Args:
        sources: Files of demonstrations of one convention, image size and set of cameras.
        output: The folder, which must not exist. It appears whole or not at all.
        action: What the numbers of the actions mean: a mapping without joints. OpenVLA and Octo take seven.

    Raises:
        UnknownNameError: no such mapping.
        DemonstrationError: a file that cannot be read or does not go with the others, that has no images or
            single ones, or a folder that exists or cannot be written.
    """
    columns = action_columns(action)
    dataset = exported.write(sources, output, lambda root, alike: _Dataset(root, alike, columns))
    return sum(dataset.lengths)


class _Dataset:
    """A dataset that is being written."""

    def __init__(self, root: Path, alike: Demonstrations, action: ActionColumns) -> None:
        self.lengths: list[int] = []
        """Records of each file."""
        self._root = root
        self._folder = root / NAME / VERSION
        self._folder.mkdir(parents=True)
        self._size, self._cameras = alike.header.size, alike.cameras
        self._convention, self._action = alike.convention, action
        self._file: Any = None
        self._bytes = 0
        self._rows: dict[str, list[NDArray[np.float64]]] = {"action": [], "proprio": []}

    def add(self, demo: Demonstration) -> None:
        """Append an episode."""
        if self._file is None or self._file.tell() >= FILE_BYTES:
            self.close()
            self._file = self._part(len(self.lengths)).open("wb")
            self.lengths.append(0)
        decode, numbers = self._convention.decode, self._action.numbers
        actions = np.stack(
            [numbers(decode(row), seen) for row, seen in zip(demo.labels, demo.proprio, strict=True)]
        )
        data = example(_features(demo, actions, self._cameras))
        write_record(self._file, data)
        self._bytes += len(data)
        self.lengths[-1] += 1
        self._rows["action"].append(actions)
        self._rows["proprio"].append(demo.proprio.astype(np.float64))

    def finish(self) -> None:
        """Give the files their names, which say how many there are, and write what describes them."""
        self.close()
        count = len(self.lengths)
        for number in range(count):
            self._part(number).rename(self._folder / f"{NAME}-train.tfrecord-{number:05d}-of-{count:05d}")
        self._json(self._folder / "features.json", _described(self._size, self._action, self._cameras))
        self._json(self._folder / "dataset_info.json", self._info())
        found = self._statistics()
        self._json(self._folder / "dataset_statistics.json", found)
        self._json(self._root / "dataset_statistics.json", {NAME: found})

    def close(self) -> None:
        """Close the file of the last episodes."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:05d}"

    def _info(self) -> dict[str, Any]:
        split = {
            "name": "train",
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            "numBytes": str(self._bytes),
            "shardLengths": [str(length) for length in self.lengths],
        }
        return {
            "name": NAME,
            "version": VERSION,
            "description": (
                "Demonstrations of rtbench's scripted oracle in simulation, at 3 Hz. Actions are of mapping "
                f"{self._action.name}: {', '.join(self._action.names)}."
            ),
            "fileFormat": "tfrecord",
            "releaseNotes": {VERSION: "As exported."},
            "splits": [split],
        }

    def _statistics(self) -> dict[str, Any]:
        """Statistics of all steps; the mask says which numbers of an action are to be normalized."""
        found: dict[str, Any] = {}
        for name, episodes in self._rows.items():
            rows = np.concatenate(episodes)
            low, high = np.quantile(rows, [0.01, 0.99], axis=0)
            parts = {
                "mean": rows.mean(0), "std": rows.std(0), "max": rows.max(0), "min": rows.min(0),
                "q01": low, "q99": high,
            }  # fmt: skip
            found[name] = {part: values.tolist() for part, values in parts.items()}
        found["action"]["mask"] = [name not in UNSCALED for name in self._action.names]
        steps = sum(map(len, self._rows["action"]))
        return {**found, "num_transitions": steps, "num_trajectories": sum(self.lengths)}

    @staticmethod
    def _json(path: Path, data: Any) -> None:
        write_text(path, json.dumps(data, allow_nan=False, ensure_ascii=False, indent=2) + "\n")


def _features(demo: Demonstration, actions: NDArray[np.float64], cameras: Sequence[str]) -> dict[str, Values]:
    steps = np.arange(len(demo))
    last = steps == len(demo) - 1
    episode = demo.episode
    images = {"head": demo.images, "wrist": demo.wrist}
    pictures = {
        f"steps/observation/{IMAGES[name]}": [_jpeg(image) for image in np.asarray(images[name])]
        for name in cameras
    }
    text = {
        "key": episode.key, "task": episode.task, "skill": episode.skill, "robot": episode.robot,
        "policy": demo.policy,
    }  # fmt: skip
    return {
        **pictures,
        "steps/observation/state": demo.proprio.astype(np.float32).ravel(),
        "steps/action": actions.astype(np.float32).ravel(),
        "steps/reward": (last & demo.success).astype(np.float32),
        "steps/discount": np.ones(len(demo), dtype=np.float32),
        "steps/is_first": (steps == 0).astype(np.int64),
        "steps/is_last": last.astype(np.int64),
        "steps/is_terminal": last.astype(np.int64),
        "steps/language_instruction": [episode.instruction.encode()] * len(demo),
        **{f"episode_metadata/{name}": [value.encode()] for name, value in text.items()},
        "episode_metadata/seed": np.array([episode.seed], dtype=np.int64),
        "episode_metadata/success": np.array([demo.success], dtype=np.int64),
    }


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def _described(size: tuple[int, int], action: ActionColumns, cameras: Sequence[str]) -> dict[str, Any]:
    """features.json."""
    state = (
        "Seven joints [rad], the hand's position [m] and quaternion (wxyz) in the base frame, opening [m]."
    )
    seen = {IMAGES[name]: _image(size, f"The {name} camera, RGB.") for name in cameras}
    step = {
        "observation": _dict({**seen, "state": _tensor(15, state)}),
        "action": _tensor(len(action.names), f"Mapping {action.name}: {', '.join(action.names)}."),
        "reward": _scalar("float32"),
        "discount": _scalar("float32"),
        "is_first": _scalar("bool"),
        "is_last": _scalar("bool"),
        "is_terminal": _scalar("bool"),
        "language_instruction": _text(),
    }
    episode = {
        **{name: _text() for name in ("key", "task", "skill", "robot", "policy")},
        "seed": _scalar("int64"),
        "success": _scalar("bool"),
    }
    steps = {
        "pythonClassName": f"{_CLASSES}dataset_feature.Dataset",
        "sequence": {"feature": _dict(step), "length": "-1"},
    }
    return _dict({"steps": steps, "episode_metadata": _dict(episode)})


def _dict(features: dict[str, Any]) -> dict[str, Any]:
    return {
        "pythonClassName": f"{_CLASSES}features_dict.FeaturesDict",
        "featuresDict": {"features": features},
    }


def _image(size: tuple[int, int], description: str) -> dict[str, Any]:
    shape = {"dimensions": [str(size[0]), str(size[1]), "3"]}
    return {
        "pythonClassName": f"{_CLASSES}image_feature.Image",
        "image": {"shape": shape, "dtype": "uint8", "encodingFormat": "jpeg"},
        "description": description,
    }


def _tensor(width: int, description: str) -> dict[str, Any]:
    return {
        "pythonClassName": f"{_CLASSES}tensor_feature.Tensor",
        "tensor": {"shape": {"dimensions": [str(width)]}, "dtype": "float32", "encoding": "none"},
        "description": description,
    }


def _scalar(kind: str) -> dict[str, Any]:
    return {
        "pythonClassName": f"{_CLASSES}scalar.Scalar",
        "tensor": {"shape": {}, "dtype": kind, "encoding": "none"},
    }


def _text() -> dict[str, Any]:
    return {"pythonClassName": f"{_CLASSES}text_feature.Text", "text": {}}
