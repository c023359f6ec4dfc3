"""Puts the parts of one evaluation together: shards of several machines, other axes, copies of a run.

The outcome is a run folder like any other. Nothing in it depends on the order of the parts, unless an episode
came out differently in two of them and the caller says which is to count.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rtbench.core.errors import NotComparableError, RunError
from rtbench.result.folder import EPISODES, RUN, VIDEOS, read_json, write_metadata
from rtbench.result.identity import deciding, episodes_hash, run_id
from rtbench.result.metadata import Merge, MergedPart, RunMetadata
from rtbench.result.record import Record
from rtbench.result.run import Run, load_run
from rtbench.result.summary import write_summary

Keep = Literal["first", "last"]
_OF_PART = ("suite", "episodes_hash")
"""Deciding fields in which parts may differ."""
_SHOWN = 5


@dataclass(frozen=True)
class Merged:
    """What a merge made."""

    path: Path
    """The new run folder."""
    episodes: int
    """Records in it."""
    repeated: int
    """Records that several parts had alike, and that count once."""
    decided: tuple[str, ...]
    """Keys of the episodes that came out differently, and of which `keep` chose one."""
    notes: tuple[str, ...]
    """What was odd about the parts, in sentences."""
    new: bool
    """False where the folder held just this already."""


@dataclass(frozen=True)
class _Choice:
    """The records that count, each with the part that it is from."""

    records: Mapping[str, tuple[Run, Record]]
    repeated: int
    decided: tuple[str, ...]


def merge(paths: Sequence[Path], out: Path, *, keep: Keep | None = None) -> Merged:
    """Merge runs into a new run folder, whole or not at all.

    Args:
        paths: Folders of two or more runs of the same policy, settings, simulator and content.
        out: The new folder; it may exist if it is empty, or holds what would be written.
        keep: Which part counts for an episode with several outcomes, by the order of `paths`; None refuses.

    Raises:
        NotComparableError: the parts are not of one evaluation; names each difference.
        RunError: a part that cannot be read, an episode with several outcomes, or a folder that is taken.
    """
    parts = [load_run(path) for path in {path.resolve(): path for path in paths}.values()]
    if len(parts) < 2:
        raise RunError("to merge takes two runs or more.")
    if any(out.resolve() == part.path.resolve() for part in parts):
        raise RunError(f"{out}: is one of the parts; choose another folder with --output.")
    _check(parts)
    choice = _choose(parts, keep)
    if not choice.records:
        raise RunError("the parts have no episodes: there is nothing to merge.")
    meta = _metadata(parts, choice, keep)
    notes = [note for part in parts for note in part.notes]
    if any(part.meta.decision for part in parts):
        notes.append("a part ended by a decision of its own, which does not hold for the whole; left out.")
    beside = out.parent / f".{out.name}.{os.getpid()}"
    try:
        shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed and had the same number
        out.parent.mkdir(parents=True, exist_ok=True)
        notes += _write(beside, meta, choice)
        new = not _same(beside, out)
        if new:
            _put(beside, out)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror}. Choose another with --output.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Merged(out, len(choice.records), choice.repeated, choice.decided, tuple(notes), new)


def _check(parts: Sequence[Run]) -> None:
    first = parts[0]
    told = [line for part in parts[1:] for line in _differences(first, part)]
    if told:
        raise NotComparableError(
            f"not parts of one evaluation: {'; '.join(told)}. `rtbench compare` puts such runs side by side."
        )


def _differences(first: Run, second: Run) -> list[str]:
    """Sentences about what decides, and differs."""
    metas = first.meta, second.meta
    sides = [_flat(deciding(meta)) | {"card": meta.as_dict().get("card")} for meta in metas]
    names = [name for name in {**sides[0], **sides[1]} if name.partition(".")[0] not in _OF_PART]
    changed = [(name, *(side.get(name) for side in sides)) for name in names]
    return [
        f"{name} is {_short(a)} in {first.path} and {_short(b)} in {second.path}"
        for name, a, b in changed
        if a != b
    ]


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings inside as NAME.KEY, so that a difference is named by its key."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        inner = value.items() if isinstance(value, dict) else ()
        found |= {f"{name}.{key}": one for key, one in inner} or {name: value}
    return found


def _short(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _choose(parts: Sequence[Run], keep: Keep | None) -> _Choice:
    by_key: dict[str, list[tuple[Run, Record]]] = {}
    for part in parts:
        for record in part.records:
            by_key.setdefault(record.key, []).append((part, record))
    _check_states(by_key)
    decided = sorted(key for key, found in by_key.items() if any(_differ(found[0][1], r) for _, r in found))
    if decided and keep is None:
        raise RunError(_conflict(decided, by_key))
    chosen = {key: _one(found) for key, found in by_key.items()}
    chosen |= {key: by_key[key][0 if keep == "first" else -1] for key in decided}
    repeated = sum(len(found) > 1 for found in by_key.values()) - len(decided)
    return _Choice(dict(sorted(chosen.items())), repeated, tuple(decided))


def _one(alike: Sequence[tuple[Run, Record]]) -> tuple[Run, Record]:
    """Of records alike one with a video, and the least line: whatever the order of the parts."""
    if len(alike) == 1:
        return alike[0]
    return min(alike, key=lambda one: (one[1].video is None, one[1].line()))


def _differ(first: Record, second: Record) -> bool:
    """Whether an episode came out differently; times may differ, and so may the words of an error."""
    return first.outcome != second.outcome


def _check_states(by_key: Mapping[str, list[tuple[Run, Record]]]) -> None:
    """An episode of one key that begins in two states has not been simulated alike."""
    for key, found in by_key.items():
        states = {
            record.fingerprint["state"]: part for part, record in found if "state" in record.fingerprint
        }
        if len(states) > 1:
            places = " and ".join(str(part.path) for part in states.values())
            raise NotComparableError(
                f"episode {key} began in another state in {places}: simulated differently."
            )


def _conflict(keys: Sequence[str], by_key: Mapping[str, list[tuple[Run, Record]]]) -> str:
    told = [f"{key} ({' and '.join(_told(record) for _, record in by_key[key])})" for key in keys[:_SHOWN]]
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    count = "1 episode has" if len(keys) == 1 else f"{len(keys)} episodes have"
    remedy = "Say which run counts: --keep first or --keep last."
    return f"{count} several outcomes: {', '.join(told)}{more}. {remedy}"


def _told(record: Record) -> str:
    if record.outcome is None:
        return "error"
    return f"{'success' if record.outcome.end else 'failure'} in {record.outcome.steps} steps"


def _metadata(parts: Sequence[Run], choice: _Choice, keep: Keep | None) -> RunMetadata:
    """run.json of the whole: what parts have in common, and what is made anew."""
    metas = [part.meta for part in parts]
    told = [meta.as_dict() for meta in metas]
    shared = {name: value for name, value in told[0].items() if all(m.get(name) == value for m in told)}
    shared.pop("decision", None)
    sets = _sets(parts)
    missing = sum(max(0, one.episodes - one.records) for one in sets)
    hashes = {one.episodes_hash for one in sets}
    suites = {record.episode.suite for _, record in choice.records.values()}
    arms = {record.episode.arm for _, record in choice.records.values()}
    novelties = [meta.novelties for meta in metas]
    sessions = {json.dumps(one.as_dict(), sort_keys=True): one for meta in metas for one in meta.sessions}
    decided = [meta.merged.decided for meta in metas if meta.merged]
    made = shared | {
        "id": "",
        "suite": suites.pop() if len(suites) == 1 else "mixed",
        "episodes_hash": hashes.pop() if len(hashes) == 1 else episodes_hash(choice.records),
        # Whether a part misses what another part has, no file says: what is missing there counts as missing.
        "episodes": len(choice.records) + missing,
        "arm": arms.pop() if len(arms) == 1 else "mixed",
        "novelties": None if None in novelties else _union(novelties),
        "tasks": _union([meta.tasks for meta in metas]),
        "settings": min((meta["settings"] for meta in told), key=json.dumps),
        "sessions": sorted(sessions.values(), key=lambda one: (one.started, json.dumps(one.as_dict()))),
        "merged": Merge(parts=tuple(sets), decided=_union([*decided, dict.fromkeys(choice.decided, keep)])),
    }
    meta = RunMetadata(**made)
    return meta.replace(id=run_id(meta))


def _union(mappings: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    return dict(sorted({name: value for one in mappings for name, value in (one or {}).items()}.items()))


def _sets(parts: Sequence[Run]) -> list[MergedPart]:
    """The lists of episodes that the parts were to play, and how many records there are of each.

    A part that was itself merged says what it is of.
    """
    found: dict[str, MergedPart] = {}
    keys: dict[str, set[str]] = {}
    for part in parts:
        meta = part.meta
        mark = meta.episodes_hash or episodes_hash(record.key for record in part.records)
        own = MergedPart(id=meta.id, episodes_hash=mark, episodes=meta.episodes, records=0)
        keys.setdefault(mark, set()).update(record.key for record in part.records)
        for one in meta.merged.parts if meta.merged else (own,):
            there = found.get(one.episodes_hash, one)
            records = max(there.records, one.records, len(keys.get(one.episodes_hash, ())))
            found[one.episodes_hash] = there.replace(records=records)
    return [found[mark] for mark in sorted(found)]


def _write(folder: Path, meta: RunMetadata, choice: _Choice) -> list[str]:
    """Write everything; run.json, which makes a folder a run, last. Returns notes."""
    folder.mkdir()
    with (folder / EPISODES).open("wb") as file:
        for _, record in choice.records.values():
            file.write(record.line())
        file.flush()
        os.fsync(file.fileno())
    lost = [record.key for part, record in choice.records.values() if not _film(part, record, folder)]
    records = tuple(record for _, record in choice.records.values())
    write_summary(folder, Run(folder, meta, records).summary)
    write_metadata(folder, meta)
    return [f"videos missing in the parts: {len(lost)}, first that of episode {lost[0]}."] if lost else []


def _film(part: Run, record: Record, folder: Path) -> bool:
    """Bring a record's video along; False where there is none under its name."""
    if record.video is None:
        return True
    source = part.path / VIDEOS / Path(record.video).name
    if not source.is_file():
        return False
    (folder / VIDEOS).mkdir(exist_ok=True)
    target = folder / VIDEOS / source.name
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
    return True


def _same(new: Path, old: Path) -> bool:
    """Whether a run folder holds what was written into another."""
    if not all((old / name).is_file() for name in (RUN, EPISODES)):
        return False
    alike = (old / EPISODES).read_bytes() == (new / EPISODES).read_bytes()
    return alike and read_json(old / RUN) == read_json(new / RUN)


def _put(new: Path, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: exists and holds something else; choose another folder with --output.")
    new.rename(out)
