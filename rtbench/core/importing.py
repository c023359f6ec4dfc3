"""Objects named in text: 'package.module:name' or './file.py:name'.

A file is imported with its folder at hand, as `python file.py` would have it: `import helper` finds the
`helper.py` beside it. These modules are the file's own. They are registered under a name made from the file's
content, so that two folders may each have a `helper.py`, and an edited file is read anew.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from rtbench.core.errors import PolicyError, nearest

PREFIX = "rtbench_user_"
"""Begins the name of a module that was imported from a user's file."""
_NEVER_BESIDE = {"rtbench", *sys.builtin_module_names}
"""Names that a file beside the user's cannot take."""


def load_object(spec: str) -> Any:
    """The object that `spec` names; importing it runs its module.

    Raises:
        PolicyError: no such file, module or name in it, or an import that failed; says which.
    """
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise PolicyError(f"{spec!r} names nothing; write 'package.module:Name' or './file.py:Name'.")
    module = load_module(place)
    try:
        return getattr(module, name)
    except AttributeError:
        public = [n for n in vars(module) if not n.startswith("_")]
        close = nearest(name, public)
        hint = f" Did you mean {close!r}?" if close else ""
        raise PolicyError(f"{place} has no {name!r}.{hint}") from None


def load_module(place: str) -> ModuleType:
    """The module of a dotted name, or of a path that ends in '.py'.

    Raises:
        PolicyError: no such file or module, or an import that failed, `sys.exit` in it included.
    """
    try:
        return _load_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except PolicyError:
        raise
    except ModuleNotFoundError as error:
        hint = f"pip install the package of {error.name!r}, or put its folder on PYTHONPATH."
        raise PolicyError(f"cannot import {place}: no module named {error.name!r}; {hint}") from None
    except SystemExit as error:
        raise PolicyError(f"cannot import {place}: it called sys.exit({error.code!r}).") from error
    except Exception as error:
        raise PolicyError(f"cannot import {place}: {type(error).__name__}: {error}") from error


def loaded_sources(path: Path) -> dict[str, str]:
    """SHA-256 of the file and of the modules beside it, as they were when they were imported.

    Keys are names relative to the folder: 'policy', 'helper', 'package.module'. Empty before `load_module`.
    """
    folder = _FOLDERS.get(path.expanduser().resolve())
    return dict(folder.digests) if folder else {}


class _Folder(MetaPathFinder):
    """A user's file with the modules beside it, under names of their own."""

    def __init__(self, full: Path, prefix: str) -> None:
        self.full = full
        self.prefix = prefix
        self.digests: dict[str, str] = {}
        """Name relative to the folder -> SHA-256 of the source that was run."""
        self.files: dict[str, Path] = {}
        self.builtins = {**vars(builtins), "__import__": self._import}

    def load(self) -> ModuleType:
        """Run the file; afterwards the modules beside it can be imported by what it defined."""
        package = ModuleType(self.prefix)
        package.__path__ = [str(self.full.parent)]
        # Registered first: dataclasses look their module up while it is being executed.
        sys.modules[self.prefix] = package
        sys.meta_path.insert(0, self)
        try:
            return importlib.import_module(f"{self.prefix}.{self.full.stem}")
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Take the modules out again; objects that were made of them live on."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in [n for n in sys.modules if n == self.prefix or n.startswith(f"{self.prefix}.")]:
            del sys.modules[name]

    def is_current(self) -> bool:
        """Whether all that was run still stands in the files."""
        return all(_digest(path) == self.digests[name] for name, path in self.files.items())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of this folder's modules, with a loader that imports as `_import` does."""
        if not fullname.startswith(f"{self.prefix}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(self, fullname, spec.loader.path)
        return spec

    def _import(
        self, name: str, globals: Any = None, locals: Any = None,  # noqa: A002 - as `__import__` has them
        fromlist: Sequence[str] | None = (), level: int = 0,
    ) -> ModuleType:  # fmt: skip
        """`__import__` for modules of this folder: what lies beside the file comes first, as for a script."""
        top = name.partition(".")[0]
        if level or not self._beside(top):
            found: ModuleType = builtins.__import__(name, globals, locals, fromlist or (), level)
            return found
        own = f"{self.prefix}.{name}"
        module = importlib.import_module(own)
        for item in fromlist or ():
            if item != "*" and not hasattr(module, item) and importlib.util.find_spec(f"{own}.{item}"):
                importlib.import_module(f"{own}.{item}")
        return module if fromlist else sys.modules[f"{self.prefix}.{top}"]

    def _beside(self, top: str) -> bool:
        if top in _NEVER_BESIDE:
            return False
        place = self.full.parent / top
        return place.with_name(f"{top}.py").is_file() or (place / "__init__.py").is_file()


class _Loader(SourceFileLoader):
    """Runs a module of a `_Folder` from its source, never from a cached compilation, and notes it."""

    def __init__(self, folder: _Folder, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._folder = folder

    def get_code(self, fullname: str) -> CodeType:
        data = self.get_data(self.path)
        name = fullname.removeprefix(f"{self._folder.prefix}.")
        self._folder.digests[name] = hashlib.sha256(data).hexdigest()
        self._folder.files[name] = Path(self.path)
        code: CodeType = self.source_to_code(data, self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._folder.builtins
        super().exec_module(module)


_FOLDERS: dict[Path, _Folder] = {}
"""The last import of each file."""


def _load_file(path: Path) -> ModuleType:
    full = path.expanduser().resolve()
    digest = _digest(full)
    if digest is None:
        raise PolicyError(f"{path}: no such file (looked for {full}).")
    known = _FOLDERS.get(full)
    if known and known.is_current():
        return sys.modules[f"{known.prefix}.{full.stem}"]
    if not full.stem.isidentifier():
        raise PolicyError(f"{full.name}: cannot be imported; name it with letters, digits and _ only.")
    folder = _Folder(full, _free_name(full, digest))
    module = folder.load()
    _FOLDERS[full] = folder
    return module


def _free_name(full: Path, digest: str) -> str:
    """A name made of the file's place and content; numbered where only a module beside it has changed."""
    mark = hashlib.sha256(f"{full}\0{digest}".encode()).hexdigest()[:12]
    name = base = f"{PREFIX}{full.stem}_{mark}"
    number = 1
    while name in sys.modules:
        number += 1
        name = f"{base}_{number}"
    return name


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
