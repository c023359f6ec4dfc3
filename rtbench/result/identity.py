"""What makes a run the run that it is: the fields of run.json that decide its results, and their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from rtbench.result.metadata import RunMetadata

DECIDING = (
    "schema",
    "policy",
    "suite",
    "episodes_hash",
    "content_hash",
    "settings",
    "simulator",
    "robots",
    "repeat",
)
"""Fields of run.json that are in its id; `repeat` is missing where it is 0, `robots` where there are none."""
RUN_ID_DIGITS = 12


def episodes_hash(keys: Iterable[str]) -> str:
    """64 hex digits: SHA-256 of a set of episode keys, in any order."""
    return hashlib.sha256(" ".join(sorted(keys)).encode()).hexdigest()


def deciding(meta: RunMetadata) -> dict[str, Any]:
    """The fields of run.json that decide results, without the places where the user's content lies.

    What that content says is in the content hash.
    """
    told = meta.as_dict()
    found = {name: told[name] for name in DECIDING if name in told}
    return found | {
        "settings": {name: value for name, value in told["settings"].items() if name != "content"}
    }


def run_id(meta: RunMetadata) -> str:
    """12 hex digits: the beginning of SHA-256 of what decides, as JSON with sorted keys.

    Raises:
        TypeError, ValueError: a value that JSON does not know, such as NaN.
    """
    text = json.dumps(deciding(meta), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:RUN_ID_DIGITS]
