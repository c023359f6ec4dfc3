"""Wordings say the tasks that exist in other words, and those that cannot are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import RtbenchError
from rtbench.task import instruction, yaml_loader
from rtbench.task.audit.spelling import unknown_words
from rtbench.task.library import BUNDLED
from rtbench.task.paraphrase import Wording, WordingError, as_sentence, vocabulary
from rtbench.task.task import Goal, Start, Task

FOLDER = "tasks/wordings"
WORDINGS = BUNDLED.read(FOLDER, Wording)
RT2 = "rt2_"
"""RT-2's own words, which are for other tasks than the translations."""
FOREIGN = {
    name: wording
    for name, wording in WORDINGS.items()
    if not instruction.is_english(wording.language) and not name.startswith(RT2)
}
REQUIRED = {"spanish", "french", "german", "italian", "portuguese", "chinese", "japanese", "hindi", "arabic"}


def task(what: str, target: str = "apple") -> Task:
    return Task(
        id=f"wave/{what}-v0",
        skill="wave",
        scene="office_kitchen",
        objects=(what,),
        goal=Goal("lifted", (what,)),
        start=Start(),
        templates=(f"wave {what}", f"wave the {what}"),
        horizon=30,
        entry="wave_at",
        cast={"object": what, "target": target},
    )


TOYS = {toy.id: toy for toy in (task("sponge"), task("bottle"))}
SPONGE, BOTTLE = TOYS.values()


def read(tmp_path: Path, fields: str) -> Wording:
    path = tmp_path / "mine.yaml"
    path.write_text(f"mine: {fields}\n", encoding="utf-8")
    return yaml_loader.read_file(path, Wording)["mine"]


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return BUNDLED.tasks()


def test_a_phrase_comes_before_a_template_and_that_before_the_tasks_own(tmp_path):
    phrases = '{wave/sponge-v0: ["swing it"]}'
    wording = read(tmp_path, f'{{phrases: {phrases}, templates: {{wave_at: ["swing {{a object}}"]}}}}')
    assert wording.instructions(SPONGE) == ("swing it",)
    assert wording.instructions(BOTTLE) == ("swing a bottle",)
    assert read(tmp_path, "{typos: 1}").instructions(SPONGE) == ("wave sponge",)


def test_frames_go_around_every_text(tmp_path):
    wording = read(tmp_path, '{around: ["please {instruction}", "{instruction} now"]}')
    assert wording.instructions(SPONGE) == ("please wave sponge", "wave sponge now")


def test_a_task_without_words_is_not_covered(tmp_path):
    wording = read(tmp_path, '{language: de, phrases: {wave/sponge-v0: ["wink mit dem Schwamm"]}}')
    assert wording.covers(SPONGE)
    assert not wording.covers(BOTTLE)
    with pytest.raises(
        WordingError, match=r"mine: has no words for wave/bottle-v0; add phrases\.wave/bottle-v0"
    ):
        wording.draw(BOTTLE, "suite", 1)


def test_drawing_depends_on_the_stream_and_reaches_everything(tmp_path):
    wording = read(tmp_path, '{templates: {wave_at: ["swing {object}", "shake {object}", "move {object}"]}}')
    drawn = [wording.draw(SPONGE, "suite", seed) for seed in range(60)]
    assert drawn == [wording.draw(SPONGE, "suite", seed) for seed in range(60)]
    assert all(drawn.count(text) >= 10 for text in wording.instructions(SPONGE))


@given(st.integers(0, 10_000))
def test_typing_errors_do_not_turn_words_into_known_ones(seed):
    wording = Wording(name="mine", typos=2)
    known = vocabulary(TOYS.values()) | {"wages", "sponges", "wade"}
    first, second = wording.draw(SPONGE, "suite", seed, known=known).split(" ")
    assert (first[0], second[0]) == ("w", "s")
    assert first != "wave"
    assert second != "sponge"
    assert known.isdisjoint({first, second})


def test_letters_are_the_last_thing(tmp_path):
    story = '"it is late. {instruction}"'
    assert (
        read(tmp_path, f"{{around: [{story}], letters: sentence}}").draw(SPONGE, 1)
        == "It is late. Wave sponge."
    )
    assert read(tmp_path, "{letters: capitals}").draw(SPONGE, 1) == "WAVE SPONGE"
    assert as_sentence("can you wave? 7up can") == "Can you wave? 7up can."
    assert as_sentence("can you wave?") == "Can you wave?"


def test_vocabulary_tasks_are_bare():
    assert vocabulary([SPONGE]) == {"wave", "sponge", "the"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("{}", "says nothing"),
        ("{language: German, typos: 1}", "'German' is no BCP 47 tag"),
        ('{language: de, templates: {pick: ["nimm {object}"]}}', "whole 'phrases'"),
        ("{language: de, typos: 1}", "whole 'phrases'"),
        ('{language: ja, phrases: {a-v0: ["pick apple"]}}', "phrases.a-v0: .*hardly written in Jpan"),
        ('{phrases: {a-v0: ["Pick apple"]}}', "phrases.a-v0: .*'Pick'"),
        (
            '{phrases: {a-v0: ["pick it"], b-v0: ["pick it"]}}',
            "phrases.b-v0: 'pick it' is also said for a-v0",
        ),
        ('{phrases: {a-v0: ["pick it", "pick it"]}}', "'pick it' is also said for a-v0"),
        ("{phrases: {a-v0: []}}", "phrases"),
        ('{templates: {pick: ["get {object}", "get {object}"]}}', "pick: a text stands twice"),
        ('{around: ["please"]}', "must hold {instruction} once"),
        ('{around: ["{instruction} or {instruction}"]}', "must hold {instruction} once"),
        ('{around: ["{instruction} the {object}"]}', "must hold {instruction} once"),
        ('{around: ["Please {instruction}"]}', "around: .*'Please'"),
        ("{typos: -1}", "typos"),
        ("{letters: loud}", "letters"),
        ("{typo: 1}", "Did you mean 'typos'"),
    ],
)
def test_a_wording_that_cannot_be_used_is_refused(tmp_path, fields, reason):
    with pytest.raises(RtbenchError, match=rf"mine\.yaml: mine: .*{reason}"):
        read(tmp_path, fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            '{phrases: {wave/spong-v0: ["wink"]}}',
            "phrases: unknown task 'wave/spong-v0'. Did you mean 'wave/sponge-v0'",
        ),
        ('{templates: {wave: ["wink {object}"]}}', "unknown skill entry 'wave'. Did you mean 'wave_at'"),
        ('{templates: {wave_at: ["wink {objekt}"]}}', "unknown role 'objekt'. Did you mean 'object'"),
        ('{templates: {wave_at: ["wink at {target}"]}}', "does not say which object is meant"),
        ('{templates: {wave_at: ["Wink {object}"]}}', "'Wink'"),
    ],
)
def test_a_wording_that_fits_no_task_is_refused(tmp_path, fields, reason):
    with pytest.raises(RtbenchError, match=rf"mine\.yaml: mine: .*{re.escape(reason)}"):
        read(tmp_path, fields).check(TOYS)


def test_a_role_that_one_thing_plays_need_not_be_mentioned(tmp_path):
    read(tmp_path, '{templates: {wave_at: ["wink {object}"]}}').check(TOYS)


def test_our_wordings_fit_our_tasks(tasks):
    for wording in WORDINGS.values():
        wording.check(tasks)


def test_paraphrases_and_short_forms_reach_every_seen_task(tasks):
    seen = [task for task in tasks.values() if task.group in ("", "held_out")]
    assert seen
    for name in ("unseen_paraphrases", "terse"):
        assert [task.id for task in seen if not WORDINGS[name].covers(task)] == []


def test_paraphrases_are_not_among_the_tasks_own_words(tasks):
    wording = WORDINGS["unseen_paraphrases"]
    for found in tasks.values():
        if wording.covers(found):
            texts = wording.instructions(found)
            assert len(set(texts)) == len(texts) >= 2
            assert set(texts).isdisjoint(found.templates), found.id


def test_all_languages_say_the_same_twenty_tasks():
    assert set(FOREIGN) >= REQUIRED
    (first, *others) = (list(wording.phrases) for wording in FOREIGN.values())
    assert len(first) == 20
    assert all(set(phrases) == set(first) for phrases in others)


@pytest.mark.parametrize("name", WORDINGS)
def test_our_wordings_are_spelt_right(name):
    wording = WORDINGS[name]
    texts = [*wording.phrases.values(), *wording.templates.values(), wording.around]
    plain = [re.sub(r"\{[^}]*\}", "", text) for group in texts for text in group]
    assert {w for text in plain for w in unknown_words(text, wording.language, wording.accepted)} == set()


def test_typing_errors_come_into_seen_tasks(tasks):
    wording, known = WORDINGS["typing_errors"], vocabulary(tasks.values())
    for number, found in enumerate(list(tasks.values())[::37]):
        text = wording.draw(found, "suite", number, known=known)
        changed = [
            w for w, own in zip(text.split(" "), found.templates[0].split(" "), strict=True) if w != own
        ]
        assert 1 <= len(changed) <= 2, text
        assert known.isdisjoint(changed)
