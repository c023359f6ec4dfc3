"""Evaluate a policy on a suite: the entry point behind `rtbench run` and `rtbench.evaluate`."""

from __future__ import annotations

import signal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

import rtbench.policy.card as policies
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import DEFAULT_ROBOT, Episode
from rtbench.core.errors import PolicyError, RunError, UnknownNameError
from rtbench.core.extras import require
from rtbench.core.interruption import FirstSignal
from rtbench.evaluation.engine import Engine, LocalEngine
from rtbench.evaluation.latency import HORIZON_HZ, NO_LATENCY, Latency
from rtbench.evaluation.launch import Launch
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.player import Player, player_of
from rtbench.evaluation.progress import Reporter, Silent, shown
from rtbench.policy.base import Policy
from rtbench.policy.card import Card
from rtbench.policy.continuous.mapping import ActionMapping
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.policy.identity import describe
from rtbench.result.folder import RUN, RunFolder, read_metadata, set_aside, write_metadata
from rtbench.result.identity import episodes_hash, run_id
from rtbench.result.jsonl import SCHEMA
from rtbench.result.metadata import (
    Decision,
    PolicyIdentity,
    RecordedCard,
    RunMetadata,
    RunSettings,
    Session,
    Simulator,
)
from rtbench.result.provenance import code_hash, packages, session
from rtbench.result.record import Record
from rtbench.result.run import Run, load_run
from rtbench.result.summary import write_summary
from rtbench.task.library import Library
from rtbench.task.training_coverage import TrainingCoverage

FACTORY = "rtbench.env.kitchen:make_worker_env"
"""Makes the environment of a worker from its `EnvSettings`."""
VIDEOS = ("none", "fail", "all")


class StoppingRule(Protocol):
    """Looks at the records of a run, and may end it early; see `rtbench.analysis.early_stopping`."""

    def begin(self, meta: RunMetadata) -> None:
        """Refuse, by an error, a run that cannot be judged. Nothing is played yet."""
        ...

    def add(self, record: Record) -> bool:
        """Whether the records so far are enough. They come in any order, earlier sessions' first."""
        ...

    def decision(self) -> Decision | None:
        """Why the run has ended, for its run.json."""
        ...


@dataclass(frozen=True)
class Options:
    """How to play, beside what. The first ten decide results and are part of the run's id."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Override arguments of the policy's card."""
    latency: Latency = NO_LATENCY
    """Thinking time charged to simulated time."""
    profile: str = "lean"
    """Render profile, lean or full."""
    images: bool = False
    """Draw the head camera at each step even if the policy wants no image: for timings and frame hashes."""
    background: tuple[str, str] = ("", "")
    """Files of a photograph behind robot and objects, and of its mask; '' for none."""
    control_hz: int | None = None
    """Control rate [Hz]; None: that of the policy's action mapping, 3 where it has none."""
    action: ActionMapping | None = None
    """What the numbers of a policy that predicts numbers mean, in place of what its card says."""
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
    engine: Engine = field(default_factory=LocalEngine)
    """Where episodes are played; see `rtbench.evaluation.engine.engine`."""
    reporter: Reporter | None = None
    """Told of the course. None: progress is shown where stderr is a terminal or a notebook's; `Silent()` of
    `rtbench.evaluation.progress` keeps quiet."""
    fresh: bool = False
    """Play all episodes anew. What was played before is moved to the folder 'replaced' beside the run."""
    keep_errors: bool = False
    """Leave episodes that were errors as they are; else a run that goes on plays them again."""
    stopping_rule: StoppingRule | None = None
    """Ends the run when it has seen enough. Records are then written in the order of the list, so that the
    file holds a beginning of it, whatever the number of workers."""


class Choice(TypedDict, total=False):
    """Which episodes of a suite are played; see `rtbench.task.suite.episodes`."""

    rounds: int
    """In each, every axis and skill has its turns; as many as the suite says where not given."""
    limit: int
    """At most this many episodes."""
    skills: Collection[str]
    """Only these skills."""
    axes: Collection[str]
    """Only these axes."""
    seed: int
    """Another seed is another draw of episodes."""
    robot: str
    """The robot that acts; the suite's, which is the default one, where not given."""


def evaluate(
    policy: str | Card | Policy, episodes: str | Sequence[Episode], *,
    out: str | Path = "runs", workers: int | None = None, options: Options | None = None,
    **choice: Unpack[Choice],
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
        **choice: Which episodes of the suite, such as ``skills=["pick"], limit=20``; see `Choice`.

    Raises:
        RtbenchError: a mistake in the arguments, a folder that cannot be written, workers that cannot start,
            too many errors, an interruption; see the subclasses for their exit codes.
    """
    options = options or Options()
    _check_video(options.video)
    chosen = _episodes(episodes, options, choice)
    player = _player(policy, options)
    needs = player.policy.needs
    coverage = policies.coverage(player.card, Library(options.content)) if player.card else None
    settings = EnvSettings(
        cameras=needs.cameras or (("head",) if options.images else ()),
        profile=options.profile,
        convention=needs.convention,
        content=tuple(str(Path(root).resolve()) for root in options.content),
        control_hz=options.control_hz or _own_hz(player),
        background=options.background[0],
        background_mask=options.background[1],
    )
    meta = _metadata(player, chosen, settings, options)
    meta = meta.replace(novelties=_novelties(chosen, coverage), tasks=_tasks(chosen, options))
    untrained = sorted({episode.body for episode in chosen} - {*coverage.trained.robots}) if coverage else []
    if options.stopping_rule:
        options.stopping_rule.begin(meta)
    path = Path(out) / meta.policy.name / meta.suite / meta.id
    if options.fresh:
        set_aside(path)
    folder = RunFolder(path)
    try:
        # A second Ctrl-C is not to disturb the summary of what the first one ended.
        with FirstSignal({signal.SIGINT: None}), shown(options.reporter) as reporter:
            options = replace(options, reporter=reporter)
            if coverage and untrained:
                reporter.say(
                    f"{meta.policy.name} was trained on {', '.join(coverage.trained.robots)}, not on "
                    f"{', '.join(untrained)}: all its episodes count as novel."
                )
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


def _play(
    folder: RunFolder, meta: RunMetadata, player: Player, chosen: Sequence[Episode], setting: _Setting
) -> None:
    options = setting.options
    reporter, stopping_rule = options.reporter or Silent(), options.stopping_rule
    missing = _missing(folder, chosen, options)
    if missing:
        folder.check_writable()
    meta = meta.replace(sessions=_sessions(folder, player.policy, playing=bool(missing)))
    if not folder.unwritable:
        write_metadata(folder.path, meta)
    if not missing:
        last = meta.sessions[-1].started[:16].replace("T", " ")
        reporter.say(f"nothing was played: shown from {last} UTC; --fresh plays it anew.")
    launch = Launch(
        policy=player.policy,
        factory=options.factory,
        env=setting.env,
        videos=folder.videos,
        reporter=reporter,
        limits=options.limits,
        card=player.card,
        identity=player.identity,
        thread=player.thread,
        renew=player.renew,
        draws=options.factory == FACTORY and (bool(setting.env.cameras) or options.video != "none"),
        workers=setting.workers,
        latency=options.latency,
        video=options.video,
        in_order=stopping_rule is not None,
        repeat=options.repeat,
    )

    def note_environment(info: dict[str, str]) -> None:
        nonlocal meta
        *before, now = meta.sessions
        if now.environment != info:
            meta = meta.replace(sessions=(*before, now.replace(environment=info)))
            write_metadata(folder.path, meta)

    def keep(record: Record) -> bool:
        folder.append(record)
        return stopping_rule is not None and stopping_rule.add(record)

    try:
        options.engine.play(launch, missing, sink=keep, on_ready=note_environment)
        if stopping_rule and (decision := stopping_rule.decision()):
            write_metadata(folder.path, meta.replace(decision=decision))
    finally:
        # Half a run is worth a summary too.
        if folder.in_place and not folder.unwritable:
            write_summary(folder.path, load_run(folder.path).summary)


def _missing(
    folder: RunFolder, chosen: Sequence[Episode], options: Options
) -> tuple[tuple[int, Episode], ...]:
    """What is to be played, each episode with its number in the list; tells the reporter."""
    reporter, stopping_rule = options.reporter or Silent(), options.stopping_rule
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


def _sessions(folder: RunFolder, policy: Policy, *, playing: bool) -> tuple[Session, ...]:
    """The earlier sessions of a run that is continued and, where anything is played, this one."""
    before = read_metadata(folder.path).sessions if (folder.path / RUN).exists() else ()
    if before and not playing:
        return before
    now, threads = session(), getattr(policy, "threads", None)
    return (*before, now.replace(policy_threads=threads) if isinstance(threads, int) else now)


def _episodes(episodes: str | Sequence[Episode], options: Options, choice: Choice) -> list[Episode]:
    for name in choice:
        if name not in Choice.__annotations__:
            raise UnknownNameError("argument", name, Choice.__annotations__, where="evaluate")
    if isinstance(episodes, str):
        from rtbench.task import suite

        library = Library(options.content)
        robot = library.robot(choice.get("robot", DEFAULT_ROBOT)).known_as
        drawn: dict[str, Any] = {name: value for name, value in choice.items() if name != "robot"}
        return suite.episodes(replace(library.suite(episodes), robot=robot), **drawn)
    if choice:
        raise RunError(
            f"{', '.join(choice)}: these choose from a suite, and episodes were given as a list. Give the "
            "name of a suite, or choose with rtbench.episodes(suite, ...) beforehand."
        )
    chosen = list({episode.key: episode for episode in episodes}.values())
    if not chosen:
        raise RunError("no episodes to play; give a suite's name or a list of episodes.")
    return chosen


def _player(policy: str | Card | Policy, options: Options) -> Player:
    if isinstance(policy, str):
        policy = policies.resolve(policy, Library(options.content), options.arguments)
    return player_of(policy, options.action, options.control_hz)


def _own_hz(player: Player) -> int:
    """Control rate of a policy that was told none [Hz]."""
    policy, card = player.policy, player.card
    mapped = policy.mapping.control_hz if isinstance(policy, MappedPolicy) else None
    return (card and card.control_hz) or mapped or HORIZON_HZ


def _metadata(
    player: Player, chosen: Sequence[Episode], settings: EnvSettings, options: Options
) -> RunMetadata:
    """What run.json says of the run: the same in each of its sessions."""
    suites = {episode.suite for episode in chosen}
    versions = packages()
    found = RunMetadata(
        id="",  # a hash of the rest
        schema=SCHEMA,
        policy=PolicyIdentity(name=player.name, **player.identity),
        suite=suites.pop() if len(suites) == 1 else "mixed",
        episodes_hash=episodes_hash(episode.key for episode in chosen),
        content_hash=Library(options.content).content_hash(),
        settings=_run_settings(settings, options),
        simulator=Simulator(
            **{name: versions[name] for name in ("rtbench", "mujoco") if name in versions}, code=code_hash()
        ),
        robots=_robots(chosen, options),
        episodes=len(chosen),
        card=RecordedCard(**describe(player.card)) if player.card else None,
        arm=_arm(chosen),
    )
    if options.repeat:
        found = found.replace(repeat=options.repeat)
    try:
        return found.replace(id=run_id(found))
    except (TypeError, ValueError) as error:
        reason = f"its arguments must be plain values: {error}"
        raise PolicyError(f"policy {player.name}: {reason}") from None


def _run_settings(settings: EnvSettings, options: Options) -> RunSettings:
    from rtbench.env.background import recorded

    latency = options.latency
    found = RunSettings(**recorded(settings), latency_ms=latency.milliseconds, factory=options.factory)
    return found.replace(latency_measured=True) if latency.measured else found


def _tasks(chosen: Sequence[Episode], options: Options) -> dict[str, str]:
    """Hashes of the tasks, so that runs are compared where these are equal, whatever else has changed."""
    if options.factory != FACTORY:
        return {}
    return Library(options.content).task_hashes(sorted({episode.task for episode in chosen}))


def _robots(chosen: Sequence[Episode], options: Options) -> dict[str, str]:
    """Hashes of the robots, as `_tasks`.

    Raises:
        UnknownNameError: an episode of a robot that there is not.
        RobotError: a robot's own model cannot be found or read.
    """
    if options.factory != FACTORY:
        return {}
    from rtbench.env.robot_cache import description_hash

    library = Library(options.content)
    return {name: description_hash(library.robot(name)) for name in sorted({e.robot for e in chosen})}


def _arm(chosen: Sequence[Episode]) -> str:
    """The control arm, '' for none."""
    arms = {episode.arm for episode in chosen}
    return arms.pop() if len(arms) == 1 else "mixed"


def _novelties(
    chosen: Sequence[Episode], coverage: TrainingCoverage | None
) -> dict[str, tuple[str, ...]] | None:
    """What is new to the policy, by key, of the episodes in which anything is; None: its card does not say.

    This stands in run.json, beside the card that says so, and not in the records: a card that is corrected
    changes what a result is called, and no result.
    """
    if coverage is None:
        return None
    found = {episode.key: tuple(coverage.novelties(episode)) for episode in chosen}
    return {key: novelties for key, novelties in found.items() if novelties}


def _check_video(video: str) -> None:
    if video not in VIDEOS and not video.isdigit():
        raise RunError(f"--video {video}: allowed are {', '.join(VIDEOS)} and a number of episodes.")
    if video not in {"none", "0"}:
        require("video", f"--video {video}")
