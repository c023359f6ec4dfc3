"""Provenance of a run, in a few lines for the top of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rtbench.report.html.section import Series, bounds, percent

Facts = tuple[tuple[str, str], ...]
"""Labels and texts."""


def headline(one: Series) -> Facts:
    """Main facts of a run: success, errors, whether it is complete."""
    summary = one.run.summary
    whole = summary["overall"]
    errors = whole["errors"]
    complete = "complete" if summary["complete"] else f"unfinished: {whole['n']} of {summary['planned']}"
    said = f"{percent(whole['rate'])}"
    if whole["rate"] is not None:
        said += f" ({bounds(whole['interval'])})"
    return (
        ("success", said),
        ("episodes", f"{whole['n']}, {complete}"),
        ("errors", f"{errors} left out of the rates" if errors else "none"),
    )


def facts(one: Series) -> Facts:
    """Provenance: policy, suite, run, commands, code, versions, machine, renderer, dates."""
    meta = one.run.meta
    policy, sessions = meta["policy"], meta.get("sessions", [])
    last: dict[str, Any] = sessions[-1] if sessions else {}
    settings = meta["settings"]
    arm = f"{meta['arm']} instructions" if meta.get("arm") else ""
    told = [
        ("policy", _policy(policy, meta.get("card"))),
        ("suite", ", ".join(filter(None, (meta["suite"], arm)))),
        ("run", f"{meta['id']}, in {one.run.path}"),
        ("command", last.get("command", "")),
        ("started", _dates(sessions)),
        ("code", _code(last.get("git"), meta.get("simulator", {}))),
        ("versions", ", ".join(f"{name} {v}" for name, v in last.get("packages", {}).items())),
        ("machine", _machine(last.get("machine", {}))),
        ("renderer", _renderer(settings, meta.get("simulator", {}), last.get("environment", {}))),
        ("settings", _settings(settings)),
        ("content", str(meta.get("content_hash", ""))[:16]),
        ("notes", " ".join(one.run.notes)),
    ]
    return tuple((label, text) for label, text in told if text)


def _policy(policy: dict[str, Any], card: dict[str, Any] | None) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in policy.get("arguments", {}).items())
    parts = [f"{policy['name']}: {policy['factory']}{f' ({arguments})' if arguments else ''}"]
    if policy.get("weights"):
        parts.append(f"weights {policy['weights']}")
    if card and card.get("summary"):
        parts.append(card["summary"])
    return "; ".join(parts)


def _dates(sessions: Sequence[dict[str, Any]]) -> str:
    # To the second; the fraction only distinguishes sessions.
    starts = [re.sub(r"\.\d+", "", str(s["started"])) for s in sessions if s.get("started")]
    again = f", continued {', '.join(starts[1:])}" if len(starts) > 1 else ""
    return f"{starts[0]}{again}" if starts else ""


def _code(git: dict[str, Any] | None, simulator: dict[str, Any]) -> str:
    if git:
        dirty = ", with changes that are not committed" if git.get("dirty") else ""
        return f"commit {git['commit'][:12]}{dirty}"
    return f"rtbench {simulator['rtbench']}" if simulator.get("rtbench") else ""


def _machine(machine: dict[str, Any]) -> str:
    if not machine:
        return ""
    cores, memory = machine.get("cores"), machine.get("memory_gib")
    parts = [machine.get("cpu"), f"{cores} cores" if cores else None, f"{memory} GiB" if memory else None]
    parts += [machine.get("platform"), f"Python {machine['python']}" if machine.get("python") else None]
    return ", ".join(str(part) for part in parts if part)


def _renderer(settings: dict[str, Any], simulator: dict[str, Any], environment: dict[str, Any]) -> str:
    known = {**simulator, **environment}
    gl = [known[key] for key in ("gl", "gl_renderer", "gl_version") if known.get(key)]
    cameras = ", ".join(settings["cameras"]) or "no camera: the policy saw no images"
    return "; ".join([f"profile {settings['profile']}", cameras, *gl])


def _settings(settings: dict[str, Any]) -> str:
    latency = settings["latency_ms"]
    thinking = (
        f"latency {len(latency)} recorded"
        if len(latency) > 1
        else f"latency {latency[0]:g} ms"
        if latency
        else ""
    )
    parts = [f"{settings['control_hz']} Hz", f"action convention {settings['convention']}", thinking]
    return ", ".join(part for part in parts if part)
