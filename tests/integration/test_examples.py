"""Every example runs, in a process with a time limit, and does what it says."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from tests.helpers.paths import ROOT

EXAMPLES = ROOT / "examples"
SCRIPTS = {
    "own_policy.py": r"\n3 .*False.*missing\nresults: runs/Forward/seen/",
    "chunked_policy.py": r"\n3 .*missing",
    "gymnasium_env.py": r"grab the coke can \(256, 320, 3\) \(15,\).*\n10 steps, reward 0.0",
    "gymnasium_vector.py": r"\(2, 256, 320, 3\).*\nstep 5: lengths \[6 6\].*\nstep 11: lengths",
    "gate.py": r"^Regression: the candidate is at least \d.*exit code: 1\n$",
    "paired_comparison.py": r"12 pairs: the oracle lost 0 and gained \d+\ndifference \+",
}
TABLE = "demonstrations_to_table.py"
LIMIT_S = 280
"""Time limit of a process: the longest, the training, took 98 s on a busy machine."""


def environment(tmp_path):
    """With this rtbench on the paths of modules and of commands."""
    command = tmp_path / "bin" / "rtbench"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rtbench "$@"\n')
    command.chmod(0o755)
    paths = {"PYTHONPATH": str(ROOT), "PATH": str(command.parent)}
    joined = {name: os.pathsep.join([path, os.environ.get(name, "")]) for name, path in paths.items()}
    return {**os.environ, **joined}


def run(tmp_path, *command):
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), timeout=LIMIT_S,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs(tmp_path, name):
    printed = run(tmp_path, sys.executable, EXAMPLES / name)
    assert re.search(SCRIPTS[name], printed, flags=re.DOTALL), printed


def test_demonstrations_become_a_table(tmp_path):
    printed = run(tmp_path, sys.executable, EXAMPLES / TABLE)
    assert "steps of 4 demonstrations" in printed
    steps = pd.read_csv(tmp_path / "demonstrations.csv")
    assert steps["demo"].nunique() == 4
    assert (steps.groupby("demo")["mode"].last() == 2).all(), "the oracle terminates"
    assert steps["hand_z"].between(0.8, 1.3).all()
    assert not steps.isna().any(axis=None)


def test_a_small_training_ends_with_a_policy_that_plays(tmp_path):
    printed = run(tmp_path, "bash", EXAMPLES / "train_rt1.sh", "4", "2", "1")
    assert (tmp_path / "my_rt1" / "policies" / "my_rt1.yaml").is_file()
    assert "my_rt1 on seen" in printed


@pytest.mark.skipif(
    importlib.util.find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed"
)
def test_ppo_learns_from_numbers(tmp_path):
    printed = run(tmp_path, sys.executable, EXAMPLES / "ppo.py", "64")
    tokens = re.search(r"tokens: \[(.*)\]", printed)
    assert tokens, printed
    assert len(tokens[1].split(",")) == 11


NOTEBOOK = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=250, kernel_name="python3").execute()
nbformat.write(notebook, "executed.ipynb")
"""


def test_the_notebook_runs_and_shows_tables(tmp_path):
    import nbformat

    source = nbformat.read(EXAMPLES / "first_evaluation.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in source.cells), "outputs are not committed"
    run(tmp_path, sys.executable, "-c", NOTEBOOK, EXAMPLES / "first_evaluation.ipynb")
    played = nbformat.read(tmp_path / "executed.ipynb", as_version=4)
    outputs = [output for cell in played.cells for output in cell.get("outputs", [])]
    tables = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    for what, table in zip(("oracle on seen", "dataframe", "against random"), tables, strict=True):
        assert what in table
    assert any("image/png" in output.get("data", {}) for output in outputs)
    told = "".join(output["text"] for output in outputs if output.get("name") == "stderr")
    assert "8/8 episodes, 8 of 8 succeeded" in told, "progress is shown in a notebook"


def test_every_example_is_listed_short_and_says_what_it_is():
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh", ".ipynb")}
    listed = set(re.findall(r"\]\((.*?)\)", (EXAMPLES / "README.md").read_text()))
    assert files == listed
    assert 8 <= len(files) <= 12
    assert files == {*SCRIPTS, TABLE, "ppo.py", "train_rt1.sh", "slurm_ray.sh", "first_evaluation.ipynb"}
    for path in EXAMPLES.glob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path.name
        assert len(path.read_text().splitlines()) <= 60, path.name


def test_the_slurm_recipe_starts_ray_on_each_machine_and_one_run(tmp_path):
    """What it would start, on three machines that SLURM's command is made to name."""
    names = tmp_path / "bin" / "scontrol"
    names.parent.mkdir()
    names.write_text("#!/bin/sh\nprintf 'n1\\nn2\\nn3\\n'\n")
    names.chmod(0o755)
    job = {"PRETEND": "1", "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_CPUS_PER_TASK": "16"}
    path = os.pathsep.join([str(names.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", EXAMPLES / "slurm_ray.sh", "--policy", "rt1"], env={**os.environ, **job, "PATH": path},
        timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "-w n1 ray start --head --port 6379 --num-cpus 16" in done.stdout
    assert "--ntasks=2 -w n2,n3 ray start --address n1:6379" in done.stdout
    assert "rtbench run --engine ray --policy rt1" in done.stdout
