"""Lines of `episodes.jsonl`: damage is told apart, and the last line of a key counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from rtbench.core.episode import Episode
from rtbench.core.errors import Exit, RunError

SCHEMA = 1
"""Version of a line's form. A reader refuses all others."""


class SchemaError(RunError):
    """A run in a form that this rtbench does not read."""

    exit_code = Exit.NOT_COMPARABLE


class Line(Protocol):
    """What a line is read into."""

    @property
    def key(self) -> str:
        """Key of its episode."""
        ...


T = TypeVar("T", bound=Line)


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What a file of records held."""

    records: tuple[T, ...]
    """Last record of each key, in order of the file. An episode that was an error may be played again."""
    notes: tuple[str, ...] = ()
    """What was odd, in sentences: a line cut off, episodes with several records."""
    cut: bytes = b""
    """Bytes of a last line that was cut off."""


class _Head(msgspec.Struct):
    schema: object


def read_lines(path: Path, parse: Callable[[bytes], T]) -> Reading[T]:
    """Read all lines; changes nothing.

    Args:
        path: The file.
        parse: Makes a record of a line; raises ValueError or TypeError where it cannot.

    Raises:
        RunError: no such file, or a line that is damaged (other than a last one cut off).
        SchemaError: another schema.
    """
    records: dict[str, T] = {}
    notes: list[str] = []
    cut = b""
    again: list[int] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n") and not _is_json(line):
                    # A line without its newline may still be whole: the newline alone was lost.
                    cut = line
                    notes.append(
                        f"{path}: the last line was cut off after {len(cut)} bytes; that episode is lost."
                    )
                    break
                record = _parsed(f"{path}, line {number}", line, parse)
                again += [number] * (records.pop(record.key, None) is not None)
                records[record.key] = record
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}.") from None
    if again:
        count = f"{len(again)} episodes have two records or more, the first again in line {again[0]}"
        notes.append(f"{path}: {count}; the last record of each counts.")
    return Reading(tuple(records.values()), tuple(notes), cut)


def check(schema: int, key: str, episode: Episode) -> None:
    """Refuse a line with a ValueError: another schema or episode than its key says, or no episode at all."""
    if schema != SCHEMA:
        raise ValueError(f"schema {schema}")
    if episode.key != key:
        raise ValueError(f"its key is {key}, but its episode's is {episode.key}")
    check_range("seed", episode.seed, most=2**63 - 1)
    check_range("horizon", episode.horizon, least=1, most=2**31 - 1)


def check_range(name: str, value: float, *, least: float = 0, most: float = math.inf) -> None:
    """Refuse a number outside of its range with a ValueError."""
    if not least <= value <= most:
        limits = f"at least {least}" if math.isinf(most) else f"from {least} to {most}"
        raise ValueError(f"{name} is {value}, expected {limits}")


def _parsed(place: str, line: bytes, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(line)
    except (ValueError, TypeError, RecursionError) as error:
        try:
            schema = msgspec.json.decode(line, type=_Head).schema
        except (ValueError, RecursionError):
            remedy = "remove the line (its episode is then run again) or start in another folder with --out."
            raise RunError(f"{place}: not a record; the file is damaged: {remedy}") from None
        check_schema(place, schema)
        raise RunError(f"{place}: not a usable record: {error}.") from None


def check_schema(place: str, schema: object) -> None:
    """Refuse another schema.

    Raises:
        SchemaError: names the place and a remedy.
    """
    if schema == SCHEMA:
        return
    remedy = "not known"
    if isinstance(schema, int):
        remedy = "play it again" if schema < SCHEMA else "update rtbench to read it"
    raise SchemaError(f"{place}: written in schema {schema}, this rtbench reads {SCHEMA}; {remedy}.")


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return False
    return True
