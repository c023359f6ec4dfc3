"""RT-1 for deciding, as two ONNX models: image tokens of a frame, and the decision from those of a window.

It is the network of `rtbench.policy.rt1.network` with batch norms folded into the convolutions before them.
The last layer of the transformer asks for the newest frame alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import MODE, SIZE, Mode
from rtbench.core.action import convention as action_convention
from rtbench.policy.rt1.config import ABSENT, BATCH_NORM_EPS, LAYER_NORM_EPS, Size, Stage
from rtbench.policy.rt1.onnx_model import Graph, Value
from rtbench.policy.rt1.weights import Weights

Tensors = Mapping[str, NDArray[np.float32]]


def image_model(weights: Weights) -> bytes:
    """From `images` float32[N, 3, H, W] and `text` float32[N, text] to `tokens` float32[N, tokens, features].

    Images are RGB from 0 to 1, of the size's height and width.
    """
    return _ImageGraph(weights).model()


def decision_model(weights: Weights, *, all_modes: bool = False) -> bytes:
    """From `tokens` float32[B, T, tokens, features] to `logits` float32[B, 11, 256] for the newest frame.

    Windows of one batch have as many frames, from the oldest on, T at most `size.frames`.

    Args:
        weights: The network's.
        all_modes: Leave the logits of mode tokens that do not exist as they are, instead of minus infinity.
    """
    return _DecisionGraph(weights).model(all_modes=all_modes)


class _Network(Graph):
    """A graph with the layers that both models have."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.size, self.tensors = weights.size, weights.tensors

    def silu(self, x: Value) -> Value:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def activation(self, x: Value) -> Value:
        """The backbone's: ReLU6 in an EfficientNet-Lite, else SiLU."""
        if not self.size.lite:
            return self.silu(x)
        return self.node("Clip", x, self.constant(np.array(0.0)), self.constant(np.array(6.0)))

    def norm(self, x: Value, name: str) -> Value:
        scale, shift = (self.constant(self.tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=LAYER_NORM_EPS)

    def linear(self, x: Value, *names: str) -> Value:
        """A linear layer for any number of axes; several that see the same become one."""
        weight = np.concatenate([self.tensors[f"{name}.weight"] for name in names])
        bias = np.concatenate([self.tensors[f"{name}.bias"] for name in names])
        return self.node("Add", self.node("MatMul", x, self.constant(weight.T)), self.constant(bias))

    def reshape(self, x: Value, *shape: int) -> Value:
        """Another shape; 0: as it is, -1: what is left."""
        return self.node("Reshape", x, self.constant(shape))

    def gelu(self, x: Value) -> Value:
        return self.node("Gelu", x, approximate="tanh")


class _ImageGraph(_Network):
    def model(self) -> bytes:
        size, tensors = self.size, self.tensors
        images = self.input("images", ("N", 3, *size.image))
        text = self.input("text", ("N", size.text))
        films = iter(self._films(text))
        mean, std = (self.constant(tensors[f"backbone.{name}"][:, None, None]) for name in ("mean", "std"))
        x = self.node("Div", self.node("Sub", images, mean), std)
        x = self.activation(self._conv_norm(x, "backbone.stem", kernel=3, stride=2))
        channels, number = size.stem, 0
        for stage in size.stages:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                inner = self._block(x, f"backbone.blocks.{number}", stage, stride)
                if stride == 1 and channels == stage.channels:
                    inner = self.node("Add", x, inner)
                x = self._modulated(inner, next(films), next(films))
                channels, number = stage.channels, number + 1
        x = self.activation(self._conv_norm(x, "backbone.top"))
        x = self.node("Conv", x, self.constant(tensors["projection.weight"][:, : size.top]))
        if size.coordinates:
            x = self.node("Add", x, self.constant(_places(size, tensors["projection.weight"])))
        self._token_learner(self._modulated(x, next(films), next(films)))
        self.output("tokens", ("N", size.tokens, size.features))
        return super().model()

    def _films(self, text: Value) -> list[Value]:
        """Scale and shift float32[N, channels, 1, 1] of every FiLM layer, of the projected map last."""
        blocks = sum(stage.repeats for stage in self.size.stages)
        names = [*(f"backbone.blocks.{number}.film" for number in range(blocks)), "film"]
        language = self._language(text)
        parts = [f"{name}.{part}" for name in names for part in ("multiply", "add")]
        widths = [len(self.tensors[f"{part}.bias"]) for part in parts]
        every = self.node("Unsqueeze", self.linear(language, *parts), self.constant([2, 3]))
        return self.nodes("Split", every, self.constant(widths), count=len(parts), axis=1)

    def _language(self, text: Value) -> Value:
        """The vector float32[N, film] that FiLM layers see."""
        size = self.size
        if not size.states:
            return self.linear(text, "language") if size.text != size.film else text
        states = self.reshape(text, 0, size.states, size.text // size.states)
        largest = self.node("ReduceMax", self.node("Abs", states), self.constant([2]), keepdims=1)
        there = self.node("Sign", largest)
        place = self.tensors["language.position.weight"].T + self.tensors["language.position.bias"]
        x = self.node("Add", self.norm(states, "language.norm"), self.constant(place))
        missing = self.node("Sub", self.constant(np.ones(1)), there)
        barred = self.node("Mul", missing, self.constant(np.array([ABSENT])))
        scores = self.node("Add", self.linear(x, "language.query"), barred)
        shares = self.node("Mul", self.node("Softmax", scores, axis=1), there)
        found = self.node("MatMul", self.node("Transpose", shares, perm=[0, 2, 1]), x)
        inner = self.gelu(self.linear(self.reshape(found, 0, -1), "language.hidden"))
        return self.linear(inner, "language.output")

    def _modulated(self, x: Value, scale: Value, shift: Value) -> Value:
        scale = self.node("Add", scale, self.constant(np.ones(1)))
        return self.node("Add", self.node("Mul", x, scale), shift)

    def _conv_norm(self, x: Value, name: str, *, kernel: int = 1, stride: int = 1, group: int = 1) -> Value:
        """A convolution and its norm; one of stride 2 has a pixel more below and right."""
        weight, bias = _folded(self.tensors, name)
        half = kernel // 2
        first = half - 1 if stride == 2 else half
        return self.node(
            "Conv", x, self.constant(weight), self.constant(bias), group=group, kernel_shape=[kernel] * 2,
            pads=[first, first, half, half], strides=[stride] * 2,
        )  # fmt: skip

    def _block(self, x: Value, name: str, stage: Stage, stride: int) -> Value:
        """`MBConv` without what it adds, and without its FiLM layer."""
        if stage.expand > 1:
            x = self.activation(self._conv_norm(x, f"{name}.expand"))
        inside = len(self.tensors[f"{name}.depthwise.norm.weight"])
        x = self._conv_norm(x, f"{name}.depthwise", kernel=stage.kernel, stride=stride, group=inside)
        x = self.activation(x)
        if not self.size.lite:
            x = self._excited(x, name)
        return self._conv_norm(x, f"{name}.project")

    def _excited(self, x: Value, name: str) -> Value:
        """`SqueezeExcite`."""
        y = self.node("GlobalAveragePool", x)
        y = self.silu(self._pointwise(y, f"{name}.squeeze.reduce"))
        y = self.node("Sigmoid", self._pointwise(y, f"{name}.squeeze.expand"))
        return self.node("Mul", x, y)

    def _pointwise(self, x: Value, name: str) -> Value:
        """A linear layer over the channels of a map."""
        weight = self.tensors[f"{name}.weight"][:, :, None, None]
        return self.node("Conv", x, self.constant(weight), self.constant(self.tensors[f"{name}.bias"]))

    def _token_learner(self, x: Value) -> None:
        rows = self.node("Transpose", self.reshape(x, 0, 0, -1), perm=[0, 2, 1])
        hidden = self.gelu(self.linear(self.norm(rows, "token_learner.norm"), "token_learner.hidden"))
        shares = self.node("Softmax", self.linear(hidden, "token_learner.output"), axis=1)
        self.node("MatMul", self.node("Transpose", shares, perm=[0, 2, 1]), rows, name="tokens")


class _DecisionGraph(_Network):
    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.mode_slot = action_convention(weights.convention).order.index(MODE)
        self.step = self.size.tokens + SIZE

    def model(self, *, all_modes: bool = False) -> bytes:
        size, tensors = self.size, self.tensors
        tokens = self.input("tokens", ("B", "T", size.tokens, size.features))
        x = self._sequence(self._mixed(tokens))
        length = self.node("Gather", self.node("Shape", x), self.constant([1]))
        barred = self._until(self.constant(_barred(size)), length, axes=(0, 1))
        # A token is read one position before its slot.
        newest = (-SIZE - 1, -1)
        for number in range(size.layers):
            name, last = f"transformer.layers.{number}", number == size.layers - 1
            x = self._layer(x, name, barred, newest if last else None)
        bias = np.tile(tensors["transformer.output.bias"], (SIZE, 1))
        if not all_modes:
            bias[self.mode_slot, len(Mode) :] = -np.inf
        logits = self.node("MatMul", x, self.constant(tensors["transformer.output.weight"].T))
        self.node("Add", logits, self.constant(bias), name="logits")
        self.output("logits", ("B", SIZE, bias.shape[1]))
        return super().model()

    def _mixed(self, tokens: Value) -> Value:
        x = self.reshape(tokens, 0, 0, -1)
        for number in range(self.size.mixers):
            name = f"mixers.{number}"
            inner = self.gelu(self.linear(self.norm(x, f"{name}.norm"), f"{name}.hidden"))
            x = self.node("Add", x, self.linear(inner, f"{name}.output"))
        return self.reshape(x, 0, 0, self.size.tokens, self.size.features)

    def _sequence(self, tokens: Value) -> Value:
        """Positions float32[B, L, width]: of each frame its image tokens, then its slots."""
        size, tensors = self.size, self.tensors
        place = tensors["transformer.position.weight"].T + tensors["transformer.position.bias"]
        place = (place + tensors["transformer.embed.bias"]).reshape(size.frames, self.step, size.width)
        frames = self.node("Gather", self.node("Shape", tokens), self.constant([1]))
        # Of image positions what is added to their tokens; of slots, which carry nothing, all.
        here = self._until(self.constant(place[:, : size.tokens]), frames)
        slots = self._until(self.constant(place[:, size.tokens :]), frames)
        embedded = self.node("MatMul", tokens, self.constant(tensors["transformer.embed.weight"].T))
        batch = self.node("Gather", self.node("Shape", tokens), self.constant([0]))
        shape = self.node("Concat", batch, self.constant([1, 1, 1]), axis=0)
        slots = self.node("Expand", self.node("Unsqueeze", slots, self.constant([0])), shape)
        joined = self.node("Concat", self.node("Add", embedded, here), slots, axis=2)
        return self.node(
            "Reshape", joined, self.node("Concat", batch, self.constant([-1, size.width]), axis=0)
        )

    def _until(self, x: Value, end: Value, axes: tuple[int, ...] = (0,)) -> Value:
        """The first elements along some axes."""
        ends = self.node("Concat", *[end] * len(axes), axis=0)
        return self.node("Slice", x, self.constant([0] * len(axes)), ends, self.constant(axes))

    def _layer(self, x: Value, name: str, barred: Value, read: tuple[int, int] | None) -> Value:
        """`Layer`; `read`: the positions, from the first to before the last, that are asked for."""
        size, inner = self.size, self.size.heads * self.size.key_dim
        normed = self.norm(x, f"{name}.norm1")
        three = self.linear(normed, *(f"{name}.{part}" for part in ("query", "key", "value")))
        q, k, v = self.nodes("Split", three, self.constant([inner] * 3), count=3, axis=2)
        if read is not None:
            x, q, barred = (self._rows(each, read, axis) for each, axis in ((x, 1), (q, 1), (barred, 0)))
        q, k, v = (
            self.node("Transpose", self.reshape(each, 0, 0, size.heads, size.key_dim), perm=perm)
            for each, perm in ((q, [0, 2, 1, 3]), (k, [0, 2, 3, 1]), (v, [0, 2, 1, 3]))
        )
        q = self.node("Mul", q, self.constant(np.array(1 / math.sqrt(size.key_dim))))
        scores = self.node("Add", self.node("MatMul", q, k), barred)
        attended = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)
        joined = self.reshape(self.node("Transpose", attended, perm=[0, 2, 1, 3]), 0, 0, -1)
        x = self.node("Add", x, self.linear(joined, f"{name}.output"))
        return self.node("Add", x, self.linear(self.norm(x, f"{name}.norm2"), f"{name}.linear"))

    def _rows(self, x: Value, read: tuple[int, int], axis: int) -> Value:
        first, end = read
        return self.node("Slice", x, *(self.constant([number]) for number in (first, end, axis)))


def _folded(tensors: Tensors, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias of the one convolution that a convolution and its norm are."""
    norm = f"{name}.norm"
    deviation = np.sqrt(tensors[f"{norm}.running_var"].astype(np.float64) + BATCH_NORM_EPS)
    scale = tensors[f"{norm}.weight"] / deviation
    weight = tensors[f"{name}.conv.weight"] * scale[:, None, None, None]
    return weight, tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale


def _places(size: Size, projection: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the channels with x and y from -1 to 1 give the projected map, float32[1, features, H', W']."""
    height, width = size.map
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    places: NDArray[np.float32] = np.einsum(
        "fc,chw->fhw", projection[:, size.top :, 0, 0], np.stack([x, y])
    ).astype(np.float32)[None]
    return places


def _barred(size: Size) -> NDArray[np.float32]:
    """What is added to scores: minus infinity where a position (row) may not attend another (column).

    Causal, within a frame too. A slot attends image positions only, not even itself.
    """
    step = size.tokens + SIZE
    position = np.arange(size.frames * step)
    slot = position % step >= size.tokens
    allowed = (position[:, None] >= position) & ~(slot[:, None] & slot)
    return np.where(allowed, 0.0, -np.inf).astype(np.float32)
