"""The average of several networks' weights as a policy of its own: the work of `rtbench average`.

Networks of which one was trained from the other lie in one valley of the loss, so that the average of their
weights is a network, too, and often a better one: "model soups" (Wortsman et al. 2022, arXiv:2203.05482), and
between a network and what it became, WiSE-FT (Wortsman et al. 2022, arXiv:2109.01903).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtbench.core.errors import RtbenchError
from rtbench.policy.rt1.checkpoint import Checkpoint, load
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import Origin
from rtbench.task.training_coverage import TrainedOn
from rtbench.train.publish import CardText, merge_trained_on, publish


class AverageError(RtbenchError):
    """Weights that cannot be averaged."""


def average(files: Sequence[Path], folder: Path, name: str, shares: Sequence[float] | None = None) -> Path:
    """Write the average of files of RT-1 weights with its card, and return the card's path.

    Args:
        files: Two or more, of one size, action convention and language encoder. Later ones may lack the
            first's room for told places.
        folder: A content root; made if it is missing.
        name: Name of the policy.
        shares: Share of each file, from 0 to 1; together 1. None: equal shares.

    Raises:
        AverageError: too few files, other language encoders, or shares that are none.
        CheckpointError: a file that cannot be used, or of another size or action convention than the first.
        CardError: the card cannot be written.
    """
    parts = _shares(files, shares)
    found = _loaded(files)
    network = _averaged([one.network for one in found], parts)
    told = ", ".join(f"{part:.3g} of {path.stem}" for part, path in zip(parts, files, strict=True))
    summary = f"RT-1, size {network.size.name}, average of weights: {told}"
    origin = _origin([one.origin for one in found], f"average of weights: {told}")
    return publish(folder, CardText(name, summary, {}), network, origin)


def _shares(files: Sequence[Path], shares: Sequence[float] | None) -> list[float]:
    if len(files) < 2:
        raise AverageError(f"{len(files)} file: an average is of two or more; name another.")
    if shares is None:
        return [1 / len(files)] * len(files)
    if len(shares) != len(files):
        raise AverageError(
            f"--share: {len(shares)} for {len(files)} files; give one for each, in their order."
        )
    total = math.fsum(shares)
    if not all(0 <= share <= 1 for share in shares) or not math.isclose(total, 1, abs_tol=1e-6):
        raise AverageError(f"--share: each is from 0 to 1 and together they are 1; these are {total:.6g}.")
    return list(shares)


def _loaded(files: Sequence[Path]) -> list[Checkpoint]:
    first = load(files[0])
    found = [first]
    for path in files[1:]:
        other = load(path, convention=first.network.convention, size=first.network.size)
        if _encoder(other) != _encoder(first):
            raise AverageError(
                f"{path} was trained with the language encoder {other.origin.encoder!r}, and {files[0]} with "
                f"{first.origin.encoder!r} or another version; average weights of which one was trained from "
                "the other."
            )
        found.append(other)
    return found


def _encoder(checkpoint: Checkpoint) -> tuple[str, str]:
    return checkpoint.origin.encoder, checkpoint.origin.encoder_sha256


def _averaged(networks: Sequence[RT1], shares: Sequence[float]) -> RT1:
    """The average, in place of the first. Batch norm's means and variances are averaged as well."""
    states = [network.state_dict() for network in networks]
    average = {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
        for name, value in states[0].items()
        if value.is_floating_point()
    }
    networks[0].load_state_dict(average, strict=False)  # all but the counters of batches, which have no use
    return networks[0]


def _origin(origins: Sequence[Origin], about: str) -> Origin:
    """Trained on what any of them was trained on; not known, if that of one is not."""
    text = f"{about}; the first: {origins[0].about or 'not known'}"
    trained_on: dict[str, Any] = {}
    if all(origin.trained_on for origin in origins):
        trained_on = merge_trained_on(text, *(TrainedOn(**origin.trained_on) for origin in origins))
    return replace(origins[0], trained_on=trained_on, about=text, source="")
