from dataclasses import replace

import numpy as np
import pytest

from rtbench.data.naming import Name, Naming
from rtbench.data.vision_language import (
    NamedPlace,
    Pair,
    VisionLanguageError,
    VisionLanguageWriter,
    read,
    read_all,
)

SIZE = (8, 10)
WHERE = Pair("where is the äpfel?", "", (NamedPlace("apple", 0.25, 0.75),), "where", "de")
FACT = Pair("two plus three", "five", kind="sum")


def picture(value):
    return np.full((*SIZE, 3), value, np.uint8)


def naming(name):
    return Naming((Name(name, "fruit"),), np.array([1]), np.array([0]), np.array([[0.25, 0.75]], np.float32),
                  np.array([1.0], np.float32))  # fmt: skip


def write(path, name="apple", value=7, pairs=((WHERE, 0), (FACT, None))):
    with VisionLanguageWriter(path, SIZE, held_out={"words": ["pear"]}) as out:
        out.picture(picture(value), naming(name))
        for pair, number in pairs:
            out.pair(pair, number)
    return path


def test_what_is_written_is_read(tmp_path):
    found = read(write(tmp_path / "a.h5"))
    assert found.pairs == (WHERE, FACT)
    assert found.pictures.tolist() == [0, -1]
    assert (found.images == 7).all()
    assert found.images.shape == (1, *SIZE, 3)
    assert found.naming.vocabulary == (Name("apple", "fruit"),)
    assert found.held_out == {"words": ["pear"]}


def test_several_files_are_joined(tmp_path):
    both = read_all([write(tmp_path / "a.h5"), write(tmp_path / "b.h5", "sponge", 9)])
    assert both.pictures.tolist() == [0, -1, 1, -1]
    assert both.images[:, 0, 0, 0].tolist() == [7, 9]
    assert [both.naming.vocabulary[k].text for k in both.naming.names] == ["apple", "sponge"]


@pytest.mark.parametrize(
    ("pair", "number", "message"),
    [
        (replace(WHERE, question=" "), 0, "no question"),
        (replace(FACT, answer=""), None, "neither an answer nor a place"),
        (WHERE, 3, "picture 3 of 1"),
        (WHERE, None, "places without a picture"),
        (replace(WHERE, places=(NamedPlace("apple", 1.25, 0.5),)), 0, "from 0 to 1"),
        (replace(WHERE, places=(NamedPlace("apple", float("nan"), 0.5),)), 0, "from 0 to 1"),
        (replace(WHERE, places=WHERE.places * 5), 0, "at most 4"),
    ],
)
def test_pairs_that_cannot_be_are_refused_and_no_file_is_left(tmp_path, pair, number, message):
    with pytest.raises(VisionLanguageError, match=message):
        write(tmp_path / "a.h5", pairs=[(pair, number)])
    assert not list(tmp_path.iterdir())


def test_files_of_another_kind_are_named(tmp_path):
    missing, text = tmp_path / "no.h5", tmp_path / "text.h5"
    text.write_text("hello")
    for path in (missing, text):
        with pytest.raises(VisionLanguageError, match=path.name):
            read(path)


def test_a_file_cut_off_is_an_error(tmp_path):
    path = write(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(VisionLanguageError, match="damaged"):
        read(path)
