"""Command sentences: each deed in each language has the right plan and points at the right things."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtbench.core.seeding import generator
from rtbench.data.naming import Naming
from rtbench.data.vqa import commands
from rtbench.data.vqa.asking import Asking
from rtbench.data.vqa.commands import command
from rtbench.data.vqa.facts import facts
from rtbench.data.vqa.knowledge import knowledge, moved
from rtbench.data.vqa.picture import SCENE, Painter, Seen, View, arrange
from rtbench.data.vqa.questions import translation
from rtbench.data.vqa.relations import _on
from rtbench.env.scene import load_scene
from rtbench.task.library import BUNDLED

DEEDS = ("pick", "near", "into", "out", "upright", "over", "open", "close")
DRAWERS = ("top_drawer", "middle_drawer", "bottom_drawer")


def view() -> View:
    """A can that stands, one that lies, an apple in a bowl, a sponge in an open drawer, and a shut drawer."""
    names = ("coke_can", "pepsi_can", "apple", "white_bowl", "sponge", "lemon")
    things = BUNDLED.things()
    seen = {
        name: Seen(name, things[name].names[0], 0.1 * k, 0.5, things[name]) for k, name in enumerate(names)
    }
    drawers = {
        name: Seen(name, name.replace("_", " "), 0.9, 0.1 * k, None) for k, name in enumerate(DRAWERS[:2])
    }
    under = {"apple": "white_bowl", "sponge": "middle_drawer"}
    image = np.zeros((2, 2, 3), np.uint8)
    return View(image, Naming.none(1), seen, drawers, under, ("pepsi_can",), ("middle_drawer",))


def asking(seed: int = 0) -> Asking:
    return Asking(view(), knowledge(), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def asked():
    """(deed, language) -> pairs, of many draws; each deed is drawn alone, so that none is rare."""
    found: dict[tuple[str, str], set] = {}
    monkeypatch = pytest.MonkeyPatch()
    for deed in DEEDS:
        monkeypatch.setattr(commands, "SHARES", {other: float(other == deed) for other in DEEDS})
        for foreign in (0.0, 1.0):
            monkeypatch.setattr(commands, "FOREIGN", foreign)
            ask = asking()
            for _ in range(40 + int(foreign) * 600):
                if pair := command(ask):
                    found.setdefault((deed, pair.language), set()).add(pair)
    monkeypatch.undo()
    return found


def plans() -> dict[str, dict[str, tuple[str, ...]]]:
    """Deed -> plan -> names of what is pointed at: all that can be done in `view`."""
    texts = [thing.text for thing in view().seen.values()]
    loose = [text for text in texts if text != "white bowl"]
    resting = {("apple", "white bowl")}
    near = {(a, b) for a in loose for b in texts if a != b} - resting
    return {
        "pick": {f"pick {a}": (a,) for a in loose},
        "near": {f"move {a} near {b}": (a, b) for a, b in near},
        "into": {f"place {a} into white bowl": (a, "white bowl") for a in ("coke can", "pepsi can", "lemon")},
        "out": {
            "pick apple from white bowl and place on counter": ("apple", "white bowl"),
            "pick sponge from middle drawer and place on counter": ("sponge", "middle drawer"),
        },
        "upright": {"place pepsi can upright": ("pepsi can",)},
        "over": {"knock coke can over": ("coke can",)},
        "open": {"open top drawer": ("top drawer",)},
        "close": {"close middle drawer": ("middle drawer",)},
    }


def test_each_deed_in_each_language_has_its_plan_and_places(asked):
    assert set(asked) == {(deed, language) for deed in DEEDS for language in ("en", *knowledge().languages)}
    there = {thing.text: (thing.x, thing.y) for thing in (*view().seen.values(), *view().drawers.values())}
    allowed = plans()
    for (deed, language), pairs in asked.items():
        for pair in pairs:
            assert pair.answer in allowed[deed], (language, pair)
            assert tuple(place.name for place in pair.places) == allowed[deed][pair.answer], pair
            assert all(there[place.name] == (place.x, place.y) for place in pair.places), pair
            assert "{" not in pair.question
            assert pair.kind == "command"
    assert all({pair.answer for pair in asked[deed, "en"]} == set(allowed[deed]) for deed in DEEDS[2:])


def test_sentences_of_a_language_tell_the_deeds_apart_and_differ(asked):
    for language in knowledge().languages:
        texts = [{pair.question for pair in asked[deed, language]} for deed in DEEDS]
        assert sum(map(len, texts)) == len(set.union(*texts)), language
        for deed in DEEDS:
            sentences = knowledge().phrases[deed][language]
            assert len(set(sentences)) == len(sentences) >= (3 if deed == "pick" else 2)
            marks = [text.count("{a}") for text in sentences]
            assert marks == [1] * len(marks), (deed, language)
            assert all(("{b}" in text) == (deed in ("near", "into", "out")) for text in sentences)


def test_foreign_names_stand_in_the_case_of_their_sentences(asked):
    assert any("den Apfel aus der weißen Schüssel" in pair.question for pair in asked["out", "de"])
    assert any("из среднего ящика" in pair.question for pair in asked["out", "ru"])
    assert any("górną szufladę" in pair.question for pair in asked["open", "pl"])
    assert any("üst çekmeceyi" in pair.question for pair in asked["open", "tr"])
    accusatives = {
        "pl": {"niebieska plastikowa butelka": "niebieską plastikową butelkę", "puszka coli": "puszkę coli",
               "cytryna": "cytrynę", "biała miska": "białą miskę", "kot": "kot"},
        "ru": {"синяя пачка чипсов": "синюю пачку чипсов", "верхний ящик": "верхний ящик"},
        "tr": {"kase": "kaseyi", "köpek": "köpeği", "çekiç": "çekici", "kola kutusu": "kola kutusunu",
               "yeşil kutu": "yeşil kutuyu", "güneş": "güneşi", "kalp": "kalbi"},
        "es": {"la manzana": "la manzana"},
    }  # fmt: skip
    for language, names in accusatives.items():
        assert {name: moved(name, language) for name in names} == names


def test_drawers_have_names_and_are_asked_for_in_other_languages():
    known = knowledge()
    assert set(known.words["drawers"]) == set(DRAWERS)
    for language in known.languages:
        names = [known.name(name, language) for name in DRAWERS]
        assert all(names)
        assert len(set(names)) == 3
    assert all(all(row.values()) for row in known.words["sources"].values())
    assert known.name("handle of the top drawer", "de") == ""
    ask = asking()
    told = {pair.answer for _ in range(400) if (pair := translation(ask))}
    assert {"top drawer", "middle drawer"} <= told
    assert "die obere Schublade = ?" in {
        pair.question for pair in facts(known, ()) if pair.answer == "top drawer"
    }


def test_what_lies_in_a_drawer_is_asked_for():
    ask = asking()
    found = {pair.question: pair for _ in range(60) if (pair := _on(ask))}
    assert found["what is in the middle drawer?"].answer == "sponge"
    assert found["what is in the white bowl?"].answer == "apple"


def test_nothing_is_told_where_nothing_can_be_done():
    empty = View(np.zeros((2, 2, 3), np.uint8), Naming.none(1), {}, {})
    assert command(Asking(empty, knowledge(), np.random.default_rng(0))) is None


def test_things_lie_in_open_drawers_and_no_handle_is_a_drawer():
    sets = ("cups", "seen", "snacks")
    scene, found = load_scene(SCENE, sets), []
    for number in range(40):
        layout = arrange(scene, generator("vqa", 0, number))
        for name, drawer in layout.under.items():
            if drawer in DRAWERS:
                inside = scene.drawer_drawn(drawer, layout.drawers[drawer])
                rise = layout.poses[name].position - inside.center
                assert math.hypot(*rise[:2]) < math.hypot(*inside.half[:2])
                assert abs(rise[2]) < inside.half[2]
                assert name not in layout.lying
                found.append(number)
    assert len(found) > 1
    painter = Painter(0, sets, (64, 80))
    try:
        picture = painter.picture(found[0])
    finally:
        painter.close()
    assert any(name.text.startswith("handle of") for name in picture.naming.vocabulary)
    assert {thing.text for thing in picture.drawers.values()} <= {name.replace("_", " ") for name in DRAWERS}
    assert picture.drawers
