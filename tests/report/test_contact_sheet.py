"""Contact sheets: every frame whole, every word written, and a machine without a font says so."""

from __future__ import annotations

from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from rtbench.cli.first_frames import _panels
from rtbench.core.episode import Episode
from rtbench.core.errors import PlacementError
from rtbench.report.contact_sheet import Panel, _Line, _texts, _wrapped, compose
from rtbench.result import fonts
from rtbench.result.fonts import font, needs_layout, runs_left
from rtbench.task.library import BUNDLED
from tests.helpers.commands import rtbench

CHINESE, ARABIC, HINDI = "把苹果放在可乐罐旁边", "ضع التفاحة بجانب العلبة", "सेब को लाल प्याले में रखो"
GERMAN = "Bewegen Sie den Äpfel in die rote Tasse"
WORDS = st.lists(st.text("abcxyzÄé_/(),-1", min_size=1, max_size=60), min_size=1, max_size=12).map(" ".join)


def panel(number=0, axis="seen", text="pick apple", language="en", *, frame=True, **changes):
    changes = {"seed": number, "variant": "", "split": "novel", "scene": "k", **changes}
    episode = Episode(
        suite="s", axis=axis, skill="pick", task="pick/apple-v0", objects=("apple",),
        instruction=text, language=language, horizon=9, **changes,
    )  # fmt: skip
    noise = np.random.default_rng(number).integers(0, 256, (256, 320, 3), np.uint8) if frame else None
    return Panel(episode, noise, "lifted(apple)", "pick the apple")


@pytest.fixture
def bare(monkeypatch):
    """A machine with matplotlib's own font and no other."""
    monkeypatch.setattr(fonts, "_installed", tuple)
    fonts._first.cache_clear()
    yield
    fonts._first.cache_clear()


def places(image, frame):
    """Top left corners at which a picture has a frame, by its first row of pixels."""
    pixels = np.asarray(image)
    height, width = frame.shape[:2]
    return [
        (x, y)
        for y, x in np.argwhere((pixels == frame[0, 0]).all(axis=2))
        if np.array_equal(pixels[y : y + height, x : x + width], frame)
    ]


# Pictures -------------------------------------------------------------------------------------------


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from("abc"), WORDS), min_size=1, max_size=7), st.integers(1, 4)
)
@hypothesis.settings(max_examples=15, deadline=None)
def test_every_frame_is_whole_and_axes_stand_together(drawn, columns):
    panels = [panel(number, axis, text) for number, (axis, text) in enumerate(drawn)]
    image = compose("a sheet", panels, columns=columns).image
    found = {}
    for shown in panels:
        (place,) = places(image, shown.frame)
        found.setdefault(shown.episode.axis, []).append(place)
    in_order = [place for axis in dict.fromkeys(axis for axis, _ in drawn) for place in found[axis]]
    assert in_order == sorted(in_order, key=lambda place: (place[1], place[0]))
    rows = {axis: {y for _, y in shown} for axis, shown in found.items()}
    assert sum(map(len, rows.values())) == len(set().union(*rows.values()))
    assert all(len(rows[axis]) == -(-len(shown) // columns) for axis, shown in found.items())


def test_there_is_room_between_frames_and_below_the_longest_text():
    long = panel(0, text="please " * 30)
    panels = [long, *(panel(number) for number in range(1, 4))]
    image = compose("s", panels, columns=2).image
    (first, second, third, _) = (places(image, shown.frame)[0] for shown in panels)
    assert second[0] - first[0] > 320
    text = np.asarray(image.convert("L"))[first[1] + 256 : third[1], first[0] : first[0] + 320]
    blank = (text == 255).all(axis=1)
    lines = np.flatnonzero(np.diff(blank.astype(int)) == -1)  # where a line of text begins
    assert len(lines) == len(list(_texts(long)))
    assert blank[-8:].all()


def test_the_same_panels_are_the_same_picture():
    panels = [panel(0), panel(1, text=GERMAN, language="de")]
    first, second = (compose("s", panels).image.tobytes() for _ in range(2))
    assert first == second
    assert first != compose("s", panels[::-1]).image.tobytes()


def test_an_episode_without_a_frame_keeps_its_place():
    image = compose("s", [panel(0, frame=False), panel(1)]).image
    ((left, top),) = places(image, panel(1).frame)
    assert image.getpixel((left - 60, top + 200)) == (200, 200, 200)


def ink(text, language):
    """Columns of a panel's first line that have ink, from the left edge of its frame."""
    shown = panel(0, text=text, language=language)
    image = compose("s", [shown], columns=1).image
    ((left, top),) = places(image, shown.frame)
    line = np.asarray(image.convert("L"))[top + 256 : top + 256 + 24, left : left + 320]
    return np.flatnonzero((line < 128).any(axis=0))


def test_a_line_begins_where_its_language_begins():
    english = ink("pick apple", "en")
    assert (english.min() < 8, english.max() < 160) == (True, True)
    if font(ARABIC, 16):
        arabic = ink("ضع التفاحة", "ar")
        assert (arabic.min() > 160, arabic.max() > 310) == (True, True)


# Words ----------------------------------------------------------------------------------------------


@hypothesis.given(WORDS, st.sampled_from([13, 16]), st.booleans())
@hypothesis.settings(deadline=None)
def test_wrapping_loses_no_sign_and_exceeds_no_width(text, size, bold):
    pieces = list(_wrapped(_Line(text, size, bold=bold)))
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(font(piece, size, bold=bold).getlength(piece) <= 320 for piece in pieces)


def test_words_are_broken_only_where_they_are_too_long():
    assert list(_wrapped(_Line("pick up the coke can and bring it to me at once", 16))) == [
        "pick up the coke can and bring it to me", "at once",
    ]  # fmt: skip
    assert len(list(_wrapped(_Line("a" * 100, 16)))) > 1
    assert "all(near(green_jalapeno_" in next(_wrapped(_Line("all(near(green_jalapeno_" + "chip_" * 9, 13)))


def test_what_is_odd_about_an_episode_is_told():
    shown = panel(7, text="", language="de", variant="cloth", arm="blank")
    first, goal, *rest = [line.text for line in _texts(shown)]
    assert (first, goal) == ("(blank)", "lifted(apple)")
    assert " ".join(rest) == "pick/apple-v0, seed 7, de, variant cloth, arm blank"


# Fonts ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_latin_letters_are_written_everywhere():
    for text in ("", "pick apple", GERMAN, "déplacer les frites, ¿sí?", "çğşıö ÀÉÎÕÜ ß Łódź"):
        assert font(text, 16) is not None
        assert font(text, 16, bold=True) is not None


@pytest.mark.usefixtures("bare")
def test_english_stands_for_what_no_font_writes_and_the_sheet_says_so():
    foreign = [panel(0, text=CHINESE, language="zh"), panel(1, text=HINDI, language="hi"), panel(2)]
    sheet = compose("s", foreign)
    assert sheet.unwritten == ("hi", "zh")
    assert next(_texts(foreign[0])).text == "[zh] pick the apple"
    assert next(_texts(foreign[2])).text == "pick apple"
    assert compose("s", foreign[2:]).unwritten == ()
    assert sheet.image.height > compose("s", [*foreign[2:], panel(3), panel(4)]).image.height


def test_letters_that_join_need_a_layout(monkeypatch):
    monkeypatch.setattr(fonts, "_has_layout", lambda: False)
    assert font(ARABIC, 16) is None
    assert font(HINDI, 16) is None
    assert font(GERMAN, 16) is not None
    assert compose("s", [panel(0, text=ARABIC, language="ar")]).unwritten == ("ar",)


@pytest.mark.parametrize(
    ("text", "left", "layout"),
    [("pick apple", False, False), (ARABIC, True, True), (HINDI, False, True), (CHINESE, False, False),
     ("3 תפוחים", True, True), ("", False, False), ("pick ضع", False, True)],
)  # fmt: skip
def test_which_way_a_text_runs(text, left, layout):
    assert (runs_left(text), needs_layout(text)) == (left, layout)


def test_a_font_that_draws_boxes_for_everything_is_not_used():
    assert font("\U000ffffe\U0010fffd", 16) is None


# The command ----------------------------------------------------------------------------------------


def test_a_sheet_of_a_suite_shows_the_first_episodes_of_each_axis(tmp_path):
    said = rtbench("show", "seen", "--sheet", tmp_path / "sheet.png", "--per-axis", 2, "--axis", "seen")
    assert (said.code, said.err) == (0, "")
    assert "2 episodes, 2 of each axis" in said.out
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape[1] == 4 * 340 + 20
    # Two frames, that is many colours, and two empty places beside them.
    colours = [
        len(np.unique(pixels[:, 20 + 340 * k : 340 + 340 * k].reshape(-1, 3), axis=0)) for k in range(4)
    ]
    assert (min(colours[:2]) > 1000, max(colours[2:]) < 200) == (True, True)


def test_an_episode_that_cannot_be_placed_stands_on_the_sheet_with_the_reason(monkeypatch):
    class Full:
        task = SimpleNamespace(goal="g", templates=("pick the apple",))

        def begin(self, episode):
            if episode.seed == 1:
                raise PlacementError("no room for 3 objects")
            return SimpleNamespace(images={"head": np.zeros((256, 320, 3), np.uint8)})

        def close(self):
            pass

    monkeypatch.setattr("rtbench.env.registration.make", lambda *_, **__: Full())
    drawn = [panel(number, scene=f"room_{number}").episode for number in (2, 1, 0)]
    panels = _panels(drawn, BUNDLED)
    assert [p.episode for p in panels] == drawn
    assert [(p.frame is None, p.goal) for p in panels] == [
        (False, "g"), (True, "no room for 3 objects"), (False, "g"),
    ]  # fmt: skip
