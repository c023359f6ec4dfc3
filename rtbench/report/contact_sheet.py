"""Contact sheets: first frame, instruction and goal of many episodes in one image."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH, Episode
from rtbench.result.fonts import font, runs_left

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

COLUMNS = 4
_GAP = 20
"""Margin between panels and around all of them [pixels], like all lengths in this module."""
_PAPER, _INK, _PALE, _BAND = (255, 255, 255), (20, 20, 20), (95, 95, 95), (226, 232, 240)
_TITLE, _HEADING, _INSTRUCTION, _SMALL = 26, 18, 16, 13
"""Font sizes."""
_LEADING = 1.3
"""Line spacing, in font sizes."""
_NO_FRAME = (200, 200, 200)


@dataclass(frozen=True)
class Panel:
    """One episode of a sheet."""

    episode: Episode
    """The episode."""
    frame: NDArray[np.uint8] | None
    """Head camera before the first action, uint8[256, 320, 3], RGB; None where it cannot be set up."""
    goal: str
    """Its goal, or the reason why there is no frame."""
    english: str
    """The task's own instruction, for machines without a font for the episode's."""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet."""

    image: Image
    """The sheet, RGB."""
    unwritten: tuple[str, ...]
    """BCP 47 tags of languages without a font on this machine: English replaces them, as the sheet notes."""


@dataclass(frozen=True)
class _Line:
    """A line of text in a panel."""

    text: str
    size: int
    ink: tuple[int, int, int] = _PALE
    bold: bool = False


def compose(title: str, panels: Sequence[Panel], *, columns: int = COLUMNS) -> Sheet:
    """A contact sheet: a heading for each axis, its panels below in rows.

    The same panels give the same pixels on the same machine.

    Args:
        title: Printed on top.
        panels: Episodes; those of an axis need not stand together, axes come in the order of their first one.
        columns: Panels in a row.
    """
    from PIL import Image, ImageDraw

    unwritten = tuple(sorted({p.episode.language for p in panels if not _writable(p.episode.instruction)}))
    width = columns * (IMAGE_WIDTH + _GAP) + _GAP
    rows = list(_rows(panels, columns))
    heads = [_Line(title, _TITLE, _INK, bold=True)]
    if unwritten:
        missing = ", ".join(unwritten)
        heads.append(_Line(f"No font of this machine writes {missing}: [tag] and English instead.", _SMALL))
    top = _GAP + sum(_height(line) for line in heads) + _GAP
    image = Image.new("RGB", (width, top + sum(_row_height(row) for row in rows)), _PAPER)
    draw = ImageDraw.Draw(image)
    _write(draw, heads, _GAP, _GAP, width - 2 * _GAP)
    for row in rows:
        _draw_row(image, draw, row, top)
        top += _row_height(row)
    return Sheet(image, unwritten)


@dataclass(frozen=True)
class _Row:
    """Panels side by side, below a heading where they are the first of their axis."""

    heading: str
    panels: tuple[Panel, ...]
    lines: tuple[tuple[_Line, ...], ...]
    """Texts of each panel, wrapped."""


def _rows(panels: Sequence[Panel], columns: int) -> Iterator[_Row]:
    for axis, found in _by_axis(panels).items():
        for start in range(0, len(found), columns):
            shown = tuple(found[start : start + columns])
            heading = axis if start == 0 else ""
            yield _Row(heading, shown, tuple(tuple(_texts(panel)) for panel in shown))


def _by_axis(panels: Iterable[Panel]) -> dict[str, list[Panel]]:
    found: dict[str, list[Panel]] = {}
    for panel in panels:
        found.setdefault(f"{panel.episode.split} / {panel.episode.axis}", []).append(panel)
    return found


def _texts(panel: Panel) -> Iterator[_Line]:
    """Text below a frame: instruction, goal, task and peculiarities of the episode."""
    episode = panel.episode
    instruction = episode.instruction or "(blank)"
    if not _writable(instruction):
        instruction = f"[{episode.language}] {panel.english}"
    odd = [episode.language] * (episode.language != "en")
    odd += [f"variant {episode.variant}"] * bool(episode.variant) + [f"arm {episode.arm}"] * bool(episode.arm)
    for line in (
        _Line(instruction, _INSTRUCTION, _INK, bold=True),
        _Line(panel.goal, _SMALL),
        _Line(", ".join([episode.task, f"seed {episode.seed}", *odd]), _SMALL),
    ):
        for text in _wrapped(line):
            yield _Line(text, line.size, line.ink, line.bold)


def _wrapped(line: _Line) -> Iterator[str]:
    """Its text in pieces as wide as a frame at most, broken between words; too long a word, anywhere."""
    drawn = font(line.text, line.size, bold=line.bold)
    if drawn is None:
        raise ValueError(f"no font writes {line.text!r}; the caller must replace it.")
    piece = ""
    for word in _words(line.text):
        if piece and drawn.getlength((piece + word).rstrip()) > IMAGE_WIDTH:
            yield piece.rstrip()
            piece = ""
        for sign in word:
            if drawn.getlength(piece + sign) > IMAGE_WIDTH and not sign.isspace():
                yield piece
                piece = ""
            piece += sign
    if piece.strip():
        yield piece.rstrip()


def _words(text: str) -> Iterator[str]:
    """Words, each with the blanks behind it; also broken behind marks inside task ids and goals."""
    word = ""
    for sign, after in itertools.zip_longest(text, text[1:], fillvalue=" "):
        word += sign
        if (sign.isspace() or sign in "/_(") and not after.isspace():
            yield word
            word = ""
    if word:
        yield word


def _writable(text: str) -> bool:
    return font(text, _INSTRUCTION, bold=True) is not None


def _height(line: _Line) -> int:
    return round(line.size * _LEADING)


def _heading_height(row: _Row) -> int:
    return 2 * _HEADING + _GAP // 2 if row.heading else 0


def _row_height(row: _Row) -> int:
    deepest = max(sum(map(_height, lines)) for lines in row.lines)
    return _heading_height(row) + IMAGE_HEIGHT + 6 + deepest + _GAP


def _draw_row(image: Image, draw: ImageDraw, row: _Row, top: int) -> None:
    from PIL import Image as Images

    if row.heading:
        draw.rectangle((0, top, image.width, top + 2 * _HEADING - 1), fill=_BAND)
        _write(
            draw, [_Line(row.heading, _HEADING, _INK, bold=True)], _GAP, top + _HEADING // 2 - 2, image.width
        )
        top += _heading_height(row)
    for number, (panel, lines) in enumerate(zip(row.panels, row.lines, strict=True)):
        left = _GAP + number * (IMAGE_WIDTH + _GAP)
        if panel.frame is None:
            draw.rectangle((left, top, left + IMAGE_WIDTH - 1, top + IMAGE_HEIGHT - 1), fill=_NO_FRAME)
            _write(draw, [_Line("no frame", _HEADING, _INK)], left + 8, top + 8, IMAGE_WIDTH)
        else:
            image.paste(Images.fromarray(panel.frame), (left, top))
        _write(draw, lines, left, top + IMAGE_HEIGHT + 6, IMAGE_WIDTH)


def _write(draw: ImageDraw, lines: Iterable[_Line], left: int, top: int, width: int) -> None:
    """Lines one below the other; those that run to the left end at the right edge."""
    for line in lines:
        drawn = font(line.text, line.size, bold=line.bold) or font("", line.size)
        x, anchor = (left + width, "ra") if runs_left(line.text) else (left, "la")
        draw.text((x, top), line.text, line.ink, drawn, anchor)
        top += _height(line)
