"""What an instruction may look like, in English and in other languages."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import RtbenchError
from rtbench.task.instruction import (
    InstructionError,
    check_instruction,
    is_english,
    script_of,
    with_article,
)

WORDS = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=2, max_size=6, unique=True)
FOREIGN = {
    "de": "stoß die Coca-Cola-Dose um",
    "fr": "prends l'éponge, s'il te plaît",
    "es": "¿puedes abrir el cajón de arriba?",
    "pl": "włóż gąbkę do górnej szuflady",
    "tr": "su şişesini dik koy",
    "zh-Hans": "从纸碗里拿出橙子\uff0c放到台面上",
    "ja": "コカ・コーラの缶を取ってください",
    "ko": "사과를 집어 줘",
    "hi": "सबसे ऊपर वाली दराज़ खोलो",
    "ar": "ضع التفاحة في الوعاء الأبيض",
    "ru": "возьми банку 7up",
    "sr-Cyrl": "узми јабуку",
}


@given(WORDS, st.sampled_from([",", ".", "?", "!", ":"]), st.booleans(), st.data())
def test_english_takes_marks_inside_and_a_question_mark_at_the_end(words, mark, asks, data):
    place = data.draw(st.integers(0, len(words) - 2))
    inside = [word + mark if k == place else word for k, word in enumerate(words)]
    check_instruction(" ".join(inside) + "?" * asks)
    if mark != "?":
        with pytest.raises(InstructionError, match=re.escape(f"'{words[-1]}{mark}'")):
            check_instruction(" ".join(words) + mark)


@given(WORDS, st.data())
def test_a_word_is_not_said_twice_in_a_row(words, data):
    place = data.draw(st.integers(0, len(words) - 1))
    mark = data.draw(st.sampled_from(["", "?"]))
    doubled = " ".join([*words[:place], words[place], *words[place:]])
    for language in ("en", "fr"):
        with pytest.raises(InstructionError, match=f"'{words[place]}' twice"):
            check_instruction(doubled + mark, language)
        check_instruction(" ".join([*words[:place], words[place] + ",", *words[place:]]), language)


@pytest.mark.parametrize(
    "text",
    ["", " pick", "pick  apple", "Pick apple", "pick coke_can", "pick {object}", "pick .", "pick apple ."],
)
def test_unclean_english_is_refused(text):
    with pytest.raises(InstructionError, match=re.escape(f"here: instruction {text!r} has")):
        check_instruction(text, where="here")


@pytest.mark.parametrize(("language", "text"), FOREIGN.items())
def test_other_languages_keep_their_letters(language, text):
    check_instruction(text, language)


@pytest.mark.parametrize("other", FOREIGN)
def test_a_script_does_not_pass_for_another(other):
    for language, text in FOREIGN.items():
        scripts = {script_of(language), script_of(other)}
        if len(scripts) == 2 and scripts != {"Hans", "Jpan"}:  # Chinese characters may be Japanese
            with pytest.raises(InstructionError, match=re.escape(repr(other))):
                check_instruction(text, other)


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("fr", unicodedata.normalize("NFD", "prends l'éponge"), "NFC"),
        ("de", "nimm den Apfel.", "ends in '.'"),
        ("ja", "りんごを取って。", "ends in '\u3002'"),
        ("hi", "सेब उठाओ।", "ends in '\u0964'"),
        ("de", "nimm {object}", "LEFT CURLY BRACKET"),
        ("de", "nimm den\u00a0Apfel", "NO-BREAK SPACE"),
        ("de", "nimm  den Apfel", "stray blank"),
        ("de", "nimm den Apfel ", "stray blank"),
        ("de", "nimm den Apfel,", "ends in ','"),
        ("de", "nimm den_Apfel", "LOW LINE"),
        ("ru", "возьми coke can near apple", "hardly written in Cyrl"),
        ("ja", "123", "hardly written in Jpan"),
        ("de", "", "hardly written"),
        ("de", "nimm\u200dden Apfel", "ZERO WIDTH JOINER"),
    ],
)
def test_unclean_texts_of_other_languages_are_refused(language, text, reason):
    with pytest.raises(InstructionError, match=reason):
        check_instruction(text, language, where="here")


def test_languages_have_the_script_that_they_are_written_in():
    scripts = {
        tag: script_of(tag) for tag in ("de", "pt-BR", "es-419", "zh", "zh-Hant", "ja", "ar", "sr-Cyrl")
    }
    assert list(scripts.values()) == ["Latn", "Latn", "Latn", "Hans", "Hant", "Jpan", "Arab", "Cyrl"]
    assert is_english("en")
    assert is_english("en-GB")
    assert not is_english("eno")


@pytest.mark.parametrize("tag", ["", "german", "DE", "de_DE", "de-de", "zh-Xxxx"])
def test_tags_of_no_language_are_refused(tag):
    with pytest.raises(RtbenchError, match=re.escape(repr(tag))):
        script_of(tag, "here")


@pytest.mark.parametrize(
    "text",
    ["an hourglass", "a used cup", "a unicorn", "a uniform", "an umbrella", "an unopened can", "a euro coin",
     "an uninteresting card", "a one", "an onion", "an ornament"],
)  # fmt: skip
def test_articles_follow_the_sound(text):
    assert with_article(text.split(" ", 1)[1]) == text
