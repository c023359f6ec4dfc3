"""What the documents hold: their code blocks and the commands in these."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.commands import rtbench
from tests.helpers.paths import ROOT

SITE = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")))
"""Pages of the site that are written by hand, but for the decisions."""
OTHER = (
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "results/README.md",
    "results/LOG.md", "policies/README.md", "envs/README.md", "tasks/README.md", "benchmarks/README.md",
    "docs/ci/README.md",
)  # fmt: skip
PAGES = (*SITE, *OTHER)
GROUPS = ("ls", "check", "train", "import")
"""Commands with commands of their own."""
FENCE = re.compile(
    r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A block of code."""

    language: str
    body: str
    file: str = ""
    """Path that the line above gives it."""

    def write(self, folder: Path) -> None:
        """Write it to its file there."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.body)


def blocks(page: str, language: str = "") -> list[Block]:
    """The page's blocks, of one language or all."""
    found = FENCE.finditer((ROOT / page).read_text())
    every = [Block(m["language"], m["body"], m["file"] or "") for m in found]
    return [block for block in every if not language or block.language == language]


def words_of(block: Block) -> list[list[str]]:
    """The block's commands of rtbench, as words; a line may go on after a backslash."""
    lines = block.body.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("rtbench ")]


def commands(page: str) -> list[list[str]]:
    """Commands of all shell blocks, as words."""
    return [words for block in blocks(page, "sh") for words in words_of(block)]


def subcommands(*above: str) -> set[str]:
    """Names of the commands, or of a group's."""
    text = rtbench(*above, "--help").out.split("Commands:")[1]
    return set(re.findall(r"(?m)^  (\w+) ", text))


def own(words: list[str]) -> list[str]:
    """The name of a command without its arguments."""
    return words[1:3] if words[1] in GROUPS else words[1:2]


def expanded(words: list[str]) -> list[str]:
    """The words with patterns of files replaced by the files, as a shell does."""
    found = [sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words]
    return [word for group in found for word in group]


def python(*arguments: str, cwd: Path) -> str:
    """Run Python there, with this rtbench."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
