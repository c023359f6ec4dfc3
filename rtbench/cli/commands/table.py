"""`rtbench table`: a table of policies, for papers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Out, Partial, Rule, Rules
from rtbench.core.atomic_write import write_text
from rtbench.core.errors import RtbenchError, RunError, UnknownNameError

if TYPE_CHECKING:
    from rtbench.report.table.row import Part
    from rtbench.report.table.table import Table

EXAMPLE = "Example:  rtbench table runs --by axis --output table.tex"


class By(StrEnum):
    """What the columns are."""

    SPLIT = "split"
    AXIS = "axis"
    SKILL = "skill"
    TASK = "task"


class Format(StrEnum):
    """What the table is written as."""

    TEXT = "text"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class Sort(StrEnum):
    """Order of the policies."""

    GIVEN = "given"
    NAME = "name"
    RATE = "rate"


SUFFIXES = {
    ".txt": Format.TEXT, ".md": Format.MARKDOWN, ".tex": Format.LATEX, ".csv": Format.CSV,
    ".json": Format.JSON, ".html": Format.HTML,
}  # fmt: skip
"""Ending of a file -> format, where none is named."""


class OutputError(RtbenchError):
    """A file that the table cannot be written to, or an option that its format does not have."""


def table(  # noqa: PLR0913 - each is an option
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs: folders, beginnings of ids, or folders with any number of runs in them.",
        ),
    ],
    *,
    by: Annotated[
        By,
        typer.Option(
            help="Grouping of episodes into columns. With split, each policy's own training data decides "
            "what is "
            "seen or novel."
        ),
    ] = By.SPLIT,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Format of the table.", show_default="by the ending of --output, or text"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File for the table; it ends in .txt, .md, .tex, .csv, .json or .html.",
            show_default="standard output",
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Split whose episodes count: seen, novel or emergent. May be repeated.",
            show_default="all",
        ),
    ] = None,
    rule: Rules = Rule.SUCCESS,
    sort: Annotated[
        Sort, typer.Option(help="Order of the policies; rate is the overall success rate.")
    ] = Sort.GIVEN,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Published figures of the papers, below the columns that have some."
        ),
    ] = False,
    references: Annotated[
        bool, typer.Option("--references", help="Significance letters also for oracle, random and noop.")
    ] = False,
    transpose: Annotated[
        bool,
        typer.Option(
            "--transpose",
            help="Groups of episodes as rows and policies as columns, for few policies and many groups. Only "
            "for LaTeX.",
        ),
    ] = False,
    allow_partial: Partial = False,
    out: Out = Path("runs"),
) -> None:
    """Write a table of policies: success rates with intervals, significance letters, and control rates.

    A row is a policy with all its runs. A column is a group of episodes. Policies without a common letter
    differ.
    """
    from rtbench.report.table.table import Options, tabulate

    write = _writer(form or _format(output), terminal=output is None, transpose=transpose)
    options = Options(
        by=by.value, rule=rule.value, splits=tuple(split or ()), published=published,
        allow_partial=allow_partial, references=references, sort=sort.value,
    )  # fmt: skip
    made = tabulate(_parts(what, out, rule.value), options)
    _deliver(write(made), output)


def _format(output: Path | None) -> Format:
    if output is None:
        return Format.TEXT
    if output.suffix not in SUFFIXES:
        raise UnknownNameError("ending", output.suffix, SUFFIXES, where=f"--output {output}")
    return SUFFIXES[output.suffix]


def _writer(form: Format, *, terminal: bool, transpose: bool) -> Callable[[Table], str]:
    from rtbench.cli.console import console
    from rtbench.report.table.csv_json import as_csv, as_json
    from rtbench.report.table.html import page
    from rtbench.report.table.latex import latex
    from rtbench.report.table.markdown import markdown
    from rtbench.report.table.terminal import WIDTH, text

    if transpose and form is not Format.LATEX:
        raise OutputError(
            f"--transpose: is for LaTeX, and this table is {form.value}; give --format latex, or an --output "
            "that ends in .tex."
        )
    width = console().width if terminal else WIDTH
    return {
        Format.TEXT: lambda made: text(made, width),
        Format.MARKDOWN: markdown,
        Format.LATEX: lambda made: latex(made, transpose=transpose),
        Format.CSV: as_csv,
        Format.JSON: as_json,
        Format.HTML: page,
    }[form]


def _parts(what: Sequence[str], out: Path, rule: str) -> Iterator[Part]:
    """All runs named, each cut down before the next is read; damaged ones in a folder are passed over."""
    from rtbench.cli.console import note
    from rtbench.report.table.row import part
    from rtbench.result.scores import load_scores

    for text in what:
        named, folders = _folders(text, out)
        for folder in folders:
            try:
                made = part(load_scores(folder), rule)
            except RunError as error:
                if named:
                    raise
                note(f"left out: {error}")
            else:
                yield made


def _folders(text: str, out: Path) -> tuple[bool, list[Path]]:
    """Whether the text names one run, and the run's folder, or all below a folder by path.

    Raises:
        UnknownNameError: no such run or folder.
        RunError: a folder without any run.
    """
    from rtbench.result.locate import run_folder, run_folders, runs_below

    if folder := run_folder(text, out):
        return True, [folder]
    place = Path(text)
    if not place.is_dir():
        raise UnknownNameError("run", text, map(str, run_folders(out)))
    found = runs_below(place)
    if not found:
        raise RunError(f"{text}: no run in it; `rtbench run` writes into `runs`, or into --out DIR.")
    return False, found


def _deliver(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        write_text(output, text)
    except OSError as error:
        raise OutputError(
            f"--output {output}: cannot be written: {error.strerror}; give another place."
        ) from None
