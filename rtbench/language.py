"""Instructions: templates with the names of things filled in, and what an instruction may look like.

A template holds roles in braces: ``pick {object}``, or ``pick up {a object}`` for "an apple". RT-1's
instructions are lower-case, without articles or a full stop; ours keep to that form and use articles
where a person would.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence

from rtbench.errors import RtbenchError, UnknownNameError
from rtbench.seeding import generator

_BRACES = re.compile(r"\{(?P<article>a )?(?P<role>[^{}]*)\}")
_WORD = re.compile(r"[a-z0-9']+(?:-[a-z0-9']+)*")
_AN = re.compile(r"[aeiou]|rx|8|1[18]\b")
"""Beginnings that sound like a vowel: letters, a name that is spelt out, and the numbers 8, 11, 18."""


class InstructionError(RtbenchError):
    """A template or instruction that no policy should be given."""


def roles_in(template: str) -> tuple[str, ...]:
    """Roles that the template mentions, in order, each once."""
    return tuple(dict.fromkeys(match["role"] for match in _BRACES.finditer(template)))


def check_template(
    template: str, roles: Collection[str], needed: Collection[str], *, where: str = ""
) -> None:
    """Refuse a template that cannot be filled or that leaves open what is meant.

    Args:
        template: The template.
        roles: Roles of the skill; every word in braces must be one of them.
        needed: Roles that more than one thing can play; every template must mention them.
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


def check_instruction(text: str, *, where: str = "") -> None:
    """Refuse an instruction that betrays how it was made; `where` is for messages.

    Raises:
        InstructionError: it is empty, has capitals, underscores, braces, a full stop or stray blanks, or
            says a word twice in a row; names the offending piece.
    """
    words = text.split(" ")
    for word in words:
        if not _WORD.fullmatch(word.removesuffix(",")):
            found = repr(word) if word else "a stray blank"
            allowed = "lower-case words, one blank apart, without a full stop"
            raise InstructionError(f"{_place(text, where)} has {found}; allowed are {allowed}.")
    for first, second in itertools.pairwise(words):
        if first == second:
            raise InstructionError(f"{_place(text, where)} says {first!r} twice in a row.")


def _place(text: str, where: str) -> str:
    return f"{where}: instruction {text!r}" if where else f"instruction {text!r}"


def with_article(name: str) -> str:
    """'an apple', 'a sponge', 'a 7up can', 'an rxbar'."""
    return f"{'an' if _AN.match(name) else 'a'} {name}"


def choose(templates: Sequence[str], *stream: str | int) -> str:
    """One of the templates, all equally likely, drawn from the random stream of that name."""
    return templates[int(generator(*stream, "instruction").integers(len(templates)))]
