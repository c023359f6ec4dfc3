"""Provenance of a run, in a few lines for the top of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rtbench.report.html.section import Series, bounds, percent
from rtbench.result.metadata import (
    Commit,
    Machine,
    PolicyIdentity,
    RecordedCard,
    RunSettings,
    Session,
    Simulator,
)

Facts = tuple[tuple[str, str], ...]
"""Labels and texts."""


def headline(one: Series) -> Facts:
    """Main facts of a run: success, errors, whether it is complete."""
    summary = one.run.summary
    whole = summary.overall
    errors = whole.errors
    complete = "complete" if summary.complete else f"unfinished: {whole.n} of {summary.planned}"
    said = f"{percent(whole.rate)}"
    if whole.rate is not None:
        said += f" ({bounds(whole.interval)})"
    return (
        ("success", said),
        ("episodes", f"{whole.n}, {complete}"),
        ("errors", f"{errors} left out of the rates" if errors else "none"),
    )


def facts(one: Series) -> Facts:
    """Provenance: policy, suite, run, commands, code, versions, machine, renderer, dates."""
    meta = one.run.meta
    last = meta.sessions[-1] if meta.sessions else Session()
    arm = f"{meta.arm} instructions" if meta.arm else ""
    told = [
        ("policy", _policy(meta.policy, meta.card)),
        ("suite", ", ".join(filter(None, (meta.suite, arm)))),
        ("run", f"{meta.id}, in {one.run.path}"),
        ("command", last.command),
        ("started", _dates(meta.sessions)),
        ("code", _code(last.git, meta.simulator)),
        ("versions", ", ".join(f"{name} {v}" for name, v in last.packages.items())),
        ("machine", _machine(last.machine)),
        ("renderer", _renderer(meta.settings, last.environment)),
        ("settings", _settings(meta.settings)),
        ("content", meta.content_hash[:16]),
        ("notes", " ".join(one.run.notes)),
    ]
    return tuple((label, text) for label, text in told if text)


def _policy(policy: PolicyIdentity, card: RecordedCard | None) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in policy.arguments.items())
    parts = [f"{policy.name}: {policy.factory}{f' ({arguments})' if arguments else ''}"]
    if policy.weights:
        parts.append(f"weights {policy.weights}")
    if card and card.summary:
        parts.append(card.summary)
    return "; ".join(parts)


def _dates(sessions: Sequence[Session]) -> str:
    # To the second; the fraction only distinguishes sessions.
    starts = [re.sub(r"\.\d+", "", session.started) for session in sessions if session.started]
    again = f", continued {', '.join(starts[1:])}" if len(starts) > 1 else ""
    return f"{starts[0]}{again}" if starts else ""


def _code(git: Commit | None, simulator: Simulator) -> str:
    if git:
        dirty = ", with changes that are not committed" if git.dirty else ""
        return f"commit {git.commit[:12]}{dirty}"
    return f"rtbench {simulator.rtbench}" if simulator.rtbench else ""


def _machine(machine: Machine) -> str:
    parts = [
        machine.cpu,
        f"{machine.cores} cores" if machine.cores else "",
        f"{machine.memory_gib} GiB" if machine.memory_gib else "",
        machine.platform,
        f"Python {machine.python}" if machine.python else "",
    ]
    return ", ".join(part for part in parts if part)


def _renderer(settings: RunSettings, environment: Mapping[str, str]) -> str:
    gl = [environment[key] for key in ("gl", "gl_renderer", "gl_version") if environment.get(key)]
    cameras = ", ".join(settings.cameras) or "no camera: the policy saw no images"
    return "; ".join([f"profile {settings.profile}", cameras, *gl])


def _settings(settings: RunSettings) -> str:
    hz, spoken = f"{settings.control_hz} Hz", f"action convention {settings.convention}"
    return ", ".join([hz, spoken, f"latency {settings.latency}"])
