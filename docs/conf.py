"""Sphinx settings of the site, which `make docs` builds. Git ignores the generated pages."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "generator")]

import command_pages  # noqa: E402 - found by the path above
import content_pages  # noqa: E402
import module_pages  # noqa: E402
import repository_pages  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

project = "rtbench"
author = "the rtbench authors"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name
version = release = _PROJECT["version"]
language = "en"
smartquotes = False  # `--until` in a sentence is no dash

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["generator", "ci/README.md"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other projects; their pages are not fetched

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4

# In docstrings a name in single backticks is a link where it is documented, and else only code.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": False}
autosummary_generate = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
viewcode_line_numbers = True

html_theme = "pydata_sphinx_theme"
html_title = f"rtbench {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "github_url": _PROJECT.get("urls", {}).get("Repository", ""),
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 9,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages that have none below them need no list of these.
html_sidebars = {page: [] for page in ("get-started", "evaluate", "train", "statistics", "faq")}


def _generate(_: Sphinx) -> None:
    target = HERE / "generated"
    pages = {
        **repository_pages.pages(),
        **module_pages.pages(),
        **command_pages.pages(),
        **content_pages.pages(target),
    }
    for name, text in pages.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Sphinx builds again what has a new date.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for path in target.rglob("*.md"):
        if path.relative_to(target).as_posix() not in pages:
            path.unlink()


def _escape(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Let asterisks of paths and bars of norms in docstrings stand for themselves, but for code."""
    for number, line in enumerate(lines):
        spans = re.split(r"(`+[^`]*`+)", line)
        spans[::2] = [re.sub(r"\||(?<=/)\*(?!\*)", r"\\\g<0>", span) for span in spans[::2]]
        lines[number] = "".join(spans)


def setup(app: Sphinx) -> None:
    """Let Sphinx make the generated pages before it looks for pages."""
    app.connect("builder-inited", _generate)
    app.connect("autodoc-process-docstring", _escape)
