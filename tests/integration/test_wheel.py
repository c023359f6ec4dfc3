"""What we ship works: the wheel in an empty environment, away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from rtbench.core.extras import EXTRAS
from tests.helpers.paths import ROOT

CONTENT = ("envs", "policies", "tasks", "results")
pytestmark = pytest.mark.slow


def run(*command, cwd, code=0, **kwargs):
    """Standard output of a command that exits with `code`; of a failure, standard error."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "PYTEST"))}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == code, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built without network by the build back end of this environment."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    (built,) = out.glob("*.whl")
    return built


HIDE = """
import sys
from importlib.machinery import PathFinder


class Others(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {hidden} else PathFinder.find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Others
"""
"""Hides packages. A None in sys.modules would do too, but SciPy asks what it finds there for attributes."""


@pytest.fixture(scope="module")
def empty(wheel, tmp_path_factory):
    """Python of an environment with our wheel, whose other packages are those of this environment.

    They come by a .pth file, behind the environment's own folder: an rtbench in there would be found last,
    and an editable one not at all, for a .pth file reached through a .pth file is not read. What extras bring
    is hidden, as in an environment with the base alone.
    """
    folder = tmp_path_factory.mktemp("empty") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(
        run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    install = (
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        str(wheel),
    )
    run(sys.executable, *install, cwd=folder)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    hidden = sorted({module for modules in EXTRAS.values() for module in modules})
    (site / "hide_extras.py").write_text(HIDE.format(hidden=hidden))
    (site / "hidden.pth").write_text("import hide_extras\n")
    return python


def test_content_is_in_the_wheel_and_tests_are_not(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "rtbench/py.typed" in names
    top = {name.split("/")[0] for name in names}
    assert {t for t in top if not t.endswith(".dist-info")} == {"rtbench"}
    strays = [n for n in names if "test" in Path(n).parts or n.endswith(".pyc")]
    assert not strays
    for folder in CONTENT:
        shipped = {
            n.removeprefix("rtbench/_content/") for n in names if n.startswith(f"rtbench/_content/{folder}/")
        }
        here = {
            str(p.relative_to(ROOT))
            for p in (ROOT / folder).rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        }
        assert shipped == here
        assert shipped


@pytest.mark.parametrize("policy", ["noop", "rt1"])
def test_an_episode_runs_from_the_wheel(empty, tmp_path, policy):
    place = run(str(empty), "-c", "import rtbench; print(rtbench.__file__)", cwd=tmp_path).strip()
    assert Path(place).is_relative_to(empty.parents[1]), f"rtbench came from {place}, not from the wheel"
    command = (
        "run",
        "--policy",
        policy,
        "--suite",
        "seen",
        "--limit",
        "1",
        "--workers",
        "1",
        "--out",
        "runs",
    )
    run(str(empty.with_name("rtbench")), *command, cwd=tmp_path, timeout=240)
    (records,) = (tmp_path / "runs").rglob("episodes.jsonl")
    (record,) = [json.loads(line) for line in records.read_text().splitlines()]
    assert record["error"] is None
    assert record["outcome"]["steps"] > 0
    table = run(str(empty.with_name("rtbench")), "table", "runs", cwd=tmp_path)
    assert policy in table


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("run", "--policy", "noop", "--suite", "seen", "--limit", "1", "--video", "1"), "video"),
        (("import", "rt1", "rt_1_x", "--output", "rt1.safetensors"), "train"),
        (("train", "rt1", "--data", "demos.h5", "--output", "trained"), "train"),
        (("export", "demos.h5", "--format", "lerobot", "--output", "dataset"), "parquet"),
    ],
)
def test_what_needs_an_extra_says_which(empty, tmp_path, command, extra):
    said = run(str(empty.with_name("rtbench")), *command, cwd=tmp_path, code=2)
    assert f"pip install 'rtbench[{extra}]'" in " ".join(said.split())
    assert "Traceback" not in said
