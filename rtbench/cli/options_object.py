"""Commands that take their options as one object: a frozen dataclass whose fields are the options."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, dataclass, fields
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_type_hints

from typer.models import OptionInfo

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class Panel:
    """Names the panel of an option that several commands share: `Annotated[Jobs, Panel("Limits")]`."""

    name: str


def takes(options: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Make a function of an options object a command that Typer can read.

    Args:
        options: A dataclass. Each field is an option or argument, annotated as Typer wants it
            (`Annotated[int, typer.Option(...)]`), with its default where it has one.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=_in_panel(hints[field.name]),
        )
        for field in fields(options)
    ]

    def decorate(function: Callable[[T], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            function(options(**given))

        # Not `functools.wraps`: Typer would follow `__wrapped__` to a function with one parameter.
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__module__, command.__qualname__ = function.__module__, function.__qualname__
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # typeshed lacks it
        return command

    return decorate


def _in_panel(hint: Any) -> Any:
    """The same annotation, its option in the panel that is named beside it."""
    kind, *notes = get_args(hint)
    panels = [note.name for note in notes if isinstance(note, Panel)]
    if not panels:
        return hint
    (shared,) = (copy(note) for note in notes if isinstance(note, OptionInfo))
    (shared.rich_help_panel,) = panels
    return Annotated[kind, shared]
