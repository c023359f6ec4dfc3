"""The content of run.json: what was played, by whom, how and where."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rtbench.result.jsonl import SCHEMA
from rtbench.result.stored import Count, Flag, Hertz, Number, Positive, Share, Stored


class PolicyIdentity(Stored):
    """What makes two runs ones of the same policy."""

    name: str
    """What it is called."""
    factory: str = ""
    """'package.module:Class' or 'file.py:Class'."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Given to the factory."""
    weights: str | None = None
    """SHA-256 of the weights."""
    source: str | None = None
    """SHA-256 of the policy's own code; None where there is none to read."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the files that arguments name, by argument."""
    fingerprint: str | None = None
    """What the policy says of itself."""
    action: dict[str, Any] = Field(default_factory=dict)
    """How its numbers become tokens; empty, and not in the file, of a policy that gives tokens."""
    unhashed: tuple[str, ...] = ()
    """What could not be hashed, in sentences."""


class RunSettings(Stored):
    """How episodes were played."""

    cameras: tuple[str, ...] = ()
    """Cameras rendered into each observation."""
    profile: str = "lean"
    """Render profile, lean or full."""
    convention: str = "rtbench"
    """Action convention of the policy."""
    content: tuple[str, ...] = ()
    """Where the user's content lay."""
    control_hz: Hertz = 3
    """Control rate [Hz]."""
    latency_ms: tuple[Count | Positive, ...] = ()
    """Thinking time charged to simulated time, cycled over decisions [ms]."""
    latency_measured: Flag = False
    """Whether what each decision took was charged; in the file only if it was."""
    factory: str = ""
    """What made the environment."""
    background: str = ""
    """Hash of the photograph behind robot and objects, and of its mask; missing where there is none."""

    @property
    def latency(self) -> str:
        """The thinking time in words: none, measured, 250 ms, or a trace of N."""
        ms = self.latency_ms
        if not ms:
            return "measured" if self.latency_measured else "none"
        return f"{ms[0]:g} ms" if len(ms) == 1 else f"a trace of {len(ms)}"


class Simulator(Stored):
    """What decides how an episode goes on, besides the episode and the settings."""

    rtbench: str | None = None
    """Version; None of a checkout that is not installed."""
    mujoco: str | None = None
    """Version."""
    code: str | None = None
    """Hash of the code that simulates; see `rtbench.result.provenance.code_hash`."""


class Commit(Stored):
    """The state of a checkout."""

    commit: str
    """Its hash."""
    dirty: Flag = False
    """Whether there were changes that are not committed."""


class Machine(Stored):
    """The machine of a session."""

    platform: str = ""
    """Operating system, its release, and architecture."""
    python: str = ""
    """Version."""
    cpu: str = ""
    """Name of the processor."""
    cores: Count | None = None
    """Number of cores."""
    memory_gib: Positive | None = None
    """Memory [GiB]."""


class Session(Stored):
    """One process that played; a run that was continued has several."""

    started: str = ""
    """ISO 8601, in UTC."""
    command: str = ""
    """The command line."""
    git: Commit | None = None
    """The checkout of rtbench; None where it was installed."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Versions of packages that may change a result."""
    machine: Machine = Machine()
    """Where it ran."""
    policy_threads: Count | None = None
    """CPU threads of the policy."""
    environment: dict[str, str] = Field(default_factory=dict)
    """`EpisodeEnv.info()`: version of MuJoCo, GL renderer and back end, profile."""


class RecordedCard(Stored):
    """The policy's card as it was; see `rtbench.policy.card.Card`."""

    name: str = ""
    factory: str = ""
    summary: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    """Name of the file: where it lies is the machine's."""
    sha256: str | None = None
    weights_from: str | None = None
    trained_on: dict[str, Any] | None = None
    action: dict[str, Any] | None = None
    """What its numbers mean; in the file only of a policy that predicts numbers."""
    control_hz: Hertz | None = None
    """Control rate that it plays at [Hz]; in the file only where its card says so."""
    licence: str | None = None


class Decision(Stored):
    """Why a run against a baseline has ended."""

    verdict: str
    """pass, regression or inconclusive."""
    n: Count
    """Pairs that it rests on."""
    left_out: Count = 0
    """Pairs that began differently."""
    margin: Share
    """By how much the candidate's rate may be lower."""
    alpha: Share
    """Chance of a wrong verdict, for each of the two."""
    worse: Positive
    """e-value of the candidate being worse."""
    holds: Positive
    """e-value of its being within the margin."""
    difference: Number | None
    """Candidate less baseline; None of no pairs."""
    interval: tuple[Number, Number]
    """Of the difference, valid at any stop."""
    baseline: str
    """Id of that run."""
    budget_s: Positive | None = None
    """Seconds of wall time in which episodes were begun, where there was a limit."""


class MergedPart(Stored):
    """A list of episodes that parts of a merged run were to play."""

    id: str
    """Id of the first of these runs."""
    episodes_hash: str
    """Hash of the list."""
    episodes: Count
    """Episodes in it."""
    records: Count
    """Records there are of it."""


class Merge(Stored):
    """What a run was merged from."""

    parts: tuple[MergedPart, ...] = ()
    """Lists of episodes, by their hashes."""
    decided: dict[str, str] = Field(default_factory=dict)
    """By key: which part was told to count for an episode that came out differently, first or last."""


class RunMetadata(Stored):
    """run.json. The order of the fields is that of the file."""

    id: str
    """The run's id, see `rtbench.result.identity`."""
    schema_version: Count = Field(SCHEMA, alias="schema")
    """Form of the file, 'schema' in it."""
    policy: PolicyIdentity
    """Who played."""
    suite: str
    """Name of the suite; 'mixed' of several."""
    episodes_hash: str = ""
    """Hash of the keys of all episodes."""
    content_hash: str = ""
    """Hash of envs/ and tasks/, the user's among them."""
    settings: RunSettings
    """How it was played."""
    simulator: Simulator
    """In what it was played."""
    repeat: Count = 0
    """Which of several runs of the same episodes this is; in the file only if it is not 0."""
    episodes: Count
    """Episodes asked for."""
    card: RecordedCard | None = None
    """The policy's card."""
    arm: str = ""
    """Control arm of the instructions, 'mixed' of several, '' for none."""
    novelties: dict[str, tuple[str, ...]] | None = None
    """What is new to the policy, by episode key; None where its card does not say."""
    tasks: dict[str, str] = Field(default_factory=dict)
    """Hash of each task."""
    robots: dict[str, str] = Field(default_factory=dict)
    """Hash of each robot's description: its file and its own model."""
    sessions: tuple[Session, ...] = ()
    """Processes that played, in order."""
    merged: Merge | None = None
    """What it was merged from; in the file only of merged runs."""
    decision: Decision | None = None
    """Why a run against a baseline has ended; in the file only of these."""
