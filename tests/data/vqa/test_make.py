"""Vision-language data: the same from the same seed, whoever makes it, and with nothing that is held out."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from rtbench.cli.vqa_options import SETS as OFFERED
from rtbench.data import vision_language
from rtbench.data.vision_language import Pair, VisionLanguageError, read
from rtbench.data.vqa import make as making_of
from rtbench.data.vqa.facts import FactsError, facts
from rtbench.data.vqa.held_out import HeldOut, held_out, instructions, overlap, plain
from rtbench.data.vqa.knowledge import knowledge, moved
from rtbench.data.vqa.make import Making, make
from rtbench.data.vqa.picture import SCENE, SETS
from rtbench.task.library import BUNDLED
from tests.helpers.commands import rtbench as run

HOW = Making(pictures=4, pairs=6, size=(64, 80), sets=("symbols", "cups"))


@pytest.fixture(scope="module")
def keeping() -> HeldOut:
    return held_out()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of a command that was killed after its first part of two, and goes on."""
    path, patch = tmp_path_factory.mktemp("vqa") / "q.h5", pytest.MonkeyPatch()
    patch.setattr(making_of, "PART", 2)
    original = making_of._Job.part

    def part(job, number):
        if number:
            raise KeyboardInterrupt
        return original(job, number)

    patch.setattr(making_of._Job, "part", part)
    with pytest.raises(KeyboardInterrupt):
        make(HOW, path, 1)
    assert not path.exists()
    patch.setattr(making_of._Job, "part", original)
    with pytest.raises(VisionLanguageError, match="other settings"):
        make(Making(pictures=5), path, 1)
    done = make(HOW, path, 1)
    assert done.drawn == 2
    patch.undo()
    return path


def test_a_file_in_one_go_is_the_same(made, tmp_path):
    whole = tmp_path / "whole.h5"
    assert make(HOW, whole, 1).drawn == HOW.pictures
    one, other = read(made), read(whole)
    assert one.pairs == other.pairs
    for name in ("counts", "names", "places"):
        assert np.array_equal(getattr(one.naming, name), getattr(other.naming, name))
    assert np.abs(one.images.astype(int) - other.images).max() <= 2


def test_a_finished_file_is_told_again_and_not_overwritten(made):
    assert make(HOW, made).drawn == 0
    with pytest.raises(VisionLanguageError, match="was made with other settings"):
        make(Making(pictures=7), made)


def test_what_is_asked_is_about_what_is_seen(made):
    found = read(made)
    ends = np.cumsum([0, *found.naming.counts])
    about = [(pair, k) for pair, k in zip(found.pairs, found.pictures.tolist(), strict=True) if k >= 0]
    assert len({pair.kind for pair, _ in about}) >= 6
    assert "command" in {pair.kind for pair, _ in about}
    assert len(about) > 3 * HOW.pictures
    for pair, k in about:
        span = slice(ends[k], ends[k + 1])
        there = {
            found.naming.vocabulary[n].text: tuple(p)
            for n, p in zip(found.naming.names[span], found.naming.places[span], strict=True)
        }
        for place in pair.places:
            assert there[place.name] == pytest.approx((place.x, place.y), abs=1e-6), pair


def test_nothing_that_is_held_out_is_in_the_file(made, keeping):
    found = read(made)
    assert [pair for pair in found.pairs if pair in keeping] == []
    assert found.held_out == keeping.summary()
    assert keeping.scenes == ("office_desk", "simpler_cabinet", "simpler_table", "sink_counter")
    assert keeping.sets == ("desk", "simpler", "sink", "unseen_easy", "unseen_hard")
    assert "background_hard_blue_kitchen" in keeping.variants
    assert set(SETS) == set(OFFERED)
    assert BUNDLED.suite("seen").tasks()[0].scene == SCENE


def test_an_instruction_of_the_suites_is_recognised(keeping):
    for suite in ("novel", "emergent"):
        seen = {plain(t) for texts in instructions("seen").values() for t in texts}
        texts = [t for texts in instructions(suite).values() for t in texts if plain(t) not in seen]
        assert len(texts) > 50
        assert all(Pair(f" {text.upper()}!", "x") in keeping for text in texts if text.isascii())
        assert all(Pair("x", text) in keeping for text in texts)
    a, b = sorted(next(pair for pair in keeping.operands if len(pair) == 2))
    assert Pair(f"find {b} plus {a}", "x", kind="sum") in keeping
    assert Pair(f"find {b} plus {a}", "x", kind="where") not in keeping


def test_the_overlap_of_words_is_counted():
    none = {one.axis: one for one in overlap([])}
    axis = next(iter(none))
    text = min(instructions("emergent")[axis])
    some = {one.axis: one for one in overlap([Pair(text, "x")])}
    assert none[axis].share == 0
    assert 0 < some[axis].share < 1


def test_names_are_known_in_all_languages_and_facts_have_no_picture():
    known = knowledge()
    objects = {name for name, thing in BUNDLED.things().items() if thing.set in SETS}
    assert set(known.things) <= objects
    assert set(known.words["things"]) <= objects
    assert all(set(by) == set(known.languages) for by in known.phrases.values())
    assert moved("der rote Becher", "de") == "den roten Becher"
    assert moved("красная чашка", "ru") == "красную чашку"
    told = list(facts(known, ("cups",)))
    assert Pair("rote tasse = ?", "x") not in told
    assert Pair("la taza roja = ?", "red cup", kind="translation", language="es") in told
    assert not any(pair.places for pair in told)


def test_emoji_names_come_from_its_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "emoji", None)
    with pytest.raises(FactsError, match="pip install"):
        list(facts(knowledge(), ("cups",), emoji=True))
    monkeypatch.undo()
    pytest.importorskip("emoji")
    told = set(facts(knowledge(), (), emoji=True))
    assert Pair("cebra = ?", "zebra", kind="translation", language="es") in told


def test_the_command_says_what_it_made(made):
    said = run(
        "vqa", "-n", 4, "--pairs", 6, "--size", "64x80", "--set", "symbols", "--set", "cups", "-o", made
    )
    assert said.code == 0, said.err
    assert "Made 4 pictures with" in said.out
    assert "emergent axis" in said.out or "symbols/1" in said.out
    with h5py.File(made) as file:
        assert file.attrs["format"] == vision_language.FORMAT
    said = run("vqa", "--set", "desk", "-o", made.with_name("other.h5"))
    assert said.code == 2
    assert "desk" in said.err
