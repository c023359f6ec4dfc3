"""The folder of a run: run.json, episodes.jsonl, summary.json, videos/."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any, Never

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import RunError
from rtbench.result.jsonl import SCHEMA, Reading, check_schema
from rtbench.result.metadata import RunMetadata
from rtbench.result.record import Record, read_records, repair

RUN, EPISODES, SUMMARY, VIDEOS = "run.json", "episodes.jsonl", "summary.json", "videos"
UNWRITABLE = frozenset({errno.EACCES, errno.EROFS, errno.EPERM})
"""Why a file can be read, but not written."""


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        RunError: the disk is full, or the folder cannot be written.
    """
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, indent=2) + "\n"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # such as the name of a file that is not UTF-8
            text = json.dumps(data, allow_nan=False, indent=2) + "\n"
    try:
        with atomic_write(path) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}. {_remedy(error)}") from None


def read_json(path: Path) -> Any:
    """Read a JSON file, or say in a RunError why not."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except RecursionError:
        raise RunError(f"{path}: not valid JSON of a run: nested too deeply.") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}; is this the folder of a run?") from None
    except ValueError as error:
        raise RunError(f"{path}: not valid JSON: {error}.") from None


def _no_number(name: str) -> Never:
    raise ValueError(f"{name} is no number")


def read_metadata(folder: Path) -> RunMetadata:
    """What run.json says.

    Raises:
        RunError: no run there, or one whose run.json is damaged.
        SchemaError: a run in a form that this rtbench does not read.
    """
    path = folder / RUN
    meta = read_json(path)
    if isinstance(meta, dict):
        # First: another form may lack what this one has.
        check_schema(str(path), meta.get("schema", SCHEMA))
    return RunMetadata.of_json(meta, path)


def write_metadata(folder: Path, meta: RunMetadata) -> None:
    """Write run.json.

    Raises:
        RunError: the disk is full, or the folder cannot be written.
    """
    write_json(folder / RUN, meta.as_dict())


def set_aside(path: Path) -> None:
    """Move the folder of a run to `replaced/` beside it, under its name and a number; nothing is deleted.

    Raises:
        RunError: it cannot be moved, or another process is writing to it.
    """
    if not (path / RUN).exists():
        return
    RunFolder(path).close()  # refuses a run that is being written
    aside = path.parent / "replaced"
    number = 1
    while (target := aside / f"{path.name}-{number}").exists():
        number += 1
    try:
        aside.mkdir(exist_ok=True)
        path.rename(target)
    except OSError as error:
        raise RunError(f"{path}: cannot be moved: {error.strerror}. {_remedy(error)}") from None


class RunFolder:
    """An open run folder: one process at a time appends records to it."""

    def __init__(self, path: Path) -> None:
        """Make the folder, or open it to continue; repairs a record that was cut off.

        One that can be read but not written, such as on a read-only disk, is opened to be shown.

        Raises:
            RunError: it cannot be opened, is damaged, or another process is writing to it.
        """
        self.path = path
        self.unwritable: OSError | None = None
        """Why it can only be read."""
        self.reading: Reading[Record] = Reading(())
        self._file = -1
        try:
            self._file = self._open()
        except OSError as error:
            raise self._refusal(error) from None
        try:
            self._lock()
            self.reading = (read_records if self.unwritable else repair)(path / EPISODES)
        except RunError:
            self.close()
            raise

    @property
    def in_place(self) -> bool:
        """Whether the file of the records is still where it was opened."""
        try:
            return os.path.samestat((self.path / EPISODES).stat(), os.fstat(self._file))
        except OSError:
            return False

    def check_writable(self) -> None:
        """Refuse to play into a folder that can only be read.

        Raises:
            RunError: it is such a folder.
        """
        if self.unwritable:
            raise self._refusal(self.unwritable)

    @property
    def videos(self) -> Path:
        """Folder of the videos; made when the first is written."""
        return self.path / VIDEOS

    def append(self, record: Record) -> None:
        """Write a record and see it onto the disk.

        Raises:
            RunError: the disk is full or failing, and the records before it are intact; or the folder was
                moved or removed meanwhile.
        """
        line = record.line()
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written < len(line):
                # A second write tells why the first was short: ENOSPC, EFBIG, ...
                os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError as error:
            self._forget(size)
            place = self.path / EPISODES
            reason = f"cannot write the record of episode {record.key}: {error.strerror}"
            raise RunError(f"{place}: {reason}. Earlier records are intact. {_remedy(error)}") from None
        if not self.in_place:
            raise RunError(
                f"{self.path}: was moved or removed during the run, which has stopped. Move it back, and the "
                "same command continues the run; without the folder it begins anew."
            )

    def close(self) -> None:
        """Let others write; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        file = self.path / EPISODES
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            if error.errno not in UNWRITABLE or not file.exists():
                raise
            self.unwritable = error
            return os.open(file, os.O_RDONLY)

    def _refusal(self, error: OSError) -> RunError:
        return RunError(f"{self.path}: cannot be written: {error.strerror}. {_remedy(error)}")

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{self.path}: another process is writing this run; wait for it to end.") from None
        except OSError:
            # Some network file systems have no locks; running there beats refusing to.
            return

    def _forget(self, size: int) -> None:
        """Take back half a line; should that fail too, the next reader repairs it."""
        try:
            os.ftruncate(self._file, size)
        except OSError:
            return


def _remedy(error: OSError) -> str:
    again = "run the same command again: it continues where it stopped."
    if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
        return f"Free some space and {again}"
    if error.errno in UNWRITABLE:
        return "Choose a folder that can be written with --out."
    return f"Mend it and {again}"
