"""Finds a policy by name, and makes it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import Field

from rtbench.core.action import convention
from rtbench.core.errors import PolicyError, RtbenchError, UnknownNameError, nearest
from rtbench.core.hashing import content_hash
from rtbench.core.importing import load_object
from rtbench.policy.base import Needs, Policy, Privileged
from rtbench.policy.continuous.mapping import MOST_HZ, ActionMapping
from rtbench.policy.continuous.named import located
from rtbench.policy.continuous.policy import mapped
from rtbench.policy.remote import address
from rtbench.task.library import BUNDLED, Library
from rtbench.task.training_coverage import TrainedOn, TrainingCoverage, load_coverage
from rtbench.task.yaml_loader import Entry

FOLDER = "policies"
GROUP = "rtbench.policies"
"""Entry point group in which installed packages offer policies: NAME = 'package.module:Class'."""
CAMERAS = ("head", "wrist")
_TRUTH = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
"""What a word means where a factory takes a truth value."""
_TRUTH_TYPES = ("bool", "bool | None")


class Card(Entry):
    """A policy card: an entry of policies/*.yaml, with the card's `name` as its key."""

    factory: str
    """'package.module:Class', or './file.py:Class' relative to the card."""
    summary: str
    """One line for `rtbench ls policies`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""
    weights: str | None = None
    """Path of the weights, relative to the card; absolute in a card that `resolve` has completed."""
    sha256: str | None = None
    """SHA-256 of the file of weights, in hex digits."""
    weights_from: str | None = None
    """How to get the weights where they are missing: a command, or where they come from."""
    trained_on: TrainedOn | None = None
    """What it was trained on, by name; None for a policy without training, or whose training is not known."""
    action: ActionMapping | None = None
    """What the numbers of a policy that predicts numbers mean; None for one that gives tokens."""
    control_hz: int | None = Field(default=None, ge=1, le=MOST_HZ)
    """Control rate that it plays at [Hz]; None: that of its action mapping, 3 without one."""
    licence: str = "Apache-2.0"
    """Licence of the weights."""


def cards(library: Library = BUNDLED) -> dict[str, Card]:
    """All policies that have a name: those of the cards, then those of installed packages."""
    found = dict(library.read(FOLDER, Card))
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, _of_entry_point(point))
    return found


def resolve(name: str, library: Library = BUNDLED, arguments: Mapping[str, Any] | None = None) -> Card:
    """The card of a policy, complete: its files found, its weights checked.

    Args:
        name: A card's name, 'package.module:Class', './file.py:Class', 'remote:ws://HOST:PORT', or a name
            from `GROUP`.
        library: Where cards and their files are looked for.
        arguments: Override the card's arguments one by one.

    Raises:
        UnknownNameError: no such policy.
        PolicyError: weights that are not what the card says, or others given as an argument.
    """
    if name.startswith(address.PREFIX):
        card = Card(
            name=address.run_name(name), factory=address.FACTORY, summary="asks a server",
            arguments={"url": name.removeprefix(address.PREFIX)},
        )  # fmt: skip
    elif ":" in name:
        place, _, target = name.rpartition(":")
        card = Card(name=target, factory=_absolute(place, target), summary="")
    else:
        known = cards(library)
        if name not in known:
            raise UnknownNameError("policy", name, known)
        card = _complete(known[name], library)
        if card.weights is not None and "weights" in (arguments or {}):
            # What the card says of training and licence holds for its own weights only.
            raise PolicyError(
                f"policy {name}: its card has weights of its own; play others as --policy {card.factory} "
                "with --policy-arg weights=FILE, or write a card for them."
            )
    return card.model_copy(update={"arguments": {**card.arguments, **(arguments or {})}})


def with_action(card: Card, action: ActionMapping | None, control_hz: int | None = None) -> Card:
    """The card with another mapping, where one is given, for a run at another control rate [Hz]."""
    changes = {"action": action, "control_hz": control_hz}
    return card.model_copy(update={name: value for name, value in changes.items() if value is not None})


def build(card: Card) -> Policy:
    """Make the policy of a card that `resolve` has completed.

    Raises:
        PolicyError: it cannot be imported or made, or is no policy; says which method is missing.
    """
    place = card.factory.rpartition(":")[0]
    arguments = dict(card.arguments)
    if card.weights is not None:
        arguments["weights"] = card.weights
    with _command_line(place):
        factory = load_object(card.factory)
        arguments = _checked(card, factory, arguments)
        try:
            policy = factory(**arguments)
        except RtbenchError:
            raise
        except SystemExit as error:
            reason = f"it called sys.exit({error.code!r}) while it was made; raise an error instead."
            raise PolicyError(f"policy {card.name}: {reason}") from error
        except Exception as error:
            raise PolicyError(f"policy {card.name}: {type(error).__name__}: {error}") from error
    return check_shape(mapped(policy, card.action, card.name, card.control_hz), card.name)


@contextmanager
def _command_line(place: str) -> Iterator[None]:
    """Hide our command line from the policy: `ArgumentParser().parse_args()` then finds no arguments."""
    before = sys.argv
    sys.argv = [place]
    try:
        yield
    finally:
        sys.argv = before


def coverage(card: Card, library: Library = BUNDLED) -> TrainingCoverage | None:
    """What the policy was trained on, by the content there is; None where its card says nothing of it.

    Raises:
        UnknownNameError: the card names what no content has.
    """
    if card.trained_on is None:
        return None
    return load_coverage(card.trained_on, library, where=f"policy {card.name}: trained_on")


def check_shape(policy: Any, name: str) -> Policy:
    """The same object if it has what a policy must have, or a PolicyError that says what is missing."""
    needed = {"reset": "(slot, instruction, seed)", "act": "(observations, slots)"}
    for method, signature in needed.items():
        if not callable(getattr(policy, method, None)):
            raise PolicyError(f"policy {name}: {type(policy).__name__} has no method {method}{signature}.")
    needs = getattr(policy, "needs", None)
    if not isinstance(needs, Needs):
        raise PolicyError(f"policy {name}: attribute 'needs' must be a Needs, found {type(needs).__name__}.")
    convention(needs.convention)
    for camera in needs.cameras:
        if camera not in CAMERAS:
            raise UnknownNameError("camera", camera, CAMERAS, where=f"policy {name}")
    if needs.privileged and not isinstance(policy, Privileged):
        raise PolicyError(f"policy {name}: it is privileged, but has no method attach(slot, env).")
    checked: Policy = policy
    return checked


def _of_entry_point(point: EntryPoint) -> Card:
    package = point.dist.name if point.dist else "an installed package"
    return Card(name=point.name, factory=point.value, summary=f"from {package}")


def _absolute(place: str, target: str) -> str:
    return f"{Path(place).expanduser().resolve()}:{target}" if place.endswith(".py") else f"{place}:{target}"


def _complete(card: Card, library: Library) -> Card:
    """Paths of a card are relative to policies/; workers may stand elsewhere."""
    place, _, target = card.factory.rpartition(":")
    statistics = card.action.normalization if card.action else None
    _check_inside(card, "factory", place if place.endswith(".py") else None)
    _check_inside(card, "weights", card.weights)
    _check_inside(card, "statistics", statistics.statistics if statistics else None)
    if place.endswith(".py"):
        factory = f"{library.find(FOLDER, place).resolve()}:{target}"
        card = card.model_copy(update={"factory": factory})
    if card.action is not None:
        find = partial(library.find, FOLDER)
        card = card.model_copy(update={"action": located(card.action, find)})
    if card.weights is None:
        return card
    try:
        weights = library.find(FOLDER, card.weights).resolve()
    except UnknownNameError:
        how = card.weights_from or "take the file from where the card comes from"
        raise PolicyError(
            f"policy {card.name}: its weights, {card.weights}, are not beside its card. To get them: {how}."
        ) from None
    if card.sha256 is not None:
        found = content_hash(weights)
        if found != card.sha256:
            reason = f"its SHA-256 is {found}, the card says {card.sha256}; fetch it again."
            raise PolicyError(f"policy {card.name}: {weights}: {reason}")
    return card.model_copy(update={"weights": str(weights)})


def _check_inside(card: Card, key: str, name: str | None) -> None:
    """A card may come from a stranger: it names no file outside of its folder."""
    if name is not None and (Path(name).is_absolute() or ".." in Path(name).parts):
        raise PolicyError(
            f"policy {card.name}: {key} {name} is outside of the card's folder; put the file, "
            "or a link to it, beside the card."
        )


def _checked(card: Card, factory: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the factory takes them.

    A misspelt one is the user's mistake; a TypeError from inside the class is not.
    """
    if not callable(factory):
        raise PolicyError(f"policy {card.name}: {card.factory} is no class or function.")
    renamed = getattr(inspect.getmodule(factory), "RENAMED_ARGUMENTS", {})
    if old := next((name for name in arguments if name in renamed), None):
        raise PolicyError(f"policy {card.name}: argument {old!r} is now {renamed[old]!r}; give that one.")
    try:
        signature = inspect.signature(factory)
        signature.bind(**arguments)
    except ValueError:
        return arguments  # written in C, without a signature
    except TypeError as error:
        known = list(signature.parameters)
        close = next((c for a in arguments if a not in known and (c := nearest(a, known))), None)
        hint = f" Did you mean {close!r}?" if close else ""
        raise PolicyError(
            f"policy {card.name}: {error}.{hint} Arguments: {', '.join(known) or 'none'}."
        ) from None
    return {
        name: _truth_value(card, name, value) if _takes_truth(signature, name) else value
        for name, value in arguments.items()
    }


def _takes_truth(signature: inspect.Signature, name: str) -> bool:
    """Whether a parameter is a truth value, or none."""
    annotation = signature.parameters[name].annotation if name in signature.parameters else None
    return str(getattr(annotation, "__name__", annotation)) in _TRUTH_TYPES


def _truth_value(card: Card, name: str, value: Any) -> Any:
    """The truth value that a word such as 'off' stands for; a word alone would count as true."""
    if not isinstance(value, str):
        return value
    if value.lower() not in _TRUTH:
        raise PolicyError(f"policy {card.name}: argument {name} is {value!r}; give on or off.")
    return _TRUTH[value.lower()]
