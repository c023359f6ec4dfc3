"""Objects named in text: 'package.module:name' or './file.py:name'."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from rtbench.core.errors import MissingExtraError, PolicyError, nearest

EXTRAS = {
    "parquet": ("pyarrow",),
    "rt1": ("safetensors", "tokenizers", "torch"),
    "train": ("accelerate", "safetensors", "tensorboard", "tokenizers", "torch"),
}
"""Extra of rtbench -> modules that it brings."""


def require(extra: str, what: str) -> None:
    """Make sure that an extra is installed before what needs it is imported.

    Raises:
        MissingExtraError: it is not; says what needs it and how to install it.
    """
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{what} needs {', '.join(missing)}; run: pip install 'rtbench[{extra}]'.")


def load_object(spec: str) -> Any:
    """The object that `spec` names; importing it runs its module.

    Raises:
        PolicyError: no such file, module or name in it, or an import that failed; says which.
    """
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise PolicyError(f"{spec!r} names nothing; write 'package.module:Name' or './file.py:Name'.")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    try:
        return getattr(module, name)
    except AttributeError:
        public = [n for n in vars(module) if not n.startswith("_")]
        close = nearest(name, public)
        hint = f" Did you mean {close!r}?" if close else ""
        raise PolicyError(f"{place} has no {name!r}.{hint}") from None


def _module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        hint = f"pip install the package of {error.name!r}, or put its folder on PYTHONPATH."
        raise PolicyError(f"cannot import {place}: no module named {error.name!r}; {hint}") from None
    except Exception as error:
        raise PolicyError(f"cannot import {place}: {type(error).__name__}: {error}") from error


def _file(path: Path) -> ModuleType:
    """Import a file under a name of its own, so that two files called policy.py do not collide."""
    full = path.expanduser().resolve()
    if not full.is_file():
        raise PolicyError(f"{path}: no such file (looked for {full}).")
    name = f"rtbench_user_{full.stem}_{hashlib.sha256(str(full).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise PolicyError(f"{full}: cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    # Registered first: dataclasses look their module up while it is being executed.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PolicyError(f"cannot import {full}: {type(error).__name__}: {error}") from error
    return module
