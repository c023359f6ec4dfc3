"""Plays the steps of a composite GitHub action on this machine: its shell steps, and a cache in a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""What GitHub runs for `shell: bash`."""


@dataclass
class Played:
    """What the steps of a job did, in their order."""

    names: list[str] = field(default_factory=list)
    """Names of the steps that ran."""
    code: int = 0
    """Exit code of the first step that failed."""
    text: str = ""
    """All that they printed."""
    outputs: dict[str, str] = field(default_factory=dict)
    """`steps.ID.outputs.NAME` -> value."""


@dataclass(frozen=True)
class Machine:
    """A stand-in for GitHub's machine."""

    workspace: Path
    """Folder that the job starts in, with its checkouts."""
    cache: Path
    """Folder that keeps what `actions/cache` keeps, one folder a key."""
    env: Mapping[str, str]
    """Environment of the shell steps."""

    def play(self, action: Path, inputs: Mapping[str, str]) -> Played:
        """Play a composite action with these inputs, and the defaults of the others.

        Raises:
            KeyError: an expression names what there is not.
        """
        told = yaml.safe_load(action.read_text())
        given = {name: about.get("default", "") for name, about in told["inputs"].items()} | dict(inputs)
        known = {f"inputs.{name}": value for name, value in given.items()}
        known["github.workspace"] = str(self.workspace)
        played = Played()
        for step in told["runs"]["steps"]:
            names = {**known, **played.outputs}
            if _holds(step.get("if", "success()"), names, failed=played.code != 0):
                played.names.append(step["name"])
                code = self._run(step, action, names, played)
                played.code = played.code or code
        return played

    def _run(self, step: dict[str, Any], action: Path, names: Mapping[str, str], played: Played) -> int:
        place = f"steps.{step.get('id', '-')}.outputs."
        if "uses" in step:
            given = {name: _expanded(value, names) for name, value in step["with"].items()}
            hit = self._cache(step["uses"], given["key"], given["path"].split())
            played.outputs[f"{place}cache-hit"] = "true" if hit else ""
            return 0
        written, summary = self.workspace / "OUTPUT", self.workspace / "SUMMARY"
        written.write_text("")
        values = {name: _expanded(value, names) for name, value in step.get("env", {}).items()}
        values |= {"GITHUB_OUTPUT": str(written), "GITHUB_STEP_SUMMARY": str(summary)}
        values |= {"GITHUB_ACTION_PATH": str(action.parent)}
        assert step["shell"] == "bash"
        done = subprocess.run(
            [*_SHELL, step["run"]], cwd=self.workspace, env={**os.environ, **self.env, **values},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
        )  # fmt: skip
        played.text += done.stdout
        lines = [line.split("=", 1) for line in written.read_text().splitlines()]
        played.outputs |= {place + name: value for name, value in lines}
        return done.returncode

    def _cache(self, uses: str, key: str, paths: list[str]) -> bool:
        """Save or restore; whether a key was found."""
        kept = self.cache / key
        restore = uses.startswith("actions/cache/restore@")
        assert restore or uses.startswith("actions/cache/save@"), uses
        if restore and not kept.is_dir():
            return False
        source, target = (kept, self.workspace) if restore else (self.workspace, kept)
        for path in paths:
            if (source / path).exists() and not (target / path).exists():
                shutil.copytree(source / path, target / path, symlinks=True)
        return restore


def _expanded(text: str, names: Mapping[str, str]) -> str:
    """The text with the value of each expression; the output of a step that did not run is empty."""

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        return names.get(name, "") if name.startswith("steps.") else names[name]

    return _EXPRESSION.sub(value, text)


def _holds(condition: str, names: Mapping[str, str], *, failed: bool) -> bool:
    """Whether an `if` holds: terms joined by &&, each always(), success(), or NAME == 'x' or NAME != 'x'."""
    terms = [term.strip() for term in condition.split("&&")]
    if failed and "always()" not in terms:
        return False
    for term in terms:
        if term in ("always()", "success()"):
            continue
        name, sign, value = re.fullmatch(r"(\S+) (==|!=) '(.*)'", term).groups()  # type: ignore[union-attr]
        if (names.get(name, "") == value) != (sign == "=="):
            return False
    return True
