"""List of episodes as compact JSON, which the page renders on demand."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from rtbench.core.episode import Episode
from rtbench.core.text import visible
from rtbench.report.html.failures import reason
from rtbench.report.html.section import Series
from rtbench.report.html.touched_objects import touched
from rtbench.result.folder import VIDEOS
from rtbench.result.record import Record
from rtbench.result.run import Run

SUCCESS, FAILURE, ERROR = "success", "failure", "error"
_OUTCOMES = {True: SUCCESS, False: FAILURE}


def rows(runs: Sequence[Series], beside: Path) -> list[dict[str, Any]]:
    """One row per episode key, with each run's result; failures first, then successes, each by task and seed.

    Args:
        runs: The runs.
        beside: Folder of the report, which links to videos are relative to.

    A row has the episode's fields that are not empty, 'key', and 'runs': for each run what `_result` gives,
    or None where the run has not that episode.
    """
    by_key: dict[str, Episode] = {}
    found = [{record.key: record for record in one.run.records} for one in runs]
    for records in found:
        by_key.update((key, record.episode) for key, record in records.items())
    videos = [_videos(one.run) for one in runs]
    links = [_link(one.run.path / VIDEOS, beside) for one in runs]
    told = []
    for key, episode in by_key.items():
        results = []
        for records, files, link in zip(found, videos, links, strict=True):
            record = records.get(key)
            video = f"{link}/{quote(record.video)}" if record and record.video in files else ""
            results.append(_result(record, video) if record else None)
        told.append({"key": key, **_episode(episode), "runs": results})
    return sorted(told, key=_urgency)


def heads(runs: Sequence[Series]) -> list[dict[str, str]]:
    """For each run its label, and its folder in a shell's syntax."""
    return [{"label": one.label, "folder": shlex.quote(str(one.run.path))} for one in runs]


def embedded(data: Any) -> Markup:
    """JSON that is safe in a script element: no text in it can end the element or open a comment."""
    text = json.dumps(_shown(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def pictures(frames: Mapping[str, bytes]) -> dict[str, str]:
    """WebP pictures by key, in base64."""
    return {key: base64.b64encode(picture).decode() for key, picture in frames.items()}


def _episode(episode: Episode) -> dict[str, Any]:
    fields = ("instruction", "task", "skill", "split", "axis", "language", "scene", "variant", "twin", "arm")
    told = {name: getattr(episode, name) for name in fields if getattr(episode, name)}
    return {**told, "objects": list(episode.objects), "seed": episode.seed, "horizon": episode.horizon}


def _result(record: Record, video: str) -> dict[str, Any]:
    """Result of an episode, without empty fields."""
    told: dict[str, Any] = {"reason": reason(record), "video": video, "plans": _plans(record)}
    if record.error:
        told |= {"outcome": ERROR, "message": record.error.message}
    elif record.outcome:
        outcome = record.outcome
        told |= {
            "outcome": _OUTCOMES[outcome.end],
            "steps": outcome.steps,
            "termination": outcome.termination,
            "ever": outcome.ever,
            "held": outcome.held,
            "goal": outcome.subgoals,
            "events": {name.replace("_", " "): n for name, n in outcome.events.items() if n},
            "touched": touched(record),
        }
    return {name: value for name, value in told.items() if value not in ("", {})}


def _plans(record: Record) -> str:
    """Each plan that differs from the one before, with the things that its places point at."""
    told: list[str] = []
    before = ""
    for plan in record.plans:
        things = ", ".join(" or ".join(place.things) or "nothing" for place in plan.places)
        text = f"{plan.text} ({things})" if things else plan.text
        if text != before:
            told.append(f"step {plan.step}: {text}")
        before = text
    return "; ".join(told)


def _urgency(row: dict[str, Any]) -> tuple[int, str, int, str]:
    """Episodes that the runs disagree about, then errors, failures, successes."""
    outcomes = [result["outcome"] for result in row["runs"] if result]
    differ = len(set(outcomes)) > 1
    worst = min((ERROR, FAILURE, SUCCESS).index(outcome) for outcome in outcomes)
    return (0 if differ else 1 + worst), row["task"], row["seed"], row["key"]


def _videos(run: Run) -> set[str]:
    """Names of the existing videos; the folder is listed once, not once for each episode."""
    try:
        return {path.name for path in (run.path / VIDEOS).iterdir()}
    except OSError:
        return set()


def _link(folder: Path, beside: Path) -> str:
    """Relative address of a folder."""
    return quote(Path(os.path.relpath(folder.resolve(), beside.resolve())).as_posix())


def _shown(value: Any) -> Any:
    """The same with texts that are shown and do not act; keys are our own."""
    if isinstance(value, dict):
        return {key: _shown(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(part) for part in value]
    return visible(value, lines=True) if isinstance(value, str) else value
