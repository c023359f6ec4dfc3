"""Arguments of a policy on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rtbench.core.errors import RtbenchError

PolicyArguments = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Argument for the policy. The value is read as JSON, or else taken as text. May be repeated.",
        show_default="none",
    ),
]


class ArgumentError(RtbenchError):
    """A text that is no argument."""


def parse(pairs: Sequence[str]) -> dict[str, Any]:
    """Arguments from 'KEY=VALUE': a value that is no JSON is a text, so that names need no quotes.

    Raises:
        ArgumentError: no such pair, or a key twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise ArgumentError(
                f"--policy-arg {pair}: expected KEY=VALUE, such as --policy-arg convention=rt1."
            )
        if key in found:
            raise ArgumentError(f"--policy-arg {pair}: {key!r} is given twice; give it once.")
        try:
            found[key] = json.loads(text, parse_constant=_no_constant)
        except RecursionError:
            raise ArgumentError(f"--policy-arg {key}: its JSON is nested too deeply.") from None
        except ValueError:
            found[key] = text
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are JSON to Python alone
