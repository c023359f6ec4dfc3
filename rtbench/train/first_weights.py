"""The network that a training of RT-1 begins with: fresh, of earlier weights, or with ImageNet's backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rtbench.core.errors import RtbenchError
from rtbench.policy.rt1 import checkpoint
from rtbench.policy.rt1.config import Size, size
from rtbench.policy.rt1.imagenet import load_imagenet
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import Origin

if TYPE_CHECKING:
    from rtbench.policy.rt1.conditioner import Conditioner
    from rtbench.train.dataset import Dataset
    from rtbench.train.rt1 import TrainingPlan


BACKBONE = ("name", "stem", "stages", "momentum", "drop_connect", "lite")
"""What may differ where only the backbone is another."""


class SessionError(RtbenchError):
    """A folder that cannot be trained in."""


def first_weights(
    plan: TrainingPlan, data: Dataset, text: int, say: Callable[[str], None]
) -> tuple[RT1, Origin | None]:
    """The network to begin with, and the origin of its weights; None for fresh ones.

    Args:
        plan: The settings.
        data: The demonstrations.
        text: Length of the language vector.
        say: Shows a line to the user.

    Raises:
        SessionError: settings that do not fit each other or the data.
        CheckpointError: weights that cannot be used.
    """
    named = size(plan.size, text=text)
    _check_image_size(data, named)
    _check_frozen(plan, data, named)
    hp = plan.hyperparameters
    if plan.init is None and hp.freeze_transformer:
        raise SessionError("--freeze-transformer keeps a trained transformer; give its weights as --init.")
    if plan.init is None and plan.teacher is None and hp.image_token_loss_weight:
        raise SessionError("--image-token-loss-weight learns a trained network's tokens; give its --teacher.")
    if plan.teacher is not None and not hp.image_token_loss_weight:
        raise SessionError("--teacher teaches image tokens; give --image-token-loss-weight, or leave it out.")
    if plan.init is not None and plan.imagenet is not None:
        return _other_backbone(plan.init, plan.imagenet, named, data, hp.seed)
    if plan.init is not None:
        found = _begun(plan, plan.init, data, named, say)
        return found.network, found.origin
    network = RT1(named, convention=data.convention, seed=hp.seed)
    if plan.imagenet is not None:
        load_imagenet(network, plan.imagenet)
    return network, None


def _other_backbone(path: Path, imagenet: Path, named: Size, data: Dataset, seed: int) -> tuple[RT1, Origin]:
    """All of a file's weights but its backbone, which is ImageNet's."""
    found = checkpoint.load(path, convention=data.convention)
    had = found.network.size
    backbone = {name: getattr(named, name) for name in BACKBONE}
    if replace(had, **backbone, places=named.places) != named:
        raise SessionError(
            f"{path} is of size {had.name!r}, which differs from {named.name!r} in more than the backbone; "
            "give --init or --imagenet, not both."
        )
    network = RT1(named, convention=data.convention, seed=seed)
    load_imagenet(network, imagenet)
    _take(network, found.network, but="backbone.")
    return network, found.origin


def _take(network: RT1, other: RT1, *, but: str) -> None:
    """Take the weights of another network, but those whose names begin with `but`."""
    state = {name: value for name, value in other.state_dict().items() if not name.startswith(but)}
    network.load_state_dict(state, strict=False)


def _begun(
    plan: TrainingPlan, path: Path, data: Dataset, named: Size, say: Callable[[str], None]
) -> checkpoint.Checkpoint:
    """The network of a file of weights, of size `named`.

    Weights that are told one vector serve a size that is told token states, if all else is equal. What reads
    the states is fresh then. It begins by giving the same vector for every text: random ones would be over
    five times as long as those that the FiLM layers were trained on.
    """
    if not named.states:
        return checkpoint.load(path, convention=data.convention, size=named)
    found = checkpoint.load(path, convention=data.convention)
    had = found.network.size
    told_vector = replace(named, name=had.name, text=had.text, states=0)
    if had not in (told_vector, replace(told_vector, places=0)):
        return checkpoint.load(path, convention=data.convention, size=named)
    if option := _freezing(plan):
        raise SessionError(
            f"{path} is told one vector, and {option} would not train what reads token states; give "
            f"weights of size {named.name!r} as --init, or train without it."
        )
    network = RT1(named, convention=data.convention, seed=plan.hyperparameters.seed)
    _take(network, found.network, but="language.")
    cast("Conditioner", network.language).begin_with(found.network.state_dict().get("language.bias"))
    say(f"{path.name} is told one vector: what reads token states begins anew, all else is from the file")
    return replace(found, network=network.eval())


def _check_image_size(data: Dataset, size: Size) -> None:
    """Refuse images smaller than those of an episode: the network would be trained on enlarged ones."""
    found, needed = (int(data.frames.shape[1]), int(data.frames.shape[2])), size.camera_image
    if found[0] < needed[0] or found[1] < needed[1]:
        raise SessionError(
            f"the demonstrations have images of {found[0]}x{found[1]} pixels; size {size.name!r} sees "
            f"{needed[0]}x{needed[1]} in an episode. Record them with `rtbench demos --size {size.name}`, or "
            "train a smaller --size."
        )


def _freezing(plan: TrainingPlan) -> str:
    """The option that freezes a part of the backbone; empty: none does."""
    hp = plan.hyperparameters
    return "--freeze-backbone" if hp.freeze_backbone else "--freeze-stages" if hp.freeze_stages else ""


def _check_frozen(plan: TrainingPlan, data: Dataset, size: Size) -> None:
    hp, option = plan.hyperparameters, _freezing(plan)
    if not option:
        return
    if hp.freeze_backbone and (hp.freeze_transformer or hp.image_token_loss_weight):
        other = "--freeze-transformer" if hp.freeze_transformer else "--image-token-loss-weight"
        raise SessionError(f"--freeze-backbone trains nothing before the image tokens; leave {other} out.")
    if hp.freeze_backbone and hp.freeze_stages:
        raise SessionError("--freeze-backbone freezes all stages; leave --freeze-stages out.")
    if hp.freeze_backbone and plan.init is None:
        raise SessionError("--freeze-backbone trains the layers after a trained backbone; give its --init.")
    if plan.init is None and plan.imagenet is None:
        raise SessionError("--freeze-stages keeps trained stages; give their --init or --imagenet.")
    height, width = data.frames.shape[1:3]
    if (height, width) != size.image:
        raise SessionError(
            f"{option} needs images of the network's size, {size.image[0]} x {size.image[1]}; "
            f"the demonstrations have {height} x {width}. Train without it."
        )
