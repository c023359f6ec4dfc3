"""Reads TensorFlow's checkpoints, which is all that TensorFlow is for here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.policy.rt1.google_checkpoint import ReleasedError, Variable

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
"""What TensorFlow puts behind a variable's name when objects are saved."""
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""An entry that describes the others."""
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Else TensorFlow tells on standard error how it would compute, which it does not do here."""
_POINTER = b"version https://git-lfs"


class TensorFlowCheckpoint:
    """A folder with ckpt-N.index and ckpt-N.data-*; see `rtbench.policy.rt1.google_checkpoint.Reader`."""

    def __init__(self, folder: Path) -> None:
        """Open the checkpoint with the largest number.

        Raises:
            ReleasedError: no checkpoint there, files of Git LFS that were not fetched, no TensorFlow, or
                files that it cannot read.
        """
        prefix = _prefix(folder)
        self.where = str(prefix)
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        try:
            tf = import_module("tensorflow")
        except ModuleNotFoundError:
            raise ReleasedError(
                f"{folder}: reading it needs TensorFlow; run `pip install 'rtbench[tensorflow]'`."
            ) from None
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
        except Exception as error:  # its C++ part raises what fits the message: IndexError, RuntimeError, ...
            raise self._unreadable(error) from error
        shapes, dtypes = self._reader.get_variable_to_shape_map(), self._reader.get_variable_to_dtype_map()
        self._names = {key.removesuffix(_SUFFIX): key for key in shapes if key != _GRAPH}
        self._variables = {
            name: Variable(tuple(shapes[key]), dtypes[key].name) for name, key in self._names.items()
        }

    def variables(self) -> Mapping[str, Variable]:
        """All variables by name, without TensorFlow's suffix."""
        return self._variables

    def read(self, name: str) -> NDArray[Any]:
        """One variable's values.

        Raises:
            ReleasedError: the data are cut off or damaged; names the variable.
        """
        try:
            return np.asarray(self._reader.get_tensor(self._names[name]))
        except Exception as error:
            raise self._unreadable(error, f"{name} ") from error

    def _unreadable(self, error: Exception, name: str = "") -> ReleasedError:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return ReleasedError(f"{self.where}: {name}cannot be read: {lines[0]} Fetch the checkpoint again.")


def _prefix(folder: Path) -> Path:
    """Path of the checkpoint's files without their endings."""
    if not folder.is_dir():
        raise ReleasedError(f"{folder}: no such folder; give the one that has ckpt-N.index.")
    numbered = {
        int(match[1]): path
        for path in folder.glob("ckpt-*.index")
        if (match := re.fullmatch(r"ckpt-(\d+)\.index", path.name))
    }
    if not numbered:
        inside = next((path.parent for path in sorted(folder.glob("*/ckpt-*.index"))), None)
        hint = f" Did you mean {inside}?" if inside else ""
        raise ReleasedError(f"{folder}: has no ckpt-N.index; give the folder that has one.{hint}")
    index = numbered[max(numbered)]
    prefix = index.with_suffix("")
    parts = sorted(folder.glob(f"{prefix.name}.data-*"))
    if not parts:
        raise ReleasedError(f"{prefix}.data-00000-of-00001: no such file; fetch it beside {index.name}.")
    for path in (index, *parts):
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise ReleasedError(f"{path}: is only a pointer of Git LFS; run `git lfs pull` in its clone.")
    return prefix
