"""Pages of the repository that the site shows too, their links made those of the site."""

from __future__ import annotations

import os
import re
from pathlib import Path

from markdown import HEADER

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://github.com/rtbench/rtbench/blob/main"
SHOWN = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "envs/README.md": "content/envs.md",
    "tasks/README.md": "content/tasks.md",
    "policies/README.md": "content/policies.md",
    "results/README.md": "results/index.md",
    "results/LOG.md": "results/log.md",
    "benchmarks/README.md": "results/benchmarks.md",
    "docs/ci/README.md": "ci.md",
}
"""Page of the repository -> its path below the generated pages."""
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")


def pages() -> dict[str, str]:
    """Pages by path below the generated pages."""
    return {target: HEADER + localised(source) for source, target in SHOWN.items()}


def localised(source: str) -> str:
    """The page's text with every relative link made one of the site, or of the repository's home page."""

    def link(found: re.Match[str]) -> str:
        text, address = found[1], found[2]
        if "://" in address or address.startswith("#"):
            return found[0]
        return f"{text}({_address(source, address)})"

    return _LINK.sub(link, (ROOT / source).read_text())


def _address(source: str, address: str) -> str:
    path, mark, anchor = address.partition("#")
    name = os.path.normpath(Path(source).parent / path)
    if name in SHOWN:
        place = f"docs/generated/{SHOWN[name]}"
    elif name.startswith("docs/") and Path(name).suffix in {".md", ".png", ".jpg"}:
        place = name
    elif name == "docs/decisions":
        place = "docs/decisions/index.md"
    else:
        return f"{REPOSITORY}/{name}{mark}{anchor}"
    here = Path("docs/generated") / SHOWN[source]
    return os.path.relpath(place, here.parent) + mark + anchor
