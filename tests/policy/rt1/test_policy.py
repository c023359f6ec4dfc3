"""RT-1 as a policy: what is kept from step to step changes nothing."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.errors import PolicyError
from rtbench.core.image import shrink
from rtbench.core.seeding import generator
from rtbench.policy import card as policies
from rtbench.policy.card import Card
from rtbench.policy.rt1.checkpoint import save, weights_of
from rtbench.policy.rt1.config import SMALL, Size
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.policy import RT1Policy, from_weights
from rtbench.policy.rt1.weights import GOOGLE, Origin
from rtbench.policy.text_encoder.encoder import DEFAULT, DEFAULT_SHA256
from rtbench.testing import check_policy
from tests.helpers.rt1_networks import TINY, Words, observation, trained

STEPS = 13
TINIEST = 1e-30
"""Chance of a value that is never chosen."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> RT1:
    return trained()


@pytest.fixture
def logits(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What each decision was made from, as it is made."""
    seen = []

    def note(self: Inference, window: np.ndarray) -> np.ndarray:
        found = decide(self, window)
        seen.append(torch.from_numpy(found.copy()))
        return found

    decide = Inference.decide
    monkeypatch.setattr(Inference, "decide", note)
    return seen


def anew(network: RT1, instruction: str, pictures: list[np.ndarray]) -> torch.Tensor:
    """Logits float32[11, 256] of the newest frame, from the raw images of the window."""
    window = prepare(pictures[-TINY.frames :], TINY.image)
    with torch.inference_mode():
        return network(torch.from_numpy(window)[None], torch.from_numpy(Words()([instruction])))[0, -1]


def close(kept: torch.Tensor, seen_anew: torch.Tensor) -> None:
    torch.testing.assert_close(kept, seen_anew, atol=1e-4, rtol=0)


def test_kept_tokens_equal_the_window_seen_anew(network: RT1, logits: list[torch.Tensor]) -> None:
    policy = RT1Policy(weights_of(network), Words())
    for episode, instruction in enumerate(("pick apple", "open top drawer")):
        policy.reset(0, instruction, 0)
        pictures = []
        for step in range(STEPS):
            seen = observation(episode, step)
            pictures.append(seen.images["head"])
            tokens = policy.act([seen], [0])
            expected = anew(network, instruction, pictures)
            close(logits[-1], expected)
            assert tokens[0].tolist() == logits[-1].argmax(-1).tolist()


def test_time_and_words_move_the_logits_by_more_than_the_tolerance(
    network: RT1, logits: list[torch.Tensor]
) -> None:
    """Else the test above could not fail."""
    policy = RT1Policy(weights_of(network), Words())
    for words, steps in (("pick apple", 2), ("pick apple", 1), ("open top drawer", 1)):
        policy.reset(0, words, 0)
        for step in range(steps):
            policy.act([observation(1, 1 if step == steps - 1 else 7)], [0])
    whole, alone, other = logits[1:4]
    finite = whole.isfinite()
    assert (whole - alone)[finite].abs().max() > 1e-2
    assert (alone - other)[finite].abs().max() > 1e-2


@pytest.mark.parametrize(("threshold", "mode"), [(0.0, 2), (0.59, 2), (0.61, 1), (1.0, 1)])
def test_it_terminates_only_above_the_threshold(
    network: RT1, monkeypatch: pytest.MonkeyPatch, threshold: float, mode: int
) -> None:
    def decide(self: Inference, window: np.ndarray) -> np.ndarray:
        chances = np.full((11, 256), TINIEST)
        chances[10, :3] = 0.1, 0.3, 0.6  # arm, base, end
        chances[:10, 7] = 1.0
        return np.log(chances)

    monkeypatch.setattr(Inference, "decide", decide)
    policy = RT1Policy(weights_of(network), Words(), terminate_threshold=threshold)
    policy.reset(0, "pick apple", 0)
    assert policy.act([observation(0, 0)], [0]).tolist() == [[7] * 10 + [mode]]


def chances_of(*, here: float, there: float) -> Callable[..., np.ndarray]:
    """A network that gives all values but the mode these chances to be 7 and 9, and ends at 0.6."""

    def decide(self: Inference, window: np.ndarray) -> np.ndarray:
        chances = np.full((11, 256), TINIEST)
        chances[:10, 7], chances[:10, 9] = here, there
        chances[10, :3] = 0.1, 0.3, 0.6
        return np.log(chances)

    return decide


def played(policy: RT1Policy, slots: list[int], seed: int, steps: int) -> np.ndarray:
    """Tokens int64[steps, len(slots), 11]; each slot's episode has a seed of its own."""
    for slot in slots:
        policy.reset(slot, "pick apple", seed + slot)
    return np.stack([policy.act([observation(0, 0)] * len(slots), slots) for _ in range(steps)])


@pytest.mark.parametrize(
    ("temperature", "share"),
    [(0.0, 1.0), (1.0, 0.6), (0.5, 0.6**2 / (0.6**2 + 0.4**2)), (0.1, 0.6**10 / (0.6**10 + 0.4**10))],
)
def test_values_are_drawn_by_their_chances_and_the_mode_is_not(
    network: RT1, monkeypatch: pytest.MonkeyPatch, temperature: float, share: float
) -> None:
    monkeypatch.setattr(Inference, "decide", chances_of(here=0.6, there=0.4))
    policy = RT1Policy(weights_of(network), Words(), temperature=temperature)
    tokens = played(policy, [0], seed=1, steps=300)[:, 0]
    assert set(tokens[:, :10].flatten()) <= {7, 9}
    error = 4 * math.sqrt(share * (1 - share) / 3000)  # four standard deviations
    assert (tokens[:, :10] == 7).mean() == pytest.approx(share, abs=error)
    assert (tokens[:, 10] == 2).all()


def test_draws_follow_from_the_seed_alone(network: RT1, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inference, "decide", chances_of(here=0.5, there=0.5))
    policy = RT1Policy(weights_of(network), Words(), temperature=1.0)
    together = played(policy, [0, 1, 2], seed=5, steps=4)
    np.testing.assert_array_equal(together, played(policy, [0, 1, 2], seed=5, steps=4))
    np.testing.assert_array_equal(together[:, 2:], played(policy, [2], seed=5, steps=4))
    assert (together[:, 0] != together[:, 1]).any()
    assert (together[0] != together[1]).any()


@given(
    plan=st.lists(st.tuples(st.sampled_from(["act", "act", "act", "reset"]), st.integers(1, 7)), max_size=12)
)
@settings(max_examples=15)
def test_slots_are_apart(network: RT1, plan: list[tuple[str, int]]) -> None:
    """Three slots in any mixture of batches and resets answer as each would alone."""
    policy = RT1Policy(weights_of(network), Words())
    pictures: dict[int, list[np.ndarray]] = {slot: [] for slot in range(3)}
    words = dict.fromkeys(range(3), "pick apple")
    for slot in range(3):
        policy.reset(slot, words[slot], 0)
    for turn, (kind, mask) in enumerate(plan):
        slots = [slot for slot in range(3) if mask >> slot & 1]
        if kind == "reset":
            for slot in slots:
                words[slot], pictures[slot] = f"pick thing {turn} {slot}", []
                policy.reset(slot, words[slot], 0)
            continue
        seen = [observation(f"{turn} {slot}") for slot in slots]
        for slot, shown in zip(slots, seen, strict=True):
            pictures[slot].append(shown.images["head"])
        tokens = policy.act(seen, slots)
        for row, slot in zip(tokens, slots, strict=True):
            expected = anew(network, words[slot], pictures[slot])
            chosen = expected[torch.arange(11), torch.from_numpy(row)]
            close(chosen, expected.amax(-1))


def test_it_keeps_the_contract(network: RT1) -> None:
    assert len(check_policy(RT1Policy(weights_of(network), Words()), "rtbench")) >= 5


def test_the_network_may_be_trained_on(network: RT1) -> None:
    other = trained()
    policy = RT1Policy(weights_of(other), Words())
    policy.reset(0, "pick apple", 0)
    before = policy.act([observation(1)], [0])
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    policy.reset(0, "pick apple", 0)
    assert (policy.act([observation(1)], [0]) == before).all()


def test_needs_threads_and_engine(network: RT1) -> None:
    policy = RT1Policy(weights_of(trained(convention="rt1")), Words(), threads=2)
    assert policy.needs.cameras == ("head",)
    assert (policy.needs.history, policy.needs.convention) == (TINY.frames, "rt1")
    assert policy.threads == 2
    assert RT1Policy(weights_of(network), Words()).threads == 1
    assert policy.fingerprint == f"onnxruntime {importlib.metadata.version('onnxruntime')}"


@pytest.mark.parametrize("size", [TINY, SMALL], ids=lambda size: size.name)
def test_logits_are_the_same_to_the_last_bit_in_any_batch(size: Size, logits: list[torch.Tensor]) -> None:
    weights = weights_of(trained(size))
    alone, among = RT1Policy(weights, Words(size.text)), RT1Policy(weights, Words(size.text))
    alone.reset(7, "pick thing 1", 1)
    for slot in range(3):
        among.reset(slot, f"pick thing {slot}", slot)
    for step in range(3):
        alone.act([observation(1, step)], [7])
        among.act([observation(slot, step) for slot in range(3)], [0, 1, 2])
        first, *batch = logits[-4:]
        assert torch.equal(first, batch[1])
        assert not torch.equal(first, batch[0])


def test_a_vector_of_another_length_is_refused(network: RT1) -> None:
    with pytest.raises(PolicyError, match=r"words gives 5 numbers; the network takes 12"):
        RT1Policy(weights_of(network), Words(5)).reset(0, "pick apple", 0)


def test_a_device_that_is_not_here(network: RT1) -> None:
    with pytest.raises(
        PolicyError, match=r"device 'abacus' cannot be used here: .* has cpu; 'cpu' always can"
    ):
        RT1Policy(weights_of(network), Words(), device="abacus")


@pytest.mark.parametrize("given", [None, "nowhere.safetensors"])
def test_no_weights_says_how_to_make_them(given: str | None) -> None:
    with pytest.raises(PolicyError, match=r"(?s)no weights.*rtbench train rt1.*rtbench import rt1"):
        from_weights(given)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(path, trained(replace(TINY, text=384)), Origin(DEFAULT, DEFAULT_SHA256))
    return path


def test_a_card_makes_it(weights: Path) -> None:
    card = Card(
        name="rt1", factory="rtbench.policy.rt1:from_weights", summary="tried here", weights=str(weights)
    )
    policy = policies.build(card)
    policy.reset(0, "pick apple", 0)
    assert policy.act([observation(1)], [0]).shape == (1, 11)
    assert policy.threads == 1


def test_another_convention_or_encoder_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="of convention 'rtbench', expected 'rt1'"):
        from_weights(weights, convention="rt1")
    path = tmp_path / "other.safetensors"
    save(path, trained(), Origin("elsewhere", "cd" * 32))
    with pytest.raises(PolicyError, match=r"(?s)trained with language encoder elsewhere.*argument 'encoder'"):
        from_weights(path, encoder=DEFAULT)
    with pytest.raises(PolicyError, match=r"(?s)encoder elsewhere.*no such folder.*argument 'encoder'"):
        from_weights(path)


def test_weights_may_not_know_their_encoder_s_hash(tmp_path: Path) -> None:
    path = tmp_path / "released.safetensors"
    save(path, trained(replace(TINY, text=384)), Origin("universal-sentence-encoder-large/5", ""))
    from_weights(path, encoder=DEFAULT).reset(0, "pick apple", 0)


def test_images_are_made_smaller_as_in_demonstrations() -> None:
    pixels = generator("prepare").integers(0, 256, (256, 320, 3), dtype=np.uint8)
    for size in ((128, 160), (96, 120), (256, 320)):
        batch = prepare([pixels], size)
        assert (batch.shape, batch.dtype) == ((1, 3, *size), np.float32)
        np.testing.assert_allclose(batch[0].transpose(1, 2, 0) * 255, shrink(pixels, size), atol=1e-4)


def test_images_are_made_larger_as_published() -> None:
    """Bilinear between pixel centres; columns are left out where they get fewer, without antialiasing."""
    pixels = generator("prepare").integers(0, 256, (256, 320, 3), dtype=np.uint8)
    got = prepare([pixels], (300, 300))[0]
    y, x = (np.arange(300) + 0.5) * 256 / 300 - 0.5, (np.arange(300) + 0.5) * 320 / 300 - 0.5
    rows = np.stack([np.interp(y, np.arange(256), column) for column in pixels[..., 0].T], axis=1)
    expected = np.stack([np.interp(x, np.arange(320), row) for row in rows])
    np.testing.assert_allclose(got[0] * 255, expected, atol=1e-2)


def modes_of(*, arm: float, invalid: float, end: float) -> Callable[..., np.ndarray]:
    """A network of convention rt1 whose mode tokens 0 (terminate), 1 (arm) and 200 have these chances."""

    def decide(self: Inference, window: np.ndarray) -> np.ndarray:
        chances = np.full((11, 256), TINIEST)
        chances[1:, 7] = 1.0
        chances[0, 0], chances[0, 1], chances[0, 200] = end, arm, invalid
        return np.log(chances)

    return decide


@pytest.mark.parametrize(
    ("invalid", "threshold", "mode"), [(0.5, 0.0, 0), (0.3, 0.0, 1), (0.5, 0.59, 0), (0.5, 0.61, 1)]
)
def test_a_mode_of_three_or_more_terminates_by_the_published_rule(
    monkeypatch: pytest.MonkeyPatch, invalid: float, threshold: float, mode: int
) -> None:
    monkeypatch.setattr(Inference, "decide", modes_of(arm=0.9 - invalid, invalid=invalid, end=0.1))
    network = trained(convention="rt1-reference")
    policy = RT1Policy(
        weights_of(network), Words(), invalid_mode_terminates=True, terminate_threshold=threshold
    )
    policy.reset(0, "pick apple", 0)
    assert policy.act([observation(0, 0)], [0]).tolist() == [[mode, *[7] * 10]]


def test_logits_of_modes_that_do_not_exist_are_kept_for_the_published_rule() -> None:
    network = trained(convention="rt1-reference")
    with torch.no_grad():
        network.transformer.output.bias[200] = 1e4
    tokens = np.zeros((1, TINY.tokens, TINY.features), dtype=np.float32)
    for rule in (True, False):
        logits = Inference(weights_of(network), all_modes=rule).decide(tokens)
        assert (int(logits[0].argmax()) == 200) == rule
    for rule, modes in ((True, {0}), (False, {0, 1, 2})):
        policy = RT1Policy(weights_of(network), Words(), invalid_mode_terminates=rule)
        policy.reset(0, "pick apple", 0)
        assert int(policy.act([observation(0, 0)], [0])[0, 0]) in modes


def test_the_published_rule_is_the_default_for_weights_of_google(tmp_path: Path) -> None:
    network = trained(replace(TINY, text=384), convention="rt1-reference")
    with torch.no_grad():
        network.transformer.output.bias[200] = 1e4
    for source in ("", GOOGLE):
        save(tmp_path / "w.safetensors", network, Origin(DEFAULT, DEFAULT_SHA256, source=source))
        policy = from_weights(tmp_path / "w.safetensors")
        assert len(policy._ends) == (254 if source else 1)
    assert len(from_weights(tmp_path / "w.safetensors", invalid_mode_terminates=False)._ends) == 1


def test_an_argument_under_its_old_name_is_refused_with_the_new_one(weights: Path) -> None:
    factory = "rtbench.policy.rt1:from_weights"
    card = Card(name="rt1", factory=factory, summary="", weights=str(weights), arguments={"sure": 0.9})
    with pytest.raises(PolicyError, match="argument 'sure' is now 'terminate_threshold'"):
        policies.build(card)


def test_larger_images_are_bilinear_too_for_the_published_network() -> None:
    """As `tf.image.resize`: of 600 x 600 pixels it takes the mean of the four around each centre."""
    pixels = generator("prepare").integers(0, 256, (600, 900, 3), dtype=np.uint8)
    found = prepare([pixels], (300, 300), published=True)[0].transpose(1, 2, 0) * 255
    between = pixels.reshape(300, 2, 900, 3).mean(1)[:, 1::3]  # of three columns the middle one
    np.testing.assert_allclose(found, between, atol=1e-2)
    assert np.abs(prepare([pixels], (300, 300))[0].transpose(1, 2, 0) * 255 - between).max() > 20
