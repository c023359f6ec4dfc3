"""Statistics of a training's actions, read from the files that other projects write.

==================================  =====================================================================
file                                form
==================================  =====================================================================
RLDS, `dataset_statistics.json`     {DATA SET: {action: {mean, std, min, max, q01, q99, mask}}}; Octo's may
                                    lack the outer level
LeRobot v3, `meta/stats.json`       {action: {mean, std, min, max, q01, q99, ...}}
LeRobot v2.1, `episodes_stats.jsonl`  a line an episode: {stats: {action: {mean, std, min, max, count}}}
openpi, `norm_stats.json`           {norm_stats: {actions: {mean, std, q01, q99}}}
==================================  =====================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.policy.continuous.mapping import ActionMapping

Array = NDArray[np.float64]
FEATURES = ("action", "actions")
_NEEDED = {"mean_std": ("mean", "std"), "quantiles": ("q01", "q99"), "min_max": ("min", "max")}


@dataclass(frozen=True)
class Scaling:
    """x * scale + offset of each number, which undoes a normalisation."""

    scale: Array
    """float64[D]."""
    offset: Array
    """float64[D]."""
    clip: NDArray[np.bool_]
    """bool[D]: numbers that are clipped to -1 to 1 before."""

    def apply(self, numbers: Array) -> Array:
        """Numbers float64[D] in the units of the data, of normalised ones."""
        clipped = np.where(self.clip, np.clip(numbers, -1.0, 1.0), numbers)
        return clipped * self.scale + self.offset

    def invert(self, numbers: Array) -> Array:
        """Normalised numbers float64[D]; 0 where the data has one value only."""
        constant = self.scale == 0
        scaled: Array = np.where(constant, 0.0, (numbers - self.offset) / np.where(constant, 1.0, self.scale))
        return scaled


def read_scaling(mapping: ActionMapping) -> Scaling | None:
    """The scaling of a mapping whose file of statistics has been found; None where it has none.

    Raises:
        ContentError: the file cannot be read, has no such data, or is of another number of dimensions.
        UnknownNameError: it has no data set of that name.
    """
    asked = mapping.normalization
    if asked is None:
        return None
    path = Path(asked.statistics)
    found = _feature(path, asked.key)
    low, high = _NEEDED[asked.method]
    values = [_vector(path, found, name, mapping.width, asked.method) for name in (low, high)]
    mask = _mask(path, asked.mask if asked.mask is not None else found.get("mask"), mapping.width)
    if asked.method == "mean_std":
        offset, scale = values
        if np.any(scale < 0):
            raise ContentError(path, "std", "holds a negative number.")
    else:
        # OpenVLA: 0.5 (x + 1) (high - low) + low.
        offset, scale = (values[0] + values[1]) / 2, (values[1] - values[0]) / 2
        if np.any(scale < 0):
            raise ContentError(path, high, f"is below {low} in a dimension.")
    clip = mask & (asked.clip and asked.method != "mean_std")
    return Scaling(np.where(mask, scale, 1.0), np.where(mask, offset, 0.0), clip)


def _feature(path: Path, key: str | None) -> Mapping[str, Any]:
    """The statistics of the actions: name of a number -> list."""
    data = _episodes(path) if path.suffix == ".jsonl" else _json(path)
    if isinstance(data.get("norm_stats"), dict):
        data = data["norm_stats"]
    direct = next((data[name] for name in FEATURES if isinstance(data.get(name), dict)), None)
    if direct is not None and key is None:
        return dict(direct)
    sets = {
        name: next((one[f] for f in FEATURES if isinstance(one.get(f), dict)), None)
        for name, one in data.items()
        if isinstance(one, dict)
    }
    known = {name: found for name, found in sets.items() if found is not None}
    if key is not None:
        if key not in known:
            raise UnknownNameError("data set", key, known, where=str(path))
        return dict(known[key] or {})
    if len(known) == 1:
        return dict(next(iter(known.values())) or {})
    reason = "holds no statistics of actions." if not known else _several(known)
    raise ContentError(path, "", reason)


def _several(known: Mapping[str, Any]) -> str:
    names = sorted(known)
    more = f", ... ({len(names)} in all)" if len(names) > 8 else ""
    return f"holds several data sets; name one by normalization.key: {', '.join(names[:8])}{more}."


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "not a text in UTF-8"
        raise ContentError(path, "", f"cannot be read: {reason}.") from None
    except ValueError as error:
        raise ContentError(path, "", f"not valid JSON: {error}.") from None
    if not isinstance(data, dict):
        raise ContentError(path, "", "expected a JSON object with statistics.")
    return data


def _episodes(path: Path) -> dict[str, Any]:
    """Statistics of all episodes of a LeRobot v2.1 data set: mean and variance are pooled."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        parts = [line["stats"]["action"] for line in lines]
        count = np.array([float(np.ravel(part["count"])[0]) for part in parts])[:, None]
        mean, std, low, high = (
            np.array([part[name] for part in parts], dtype=np.float64)
            for name in ("mean", "std", "min", "max")
        )
        whole = (count * mean).sum(axis=0) / count.sum()
        square = (count * (std**2 + (mean - whole) ** 2)).sum(axis=0) / count.sum()
    except OSError as error:
        raise ContentError(path, "", f"cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ContentError(path, "", f"not the statistics of LeRobot's episodes: {error}.") from None
    found = {"mean": whole, "std": np.sqrt(square), "min": low.min(axis=0), "max": high.max(axis=0)}
    return {"action": {name: value.tolist() for name, value in found.items()}}


def _vector(path: Path, found: Mapping[str, Any], name: str, width: int, method: str) -> Array:
    if name not in found:
        there = ", ".join(sorted(map(str, found))) or "nothing"
        raise ContentError(path, name, f"is missing, and {method} needs it. There: {there}.")
    try:
        vector = np.asarray(found[name], dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise ContentError(path, name, "is no list of numbers.") from None
    if len(vector) != width:
        raise ContentError(path, name, f"has {len(vector)} numbers; the mapping's layout has {width}.")
    if not np.all(np.isfinite(vector)):
        raise ContentError(path, name, "holds a number that is not finite.")
    return vector


def _mask(path: Path, mask: Any, width: int) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(width, dtype=bool)
    if not isinstance(mask, list | tuple) or len(mask) != width or not all(isinstance(m, bool) for m in mask):
        raise ContentError(path, "mask", f"expected {width} of true and false.")
    return np.array(mask, dtype=bool)
