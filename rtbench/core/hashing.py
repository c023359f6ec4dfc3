"""Hashes of source files, weights and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from rtbench.core.atomic_write import atomic_write
from rtbench.core.cache import cache_folder

KEPT_FROM = 64 * 2**20
"""Size of a file [bytes] from which its digest is cached, because reading it takes long."""
MOST_FILES = 20_000
"""Most files of a folder that are hashed."""


class TooManyFilesError(Exception):
    """A folder that is too large to be hashed file by file."""


def source_hash(files: Iterable[Path], root: Path) -> str:
    """12 hex digits: SHA-256 of source files and of their names below a folder."""
    digests = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    return names_hash(digests)


def names_hash(digests: Mapping[str, str]) -> str:
    """12 hex digits: SHA-256 of names, each with the digest of its content, in any order."""
    total = hashlib.sha256()
    for name, digest in sorted(digests.items()):
        total.update(f"{name}\0{digest}\n".encode())
    return total.hexdigest()[:12]


def content_hash(path: Path) -> str:
    """64 hex digits: SHA-256 of a file, or of all files of a folder with their names.

    Raises:
        TooManyFilesError: more than `MOST_FILES` in the folder.
        OSError: a file that cannot be read.
    """
    if not path.is_dir():
        return _file_hash(path)
    files = [part for part in path.rglob("*") if part.is_file()]
    if len(files) > MOST_FILES:
        raise TooManyFilesError(f"{path} holds {len(files)} files; at most {MOST_FILES} are hashed")
    total = hashlib.sha256()
    for part in sorted(files):
        total.update(f"{part.relative_to(path).as_posix()}\0{_file_hash(part)}\n".encode())
    return total.hexdigest()


def _file_hash(path: Path) -> str:
    """SHA-256 of a file; that of a large one is kept until its size, time or inode changes."""
    stat = path.stat()
    if stat.st_size < KEPT_FROM:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    key = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}"
    cache = cache_folder() / "digests"
    kept = cache / hashlib.sha256(key.encode()).hexdigest()
    try:
        return kept.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        pass
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):  # a cache that cannot be written costs time only
        cache.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as beside:
            beside.write_text(digest, "ascii")
    return digest
