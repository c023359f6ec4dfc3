"""The committed reference results: whole, simulated by this code, and the tables are made from them."""

import platform
from pathlib import Path

import mujoco
import pytest

from rtbench.core.errors import Exit
from rtbench.result.run import load_run
from rtbench.result.scores import load_scores
from tests.helpers.commands import rtbench
from tests.helpers.paths import ROOT

REFERENCE, TABLES = ROOT / "results/reference", ROOT / "results/tables"
RUNS = {"/".join(path.parent.parts[-3:-1]): path.parent for path in sorted(REFERENCE.glob("*/*/*/run.json"))}
EVERY = sorted(
    f"{policy}/{suite}"
    for policy in ("oracle", "random", "noop", "rt1", "rt2")
    for suite in ("seen", "novel", "emergent")
)
SAMPLE = 4


def test_there_is_one_run_of_each_policy_and_suite():
    assert sorted(RUNS) == EVERY
    assert len(list(REFERENCE.glob("*/*/*"))) == len(EVERY), "an older run lies beside a newer one"


@pytest.mark.parametrize("name", EVERY)
def test_a_reference_run_is_whole_and_comes_from_a_commit(name):
    run = load_run(RUNS[name])
    assert run.summary.complete
    assert run.summary.overall.errors == 0
    assert not run.notes
    assert run.meta.simulator.rtbench
    for session in run.meta.sessions:
        assert not session.git.dirty
        assert str(Path.home()) not in session.command


@pytest.mark.parametrize("name", EVERY)
def test_a_sample_comes_out_again(name):
    """Bit by bit: the states, so the outcomes. If the simulation was changed on purpose: `make results`."""
    meta = load_scores(RUNS[name]).meta
    here = mujoco.__version__, platform.system(), platform.machine()
    made = meta.simulator.mujoco, *meta.sessions[0].machine.platform.split()[::2]
    if here != made:
        pytest.skip(f"made with {made}, this is {here}")
    said = rtbench("verify", RUNS[name], "--sample", SAMPLE, "--jobs", 1)
    assert said.code == Exit.OK, said.out + said.err
    assert f"{SAMPLE} of {SAMPLE} episodes confirmed" in said.out


@pytest.mark.parametrize("name", ["split.md", "skill.md", "axis.md", "split.tex", "axis.csv"])
def test_the_tables_are_those_of_the_runs(name, tmp_path):
    """If the runs are new: `make tables`."""
    file = tmp_path / name
    assert rtbench("table", REFERENCE, "--by", file.stem, "--published", "--output", file).code == Exit.OK
    assert (TABLES / name).read_text() == file.read_text()


def test_the_gate_knows_chance_from_the_oracle():
    oracle, random = RUNS["oracle/seen"], RUNS["random/seen"]
    assert rtbench("gate", random, "--baseline", oracle).code == Exit.REGRESSION
    assert rtbench("gate", oracle, "--baseline", random).code == Exit.OK
    assert rtbench("gate", RUNS["noop/seen"], "--baseline", random).code == Exit.OK
