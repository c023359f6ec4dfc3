"""Whole runs of fake environments and policies, with real worker processes."""

from __future__ import annotations

from pathlib import Path

from rtbench.core.importing import load_object
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.progress import Silent

HERE = Path(__file__).resolve().parent
FAKE, POLICIES = f"{HERE / 'fake_env.py'}", f"{HERE / 'fake_policies.py'}"
FACTORY = load_object(f"{FAKE}:FACTORY")
episode, episodes = load_object(f"{FAKE}:episode"), load_object(f"{FAKE}:episodes")
FakeEnv = load_object(f"{FAKE}:FakeEnv")
TOLERANT = Limits(error_share=1.0)


class Listener(Silent):
    """Remembers what it was told."""

    def __init__(self):
        self.said, self.begun, self.seen = [], (), []

    def begin(self, total, done):
        self.begun = (total, done)

    def episode(self, success):
        self.seen.append(success)

    def say(self, text):
        self.said.append(text)


def play(out, chosen, policy="Pusher", workers=2, **options):
    options = Options(**{"factory": FACTORY, "limits": TOLERANT, **options})
    name = f"{POLICIES}:{policy}" if isinstance(policy, str) else policy
    return evaluate(name, chosen, out=out, workers=workers, options=options)


def essence(run):
    """What must not depend on how a run was made."""
    return {
        r.key: (r.outcome, r.tokens, r.hashes, r.final_hash, r.fingerprint, r.error and r.error.kind)
        for r in run.records
    }


def by_seed(run):
    return {record.episode.seed: record for record in run.records}
