"""The source files that a policy is made of: its module and all that it imports from its own packages.

Imports are read from the text, also those inside functions, so that the answer does not depend on what this
process has imported before. Installed packages are left out: their versions stand in run.json. rtbench itself
counts, for a policy of ours changes with its network.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from rtbench.core.errors import PolicyError
from rtbench.core.importing import PREFIX, loaded_sources

_PYTHON = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")})
"""Folders of Python's own library."""
_PACKAGES = {"site-packages", "dist-packages"}
"""Names of the folders that packages are installed into, those of other environments on the path included."""
_first_seen: dict[Path, str] = {}
"""SHA-256 of each file of an imported module when it was first asked for."""


def source_digests(place: str) -> dict[str, str] | None:
    """Module name -> SHA-256 of a policy's module and of the modules that it imports from its own code.

    Args:
        place: 'package.module', or the path of a '.py' file. Of the latter, names are relative to its folder.

    Returns:
        None where the module has no source that can be read.

    Raises:
        PolicyError: a module that was edited after this process had imported it: what would be played is
            not what stands in the file.
    """
    root = Path(place).expanduser().resolve() if place.endswith(".py") else None
    start = root.stem if root else place
    found: dict[str, str] = {}
    waiting = [start]
    own = {"rtbench", start.partition(".")[0]}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source(name, own, root)
        if path is None:
            continue
        found[name] = _digest(name, path, root)
        # The top of rtbench only names what others define, of which a policy uses little.
        if path.suffix == ".py" and name != "rtbench":
            waiting += [*_imports(path, name, _stamp(path)), *_parents(name)]
    if root:
        # As they were run, and those that only a computed name imports.
        found |= loaded_sources(root)
    return found if start in found else None


def _source(name: str, own: set[str], root: Path | None) -> Path | None:
    """File of a module that is the policy's own code; None of one that is installed, built in or missing."""
    if root and (beside := _beside(name, root.parent)):
        return beside
    top = name.partition(".")[0]
    origin = _origin(top)
    if origin is None or (top not in own and _installed(origin)):
        return None
    # Now it is safe to look for a submodule, which imports its parents: they are the policy's own.
    return origin if name == top else _origin(name)


def _installed(path: Path) -> bool:
    return bool(_PACKAGES & set(path.parts)) or any(path.is_relative_to(folder) for folder in _PYTHON)


def _beside(name: str, folder: Path) -> Path | None:
    if name.partition(".")[0] == "rtbench":
        return None
    place = folder.joinpath(*name.split("."))
    for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _origin(name: str) -> Path | None:
    module = sys.modules.get(name)
    try:
        spec = module.__spec__ if module is not None else importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    except Exception:  # noqa: BLE001 - a parent that fails on import; `build` says so
        return None
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    return Path(spec.origin).resolve()


def _digest(name: str, path: Path, root: Path | None) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    imported = name in sys.modules and not (root and _beside(name, root.parent))
    if imported and not name.startswith(PREFIX) and _first_seen.setdefault(path, digest) != digest:
        raise PolicyError(
            f"{path} was edited after this Python had imported it, so that the old code would be played "
            "under the new hash. Start Python anew."
        )
    return digest


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition(".")[0]:
        yield name


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=1024)
def _imports(path: Path, name: str, _stamp: tuple[int, int]) -> tuple[str, ...]:
    """Names of modules that a file may import, those only for type checkers left out."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ()  # `build` says so
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return tuple(dict.fromkeys(found for node in _nodes(tree) for found in _named(node, package)))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements, and what else holds some; no import stands inside an expression, and these are most."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from _nodes(node)


def _named(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = package.split(".") if package else []
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        if base:
            yield base
        # What is imported may be a module itself; what is none is found nowhere.
        yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
