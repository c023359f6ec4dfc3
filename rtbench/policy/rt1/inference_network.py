"""RT-1 rearranged for deciding: the same answers from less, and faster; it cannot be trained.

What depends on nothing is computed when it is made, what depends on the instruction once an episode. The
parts are no modules: with modules a decision of `small` took 0.8 of the plain network's time, so it takes
0.68. Maps are float32[N, H, W, C], so that 1x1 convolutions are products of their rows.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.nn.utils.fusion import fuse_conv_bn_weights

from rtbench.core.action import SIZE
from rtbench.policy.rt1.efficientnet import ConvNorm, EfficientNet, MBConv
from rtbench.policy.rt1.film import FiLM
from rtbench.policy.rt1.mixer import Mixer
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.token_learner import TokenLearner
from rtbench.policy.rt1.transformer import Layer, Transformer


def folded(network: RT1, device: torch.device | str = "cpu", *, all_modes: bool = False) -> Folded:
    """What a network decides, from a copy of its weights on a device; see `Folded`."""
    copied = copy.deepcopy(network).eval().requires_grad_(requires_grad=False).to(device)
    return Folded(copied, all_modes=all_modes)


class Folded:
    """RT-1 that decides for the newest frame, from image tokens that are kept from step to step."""

    @torch.no_grad()
    def __init__(self, network: RT1, *, all_modes: bool = False) -> None:
        """Shares weights with the network, which must be in evaluation mode and without gradients.

        Args:
            network: The weights.
            all_modes: Leave the logits of mode tokens that do not exist as they are, instead of minus
                infinity.
        """
        self.size = network.size
        self.mode_slot = network.mode_slot
        backbone, projection = network.backbone, network.projection
        self._language = network.language
        self._stem, self._black = _stem(backbone, self.size.image)
        blocks = [block for block in backbone.blocks if isinstance(block, MBConv)]
        self._blocks = [_Block(block) for block in blocks]
        self._top = _pointwise(backbone.top)
        self._projection = _transposed(projection.weight[:, : self.size.top, 0, 0])
        nowhere = network.position.new_zeros(self.size.top, *self.size.map)
        position = torch.cat([nowhere, network.position]) if self.size.coordinates else nowhere
        self._place = _last(projection(position[None])).contiguous()
        self._films = [_Film(block.film, _fused(block.project)[1]) for block in blocks]
        self._films.append(_Film(network.film))
        self._widths = [film.channels for film in self._films for _ in range(2)]
        self._token_learner = _TokenLearner(network.token_learner)
        self._mixers = [_Mixer(mixer) for mixer in network.mixers if isinstance(mixer, Mixer)]
        bias = network.transformer.output.bias.expand(SIZE, -1)
        self._decider = _Decider(network.transformer, bias if all_modes else network.mask(bias))

    def __call__(self, images: Tensor, text: Tensor) -> Tensor:
        """Logits float32[B, 11, 256] for the newest frame of windows; arguments as of `RT1.forward`."""
        batch, count = images.shape[:2]
        condition = self.condition(text).repeat_interleave(count, dim=0)
        tokens = self.image_tokens(images.flatten(0, 1), condition)
        return self.decide(tokens.view(batch, count, *tokens.shape[1:]), torch.full((batch,), count))

    def condition(self, text: Tensor) -> Tensor:
        """What instructions float32[N, text] do to images: FiLM's scales and shifts, float32[N, K]."""
        language = self._language(text)
        return torch.cat([each for film in self._films for each in film(language)], dim=1)

    def image_tokens(self, images: Tensor, condition: Tensor) -> Tensor:
        """Image tokens of single frames.

        Args:
            images: float32[N, 3, H, W], RGB from 0 to 1, of the size's height and width.
            condition: float32[N, K], from `condition`.

        Returns:
            float32[N, tokens, features].
        """
        if images.shape[-2:] != self.size.image:
            raise ValueError(f"images are {tuple(images.shape[-2:])}, the network's {self.size.image}")
        films = torch.split(condition[:, None, None], self._widths, dim=-1)
        *blocks, (scale, shift) = zip(films[::2], films[1::2], strict=True)
        x = self._stem(_last(images)).add_(self._black)
        x = F.silu(x, inplace=True)
        for block, (block_scale, block_shift) in zip(self._blocks, blocks, strict=True):
            x = torch.addcmul(block_shift, block_scale, block(x))
        features = F.silu(self._top(x.flatten(0, 2)), inplace=True).mm(self._projection)
        features = features.view(*x.shape[:3], -1).add_(self._place)
        return self._token_learner(torch.addcmul(shift, scale, features).flatten(1, 2))

    def decide(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits for the newest frame of each window.

        Args:
            tokens: float32[B, T, tokens, features]: frames from the oldest on, T at most `size.frames`.
            lengths: int64[B]: frames that are there, from 1; what stands after them has no effect.

        Returns:
            float32[B, 11, 256]; mode tokens that do not exist have minus infinity, unless `all_modes`.
        """
        there = tokens[:, : int(lengths.max())]
        mixed = there.flatten(0, 1)
        for mixer in self._mixers:
            mixed = mixer(mixed)
        return self._decider(mixed.view(there.shape), lengths - 1)


class _Product:
    """A linear layer for rows; its weight lies as `addmm` takes it."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Of weights float32[outputs, inputs] and a bias float32[outputs]."""
        self.weight, self.bias = _transposed(weight), bias

    def __call__(self, rows: Tensor) -> Tensor:
        """float32[N, inputs] to float32[N, outputs]."""
        return torch.addmm(self.bias, rows, self.weight)


class _Norm:
    """`LayerNorm`."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        self._weight, self._bias, self._eps = norm.weight, norm.bias, norm.eps

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, P, width] to float32[N * P, width]."""
        return torch.layer_norm(x, x.shape[-1:], self._weight, self._bias, self._eps).flatten(0, 1)


class _Convolution:
    """A convolution and its norm, without a padded copy.

    PyTorch pads all sides alike. A kernel with a row and a column of zeros before its first ones looks as far
    above and left as below and right.
    """

    def __init__(self, layer: ConvNorm) -> None:
        self.bias: Tensor | None
        weight, self.bias = _fused(layer)
        self._padding = layer.conv.kernel_size[0] // 2
        self._stride, self._groups = layer.conv.stride[0], layer.conv.groups
        padded = F.pad(weight, (1, 0, 1, 0)) if layer.pad else weight
        self.weight = padded.contiguous(memory_format=torch.channels_last)

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, H, W, inputs] to float32[N, H', W', outputs]."""
        x = x.permute(0, 3, 1, 2)
        y = torch.conv2d(x, self.weight, self.bias, self._stride, self._padding, groups=self._groups)
        return _last(y)


class _Film:
    """An instruction's scale and shift of a map, and of the bias that the convolution before leaves to it."""

    def __init__(self, film: FiLM, bias: Tensor | float = 0.0) -> None:
        self._film, self._bias = film, bias
        self.channels = film.add.out_features

    def __call__(self, language: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift float32[N, channels] of float32[N, film]."""
        scale = 1 + self._film.multiply(language)
        return scale, self._film.add(language) + scale * self._bias


class _Block:
    """`MBConv` up to its FiLM layer."""

    def __init__(self, block: MBConv) -> None:
        self._expand = _pointwise(block.expand) if block.expand is not None else None
        self._depthwise = _Convolution(block.depthwise)
        self._reduce, self._excite = _product(block.squeeze.reduce), _product(block.squeeze.expand)
        self._project = _transposed(_fused(block.project)[0][:, :, 0, 0])
        self._residual = block.residual

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, H, W, inputs] to float32[N, H', W', channels]."""
        rows = x.flatten(0, 2)
        if self._expand is not None:
            x = F.silu(self._expand(rows), inplace=True).view(*x.shape[:3], -1)
        y = F.silu(self._depthwise(x), inplace=True)
        count, height, width, _ = y.shape
        reduce = self._reduce
        squeezed = torch.addmm(reduce.bias, y.sum((1, 2)), reduce.weight, alpha=1 / (height * width))
        excited = self._excite(F.silu(squeezed, inplace=True)).sigmoid_()
        inside = y.mul_(excited[:, None, None]).flatten(0, 2)
        outside = torch.addmm(rows, inside, self._project) if self._residual else inside.mm(self._project)
        return outside.view(count, height, width, -1)


class _TokenLearner:
    """`TokenLearner`."""

    def __init__(self, learner: TokenLearner) -> None:
        self._norm = _Norm(learner.norm)
        self._hidden, self._output = _product(learner.hidden), _product(learner.output)

    def __call__(self, features: Tensor) -> Tensor:
        """Tokens float32[N, tokens, features] of float32[N, P, features]."""
        scores = self._output(F.gelu(self._hidden(self._norm(features)), approximate="tanh"))
        return scores.view(*features.shape[:2], -1).softmax(dim=1).transpose(1, 2).bmm(features)


class _Mixer:
    """`Mixer`."""

    def __init__(self, mixer: Mixer) -> None:
        self._norm = _Norm(mixer.norm)
        self._hidden, self._output = _product(mixer.hidden), _product(mixer.output)

    def __call__(self, tokens: Tensor) -> Tensor:
        """float32[N, tokens, features], likewise."""
        inner = F.gelu(self._hidden(self._norm(tokens.flatten(1)[:, None])), approximate="tanh")
        return self._output(inner).view(tokens.shape).add_(tokens)


class _Decider:
    """The transformer, whose last layer asks for the newest frame alone."""

    def __init__(self, transformer: Transformer, bias: Tensor) -> None:
        """From a transformer, with the bias of its logits float32[11, 256]."""
        step = transformer.tokens + SIZE
        self._embed = _transposed(transformer.embed.weight)
        place = transformer.position.weight.T + transformer.position.bias + transformer.embed.bias
        # Of image positions what is added to their tokens; of slots, which carry nothing, all.
        place = place.view(-1, step, place.shape[-1])
        self._here, self._slots = place[:, : transformer.tokens], place[:, transformer.tokens :]
        mask = transformer.mask
        self._barred = place.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
        # A token is read one position before its slot.
        self._read = torch.arange(len(mask), device=mask.device).view(-1, step)[:, -SIZE - 1 : -1]
        self._layers = [_Layer(layer) for layer in transformer.layers if isinstance(layer, Layer)]
        self._output = _transposed(transformer.output.weight)
        self._bias = bias

    def __call__(self, tokens: Tensor, newest: Tensor) -> Tensor:
        """Logits float32[B, 11, 256] of float32[B, T, tokens, features] for frames int64[B]."""
        batch, frames = tokens.shape[:2]
        here = tokens.flatten(0, 2).mm(self._embed).view(*tokens.shape[:3], -1).add_(self._here[:frames])
        x = torch.cat([here, self._slots[:frames].expand(batch, -1, -1, -1)], dim=2).flatten(1, 2)
        barred = self._barred[: x.shape[1], : x.shape[1]]
        for layer in self._layers[:-1]:
            x = layer(x, barred)
        read = self._read[newest]
        windows = torch.arange(batch, device=x.device)[:, None]
        x = self._layers[-1](x, barred[read][:, None], (windows, read))
        return x.flatten(0, 1).mm(self._output).view(batch, SIZE, -1).add_(self._bias)


class _Layer:
    """`Layer`, with queries, keys and values from one product."""

    def __init__(self, layer: Layer) -> None:
        three = (layer.query, layer.key, layer.value)
        weight, bias = torch.cat([one.weight for one in three]), torch.cat([one.bias for one in three])
        self._attend = _Product(weight, bias)
        self._output, self._linear = _product(layer.output), _product(layer.linear)
        self._norm1, self._norm2 = _Norm(layer.norm1), _Norm(layer.norm2)
        self._heads = layer.heads

    def __call__(self, x: Tensor, barred: Tensor, read: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """float32[B, L, width], likewise; or float32[B, Q, width] of the positions that are read.

        Args:
            x: float32[B, L, width].
            barred: float32[L, L], or [B, 1, Q, L]: minus infinity where a position may not attend another.
            read: Windows int64[B, 1] and positions int64[B, Q].
        """
        q, k, v = self._attend(self._norm1(x)).view(*x.shape[:2], 3, self._heads, -1).unbind(2)
        if read is not None:
            x, q = x[read], q[read]
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=barred).transpose(1, 2)
        x = self._output(attended.flatten(2).flatten(0, 1)).view(x.shape).add_(x)
        return x.add_(self._linear(self._norm2(x)).view(x.shape))


def _last(x: Tensor) -> Tensor:
    """A map float32[N, C, H, W] as float32[N, H, W, C]."""
    return x.permute(0, 2, 3, 1)


def _transposed(weight: Tensor) -> Tensor:
    """A weight float32[outputs, inputs] as float32[inputs, outputs] in memory, for `mm`."""
    return weight.T.contiguous()


def _fused(layer: ConvNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that a convolution and its norm are."""
    norm = layer.norm
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    return fuse_conv_bn_weights(layer.conv.weight, None, mean, variance, norm.eps, norm.weight, norm.bias)


def _pointwise(layer: ConvNorm) -> _Product:
    """A 1x1 convolution and its norm."""
    weight, bias = _fused(layer)
    return _Product(weight[:, :, 0, 0], bias)


def _product(layer: nn.Linear) -> _Product:
    """A linear layer."""
    return _Product(layer.weight, layer.bias)


def _stem(backbone: EfficientNet, image: tuple[int, int]) -> tuple[_Convolution, Tensor]:
    """The first convolution for images as they are, and what to add: a map float32[H', W', stem].

    The map is what a normalised black image gives. At the border it is another, for padding is mean colour.
    """
    convolution = _Convolution(backbone.stem)
    added = convolution((-backbone.mean / backbone.std).expand(1, *image, -1))[0].contiguous()
    convolution.weight = convolution.weight / backbone.std[:, None, None]
    convolution.bias = None
    return convolution, added
