"""The same command again: shown with its date, played anew where that is asked for or something changed."""

import json

from tests.helpers.commands import rtbench

POLICY = """
from pathlib import Path
from rtbench.policy.baselines import NoopPolicy
import helper


class P(NoopPolicy):
    def __init__(self, weights: str, first_s: float = 0.0):
        super().__init__()
        self.text = Path(weights).read_text()
"""


def run(tmp_path, *more):
    policy, weights = f"{tmp_path / 'pol.py'}:P", f"weights={tmp_path / 'last'}"
    out = tmp_path / "runs"
    return rtbench("run", "--policy", policy, "--policy-arg", weights, "--limit", 1, "--out", out, *more)


def test_whatever_the_policy_reads_makes_another_run(tmp_path):
    (tmp_path / "pol.py").write_text(POLICY)
    (tmp_path / "helper.py").write_text("x = 1\n")
    (tmp_path / "last").write_text("one")
    assert run(tmp_path).code == 0
    again = run(tmp_path)
    assert "nothing was played: shown from 20" in again.out + again.err
    (first,) = (tmp_path / "runs").glob("*/*/*/run.json")
    assert (
        str(tmp_path)
        not in first.read_text().replace(json.dumps(str(tmp_path / "runs")), "").split('"sessions"')[0]
    )
    for name in ("last", "helper.py"):
        (tmp_path / name).write_text("x = 2\n")
        said = run(tmp_path)
        assert "nothing was played" not in said.out + said.err, name
    assert len(list((tmp_path / "runs").glob("*/*/*/run.json"))) == 3
    fresh = run(tmp_path, "--fresh")
    assert "nothing was played" not in fresh.out + fresh.err
    assert len(list((tmp_path / "runs").glob("*/*/*/run.json"))) == 3
    assert len(list((tmp_path / "runs").glob("*/*/replaced/*/run.json"))) == 1
