"""Finds a policy by name, and makes it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import Field

from rtbench.core.action import convention
from rtbench.core.errors import PolicyError, RtbenchError, UnknownNameError, nearest
from rtbench.core.hashing import source_hash
from rtbench.core.importing import load_object
from rtbench.policy.base import Needs, Policy, Privileged
from rtbench.task.training_coverage import TrainedOn, TrainingCoverage, load_coverage
from rtbench.task.yaml_loader import Entry, find, read_folder

FOLDER = "policies"
GROUP = "rtbench.policies"
"""Entry point group in which installed packages offer policies: NAME = 'package.module:Class'."""
CAMERAS = ("head", "wrist")


class CardEntry(Entry):
    """An entry of policies/*.yaml; see `rtbench.policy.card.Card` for what the keys mean."""

    factory: str
    summary: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    sha256: str | None = None
    weights_from: str | None = None
    trained_on: TrainedOn | None = None
    licence: str = "Apache-2.0"


def cards(extra: Sequence[Path] = ()) -> dict[str, Card]:
    """All policies that have a name: those of the cards, then those of installed packages."""
    entries = read_folder(FOLDER, CardEntry, extra)
    found = {name: Card(**dict(entry)) for name, entry in entries.items()}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, _of_entry_point(point))
    return found


def resolve(name: str, extra: Sequence[Path] = (), arguments: Mapping[str, Any] | None = None) -> Card:
    """The card of a policy, complete: its files found, its weights checked.

    Args:
        name: A card's name, 'package.module:Class', './file.py:Class', or a name from `GROUP`.
        extra: The user's content roots.
        arguments: Override the card's arguments one by one.

    Raises:
        UnknownNameError: no such policy.
        PolicyError: weights that are not what the card says.
    """
    if ":" in name:
        place, _, target = name.rpartition(":")
        card = Card(name=target, factory=_absolute(place, target), summary="")
    else:
        known = cards(extra)
        if name not in known:
            raise UnknownNameError("policy", name, known)
        card = _complete(known[name], extra)
    return replace(card, arguments={**card.arguments, **(arguments or {})})


def build(card: Card) -> Policy:
    """Make the policy of a card that `resolve` has completed.

    Raises:
        PolicyError: it cannot be imported or made, or is no policy; says which method is missing.
    """
    factory = load_object(card.factory)
    arguments = dict(card.arguments)
    if card.weights is not None:
        arguments["weights"] = card.weights
    _check_arguments(card, factory, arguments)
    try:
        policy = factory(**arguments)
    except RtbenchError:
        raise
    except Exception as error:
        raise PolicyError(f"policy {card.name}: {type(error).__name__}: {error}") from error
    return check_shape(policy, card.name)


def coverage(card: Card, extra: Sequence[Path] = ()) -> TrainingCoverage | None:
    """What the policy was trained on, by the content there is; None where its card says nothing of it.

    Raises:
        UnknownNameError: the card names a task, skill, object, set, scene, variant or group that nobody has.
    """
    if card.trained_on is None:
        return None
    return load_coverage(card.trained_on, extra, where=f"policy {card.name}: trained_on")


def describe(card: Card) -> dict[str, Any]:
    """The card as plain values, for JSON; of its weights the name, for where they lie is the machine's."""
    trained = card.trained_on and card.trained_on.model_dump(mode="json")
    weights = card.weights and Path(card.weights).name
    return {**asdict(replace(card, trained_on=None, weights=weights)), "trained_on": trained}


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


def identity(card: Card) -> dict[str, Any]:
    """What makes two runs of a policy the same: factory, arguments, weights and source."""
    place, _, _ = card.factory.rpartition(":")
    own = place.endswith(".py")
    source = file_hash(Path(place)) if own else _module_hash(place)
    factory = card.factory.rpartition("/")[2] if own else card.factory
    weights = file_hash(Path(card.weights)) if card.weights else None
    return {"factory": factory, "arguments": dict(card.arguments), "weights": weights, "source": source}


def _module_hash(name: str) -> str | None:
    """Hash of a module's source, of all its files if it is a package; None where it has none to read."""
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return None  # `build` says so
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        return None
    path = Path(found.origin)
    files = path.parent.rglob("*.py") if found.submodule_search_locations else [path]
    return source_hash(files, path.parent)


def file_hash(path: Path) -> str:
    """64 hex digits: SHA-256 of a file, or of all files of a folder of weights."""
    total = hashlib.sha256()
    try:
        for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if part.is_file():
                with part.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}.") from None
    return total.hexdigest()


def _of_entry_point(point: EntryPoint) -> Card:
    package = point.dist.name if point.dist else "an installed package"
    return Card(name=point.name, factory=point.value, summary=f"from {package}")


def _absolute(place: str, target: str) -> str:
    return f"{Path(place).expanduser().resolve()}:{target}" if place.endswith(".py") else f"{place}:{target}"


def _complete(card: Card, extra: Sequence[Path]) -> Card:
    """Paths of a card are relative to policies/; workers may stand elsewhere."""
    place, _, target = card.factory.rpartition(":")
    if place.endswith(".py"):
        card = replace(card, factory=f"{find(FOLDER, place, extra).resolve()}:{target}")
    if card.weights is None:
        return card
    try:
        weights = find(FOLDER, card.weights, extra).resolve()
    except UnknownNameError:
        how = card.weights_from or "take the file from where the card comes from"
        raise PolicyError(
            f"policy {card.name}: its weights, {card.weights}, are not beside its card. To get them: {how}."
        ) from None
    if card.sha256 is not None:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != card.sha256:
            reason = f"its SHA-256 is {found}, the card says {card.sha256}; fetch it again."
            raise PolicyError(f"policy {card.name}: {weights}: {reason}")
    return replace(card, weights=str(weights))


def _check_arguments(card: Card, factory: Any, arguments: Mapping[str, Any]) -> None:
    """A misspelt argument is the user's mistake; a TypeError from inside the class is not."""
    if not callable(factory):
        raise PolicyError(f"policy {card.name}: {card.factory} is no class or function.")
    renamed = getattr(inspect.getmodule(factory), "RENAMED_ARGUMENTS", {})
    if old := next((name for name in arguments if name in renamed), None):
        raise PolicyError(f"policy {card.name}: argument {old!r} is now {renamed[old]!r}; give that one.")
    try:
        signature = inspect.signature(factory)
        signature.bind(**arguments)
    except ValueError:
        return  # written in C, without a signature
    except TypeError as error:
        known = list(signature.parameters)
        close = next((c for a in arguments if a not in known and (c := nearest(a, known))), None)
        hint = f" Did you mean {close!r}?" if close else ""
        raise PolicyError(
            f"policy {card.name}: {error}.{hint} Arguments: {', '.join(known) or 'none'}."
        ) from None


@dataclass(frozen=True)
class Card:
    """A policy card: policies/NAME.yaml."""

    name: str
    """Name used on the command line."""
    factory: str
    """'package.module:Class' or './file.py:Class'."""
    summary: str
    """One line for `rtbench ls policies`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the class."""
    weights: str | None = None
    """Path of the weights, relative to the card."""
    sha256: str | None = None
    """Hash of the weights."""
    weights_from: str | None = None
    """How to get the weights where they are missing: a command, or where they come from."""
    trained_on: TrainedOn | None = None
    """What it was trained on, by name; None for a policy without training, or whose training is not known."""
    licence: str = "Apache-2.0"
    """Licence of the weights."""
