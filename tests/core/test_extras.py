"""Extras: what is not installed is asked for by name."""

import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rtbench.core import extras
from rtbench.core.errors import MissingExtraError
from tests.helpers.paths import ROOT

DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
DISTRIBUTIONS = {"zmq": "pyzmq"}
"""Distributions by their modules, where the names differ."""


def packages(extra):
    """Names of an extra's packages, with those of the extras that it includes."""
    names = set()
    for requirement in map(Requirement, DECLARED[extra]):
        if requirement.name == "rtbench":
            names = names.union(*map(packages, requirement.extras))
        else:
            names.add(canonicalize_name(requirement.name))
    return names


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_an_extra_brings_the_modules_that_are_asked_for(extra):
    modules = {DISTRIBUTIONS.get(module, module) for module in extras.EXTRAS[extra]}
    assert {canonicalize_name(module) for module in modules} <= packages(extra)


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_a_missing_extra_is_named_with_what_to_install(monkeypatch, extra):
    if extra != "ray":  # 300 MB, which the environment of the tests does without
        extras.require(extra, "this")
    monkeypatch.setitem(extras.EXTRAS, extra, ("json", "no_such_module"))
    with pytest.raises(MissingExtraError) as caught:
        extras.require(extra, "this")
    assert str(caught.value) == f"this needs no_such_module; run: pip install 'rtbench[{extra}]'."


def test_the_base_has_no_torch():
    code = (
        "import sys\n"
        "from rtbench.policy import card\n"
        "card.build(card.resolve('rt1')).reset(0, 'pick coke can', 0)\n"
        "print([name for name in ('torch', 'transformers', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['onnxruntime']\n"
