"""What RT-1 is trained by."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from rtbench.policy.rt1.config import SMALL
from rtbench.policy.rt1.loss import published_divisor, token_loss
from rtbench.policy.rt1.network import RT1
from tests.helpers.rt1_networks import TINY, normal, torch_numbers, trained, uniform


def batch(*, masked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    logits = normal(2, 3, 11, 256)
    if masked:
        logits[:, :, 10, 3:] = -math.inf
    return logits, torch.randint(3, (2, 3, 11), generator=torch_numbers("tokens"))


def test_every_token_weighs_the_same() -> None:
    logits, tokens = batch()
    each = -logits.log_softmax(-1).gather(-1, tokens[..., None])
    torch.testing.assert_close(token_loss(logits, tokens), each.mean())
    changed = [
        token_loss(logits.index_add(2, torch.tensor([k]), 2 * _one(tokens, k)), tokens) for k in (0, 5)
    ]
    assert all(loss < token_loss(logits, tokens) for loss in changed)


def _one(tokens: torch.Tensor, k: int) -> torch.Tensor:
    return functional.one_hot(tokens[:, :, [k]], 256).float()


def test_uniform_logits_cost_the_logarithm_of_what_is_possible() -> None:
    logits = torch.zeros(1, 1, 11, 256)
    logits[..., 10, 3:] = -math.inf
    expected = (10 * math.log(256) + math.log(3)) / 11
    assert token_loss(logits, torch.zeros(1, 1, 11, dtype=torch.long)).item() == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_frames_that_fill_up_do_not_count(flags: list[bool]) -> None:
    logits, tokens = batch()
    valid = torch.tensor(flags).view(2, 3)
    spoilt = torch.where(valid[..., None, None], logits, normal(*logits.shape, name="other"))
    for spread in (0.0, 2.0):
        loss = token_loss(spoilt, tokens, valid, label_smoothing_bins=spread)
        expected = (
            token_loss(logits[valid][None], tokens[valid][None], label_smoothing_bins=spread)
            if any(flags)
            else 0.0
        )
        assert loss.item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("spread", "distance"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.1), (2.0, 0.1)])
def test_gradients_are_finite_though_modes_are_masked(spread: float, distance: float) -> None:
    network = trained()
    images, text = uniform(2, 3, 3, *TINY.image), normal(2, TINY.text)
    logits = network.train()(images, text, uniform(2, 2, 2))
    token_loss(logits, batch()[1], label_smoothing_bins=spread, rps_weight=distance).backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert len(gradients) == len(list(network.parameters()))


@given(st.integers(0, 255), st.integers(0, 255))
def test_distance_costs_a_sure_guess_the_bins_between(guess: int, token: int) -> None:
    logits = torch.full((1, 1, 11, 256), -40.0)
    logits[..., guess] = 0
    tokens = torch.full((1, 1, 11), token)
    extra = token_loss(logits, tokens, rps_weight=0.5) - token_loss(logits, tokens)
    assert extra.item() == pytest.approx(0.5 * abs(guess - token), abs=1e-3)


@given(st.integers(0, 1000))
def test_distance_is_least_for_the_true_chances(seed: int) -> None:
    """It is a strictly proper score: who expects what happens pays least on average."""
    true, said = (torch.rand(2, 6, generator=torch_numbers("chances", seed)) + 0.01).log().log_softmax(-1)
    logits = torch.full((2, 6, 11, 256), -40.0)
    logits[..., :6] = torch.stack([true, said])[:, None, None]
    right = torch.arange(6).view(1, 6, 1).expand(-1, -1, 11)

    def score(chances: torch.Tensor, token: int) -> float:
        frame, tokens = chances[None, [token]], right[:, [token]]
        return float(token_loss(frame, tokens, rps_weight=1) - token_loss(frame, tokens))

    mean = [sum(float(true[k].exp()) * score(chances, k) for k in range(6)) for chances in logits]
    assert mean[0] <= mean[1] + 1e-4


def test_distance_leaves_modes_alone() -> None:
    logits, tokens = batch()
    changed = logits.clone()
    changed[:, :, 10, :3] = changed[:, :, 10, :3].flip(-1)
    extra = [token_loss(x, tokens, rps_weight=1) - token_loss(x, tokens) for x in (logits, changed)]
    assert extra[0].item() == pytest.approx(extra[1].item(), rel=1e-4)


def test_spread_forgives_neighbours_but_never_a_mode() -> None:
    tokens = torch.full((1, 1, 11), 100)
    tokens[..., 10] = 1

    def loss(dimension: int, token: int, spread: float) -> float:
        logits = 6 * functional.one_hot(tokens, 256).float()
        logits[..., 10, 3:] = -math.inf
        logits[0, 0, dimension] = logits[0, 0, dimension].where(logits[0, 0, dimension] < 5, 0.0)
        logits[0, 0, dimension, token] = 6
        return token_loss(logits, tokens, label_smoothing_bins=spread).item()

    assert loss(0, 102, 2.0) < loss(0, 140, 2.0) - 0.01
    assert loss(0, 102, 0.0) == pytest.approx(loss(0, 140, 0.0))
    # On the mode it is the same with and without.
    assert loss(10, 2, 2.0) - loss(10, 1, 2.0) == pytest.approx(loss(10, 2, 0.0) - loss(10, 1, 0.0), rel=1e-4)


@pytest.mark.slow
def test_small_overfits_eight_windows() -> None:
    """Steps are counted, not seconds: 60 took 40 s of one core of a busy machine, so below a minute."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    # Statistics that keep up with a network that learns within a minute.
    network = RT1(replace(SMALL, dropout=0.0, momentum=0.2)).train()
    blobs, text = uniform(8 * SMALL.frames, 3, 4, 5), normal(8, SMALL.text)
    images = functional.interpolate(blobs, SMALL.image, mode="bilinear").unflatten(0, (8, SMALL.frames))
    tokens = torch.randint(256, (8, SMALL.frames, 11), generator=torch_numbers("overfit"))
    tokens[..., 10] %= 3
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=60)
    for _ in range(60):
        optimizer.zero_grad()
        token_loss(network(images, text), tokens).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        right = network.eval()(images, text).argmax(-1) == tokens
    assert right.float().mean() >= 0.95


def test_adam_feels_the_published_divisor() -> None:
    """Near its epsilon of 1e-7 a smaller gradient makes a smaller step; far above it, it does not."""
    assert published_divisor(1024, 6, 8) == 1024 * 6 * 19
    steps = []
    for divisor in (1, published_divisor(1024, 6, 8)):
        weight = torch.nn.Parameter(torch.zeros(()))
        optimizer = torch.optim.Adam([weight], lr=1.0, eps=1e-7)
        (1e-3 * weight / divisor).backward()
        optimizer.step()
        steps.append(-weight.item())
    assert steps[0] == pytest.approx(1, abs=1e-3)
    assert steps[1] < 0.1
