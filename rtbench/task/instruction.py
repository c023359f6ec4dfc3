"""Instructions: fills templates with the names of objects, and checks the form of instructions.

A template holds roles in braces: ``pick {object}``, or ``pick up {a object}`` for "an apple". RT-1's
instructions are lower-case, without articles or a full stop. Instructions of rtbench have that form, with
articles where a person would use them. Other languages keep their capitals; their characters, script and
blanks are checked.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.core.seeding import generator

_BRACES = re.compile(r"\{(?P<article>a )?(?P<role>[^{}]*)\}")
_WORD = re.compile(r"[a-z0-9']+(?:-[a-z0-9']+)*")
_AN = re.compile(r"(?!uni(?!n)|us[eu]|eu|one\b)(?:[aeiou]|rx|hour|8|1[18]\b)")
"""Beginnings with a vowel sound: letters (not as in "unit" and "one"), a name that is spelt out, a silent h,
and the numbers 8, 11, 18."""

_INSIDE = (",", ".", "?", "!", ":")
"""Marks that may follow a word inside an English instruction; a story can have several sentences."""

_TAG = re.compile(r"(?P<language>[a-z]{2,3})(?:-(?P<script>[A-Z][a-z]{3}))?(?:-(?:[A-Z]{2}|[0-9]{3}))?")
_LETTERS: dict[str, tuple[str, ...]] = {
    "Arab": ("ARABIC",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Grek": ("GREEK",),
    "Hans": ("CJK UNIFIED",),
    "Hant": ("CJK UNIFIED",),
    "Hebr": ("HEBREW",),
    "Jpan": ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC ITERATION"),
    "Kore": ("HANGUL",),
    "Latn": ("LATIN",),
    "Thai": ("THAI",),
}
"""Script -> beginnings of the Unicode names of its letters."""
_SCRIPTS = {
    **dict.fromkeys(("ar", "fa", "ur"), "Arab"),
    **dict.fromkeys(("be", "bg", "mk", "ru", "uk"), "Cyrl"),
    **dict.fromkeys(("hi", "mr", "ne"), "Deva"),
    "el": "Grek",
    "he": "Hebr",
    "ja": "Jpan",
    "ko": "Kore",
    "th": "Thai",
    "zh": "Hans",
}
"""Script of a language whose tag does not name one; all others are Latin."""
_ASKED = "?\uff1f\u061f"
"""Question marks: plain, full-width, Arabic."""
_MARKS = f" .,!:'-{_ASKED}\u2019\u00bf\u00a1\u060c\u0964\u3001\u3002\u30fb\uff0c\uff01"
"""Marks that may stand between letters: also a curved apostrophe, Spanish opening marks, an Arabic comma, a
danda, and East Asian commas, full stop, middle dot and exclamation mark."""
_JOINERS = frozenset("\u200c\u200d")
_JOINED = ("Arab", "Deva")
"""Scripts whose spelling needs invisible joiners."""


class InstructionError(RtbenchError):
    """A template or instruction of a wrong form."""


def roles_in(template: str) -> tuple[str, ...]:
    """Roles that the template mentions, in order, each once."""
    return tuple(dict.fromkeys(match["role"] for match in _BRACES.finditer(template)))


def check_template(
    template: str, roles: Collection[str], needed: Collection[str], *, where: str = ""
) -> None:
    """Refuse a template that cannot be filled or that is ambiguous.

    Args:
        template: The template.
        roles: Roles of the skill; every word in braces must be one of them.
        needed: Roles with more than one candidate; every template must mention them.
        where: File and entry, for the message.

    Raises:
        UnknownNameError: an unknown role in braces.
        InstructionError: a role that is not mentioned, or a loose brace.
    """
    place = _place(template, where)
    used = roles_in(template)
    for role in used:
        if role not in roles:
            raise UnknownNameError("role", role, roles, where=place)
    missing = [role for role in needed if role not in used]
    if missing:
        raise InstructionError(
            f"{place} does not say which {missing[0]} is meant; put {{{missing[0]}}} in it."
        )
    if re.search(r"[{}]", _BRACES.sub("", template)):
        raise InstructionError(f"{place} has a brace that opens or closes nothing.")


def fill(template: str, words: Mapping[str, str], *, where: str = "") -> str:
    """The template with each role's words in place of its braces; `where` is for messages.

    Raises:
        UnknownNameError: a role without words.
        InstructionError: the result is no clean instruction.
    """

    def put(match: re.Match[str]) -> str:
        if match["role"] not in words:
            raise UnknownNameError("role", match["role"], words, where=_place(template, where))
        name = words[match["role"]]
        return with_article(name) if match["article"] else name

    instruction = _BRACES.sub(put, template)
    check_instruction(instruction, where=where)
    return instruction


def check_instruction(text: str, language: str = "en", where: str = "") -> None:
    """Refuse an instruction that is not in the form in which people write.

    English is lower-case words, one blank apart; commas, and between sentences full stops, may stand inside,
    a question mark also at the end. Other languages have their own letters and capitals; a name may stay in
    Latin letters. None says a word twice in a row or ends in a full stop.

    Args:
        text: The instruction.
        language: Its BCP 47 tag.
        where: File and entry, for the message.

    Raises:
        InstructionError: it is not so; names the offending piece.
    """
    place = _place(text, where)
    if is_english(language):
        _check_english(text, place)
    else:
        _check_foreign(text, language, place)
    for first, second in itertools.pairwise(text.split(" ")):
        if first == second.rstrip(_MARKS):  # a mark between the two shows that both are meant
            raise InstructionError(f"{place} says {first!r} twice in a row.")


def is_english(language: str) -> bool:
    """Whether the BCP 47 tag is English's or that of one of its varieties."""
    return language == "en" or language.startswith("en-")


def script_of(language: str, where: str = "") -> str:
    """ISO 15924 code of the script that a language is written in; `where` is for messages.

    Raises:
        InstructionError: no BCP 47 tag such as 'de', 'pt-BR' or 'zh-Hant', or a script without a table.
    """
    match = _TAG.fullmatch(language)
    place = f"{where}: language" if where else "language"
    if not match:
        raise InstructionError(f"{place} {language!r} is no BCP 47 tag; write one such as 'de' or 'pt-BR'.")
    script = match["script"] or _SCRIPTS.get(match["language"], "Latn")
    if script not in _LETTERS:
        raise UnknownNameError("script", script, _LETTERS, where=f"{place} {language!r}")
    return script


def _check_english(text: str, place: str) -> None:
    *inner, last = text.split(" ")
    words = [word[:-1] if word.endswith(_INSIDE) else word for word in inner]
    words.append(last.removesuffix(_ASKED[0]))
    for word, written in zip(words, (*inner, last), strict=True):
        if not _WORD.fullmatch(word):
            found = repr(written) if written else "a stray blank"
            allowed = "lower-case words, one blank apart, without a full stop at the end"
            raise InstructionError(f"{place} has {found}; allowed are {allowed}.")


def _check_foreign(text: str, language: str, place: str) -> None:
    script = script_of(language)
    if not unicodedata.is_normalized("NFC", text):
        raise InstructionError(f"{place} is not composed; write it in Unicode's normal form NFC.")
    own = sum(_is_letter(sign, script) for sign in text)
    latin = sum(sign.isascii() and sign.isalpha() for sign in text)
    for sign in text:
        known = _is_letter(sign, script) or (sign.isascii() and sign.isalnum()) or sign in _MARKS
        if not known and not (script in _JOINED and sign in _JOINERS):
            name = unicodedata.name(sign, "no character")
            raise InstructionError(f"{place} has {sign!r} ({name}), which {language!r} is not written with.")
    if not own or (script != "Latn" and own < latin):
        raise InstructionError(f"{place} is hardly written in {script}, the script of {language!r}.")
    if "" in text.split(" "):
        raise InstructionError(f"{place} has a stray blank.")
    if unicodedata.category(text[-1]).startswith("P") and text[-1] not in _ASKED:
        raise InstructionError(f"{place} ends in {text[-1]!r}; only a question mark may stand there.")


def _is_letter(sign: str, script: str) -> bool:
    """Whether it is a letter, or a sign that goes on one, of that script."""
    return unicodedata.category(sign)[0] in "LM" and unicodedata.name(sign, "").startswith(_LETTERS[script])


def _place(text: str, where: str) -> str:
    return f"{where}: instruction {text!r}" if where else f"instruction {text!r}"


def with_article(name: str) -> str:
    """'an apple', 'a sponge', 'a 7up can', 'an rxbar'."""
    return f"{'an' if _AN.match(name) else 'a'} {name}"


def choose(templates: Sequence[str], *stream: str | int) -> str:
    """One of the templates, all equally likely, drawn from the random stream of that name."""
    return templates[int(generator(*stream, "instruction").integers(len(templates)))]
