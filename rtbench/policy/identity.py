"""What makes two runs of a policy the same: its code, arguments, weights, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtbench.core.errors import PolicyError
from rtbench.core.hashing import TooManyFilesError, content_hash, names_hash
from rtbench.policy.base import Policy
from rtbench.policy.card import Card
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.policy.sources import source_digests


def identity(card: Card, policy: Policy | None = None) -> dict[str, Any]:
    """What decides how a card's policy acts, as plain values for run.json.

    Ask after the policy was made, for only then all that it imports has been imported.

    Args:
        card: A card that `rtbench.policy.card.resolve` has completed.
        policy: What `build` made of it, to be asked for its fingerprint.

    Returns:
        'factory'; 'arguments', those that name files by their last part; 'weights', SHA-256; 'source', hash
        of the policy's own code, None where it has none to read; and where there are any 'files', SHA-256 by
        argument, 'fingerprint', 'action' (see `action_identity`), and 'unhashed', sentences about what could
        not be hashed.

    Raises:
        PolicyError: weights that cannot be read, or code that was edited after it had been imported.
    """
    place, _, _ = card.factory.rpartition(":")
    digests = source_digests(place)
    found: dict[str, Any] = {
        "factory": _factory(card),
        "arguments": {name: _portable(value) for name, value in card.arguments.items()},
        "weights": _weights_hash(card),
        "source": names_hash(digests) if digests else None,
    }
    files, unhashed = _files(card.arguments)
    if digests is None:
        unhashed.append(f"the source of {place}")
    optional = {
        "files": files,
        "fingerprint": fingerprint(policy),
        "unhashed": unhashed,
        "action": action_identity(policy),
    }
    return found | {name: value for name, value in optional.items() if value}


def action_identity(policy: Policy | None) -> dict[str, Any]:
    """What decides how numbers become tokens: mapping and code; empty for a policy that gives tokens."""
    if not isinstance(policy, MappedPolicy):
        return {}
    return policy.identity() | {"code": names_hash(source_digests(MappedPolicy.__module__) or {})}


def check_identity(card: Card, policy: Policy, expected: Mapping[str, Any]) -> None:
    """Refuse a policy that was made anew, and is not the one with which the run began.

    Raises:
        PolicyError: its files have changed since.
    """
    found = identity(card, policy)
    changed = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    if changed:
        raise PolicyError(
            f"policy {card.name}: its {' and '.join(changed)} changed while the run was going on, so that "
            "one run would hold two policies. Run the same command again: it begins a run of its own."
        )


def file_hashes(card: Card) -> dict[str, Any]:
    """What `identity` says of the files that the card names, to be asked before a policy reads them."""
    return {"weights": _weights_hash(card), "files": _files(card.arguments)[0] or None}


def fingerprint(policy: Policy | None) -> str:
    """What a policy says of itself, by its attribute or method `fingerprint`; '' where it has none.

    Raises:
        PolicyError: the method raised.
    """
    said = getattr(policy, "fingerprint", None)
    try:
        said = said() if callable(said) else said
    except Exception as error:
        name = type(policy).__name__
        raise PolicyError(
            f"policy {name}: its fingerprint() raised {type(error).__name__}: {error}"
        ) from error
    return "" if said is None else str(said)


def describe(card: Card) -> dict[str, Any]:
    """The card as plain values, for JSON. Files and folders are named without the place where they lie."""
    told = card.model_dump(mode="json", exclude={"action", "control_hz"})
    if card.control_hz is not None:
        told["control_hz"] = card.control_hz
    if card.action is not None:
        told["action"] = _named(card.action.model_dump(mode="json", exclude_unset=True))
    return {
        **told,
        "factory": _factory(card),
        "arguments": {name: _portable(value) for name, value in card.arguments.items()},
        "weights": card.weights and Path(card.weights).name,
    }


def _named(action: dict[str, Any]) -> dict[str, Any]:
    """A mapping without the place where its statistics lie."""
    scaled = action.get("normalization")
    if not scaled:
        return action
    return action | {"normalization": scaled | {"statistics": Path(scaled["statistics"]).name}}


def _factory(card: Card) -> str:
    """The factory, of a file without its folder."""
    own = card.factory.rpartition(":")[0].endswith(".py")
    return card.factory.rpartition("/")[2] if own else card.factory


def _weights_hash(card: Card) -> str | None:
    if card.weights is None:
        return None
    path = Path(card.weights)
    try:
        return content_hash(path)
    except (OSError, TooManyFilesError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(f"{path}: cannot be read: {reason}.") from None


def _files(arguments: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """SHA-256 by name of the arguments that are files or folders, and what could not be hashed."""
    found, failed = {}, []
    for name, value in arguments.items():
        path = _path(value)
        if path is None:
            continue
        try:
            found[name] = content_hash(path)
        except (OSError, TooManyFilesError) as error:
            failed.append(f"argument {name}: {error}")
    return found, failed


def _path(value: Any) -> Path | None:
    """The file or folder that an argument names; None where it names none."""
    if not isinstance(value, str | Path) or not str(value):
        return None
    path = Path(value).expanduser()
    try:
        return path if path.exists() else None
    except (OSError, ValueError):
        return None  # a long text, or one with a zero byte


def _portable(value: Any) -> Any:
    path = _path(value)
    return value if path is None else path.resolve().name or str(path)
