"""Names and shapes of RT-1's tensors, without making a network."""

from __future__ import annotations

from collections.abc import Iterator

from rtbench.core.action import BINS, SIZE
from rtbench.policy.rt1.config import (
    CONDITIONER_HIDDEN,
    CONDITIONER_QUERIES,
    SQUEEZE,
    TOKEN_LEARNER_HIDDEN,
    Size,
)

Shape = tuple[int, ...]


def tensor_shapes(size: Size) -> dict[str, Shape]:
    """Shape of each tensor that weights of a size have, by name."""
    return dict(_all(size))


def _all(size: Size) -> Iterator[tuple[str, Shape]]:
    if size.states:
        yield from _conditioner(size)
    elif size.text != size.film:
        yield from _linear("language", size.text, size.film)
    yield from _backbone(size)
    inputs = size.top + 2 * size.coordinates
    yield "projection.weight", (size.features, inputs, 1, 1)
    yield from _film("film", size.film, size.features)
    yield from _norm("token_learner.norm", size.features)
    yield from _linear("token_learner.hidden", size.features, TOKEN_LEARNER_HIDDEN)
    yield from _linear("token_learner.output", TOKEN_LEARNER_HIDDEN, size.tokens)
    frame = size.tokens * size.features
    for number in range(size.mixers):
        yield from _norm(f"mixers.{number}.norm", frame)
        yield from _linear(f"mixers.{number}.hidden", frame, size.mixed)
        yield from _linear(f"mixers.{number}.output", size.mixed, frame)
    yield from _transformer(size)
    if size.places:
        yield "places.conv.weight", (size.features, size.places, 1, 1)


def _conditioner(size: Size) -> Iterator[tuple[str, Shape]]:
    width = size.text // size.states
    yield from _norm("language.norm", width)
    yield from _linear("language.position", size.states, width)
    yield from _linear("language.query", width, CONDITIONER_QUERIES)
    yield from _linear("language.hidden", CONDITIONER_QUERIES * width, CONDITIONER_HIDDEN)
    yield from _linear("language.output", CONDITIONER_HIDDEN, size.film)


def _backbone(size: Size) -> Iterator[tuple[str, Shape]]:
    yield "backbone.mean", (3,)
    yield "backbone.std", (3,)
    yield from _conv_norm("backbone.stem", (size.stem, 3, 3, 3))
    channels, number = size.stem, 0
    for stage in size.stages:
        for _ in range(stage.repeats):
            name, inside = f"backbone.blocks.{number}", channels * stage.expand
            if stage.expand > 1:
                yield from _conv_norm(f"{name}.expand", (inside, channels, 1, 1))
            yield from _conv_norm(f"{name}.depthwise", (inside, 1, stage.kernel, stage.kernel))
            if not size.lite:
                squeezed = max(1, channels // SQUEEZE)
                yield from _linear(f"{name}.squeeze.reduce", inside, squeezed)
                yield from _linear(f"{name}.squeeze.expand", squeezed, inside)
            yield from _conv_norm(f"{name}.project", (stage.channels, inside, 1, 1))
            yield from _film(f"{name}.film", size.film, stage.channels)
            channels, number = stage.channels, number + 1
    yield from _conv_norm("backbone.top", (size.top, channels, 1, 1))


def _transformer(size: Size) -> Iterator[tuple[str, Shape]]:
    inner = size.heads * size.key_dim
    yield from _linear("transformer.embed", size.features, size.width)
    yield from _linear("transformer.position", size.frames * (size.tokens + SIZE), size.width)
    if size.action_embedding:
        yield from _linear("transformer.action", BINS, size.features)
    for number in range(size.layers):
        name = f"transformer.layers.{number}"
        yield from _norm(f"{name}.norm1", size.width)
        for part in ("query", "key", "value"):
            yield from _linear(f"{name}.{part}", size.width, inner)
        yield from _linear(f"{name}.output", inner, size.width)
        yield from _norm(f"{name}.norm2", size.width)
        yield from _linear(f"{name}.linear", size.width, size.width)
    yield from _linear("transformer.output", size.width, BINS)


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _film(name: str, text: int, channels: int) -> Iterator[tuple[str, Shape]]:
    yield from _linear(f"{name}.add", text, channels)
    yield from _linear(f"{name}.multiply", text, channels)


def _conv_norm(name: str, weight: Shape) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.conv.weight", weight
    yield from _norm(f"{name}.norm", weight[0])
    for statistic in ("running_mean", "running_var"):
        yield f"{name}.norm.{statistic}", (weight[0],)
