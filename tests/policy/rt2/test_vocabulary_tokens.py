"""Token tables, layouts, the vocabulary and weights in a file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.action import convention
from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.policy.rt2.action_layout import layout
from rtbench.policy.rt2.checkpoint import CheckpointError, load, save
from rtbench.policy.rt2.token_table import bins_of, locations
from rtbench.policy.rt2.vocabulary import FIRST_PIECE, PIECES, Vocabulary
from tests.helpers.rt2_models import TEXTS, make_model

VOCABULARY = Vocabulary.of_texts(TEXTS)
PLAIN = {f"piece{k}": k for k in range(1000)}
LOC = {f"<loc{k:04d}>": 5000 + k for k in range(1024)}


@given(st.text(max_size=60))
def test_any_text_has_ids_and_comes_back_in_lower_case(text):
    ids = VOCABULARY.encode(text)
    assert all(FIRST_PIECE <= token < len(VOCABULARY) for token in ids)
    assert len(VOCABULARY.encode(text, 5)) <= 5
    assert VOCABULARY.decode([3, 257, *ids]) == VOCABULARY.decode(ids)


def test_words_of_the_training_are_few_pieces():
    assert VOCABULARY.decode(VOCABULARY.encode("Move apple near sponge")) == "move apple near sponge"
    assert len(VOCABULARY.encode("move apple near sponge")) <= 6
    assert len(Vocabulary.of_texts(f"word{k} other{k}" for k in range(9000))) <= FIRST_PIECE + PIECES == 3000


def test_the_same_texts_give_the_same_vocabulary():
    assert Vocabulary.of_texts(reversed(TEXTS)).to_json() == VOCABULARY.to_json()


def test_tables_give_256_different_ids():
    assert bins_of("loc", LOC, []).tolist() == list(range(5000, 5256))
    assert len(locations(LOC)) == 1024
    added = range(990, 1000)
    assert bins_of("least-used", PLAIN, added).tolist() == list(range(734, 990))
    numbers = {f"▁{k}": 3 * k for k in range(1000)}
    assert bins_of("integers", numbers, []).tolist() == [3 * k for k in range(256)]


@pytest.mark.parametrize(
    ("name", "vocabulary", "message"),
    [
        ("loc", PLAIN, "no location tokens"),
        ("integers", {str(k): k for k in range(10)}, "no token for the number 10"),
        ("least-used", {str(k): k for k in range(300)}, "cannot be spared"),
        ("integers", {str(k): 0 for k in range(256)}, "1 different ids"),
    ],
)
def test_vocabularies_without_the_ids_are_refused(name, vocabulary, message):
    with pytest.raises(PolicyError, match=message):
        bins_of(name, vocabulary, [])
    with pytest.raises(UnknownNameError, match="loc"):
        bins_of("lock", vocabulary, [])


@pytest.mark.parametrize("name", ["rtbench", "rt1"])
def test_layouts_make_valid_tokens_of_any_bins(name):
    spec, random = convention(name), np.random.default_rng(0)
    for kind, length in (("full", 11), ("arm", 8)):
        order = layout(kind, name)
        assert order.length == length
        for _ in range(50):
            bins = [int(random.integers(count)) for count in order.counts]
            tokens = spec.check_tokens(order.to_tokens(bins))
            bins[order.mode] = order.modes[bins[order.mode]]
            assert tokens[list(order.slots)].tolist() == bins
    with pytest.raises(UnknownNameError, match="full"):
        layout("fill")


def test_weights_are_read_as_they_were_written(tmp_path):
    model = make_model(4, kind="arm")
    save(tmp_path / "a.safetensors", model)
    found = load(tmp_path / "a.safetensors")
    for name, value in model.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], value), name
    assert found.vocabulary.to_json() == model.vocabulary.to_json()
    assert found.layout.name == "arm"
    save(tmp_path / "b.safetensors", found)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_weights_that_cannot_be_used_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    save(path, make_model())
    whole = path.read_bytes()
    for damage in (whole[:-50], b"hello", whole[:40], b"", b"\x80" + whole[1:]):
        path.write_bytes(damage)
        with pytest.raises(CheckpointError, match=r"w\.safetensors"):
            load(path)
    model = make_model()
    with torch.no_grad():
        model.network.head.bias[3] = torch.nan
    with pytest.raises(CheckpointError, match=r"head\.bias has 1 numbers"):
        save(path, model)
