"""Hashes of source files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def source_hash(files: Iterable[Path], root: Path) -> str:
    """12 hex digits: SHA-256 of source files and of their names below a folder."""
    total = hashlib.sha256()
    for path in sorted(files):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()[:12]
