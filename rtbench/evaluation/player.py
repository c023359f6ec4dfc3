"""The policy of a run: made in the thread that calls it, with what makes it the policy that it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtbench.core.errors import PolicyError
from rtbench.core.hashing import names_hash
from rtbench.policy.base import Policy
from rtbench.policy.card import Card, build, check_shape, with_action
from rtbench.policy.continuous.mapping import ActionMapping
from rtbench.policy.continuous.policy import mapped
from rtbench.policy.identity import action_identity, check_identity, file_hashes, fingerprint, identity
from rtbench.policy.sources import source_digests
from rtbench.policy.thread import PolicyExitError, PolicyThread


@dataclass(frozen=True)
class Player:
    """A policy that is ready to play."""

    name: str
    """Name of its card, or of its class."""
    policy: Policy
    """The policy."""
    card: Card | None
    """What it was made from; None for an object that the caller made."""
    identity: Mapping[str, Any]
    """What decides how it acts; see `rtbench.policy.identity.identity`."""
    thread: PolicyThread
    """Where all of its code runs."""

    def renew(self) -> Policy | None:
        """Make the policy anew from its card, in the thread that calls this; None without a card.

        Raises:
            PolicyError: it cannot be made any more, or its files have changed.
        """
        if self.card is None:
            return None
        policy = build(self.card)
        check_identity(self.card, policy, self.identity)
        return policy


def player_of(
    policy: Card | Policy, action: ActionMapping | None = None, control_hz: int | None = None
) -> Player:
    """Make a card's policy, or take a policy as it is.

    Args:
        policy: The card or the policy.
        action: What the numbers of a policy that predicts numbers mean, in place of what it says itself.
        control_hz: Control rate of the run [Hz], in place of the policy's own.

    Raises:
        PolicyError: it cannot be made, is no policy, is privileged without a card, or reads files that
            changed while it read them.
    """
    thread = PolicyThread()
    if not isinstance(policy, Card):
        name = type(policy).__name__
        return _taken(policy, mapped(policy, action, name, control_hz), thread)
    policy = with_action(policy, action, control_hz)
    try:
        return thread.call(lambda: _made(policy, thread))
    except PolicyExitError as error:
        raise PolicyError(f"policy {policy.name}: {error}.") from error


def _made(card: Card, thread: PolicyThread) -> Player:
    before = file_hashes(card)
    policy = build(card)
    found = identity(card, policy)
    if {name: found.get(name) for name in before} != before:
        raise PolicyError(
            f"policy {card.name}: a file that it reads changed while it was read. If a training still "
            "writes it, copy the file and name the copy."
        )
    return Player(card.name, policy, card, found, thread)


def _taken(policy: Policy, tokens: Any, thread: PolicyThread) -> Player:
    """Take a policy, and the same as one of tokens."""
    kind = type(policy)
    checked = check_shape(tokens, kind.__name__)
    if checked.needs.privileged:
        reason = "it runs in the workers, which make it from its name: give 'package.module:Class'."
        raise PolicyError(f"policy {kind.__name__} is privileged: {reason}")
    thread.adopt()
    # Two objects of a class may hold different weights; nothing but a fingerprint of theirs can tell.
    mark = fingerprint(policy) or os.urandom(8).hex()
    digests = source_digests(kind.__module__)
    found: dict[str, Any] = {
        "factory": f"{kind.__module__}:{kind.__qualname__}",
        "source": names_hash(digests) if digests else None,
        "fingerprint": mark,
    }
    if by := action_identity(checked):
        found["action"] = by
    return Player(kind.__name__, checked, None, found, thread)
