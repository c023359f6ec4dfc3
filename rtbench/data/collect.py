"""Records demonstrations: the oracle acts, or a policy acts and the oracle labels its steps.

Workers and scheduler are those of an evaluation. Two things are different: the environment, whose
observations carry the oracle's action (`expert_env`), and the policy, which is wrapped in a `recorder`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rtbench.policy.card as policies
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import DEFAULT_ROBOT, Episode
from rtbench.core.errors import PolicyError
from rtbench.data.demonstration import HEAD_ONLY, STATES_ONLY, DemonstrationError, Header
from rtbench.data.recorder import Acting, Recorder
from rtbench.data.shards import Parts
from rtbench.evaluation.ending import TooManyErrorsError
from rtbench.evaluation.launch import Launch, play
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.player import player_of
from rtbench.evaluation.progress import Reporter, Silent
from rtbench.policy.card import Card
from rtbench.result.provenance import code_hash
from rtbench.result.record import Record
from rtbench.task.library import BUNDLED, Library
from rtbench.task.suite import SEEDS, TRAINING_SEED, episodes
from rtbench.task.training_coverage import TrainedOn, TrainingCoverage, load_coverage

FACTORIES = {
    (False, False): "rtbench.data.expert_env:make_env",
    (False, True): "rtbench.data.expert_env:make_shifted_env",
    (True, False): "rtbench.data.segments:make_env",
    (True, True): "rtbench.data.segments:make_shifted_env",
}
"""Factories of the environment by whether segments are short, and whether starts are shifted."""
CAMERAS = (HEAD_ONLY, ("head", "wrist"))
"""Cameras that can be recorded."""
DRAWS = 10_000
"""Number of draws, each with its own seeds."""
TRAINING = "seen"
"""The suite whose tasks, objects and scenes may be trained on."""
ORACLE = "oracle"
CONTROL_HZ = 3


@dataclass(frozen=True)
class Recording:
    """Settings of a recording. All of them decide the result, but of `content` only the text does."""

    suite: str = TRAINING
    """Suite that episodes are drawn from."""
    skills: tuple[str, ...] = ()
    """Names of the skills to record; all if empty."""
    seed: int = 0
    """Number of the draw of episodes; no two draws share an episode's seed."""
    cameras: tuple[str, ...] = HEAD_ONLY
    """Cameras whose images are recorded: head, and perhaps wrist."""
    size: tuple[int, int] = (128, 160)
    """Height and width of the images [pixels]."""
    noise: float = 0.0
    """Share of the steps that are disturbed, 0 to 1."""
    policy: str | Card = ORACLE
    """The policy that acts."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that override those of the policy's card."""
    beta: float = 0.0
    """Share of the steps in which the oracle acts in place of the policy."""
    keep_failures: bool | None = None
    """Keep failed episodes too; None: only with a policy or short segments, whose episodes rarely end."""
    content: tuple[Path, ...] = ()
    """The user's content roots."""
    short_segments: bool = False
    """Record only a few steps of each episode, from a random point of it: see `rtbench.data.segments`."""
    shift_start: bool = False
    """Shift the robot's start a little: see `rtbench.data.expert_env`."""
    states_only: bool = False
    """Record states and no images, which `rtbench.data.redraw` draws later: 0.61 of the time."""
    factory: str = ""
    """Factory of the environment; '': the kitchen's."""
    robot: str = DEFAULT_ROBOT
    """Name of the robot."""


@dataclass(frozen=True)
class Recorded:
    """Numbers of a finished recording."""

    kept: int
    """Demonstrations in the file."""
    failed: int
    """Episodes that failed and were not kept."""
    errors: int
    """Episodes that ended with an error; the next call plays them again."""


def collect(
    recording: Recording, count: int, output: Path, *,
    workers: int | None = None, reporter: Reporter | None = None, limits: Limits | None = None,
) -> Recorded:  # fmt: skip
    """Play the first `count` episodes, and write a file of demonstrations when all have been played.

    The same call continues a recording that was stopped or killed; a greater `count` appends. The content of
    the file does not depend on the number of workers.

    Args:
        recording: The settings.
        count: Episodes to play; those that fail are not kept, see `Recording.keep_failures`.
        output: The file.
        workers: Number of worker processes; None: as many as cores, at most 8.
        reporter: Shows progress.
        limits: Limits on errors and times.

    Raises:
        RtbenchError: a mistake in the arguments, an episode that is held out from training, a file of other
            settings, workers that cannot start, too many errors, an interruption.
    """
    reporter, limits = reporter or Silent(), limits or Limits()
    chosen = draw(recording, count)
    acting = _acting(recording)
    parts = Parts(output, _header(recording, acting))
    try:
        errors = _play(recording, chosen, acting, _Job(parts, workers, reporter, limits))
        if len(errors) > limits.error_share * count:
            raise TooManyErrorsError(f"{len(errors)} of {count} episodes were errors; the first: {errors[0]}")
        wanted = {episode.key for episode in chosen}
        if not wanted & parts.kept.keys():
            raise DemonstrationError(
                f"{output}: none of {count} episodes succeeded, so there is nothing to keep."
            )
        if parts.pending:
            parts.assemble({episode.key: number for number, episode in enumerate(chosen)})
    finally:
        parts.close()
    return Recorded(len(parts.kept), len(parts.failed), len(errors))


def draw(recording: Recording, count: int) -> list[Episode]:
    """The first `count` episodes of a draw, none of which holds anything that is held out.

    Raises:
        DemonstrationError: an episode that does; names what is held out.
        SuiteError, UnknownNameError: a number out of range, or an unknown name.
    """
    if not 0 <= recording.seed < DRAWS:
        raise DemonstrationError(f"seed is {recording.seed}; allowed 0 to {DRAWS - 1}.")
    library = Library(recording.content)
    library.robot(recording.robot)
    suite = replace(library.suite(recording.suite), robot=recording.robot)
    found = episodes(
        suite, rounds=SEEDS, limit=count, skills=recording.skills, seed=TRAINING_SEED + recording.seed
    )
    check_seen(found, library)
    return found


def check_seen(chosen: Iterable[Episode], library: Library = BUNDLED) -> None:
    """Raise a DemonstrationError for the first episode with anything that is not in the seen suite.

    That is a held-out pair of skill and object, an object, a scene, a background or other variant, a language
    or a wording; or an object of another set, among the distractors too.
    """
    seen = training(library)
    things = library.things()
    sets = {things[name].set for name in seen.objects}
    for episode in chosen:
        new = [*seen.novelties(episode)]
        new += [
            f"object {name}" for name in episode.objects if name not in things or things[name].set not in sets
        ]
        if new:
            raise DemonstrationError(
                f"suite {episode.suite}: episode {episode.key} ({episode.task}) holds what is held out: "
                f"{', '.join(dict.fromkeys(new))}; give --suite {TRAINING}."
            )


def training(library: Library = BUNDLED) -> TrainingCoverage:
    """The tasks, objects, scenes and so on of the seen suite: all that may be trained on."""
    tasks = library.suite(TRAINING).tasks()
    return load_coverage(
        TrainedOn(tasks=tuple(task.id for task in tasks), distractors=None, robots=tuple(library.robots())),
        library,
        where=f"suite {TRAINING}",
    )


@dataclass(frozen=True)
class _Job:
    """File, workers and limits of a recording."""

    parts: Parts
    workers: int | None
    reporter: Reporter
    limits: Limits


def _play(recording: Recording, chosen: Sequence[Episode], acting: Acting, job: _Job) -> list[str]:
    """Play the episodes that are missing; returns the messages of the errors."""
    parts, reporter = job.parts, job.reporter
    for path in parts.removed:
        reporter.say(f"{path}: was broken, and is played again")
    missing = tuple(
        (number, episode)
        for number, episode in enumerate(chosen)
        if episode.key not in parts.kept and episode.key not in parts.failed
    )
    reporter.begin(len(chosen), len(chosen) - len(missing))
    if not missing:
        return []
    factory = recording.factory or FACTORIES[recording.short_segments, recording.shift_start]
    recorder = Recorder(acting, None if recording.states_only else recording.size, recording.cameras)
    needs = recorder.needs
    settings = EnvSettings(
        cameras=needs.cameras,
        convention=needs.convention,
        content=tuple(str(root.resolve()) for root in recording.content),
        control_hz=CONTROL_HZ,
    )
    keep_failures = _keeps_failures(recording)
    errors: list[str] = []

    def sink(record: Record) -> bool:
        demo = recorder.take(record)
        if demo is None:
            errors.append(record.error.message if record.error else "")
        elif demo.success or keep_failures:
            parts.keep(demo)
        else:
            parts.fail(record.key)
        return False

    with tempfile.TemporaryDirectory() as videos:
        launch = Launch(
            policy=recorder,
            factory=factory,
            env=settings,
            videos=Path(videos),
            reporter=reporter,
            limits=job.limits,
            draws=not recording.factory,
            workers=job.workers,
            thread=acting.player.thread if acting.player else None,
        )
        play(launch, missing, sink=sink)
    return errors


def _acting(recording: Recording) -> Acting:
    """How actions are chosen.

    Raises:
        DemonstrationError: a share out of range.
        PolicyError: a privileged policy other than the oracle.
    """
    if recording.cameras not in CAMERAS:
        raise DemonstrationError(f"cameras {','.join(recording.cameras)}: allowed are head, and head,wrist.")
    if recording.states_only and recording.cameras != HEAD_ONLY:
        raise DemonstrationError("--states-only draws no camera, so --cameras says nothing; leave one out.")
    for name, share in (("noise", recording.noise), ("beta", recording.beta)):
        if not 0 <= share <= 1:
            raise DemonstrationError(f"{name} is {share:g}; allowed 0 to 1.")
    if recording.policy == ORACLE:
        return Acting(noise=recording.noise)
    card = _card(recording)
    player = player_of(card)
    needs = player.policy.needs
    if needs.privileged:
        raise PolicyError(f"policy {card.name} is privileged; only {ORACLE!r} may act beside the oracle.")
    return Acting(player.policy, card.name, recording.beta, recording.noise, needs, player)


def _card(recording: Recording) -> Card:
    policy = recording.policy
    return (
        policy
        if isinstance(policy, Card)
        else policies.resolve(policy, Library(recording.content), recording.arguments)
    )


def _keeps_failures(recording: Recording) -> bool:
    if recording.keep_failures is None:
        return recording.policy != ORACLE or recording.short_segments
    return recording.keep_failures


def _header(recording: Recording, acting: Acting) -> Header:
    """All settings that decide the result, so that a file is not continued with others."""
    identity = acting.player.identity if acting.player else {}
    settings = {
        "suite": recording.suite,
        "skills": sorted(recording.skills),
        "seed": recording.seed,
        "noise": recording.noise,
        "beta": acting.beta,
        "short_segments": recording.short_segments,
        **({"shift_start": True} if recording.shift_start else {}),
        **({STATES_ONLY: True} if recording.states_only else {}),
        **({"cameras": list(recording.cameras)} if recording.cameras != HEAD_ONLY else {}),
        **({"robot": recording.robot} if recording.robot != DEFAULT_ROBOT else {}),
        "keep_failures": _keeps_failures(recording),
        "policy": {"name": acting.name, **identity},
        "control_hz": CONTROL_HZ,
        "content_hash": Library(recording.content).content_hash(),
        "simulator": {"mujoco": version("mujoco"), "code": code_hash()},
    }
    return Header(acting.needs.convention, recording.size, settings)
