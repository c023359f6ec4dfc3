"""A console that shows what strangers wrote, and does not obey it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rtbench.core.text import visible


class VisibleConsole(Console):
    """Rich's console, in which texts are no markup and control characters in them are escapes.

    Rich itself hands on escape sequences, and raises where a name such as `[/x]` is no markup.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False} | options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments of what is printed, their texts visible."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)
