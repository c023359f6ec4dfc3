"""Suites, tasks, policies, runs and episodes in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rtbench.cli.console import console, print_fields

if TYPE_CHECKING:
    from rtbench.policy.card import Card
    from rtbench.result.locate import Found
    from rtbench.result.metadata import Machine, PolicyIdentity, Session
    from rtbench.result.record import Record
    from rtbench.result.run import Run
    from rtbench.task.referring_expression import Reference
    from rtbench.task.suite import Suite
    from rtbench.task.task import Task

HZ = 3
"""Control rate [Hz] at which a horizon is counted."""


def suite(shown: Suite) -> None:
    """Print a suite."""
    entry = shown.entry
    rounds = sum(lane.turns for lane in shown.lanes)
    print_fields([
        ("suite", entry.name),
        ("summary", entry.summary),
        ("split", entry.split),
        ("episodes", f"{entry.rounds * rounds} in {entry.rounds} rounds; --rounds changes the rounds"),
        ("axes", [f"{name}: {_axis(shown, name)}" for name in entry.axes]),
        ("skills", ", ".join(shown.skills)),
    ])  # fmt: skip


def _axis(shown: Suite, name: str) -> str:
    """What an axis plays, and what it does to it."""
    rules = shown.entry.axes[name]
    turns = sum(lane.turns for lane in shown.lanes if lane.axis == name)
    parts = [f"{len(shown.tasks(name))} tasks", f"{turns} episodes a round"]
    parts += [f"of the axis {rules.of}"] if rules.of else []
    for head, names in (("groups", rules.groups), ("variants", rules.variants), ("wordings", rules.wordings)):
        parts += [f"{head} {' '.join(names)}"] if names else []
    if rules.distractors:
        parts.append("distractors {} to {}".format(*rules.distractors))
    return ", ".join(parts)


def task(shown: Task) -> None:
    """Print a task."""
    start = shown.start
    place = [
        f"{name}{' (lying)' if name in start.lying else ''} on {where}" for name, where in start.place.items()
    ]
    fewest, most = start.distractors
    print_fields([
        ("task", shown.id),
        ("gymnasium", shown.gym_id),
        ("skill", shown.skill),
        ("group", shown.group),
        ("scene", shown.scene),
        ("instructions", shown.templates),
        ("goal", str(shown.goal)),
        ("means", [f"{name} is the one that {_described(found)}" for name, found in shown.means.items()]),
        ("start", [*place, f"robot at {start.station}", *([str(start.given)] if start.given else [])]),
        ("beside it", ", ".join(shown.foils)),
        ("drawers", [f"{name} {100 * opening:.0f} cm open" for name, opening in start.drawers.items()]),
        ("distractors", f"{fewest} to {most} other objects" if most else "none"),
        ("apart", [f"{a} not near {b}" for a, b in start.apart]),
        ("horizon", f"{shown.horizon} steps ({shown.horizon / HZ:.0f} s)"),
    ])  # fmt: skip


def _described(reference: Reference) -> str:
    """Such as 'tags: digit, value: 3'."""
    found = reference.model_dump(exclude_defaults=True)
    texts = {key: " ".join(v) if isinstance(v, tuple) else v for key, v in found.items()}
    return "has " + ", ".join(f"{key}: {text}" for key, text in texts.items())


def policy(card: Card) -> None:
    """Print a policy's card."""
    trained = card.trained_on
    named = trained.model_dump(exclude={"about"}, exclude_defaults=True) if trained else {}
    print_fields([
        ("policy", card.name),
        ("summary", card.summary),
        ("class", card.factory),
        ("arguments", [f"{name} = {value!r}" for name, value in card.arguments.items()]),
        ("weights", card.weights),
        ("trained on", [
            *([trained.about] if trained and trained.about else []),
            *(f"{key}: {', '.join(v) if isinstance(v, tuple) else v}" for key, v in named.items()),
        ]),
        ("licence", card.licence),
    ])  # fmt: skip


def run(shown: Run) -> None:
    """Print a run: its tables, and where it comes from; of an instruction ablation, its score too."""
    from rtbench.cli.instruction_ablation import original_of, report_ablation
    from rtbench.report.run_table import tables
    from rtbench.result.metadata import Session

    for made in tables(shown):
        console().print(made)
    if original := original_of(shown):
        report_ablation(original, shown)
    meta = shown.meta
    settings, last = meta.settings, meta.sessions[-1] if meta.sessions else Session()
    print_fields([
        ("run", str(shown.path)),
        ("notes", shown.notes),
        ("policy", _policy(meta.policy)),
        ("settings", ", ".join([
            f"{settings.control_hz} Hz", f"profile {settings.profile}",
            f"cameras {' '.join(settings.cameras) or 'none'}", f"convention {settings.convention}",
            f"latency {settings.latency}",
        ])),
        ("content", [f"hash {meta.content_hash[:12]}", *settings.content]),
        ("command", last.command),
        ("sessions", [_session(session) for session in meta.sessions]),
        ("versions", ", ".join(f"{name} {number}" for name, number in last.packages.items())),
        ("machine", _machine(last.machine)),
        ("drawn by", last.environment.get("gl_renderer")),
        ("failures", _failures(shown)),
        ("episodes", f"rtbench ls episodes {shown.path}"),
    ])  # fmt: skip


def episode(found: Found) -> None:
    """Print an episode as recorded."""
    record = found.record
    played, outcome = record.episode, record.outcome
    fields: list[tuple[str, object]] = [
        ("episode", found.name),
        ("instruction", f'"{played.instruction}" ({played.language})'),
        ("task", f"{played.task} of {played.suite}, seed {played.seed}, horizon {played.horizon} steps"),
        ("objects", ", ".join(played.objects)),
        ("variant", played.variant),
        ("ablation", f"{played.arm} instruction" if played.arm else ""),
        ("twin", played.twin),
        ("policy", found.run.meta.policy.name),
        ("new to it", _new(found)),
    ]
    if outcome:
        held = ", ".join(name for name in ("ever", "end", "held") if getattr(outcome, name)) or "never"
        fields += [
            ("outcome", f"{'success' if outcome.end else 'failure'}, termination {outcome.termination}"),
            ("goal true", f"{held}; progress {outcome.progress:.2f}"),
            ("sub-goals", [f"{'x' if ever else '-'} {name}" for name, ever in outcome.subgoals.items()]),
            ("events", ", ".join(f"{name} {n}" for name, n in outcome.events.items() if n) or "none"),
        ]
    if record.true_at_reset:
        fields.append(("warning", "the goal was true before anything was done"))
    if record.error:
        fields.append(("outcome", f"error ({record.error.kind}): {record.error.message}"))
    print_fields([*fields, *_trace(record), ("video", _video(found))])
    if record.error:
        console().print(record.error.traceback.rstrip(), markup=False, soft_wrap=True)


def _new(found: Found) -> str:
    """What the policy was not trained on, as far as its card says."""
    novelties = found.run.meta.novelties
    if novelties is None:
        return ""
    return ", ".join(novelties.get(found.record.key, ())) or "nothing: it was trained on all of it"


def _policy(policy: PolicyIdentity) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in policy.arguments.items())
    return f"{policy.name}: {policy.factory}({given})"


def _machine(machine: Machine) -> str:
    return f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB; Python {machine.python}"


def _session(session: Session) -> str:
    git = session.git
    commit = f"commit {git.commit[:12]}{' with changes' if git.dirty else ''}" if git else "no checkout"
    return f"{session.started[:19].replace('T', ' ')}, {commit}"


def _failures(shown: Run, most: int = 5) -> list[str]:
    """The first episodes that did not succeed, ready to be given to `show` and `replay`."""
    bad = [record for record in shown.records if record.outcome is None or not record.outcome.end]
    lines = [
        f"{record.key} {record.episode.task}: {record.outcome.termination if record.outcome else 'error'}"
        for record in bad[:most]
    ]
    return [*lines, f"and {len(bad) - most} more"] if len(bad) > most else lines


def _trace(record: Record) -> Iterator[tuple[str, object]]:
    from rtbench.core.action import MODE, convention
    from rtbench.stats import percentile

    rows = record.token_rows
    if not len(rows):
        return
    spoken = convention(record.convention)
    column = spoken.order.index(MODE)
    modes = Counter(spoken.modes[int(row[column])].name.lower() for row in rows)
    counts = ", ".join(f"{name} {n}" for name, n in modes.most_common())
    yield "tokens", f"{len(rows)} steps of 11 ({counts}), convention {record.convention}"
    times = record.times
    for name, values in (("policy", times.policy), ("environment", times.env), ("closed loop", times.loop)):
        spread = [percentile(values, share) for share in (0.5, 0.95)]
        if None not in spread:
            yield name, f"{spread[0]:.2f} ms a step (p50), {spread[1]:.2f} ms (p95)"
    yield "reset", f"{times.reset:.0f} ms"
    yield "simulated", f"{record.simulated_s:.2f} s"
    yield "start", ", ".join(f"{name} {value}" for name, value in record.fingerprint.items())
    yield "final state", record.final_hash


def _video(found: Found) -> str:
    from rtbench.result.folder import VIDEOS

    name = found.record.video
    return str(found.run.path / VIDEOS / name) if name else f"none; make one: rtbench replay {found.name}"
