"""Evaluate a policy on a suite: the entry point behind `rtbench run` and `rtbench.evaluate`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import rtbench.policy.card as policies
from rtbench.core.action import convention
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Episode
from rtbench.core.errors import PolicyError, RunError
from rtbench.env import gl
from rtbench.env.robot_cache import robot_path
from rtbench.evaluation.batched_policy import BatchedPolicy
from rtbench.evaluation.latency import NO_LATENCY, Latency, Pace
from rtbench.evaluation.messages import Hello
from rtbench.evaluation.player import Player, player_of
from rtbench.evaluation.progress import Reporter, Silent
from rtbench.evaluation.scheduler import Limits, Plan, Scheduler
from rtbench.policy.base import Policy
from rtbench.policy.card import Card
from rtbench.policy.identity import describe
from rtbench.result.folder import RUN, SUMMARY, RunFolder, read_json, set_aside, write_json
from rtbench.result.identity import episodes_hash, run_id
from rtbench.result.jsonl import SCHEMA
from rtbench.result.provenance import code_hash, packages, session
from rtbench.result.record import Record
from rtbench.result.run import Run, load_run
from rtbench.task.library import Library
from rtbench.task.training_coverage import TrainingCoverage

FACTORY = "rtbench.env.kitchen:make_worker_env"
"""Makes the environment of a worker from its `EnvSettings`."""
VIDEOS = ("none", "fail", "all")


class StoppingRule(Protocol):
    """Looks at the records of a run, and may end it early; see `rtbench.analysis.early_stopping`."""

    def begin(self, meta: Mapping[str, Any]) -> None:
        """Refuse, by an error, a run that cannot be judged; `meta` is its run.json. Nothing is played yet."""
        ...

    def add(self, record: Record) -> bool:
        """Whether the records so far are enough. They come in any order, earlier sessions' first."""
        ...

    def decision(self) -> dict[str, Any] | None:
        """What is to stand in run.json of a run that has ended."""
        ...


@dataclass(frozen=True)
class Options:
    """How to play, beside what. The first eight decide results and are part of the run's id."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Override arguments of the policy's card."""
    latency: Latency = NO_LATENCY
    """Thinking time charged to simulated time."""
    profile: str = "lean"
    """Render profile, lean or full."""
    images: bool = False
    """Draw the head camera at each step even if the policy wants no image: for timings and frame hashes."""
    control_hz: int = 3
    """Control rate [Hz]."""
    content: tuple[str, ...] = ()
    """The user's content roots."""
    factory: str = FACTORY
    """What makes the environment."""
    repeat: int = 0
    """Which of several runs of the same episodes this is: each gives the policy other seeds."""
    video: str = "none"
    """none, fail, all, or the number of episodes at the head of the list that get one."""
    limits: Limits = field(default_factory=Limits)
    """When to give up."""
    reporter: Reporter = field(default_factory=Silent)
    """Told of the course; `rtbench.evaluation.progress.Display` shows it."""
    fresh: bool = False
    """Play all episodes anew. What was played before is moved to the folder 'replaced' beside the run."""
    keep_errors: bool = False
    """Leave episodes that were errors as they are; else a run that goes on plays them again."""
    stopping_rule: StoppingRule | None = None
    """Ends the run when it has seen enough. Records are then written in the order of the list, so that the
    file holds a beginning of it, whatever the number of workers."""


def evaluate(
    policy: str | Card | Policy, episodes: str | Sequence[Episode], *,
    out: str | Path = "runs", workers: int | None = None, options: Options | None = None,
) -> Run:  # fmt: skip
    """Play episodes with a policy, write a run folder, and read it back.

    The folder is `out/<policy>/<suite>/<run-id>`. The id is a hash of everything that decides the result, so
    the same call continues a run that was stopped, and returns at once from one that is complete.

    Args:
        policy: A name for `rtbench.policy.card.resolve`, a card, or a policy. A policy object is told apart
            from others of its class by an attribute `fingerprint` (text); one without it gets a new run
            each time.
        episodes: Name of a suite, or episodes.
        out: Folder of runs.
        workers: Worker processes; as many as cores, at most 8, where None.
        options: Everything else.

    Raises:
        RtbenchError: a mistake in the arguments, a folder that cannot be written, workers that cannot start,
            too many errors, an interruption; see the subclasses for their exit codes.
    """
    options = options or Options()
    _check_video(options.video)
    chosen = _episodes(episodes, options)
    player = _player(policy, options)
    needs = player.policy.needs
    coverage = policies.coverage(player.card, Library(options.content)) if player.card else None
    settings = EnvSettings(
        cameras=needs.cameras or (("head",) if options.images else ()),
        profile=options.profile,
        convention=needs.convention,
        content=tuple(str(Path(root).resolve()) for root in options.content),
        control_hz=options.control_hz,
    )
    meta = _meta(player, chosen, settings, options)
    meta |= {"arm": _arm(chosen), "novelties": _novelties(chosen, coverage), "tasks": _tasks(chosen, options)}
    if options.stopping_rule:
        options.stopping_rule.begin(meta)
    path = Path(out) / meta["policy"]["name"] / meta["suite"] / meta["id"]
    if options.fresh:
        set_aside(path)
    folder = RunFolder(path)
    try:
        _play(folder, meta, player, chosen, _Setting(settings, options, workers))
    finally:
        folder.close()
        player.thread.close()
    return load_run(folder.path)


@dataclass(frozen=True)
class _Setting:
    env: EnvSettings
    options: Options
    workers: int | None


def _prepare(*, drawn: bool) -> None:
    """What workers share, ready before they start: the baked robot, and a back end that draws."""
    robot_path()
    if drawn:
        gl.prepare()


def _play(
    folder: RunFolder, meta: dict[str, Any], player: Player, chosen: Sequence[Episode], setting: _Setting
) -> None:
    options = setting.options
    reporter, stopping_rule = options.reporter, options.stopping_rule
    missing = _missing(folder, chosen, options)
    meta = _with_sessions(folder, meta, player.policy, playing=bool(missing))
    write_json(folder.path / RUN, meta)
    if not missing:
        reporter.say(f"nothing was played: shown from {_last_played(meta)}; --fresh plays it anew.")
    needs = player.policy.needs
    if missing and options.factory == FACTORY:
        _prepare(drawn=bool(setting.env.cameras) or options.video != "none")
    privileged = needs.privileged
    hello = Hello(
        factory=options.factory,
        settings=setting.env,
        pace=Pace(options.latency, options.control_hz),
        card=player.card if privileged else None,
        videos=str(folder.videos.resolve()),
        identity=dict(player.identity) if privileged else None,
    )
    workers = setting.workers or min(os.cpu_count() or 1, 8)
    workers = max(1, min(workers, len(missing)))
    plan = Plan(
        missing, hello, workers, options.video, options.limits, stopping_rule is not None, options.repeat
    )

    def note_environment(info: dict[str, str]) -> None:
        if meta["sessions"][-1].get("environment") != info:
            meta["sessions"][-1]["environment"] = info
            write_json(folder.path / RUN, meta)

    batched = None
    if not privileged:
        spec = convention(setting.env.convention)
        batched = BatchedPolicy(
            player.policy,
            spec,
            limit_s=options.limits.policy_s,
            thread=player.thread,
            renew=player.renew,
            first_call_s=options.limits.first_call_s,
        )

    def keep(record: Record) -> bool:
        folder.append(record)
        return stopping_rule is not None and stopping_rule.add(record)

    runner = Scheduler(plan, batched, sink=keep, reporter=reporter, on_ready=note_environment)
    try:
        if missing:
            runner.run()
        if stopping_rule and (decision := stopping_rule.decision()):
            write_json(folder.path / RUN, {**meta, "decision": decision})
    finally:
        # Half a run is worth a summary too.
        write_json(folder.path / SUMMARY, load_run(folder.path).summary)


def _missing(
    folder: RunFolder, chosen: Sequence[Episode], options: Options
) -> tuple[tuple[int, Episode], ...]:
    """What is to be played, each episode with its number in the list; tells the reporter."""
    reporter, stopping_rule = options.reporter, options.stopping_rule
    for note in folder.reading.notes:
        reporter.say(note)
    counting = [r for r in folder.reading.records if r.error is None or options.keep_errors]
    done = {record.key for record in counting}
    missing = tuple((i, e) for i, e in enumerate(chosen) if e.key not in done)
    reporter.begin(len(chosen), len(chosen) - len(missing))
    if again := len(folder.reading.records) - len(counting):
        reporter.say(f"{again} episodes that were errors are played again; --keep-errors leaves them.")
    if stopping_rule and any(stopping_rule.add(record) for record in counting):
        return ()
    return missing


def _last_played(meta: Mapping[str, Any]) -> str:
    return f"{meta['sessions'][-1]['started'][:16].replace('T', ' ')} UTC"


def _with_sessions(
    folder: RunFolder, meta: dict[str, Any], policy: Policy, *, playing: bool
) -> dict[str, Any]:
    """The earlier sessions of a run that is continued and, where anything is played, this one."""
    path = folder.path / RUN
    before = read_json(path).get("sessions", []) if path.exists() else []
    if before and not playing:
        return {**meta, "sessions": before}
    threads = getattr(policy, "threads", None)
    said = {"policy_threads": threads} if isinstance(threads, int) else {}
    return {**meta, "sessions": [*before, {**session(), **said}]}


def _episodes(episodes: str | Sequence[Episode], options: Options) -> list[Episode]:
    if isinstance(episodes, str):
        from rtbench.task import suite

        return suite.episodes(Library(options.content).suite(episodes))
    chosen = list({episode.key: episode for episode in episodes}.values())
    if not chosen:
        raise RunError("no episodes to play; give a suite's name or a list of episodes.")
    return chosen


def _player(policy: str | Card | Policy, options: Options) -> Player:
    if isinstance(policy, str):
        policy = policies.resolve(policy, Library(options.content), options.arguments)
    return player_of(policy)


def _meta(
    player: Player, chosen: Sequence[Episode], settings: EnvSettings, options: Options
) -> dict[str, Any]:
    """What run.json says of the run, whoever runs it and how often."""
    suites = {episode.suite for episode in chosen}
    versions = packages()
    meta: dict[str, Any] = {
        "schema": SCHEMA,
        "policy": {"name": player.name, **player.identity},
        "suite": suites.pop() if len(suites) == 1 else "mixed",
        "episodes_hash": episodes_hash(episode.key for episode in chosen),
        "content_hash": Library(options.content).content_hash(),
        "settings": {
            **asdict(settings),
            "latency_ms": list(options.latency.milliseconds),
            "factory": options.factory,
            "content": list(settings.content),
        },
        "simulator": {
            **{name: versions[name] for name in ("rtbench", "mujoco") if name in versions},
            "code": code_hash(),
        },
    }
    if options.repeat:
        meta["repeat"] = options.repeat
    try:
        name = run_id(meta)
    except (TypeError, ValueError) as error:
        reason = f"its arguments must be plain values: {error}"
        raise PolicyError(f"policy {player.name}: {reason}") from None
    card = describe(player.card) if player.card else None
    return {"id": name, **meta, "episodes": len(chosen), "card": card}


def _tasks(chosen: Sequence[Episode], options: Options) -> dict[str, str]:
    """Hashes of the tasks, so that runs are compared where these are equal, whatever else has changed."""
    if options.factory != FACTORY:
        return {}
    return Library(options.content).task_hashes(sorted({episode.task for episode in chosen}))


def _arm(chosen: Sequence[Episode]) -> str:
    """The control arm, '' for none."""
    arms = {episode.arm for episode in chosen}
    return arms.pop() if len(arms) == 1 else "mixed"


def _novelties(chosen: Sequence[Episode], coverage: TrainingCoverage | None) -> dict[str, list[str]] | None:
    """What is new to the policy, by key, of the episodes in which anything is; None: its card does not say.

    This stands in run.json, beside the card that says so, and not in the records: a card that is corrected
    changes what a result is called, and no result.
    """
    if coverage is None:
        return None
    found = {episode.key: list(coverage.novelties(episode)) for episode in chosen}
    return {key: novelties for key, novelties in found.items() if novelties}


def _check_video(video: str) -> None:
    if video not in VIDEOS and not video.isdigit():
        raise RunError(f"--video {video}: allowed are {', '.join(VIDEOS)} and a number of episodes.")
