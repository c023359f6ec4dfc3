"""The loss of RT-2 and of distillation, and the errors that ports of RT-2 are known for."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.action import BINS
from rtbench.policy.rt2.action_layout import layout
from rtbench.policy.rt2.config import TINY
from rtbench.policy.rt2.network import Picture, Segments
from rtbench.policy.rt2.pointer import Pointer
from rtbench.policy.rt2.vocabulary import END_OF_WORDS, PLAN, Vocabulary
from rtbench.train.distillation_loss import distillation_loss
from rtbench.train.next_token_loss import next_token_loss
from rtbench.train.token_sequences import IGNORED, PLACE, WORD, Speaker, batch
from tests.helpers.rt2_models import make_network

PLACES = np.array([[0.5, 0.25], [np.nan, np.nan]], np.float32)


@pytest.fixture
def speaker():
    texts = ["move apple near sponge", "pick coke can"] * 3
    return Speaker(Vocabulary.of_texts(texts), 24)


def test_targets_are_the_ids_that_come_next(speaker):
    said = speaker.plan("pick coke can", PLACES)
    assert said.ids[0] == PLAN
    for k, target in enumerate(said.targets[:-1]):
        assert target in {IGNORED, said.ids[k + 1]}
    words = said.ids[1 : said.ids.index(END_OF_WORDS)]
    assert speaker.vocabulary.decode(words) == "pick coke can"
    places = [t for t, kind in zip(said.targets, said.kinds, strict=True) if kind == PLACE]
    assert places == [64, 128, IGNORED, IGNORED], "row before column; an unknown place is no target"


def test_words_are_bounded_and_their_end_is_then_no_target(speaker):
    said = speaker.plan("pick coke can " * 99, PLACES)
    end = said.ids.index(END_OF_WORDS)
    assert end == 25
    assert said.targets[end - 1] == IGNORED


def test_the_loss_is_cross_entropy_over_all_targets(speaker):
    said = batch([speaker.plan("pick coke can", PLACES), speaker.answer("apple", PLACES[:1])])
    logits = torch.randn(*said.ids.shape, len(speaker.vocabulary), generator=torch.Generator().manual_seed(1))
    expected = F.cross_entropy(logits.flatten(0, 1), said.targets.flatten(), ignore_index=IGNORED)
    assert torch.allclose(next_token_loss(logits, said.targets, said.kinds), expected)


def test_smoothing_is_kinder_to_a_bin_nearby_but_not_for_words():
    def loss(kind, off, **smoothing):
        logits = torch.zeros(1, 1, 300)
        logits[0, 0, 100 + off] = 9
        return float(next_token_loss(logits, torch.tensor([[100]]), torch.tensor([[kind]]), **smoothing))

    how = {"label_smoothing_bins": 4.0, "rps_weight": 0.1}
    assert loss(PLACE, 2, **how) < loss(PLACE, 60, **how) - 0.5
    assert loss(PLACE, 2) == pytest.approx(loss(PLACE, 60))
    assert loss(WORD, 2, **how) == pytest.approx(loss(WORD, 60, **how))


def test_without_any_target_the_loss_is_zero():
    nothing = torch.full((2, 3), IGNORED)
    assert next_token_loss(torch.randn(2, 3, 300), nothing, torch.zeros(2, 3, dtype=torch.long)) == 0


def segments(suffix, text=3, seen=True):
    numbers = torch.Generator().manual_seed(7)
    return Segments(
        torch.randn(1, text, TINY.state, generator=numbers),
        torch.ones(1, text, dtype=torch.bool),
        torch.randn(1, TINY.image_tokens, TINY.width, generator=numbers),
        torch.rand(1, TINY.things, 2, generator=numbers),
        torch.tensor([seen]),
        suffix,
    )


def test_no_target_reaches_the_logits_before_it_and_the_prompt_reaches_all():
    """A model that sees its targets learns nothing: the last one is changed, earlier logits must not move."""
    network = make_network(1).eval()
    suffix = torch.tensor([[PLAN, 270, 271, END_OF_WORDS, 4, 5]])
    with torch.no_grad():
        first = network(segments(suffix))
        other = suffix.clone()
        other[0, -1] = 200
        moved = network(segments(other))
        assert torch.equal(first[:, :-1], moved[:, :-1])
        assert not torch.equal(first[:, -1], moved[:, -1])
        prompt = segments(suffix)
        prompt.states[0, -1] += 1
        assert (network(prompt) - first).abs().amax(-1).min() > 0
        blind = segments(suffix, seen=False)
        blind.images[:] += 5
        unseen = segments(suffix, seen=False)
        assert torch.equal(network(blind), network(unseen)), "text alone sees no image"


def test_a_thing_is_told_which_word_means_it():
    network = make_network(1).eval()
    vectors = network.eyes.naming.vectors
    nothing = torch.zeros(1, TINY.cells, TINY.width), torch.zeros(1, 3, TINY.width)
    places, names = torch.zeros(1, 3, 2), torch.ones(1, 3, 4)
    picture = Picture(*nothing, vectors[None, :3], places, names, torch.ones(1, 3))
    states = torch.stack([torch.randn(TINY.state), vectors[2], vectors[0]])[None]
    told = network.image_tokens(picture, states, torch.ones(1, 3, dtype=torch.bool))[0, TINY.cells :]
    weight, bias = network.mention.weight, network.mention.bias
    rest = told - bias - network.state_position.weight[[2, 0, 1]]
    # Of the first and the third thing the word is there; of the second none is near.
    assert torch.allclose(rest[0], weight[:, 0], atol=1e-4)
    assert not torch.allclose(rest[1], weight[:, 0], atol=1e-2)
    hidden = network.image_tokens(picture, states, torch.zeros(1, 3, dtype=torch.bool))[0, TINY.cells :]
    assert torch.allclose(hidden, bias.expand(3, -1))


def test_pointing_copies_the_place_of_the_thing_that_is_attended():
    pointer = Pointer(8)
    with torch.no_grad():
        pointer.query.weight.zero_()
        pointer.query.bias.fill_(1.0)
        pointer.key.weight.zero_()
        pointer.key.weight[:, 0] = 1.0  # a thing is attended by its first number
        x, things = torch.zeros(1, 2, 8), torch.zeros(1, 3, 8)
        things[0, 1, 0] = 9.0
        places = torch.tensor([[[0.1, 0.9], [0.3, 0.7], [0.5, 0.5]]])
        pointer.gate.weight.zero_()
        pointer.gate.bias.zero_()
        assert not pointer(x, things, places).any(), "words and actions are left alone"
        pointer.gate.bias[0] = 1.0
        assert pointer(x, things, places).argmax(-1).tolist() == [[179, 179]], "its row"
        pointer.gate.bias[:] = torch.tensor([0.0, 1.0])
        assert pointer(x, things, places).argmax(-1).tolist() == [[76, 76]], "its column"


def test_padding_and_batches_change_no_logit():
    network = make_network(2).eval()
    suffix = torch.tensor([[PLAN, 270, 271]])
    one = segments(suffix)
    padded = Segments(
        torch.cat([one.states, torch.full((1, 4, TINY.state), 9.0)], 1),
        torch.cat([one.stated, torch.zeros(1, 4, dtype=torch.bool)], 1),
        one.images, one.places, one.seen, torch.cat([suffix, torch.tensor([[256, 256]])], 1),
    )  # fmt: skip
    with torch.no_grad():
        assert torch.allclose(network(one), network(padded)[:, :3], atol=1e-5)


def test_one_set_of_256_ids_serves_all_dimensions(speaker):
    """Seven sets of 256 would make ids up to 1791, for which there are no logits."""
    ids = set()
    for value in np.linspace(0, 1, 50):
        said = speaker.plan("pick coke can", np.full((2, 2), value, np.float32))
        ids |= {t for t, kind in zip(said.targets, said.kinds, strict=True) if kind == PLACE}
    assert len(ids) > 40
    assert ids <= set(range(BINS))


def test_bins_round_trip_through_the_layouts_without_drift():
    """Floor instead of rounding lost half a bin a step, and 63 to 95 tokens of 256 did not come back."""
    from rtbench.core.action import convention

    spec = convention("rtbench")
    for name in ("full", "arm"):
        order = layout(name)
        for value in range(BINS):
            tokens = order.rest.copy()
            tokens[:7] = value
            bins = tokens[list(order.slots)]
            bins[order.mode] = order.modes.index(int(bins[order.mode]))
            assert (order.to_tokens(bins) == tokens).all()
            assert (spec.encode(spec.decode(tokens)) == tokens).all()
    assert (spec.decode(layout("arm").rest)[:6] == 0).all(), "no motion is exactly none"
    assert (spec.decode(layout("arm").rest)[7:10] == 0).all()


def test_distillation_of_equal_networks_is_zero_but_for_the_hard_loss():
    """Temperature on one side alone gave 25.8 here at T = 4."""
    logits = 20 * torch.randn(6, BINS, generator=torch.Generator().manual_seed(3))
    targets = torch.arange(6)
    for temperature in (1.0, 4.0):
        found = distillation_loss(logits, logits, targets, temperature=temperature, hard_weight=0.0)
        assert found == pytest.approx(0, abs=1e-5)
    hard = distillation_loss(logits, logits, targets, hard_weight=1.0)
    assert hard == pytest.approx(float(F.cross_entropy(logits, targets)), rel=1e-5)


def test_distillation_follows_its_formula():
    numbers = torch.Generator().manual_seed(4)
    student, teacher = (3 * torch.randn(2, 5, BINS, generator=numbers) for _ in range(2))
    targets = torch.randint(0, BINS, (2, 5), generator=numbers)
    T, weight = 3.0, 0.3
    p, q = (torch.softmax(x.double() / T, -1) for x in (teacher, student))
    soft = float((p * (p.log() - q.log())).sum(-1).mean()) * T**2
    hard = -math.fsum(student.double().log_softmax(-1).gather(-1, targets[..., None]).flatten().tolist()) / 10
    found = distillation_loss(student, teacher, targets, temperature=T, hard_weight=weight)
    assert float(found) == pytest.approx((1 - weight) * soft + weight * hard, rel=1e-5)


def test_peaked_teachers_give_a_finite_loss_and_no_gradient_to_the_teacher():
    student = torch.zeros(1, BINS, requires_grad=True)
    teacher = torch.full((1, BINS), -1e4)
    teacher[0, 7] = 1e4
    teacher.requires_grad_()
    loss = distillation_loss(student, teacher, torch.tensor([7]), temperature=1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert teacher.grad is None
    with pytest.raises(ValueError, match="temperature"):
        distillation_loss(student, teacher, torch.tensor([7]), temperature=0)
