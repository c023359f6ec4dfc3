"""Words that no dictionary knows are found, names and other vocabulary are not."""

from __future__ import annotations

import pytest

from rtbench.task.audit.spelling import DICTIONARIES, has_dictionary, unknown_words


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("en", "place the apple near the water bottle", "aplpe"),
        ("de", "öffne die mittlere Schublade", "Schublabe"),
        ("es", "la botella de agua y el cajón", "cajjón"),
        ("fr", "ouvre le tiroir du haut", "tirroir"),
        ("it", "apri il cassetto superiore", "cassseto"),
        ("pt-BR", "abra a gaveta de cima", "gavetta"),
        ("nl", "sluit de onderste lade", "ladde"),
        ("ar", "افتح الدرج العلوي", "الدرجج"),
    ],
)
def test_a_misspelt_word_is_found(language, right, wrong):
    assert unknown_words(right, language) == []
    assert unknown_words(f"{right} {wrong}, {wrong}", language) == [wrong.lower()]


def test_vocabulary_numbers_and_single_letters_are_known():
    text = "move 7up can and the rxbar near 3, x or the rice-rxbar"
    assert unknown_words(text, "en") == ["rxbar", "rice-rxbar"]
    assert unknown_words(text, "en", {"rxbar"}) == []


def test_words_with_apostrophes_and_hyphens_are_their_parts():
    assert unknown_words("leave it within a hand's width", "en") == []
    assert unknown_words("prends l'éponge et pose-la", "fr") == []
    assert unknown_words("prends l'épponge et pose-la", "fr") == ["l'épponge"]


def test_languages_without_a_dictionary_say_so():
    assert not has_dictionary("ja")
    assert unknown_words("ほげほげ", "ja") == []
    assert all(has_dictionary(language) for language in (*DICTIONARIES, "pt-BR", "en-GB"))
