"""Ctrl-C while the command line is still being imported: a sentence, and not the traceback of an import.

This is imported first of all, so it imports nothing that takes time itself.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal's own, without enum, which takes longer
import os

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import NoReturn

SENTENCE = "error: interrupted."
_CODE = 130
"""`rtbench.core.errors.Exit.INTERRUPTED`, which would have to be imported."""
_SHOW_CURSOR = "\x1b[?25h"


def leave(*_: object) -> NoReturn:
    """End at once with one sentence."""
    os.write(2, f"{_SHOW_CURSOR if os.isatty(2) else ''}{SENTENCE}\n".encode())
    os._exit(_CODE)


def watch() -> None:
    """Let Ctrl-C end the process at once, unless it is ignored."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, leave)
