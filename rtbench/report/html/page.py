"""Assembly of the HTML report: sections, episodes, inlined styles and script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from rtbench.report.html import (
    comparison,
    episode_list,
    failure_clusters,
    failures,
    provenance,
    success_curves,
    success_rates,
    svg_chart,
    target_choice,
    timing,
    token_histograms,
    touched_objects,
)
from rtbench.report.html.first_frames import SOME, Drawn, Frame, first_frames
from rtbench.report.html.options import Frames, Request
from rtbench.report.html.section import ReportError, Section, Series, series
from rtbench.result.run import Run
from rtbench.task.library import Library

_LOADER = PackageLoader("rtbench.report.html")


@dataclass(frozen=True)
class Report:
    """A report that was written."""

    path: Path
    """The file."""
    size: int
    """Its bytes."""
    frames: int
    """Number of episodes with a first frame."""
    remarks: tuple[str, ...] = field(default=())
    """Notes on what it could not show, in sentences."""


def write_report(runs: Sequence[Run], path: Path, request: Request | None = None) -> Report:
    """Write the report of a run, or of several side by side, the first being the baseline.

    Raises:
        ReportError: a run given twice or without episodes, too many runs, or a file that cannot be written.
        NotComparableError: runs that disagree, unless `allow_partial`.
    """
    request = request or Request()
    shown = series(runs)
    rows = episode_list.rows(shown, path.parent)
    drawn = _frames(shown, [row["key"] for row in rows], request)
    distances = _distances(shown, drawn.frames)
    sections = [section for section in _sections(shown, distances, request) if section.figures]
    text = _render(shown, sections, rows, drawn.frames)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"{path}: cannot be written: {error.strerror}. Choose a file with --output."
        ) from None
    return Report(path, path.stat().st_size, len(drawn.frames), drawn.remarks)


def _sections(runs: Sequence[Series], distances: Mapping[str, float], request: Request) -> list[Section]:
    return [
        *([comparison.section(runs, allow_partial=request.allow_partial)] if len(runs) > 1 else []),
        success_rates.section(runs),
        success_curves.section(runs, distances),
        failures.section(runs),
        failure_clusters.section(runs),
        touched_objects.section(runs),
        target_choice.section(runs),
        timing.section(runs),
        token_histograms.section(runs),
    ]


def _frames(runs: Sequence[Series], keys: Sequence[str], request: Request) -> Drawn:
    """First frames; of some, those that stand first in the list: flips, errors, failures."""
    if request.frames is Frames.NONE:
        return Drawn({})
    left = list(keys if request.frames is Frames.ALL else keys[:SOME])
    frames: dict[str, Frame] = {}
    remarks: list[str] = []
    for one in runs:
        drawn = first_frames(one.run, [key for key in left if key not in frames], Library(request.content))
        frames |= drawn.frames
        remarks += drawn.remarks
    return Drawn(frames, tuple(remarks))


def _distances(runs: Sequence[Series], frames: Mapping[str, Frame]) -> dict[str, float]:
    """Distances to the target by key; none unless every episode was looked at."""
    if any(record.outcome and record.key not in frames for one in runs for record in one.run.records):
        return {}
    return {key: frame.distance for key, frame in frames.items() if frame.distance is not None}


def _render(
    runs: Sequence[Series],
    sections: Sequence[Section],
    rows: list[dict[str, object]],
    frames: Mapping[str, Frame],
) -> str:
    pages = Environment(
        loader=_LOADER, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    pages.filters |= {"code": _code, "breakable": _breakable}
    style, script = (_source(pages, name) for name in ("page.css", "list.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    title = ", ".join(one.label for one in runs)
    return pages.get_template("page.html").render(
        title=f"{title} on {', '.join(sorted({one.run.meta.suite for one in runs}))}",
        runs=[
            {"label": one.label, "glyph": svg_chart.GLYPHS[one.index], "index": one.index,
             "headline": provenance.headline(one), "facts": provenance.facts(one)}
            for one in runs
        ],
        sections=sections,
        style=style,
        script=script,
        script_digest=digest,
        episodes=len(rows),
        data=episode_list.embedded({"runs": episode_list.heads(runs), "rows": rows}),
        pictures=episode_list.embedded(
            episode_list.pictures({key: frame.picture for key, frame in frames.items()})
        ),
    )  # fmt: skip


def _code(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if k % 2 else escape(part) for k, part in enumerate(parts)
    )


def _breakable(text: str) -> Markup:
    """A head that may be broken after the underscores of names, so that its column is as wide as a word."""
    return Markup("_<wbr>").join(map(escape, text.split("_")))


def _source(pages: Environment, name: str) -> Markup:
    """A template file without escaping: it is part of rtbench and contains no text of a run."""
    return Markup(_LOADER.get_source(pages, name)[0])  # noqa: S704
