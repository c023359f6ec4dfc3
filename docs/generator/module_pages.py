"""The list of modules, each with its first sentence, and the API reference of the public ones."""

from __future__ import annotations

import ast
from pathlib import Path

from markdown import HEADER, plain, table, toctree

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = (
    "rtbench",
    "rtbench.testing",
    "rtbench.policy.base",
    "rtbench.policy.card",
    "rtbench.core.action",
    "rtbench.core.episode",
    "rtbench.core.environment",
    "rtbench.core.errors",
    "rtbench.core.world",
    "rtbench.env.registration",
    "rtbench.task.task",
    "rtbench.task.library",
    "rtbench.task.suite",
    "rtbench.evaluation.evaluate",
    "rtbench.result.run",
    "rtbench.result.record",
    "rtbench.result.scores",
    "rtbench.analysis.compare",
    "rtbench.analysis.gate",
    "rtbench.analysis.verdict",
    "rtbench.analysis.sample_size",
    "rtbench.stats",
    "rtbench.data.demonstration",
    "rtbench.policy.text_encoder.encoder",
)
"""Modules with a page in the API reference; the rest is internal."""
MEMBERS_OF_OTHERS = ("rtbench.stats",)
"""Packages whose functions are documented here though they are written in a module of theirs."""


def pages() -> dict[str, str]:
    """Pages by path below the generated pages."""
    known = {module: sentence for modules in _packages().values() for module, sentence in modules.items()}
    rows = [(f"[`{name}`]({name}.md)", known[name]) for name in PUBLIC]
    index = (
        f"{HEADER}# Python API\n\n"
        "These modules are meant for users. All others may change without notice; "
        "[the list of modules](../modules.md) says what each holds.\n\n"
        + table(("module", "what it holds"), rows)
        + "\n"
        + toctree(PUBLIC, hidden=True)
    )
    return {
        "modules.md": _modules(),
        "api/index.md": index,
        **{f"api/{name}.md": _api(name) for name in PUBLIC},
    }


def _packages() -> dict[str, dict[str, str]]:
    """Package -> its modules with their first sentences, the modules of packages inside it too."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "rtbench").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "_content" in parts:
            continue
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        package = parts[1] if len(parts) > 2 else ""
        found.setdefault(package, {})[name] = plain(ast.get_docstring(ast.parse(path.read_text())) or "")
    return found


def _modules() -> str:
    parts = [f"{HEADER}# Modules\n\nEvery module with the first sentence of its docstring.\n"]
    for package, modules in _packages().items():
        title = f"`rtbench.{package}`" if package else "`rtbench`"
        parts.append(f"## {title}\n\n" + table(("module", "what it holds"), _rows(modules)))
    return "\n".join(parts)


def _rows(modules: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", sentence) for name, sentence in modules.items()]


def _api(name: str) -> str:
    if name == "rtbench":
        from rtbench import _HOMES, __all__

        rows = []
        for public in __all__:
            home = _HOMES.get(public, "rtbench")
            link = f"[`{home}`]({home}.md)" if home in PUBLIC else f"`{home}`"
            rows.append((f"`rtbench.{public}`", link))
        return f"{HEADER}# rtbench\n\nNames are imported when they are first used.\n\n" + table(
            ("name", "defined in"), rows
        )
    more = ":imported-members:\n" if name in MEMBERS_OF_OTHERS else ""
    return f"{HEADER}# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n" + (
        "".join(f"   {line}\n" for line in more.splitlines()) + "```\n"
    )
