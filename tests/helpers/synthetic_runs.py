"""Run folders with made-up outcomes, written in the true form without any simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rtbench.core.episode import EVENTS, Episode, Outcome
from rtbench.core.fault import Fault
from rtbench.result.folder import EPISODES, RUN, VIDEOS
from rtbench.result.metadata import RunMetadata
from rtbench.result.record import Record, Times

SKILLS = ("pick", "move_near", "open_drawer")


def episode(number: int, **changes: Any) -> Episode:
    """The episode of that number: skills take turns, axes as well, each skill has four tasks."""
    skill = SKILLS[number % len(SKILLS)]
    fields = {
        "suite": "seen", "split": "seen", "axis": "seen", "skill": skill,
        "task": f"{skill}/thing_{number // 3 % 4}-v0", "scene": "office_kitchen", "objects": ("thing",),
        "instruction": f"{skill} thing", "language": "en", "seed": number, "variant": "", "horizon": 30,
    }  # fmt: skip
    return Episode(**{**fields, **changes})


def episodes(count: int, **changes: Any) -> list[Episode]:
    return [episode(number, **changes) for number in range(count)]


def record(
    of: Episode, success: bool | None, *, steps: int = 12, ms: float = 8.0, image: str = "", state: str = ""
) -> Record:
    """A record; success None is an error. Fingerprints follow from the episode unless they are given."""
    fingerprint = {"state": state or of.key, **({"frame": image} if image else {})}
    if success is None:
        return Record(of, "rtbench", error=Fault("policy", "RuntimeError: made up"), fingerprint=fingerprint)
    outcome = Outcome(
        ever=success, end=success, held=success, steps=steps,
        termination="on_time" if success else "missing", progress=1.0 if success else 0.5,
        subgoals={"lifted(thing)": success}, events=dict.fromkeys(EVENTS, 0),
    )  # fmt: skip
    random = np.random.default_rng(of.seed)
    tokens = random.integers(0, 256, (steps, 11), dtype=np.uint8)
    tokens[:, 10] %= 3  # the mode
    return Record(
        of, "rtbench", outcome=outcome, tokens=tokens.tobytes(), hashes=of.key[:8] * steps,
        final_hash=of.key, fingerprint=fingerprint, simulated_s=steps / 3,
        times=Times(20.0, (ms,) * steps, (4.0,) * steps, (ms + 4.5,) * steps),
    )  # fmt: skip


def rated(chosen: Sequence[Episode], rate: float, seed: int = 0, **how: Any) -> list[Record]:
    """Records that succeed at random; `how` is for `record`."""
    draws = np.random.default_rng(seed).random(len(chosen)) < rate
    return [record(one, bool(success), **how) for one, success in zip(chosen, draws, strict=True)]


def meta(policy: str, suite: str, planned: int, **changes: Any) -> dict[str, Any]:
    """run.json of such a run; `settings` and `simulator` given are put over the usual ones."""
    settings = {
        "cameras": [], "profile": "lean", "convention": "rtbench", "control_hz": 3, "latency_ms": [],
        "factory": "rtbench.env.kitchen:make_worker_env", "content": [],
    }  # fmt: skip
    simulator = {"rtbench": "0.1.0", "mujoco": "4.0.0"}
    given = {
        "id": sha256(f"{policy}/{suite}".encode()).hexdigest()[:12], "schema": 1,
        "policy": {"name": policy, "factory": f"made.up:{policy}", "arguments": {}, "weights": None},
        "suite": suite, "content_hash": "c" * 64, "tasks": {}, "episodes": planned, "card": None, "arm": "",
        "novelties": None, "sessions": [
            {"started": "2026-01-01T00:00:00+00:00", "command": "made up", "git": None, "packages": {}}
        ],
    }  # fmt: skip
    settings |= changes.pop("settings", {})
    simulator |= changes.pop("simulator", {})
    return {**given, "settings": settings, "simulator": simulator, **changes}


def decision(verdict: str, n: int = 30) -> dict[str, Any]:
    """What run.json says of a run that was stopped by that verdict."""
    return {
        "verdict": verdict, "n": n, "left_out": 0, "margin": 0.05, "alpha": 0.05, "worse": 25.0, "holds": 0.5,
        "difference": -0.1, "interval": [-0.3, 0.1], "baseline": "0" * 12,
    }  # fmt: skip


def metadata(policy: str, suite: str, planned: int, **changes: Any) -> RunMetadata:
    """The same as a value."""
    return RunMetadata(**meta(policy, suite, planned, **changes))


def write(
    out: Path,
    records: Sequence[Record],
    policy: str = "a",
    *,
    extra: Mapping[str, Any] | None = None,
    tail: bytes = b"",
) -> Path:
    """Write a run below `out`, as POLICY/SUITE/ID; `extra` changes run.json, `tail` ends episodes.jsonl."""
    suite = records[0].episode.suite if records else "seen"
    told = meta(policy, suite, len(records), **(extra or {}))
    folder = out / policy / suite / str(told["id"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VIDEOS).mkdir(exist_ok=True)
    (folder / RUN).write_text(json.dumps(told, indent=2), encoding="utf-8")
    (folder / EPISODES).write_bytes(b"".join(one.line() for one in records) + tail)
    return folder
