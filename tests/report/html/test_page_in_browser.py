"""The report in a headless browser: filters, keyboard, dark mode, a phone's width, and no requests."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from rtbench.report.html import page
from rtbench.report.html.options import Frames, Request
from rtbench.result.run import load_run
from tests.helpers.synthetic_runs import episode, record, write

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
EVIL = "<img src=x onerror=\"document.title='broken'\"> pick"
EPISODES = 2000


OBJECTS = tuple(f"small_orange_thing_{k}" for k in range(14))


def touching(one, k):
    """The record of a failure in which another object was touched than the instructed one."""
    made = record(one, success=False, ms=150.0)  # near the deadline: a short axis of times
    goal = {f"lifted({OBJECTS[k % 7]})": False}
    outcome = dataclasses.replace(made.outcome, subgoals=goal, touched=OBJECTS[7 + k % 5])
    return dataclasses.replace(made, outcome=outcome)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Files: of one run of 2,000 episodes, and of two runs of 40."""
    out = tmp_path_factory.mktemp("reports")
    instructions = ("pick the apple", "move the sponge near the can", EVIL, "open the drawer")
    chosen = [episode(k, instruction=instructions[k % 4], axis=f"axis/{k % 5}") for k in range(EPISODES)]
    ends = [None if k % 100 == 7 else k % 3 != 0 for k in range(EPISODES)]
    made = [record(one, end) for one, end in zip(chosen, ends, strict=True)]
    made[3] = dataclasses.replace(made[3], video="film.mp4")
    one = write(out, made, "one")
    (one / "videos" / "film.mp4").write_bytes(b"no film, but a file")
    few = [record(episode, end) for episode, end in zip(chosen[:40], ends[:40], strict=True)]
    other = [record(episode, k % 2 == 0) for k, episode in enumerate(chosen[:40])]
    pair = [write(out, few, "few"), write(out, other, "other")]
    names = [f"a_rather_long/axis_of_the_suite_{k}" for k in range(20)]
    drawn = [episode(k, axis=names[k % 20], objects=OBJECTS) for k in range(80)]
    wide = [
        write(out, [touching(one, k) for k, one in enumerate(drawn)], name) for name in ("tall", "other_tall")
    ]
    paths = {
        "one": (out / "one.html", [one]),
        "two": (out / "two.html", pair),
        "wide": (out / "wide.html", wide),
    }
    for path, folders in paths.values():
        page.write_report([load_run(folder) for folder in folders], path, Request(frames=Frames.NONE))
    return {name: path for name, (path, _) in paths.items()}


@dataclasses.dataclass
class Visit:
    """A page that was opened, with what it asked for and complained of."""

    page: object
    asked: list
    complaints: list

    def options(self, label, value):
        self.page.get_by_label(label, exact=True).select_option(value)

    def found(self):
        return int(self.page.locator("#count").inner_text().split(" of ")[0])


@pytest.fixture
def visit(browser, reports):
    contexts = []

    def go(name="one", **settings):
        context = browser.new_context(**settings)
        context.set_default_timeout(5000)
        contexts.append(context)
        opened = context.new_page()
        seen = Visit(opened, [], [])
        opened.on("request", lambda request: seen.asked.append(request.url))
        opened.on("console", lambda message: seen.complaints.append(message.text))
        opened.on("pageerror", lambda error: seen.complaints.append(str(error)))
        opened.goto(Path(reports[name]).as_uri())
        return seen

    yield go
    for context in contexts:
        context.close()


def test_it_asks_for_nothing_and_complains_of_nothing(visit, reports):
    seen = visit()
    seen.page.get_by_text("Where it comes from").click()
    seen.page.locator(".row").first.click()
    assert seen.asked == [Path(reports["one"]).as_uri()]
    assert seen.complaints == []
    assert seen.page.title() == "one on seen"  # no instruction was run


def test_only_rows_that_are_looked_at_are_in_the_page(visit):
    seen = visit()
    assert seen.found() == EPISODES
    assert seen.page.locator("#list > li").count() == 50
    assert seen.page.locator("#list *").count() < 50 * 30
    seen.page.get_by_role("button", name="Next").click()
    assert seen.page.locator("#place").inner_text() == "51 to 100"
    assert seen.page.locator("#list > li").count() == 50


def test_filters_narrow_the_list(visit):
    seen = visit()
    seen.options("Outcome", "error")
    assert seen.found() == 20
    assert "made up" not in seen.page.locator("#list").inner_text()  # until a row is opened
    seen.options("Outcome", "failure")
    assert seen.found() == len([k for k in range(EPISODES) if k % 100 != 7 and k % 3 == 0])
    seen.options("Axis", "axis/1")
    narrow = len([k for k in range(EPISODES) if k % 100 != 7 and k % 3 == 0 and k % 5 == 1])
    assert seen.found() == narrow
    seen.page.get_by_label("Search").fill("SPONGE near")
    assert 0 < seen.found() < narrow
    assert "near the can" in seen.page.locator(".row").first.inner_text()
    seen.page.get_by_label("Search").fill("nothing has this")
    assert seen.found() == 0
    assert seen.page.locator("#list > li").count() == 0


def test_what_comes_from_a_run_is_text(visit):
    seen = visit()
    seen.page.get_by_label("Search").fill("onerror")
    assert EVIL in seen.page.locator(".row").first.inner_text()
    assert seen.page.locator("#list img").count() == 0


def test_a_row_opens_and_closes_by_keyboard(visit):
    seen = visit()
    row = seen.page.locator(".row").first
    row.focus()
    seen.page.keyboard.press("Enter")
    assert row.get_attribute("aria-expanded") == "true"
    more = seen.page.locator(".more").first
    assert more.is_visible()
    assert "rtbench replay" in more.inner_text()
    seen.page.keyboard.press("Escape")
    assert not more.is_visible()
    assert row.evaluate("node => node === document.activeElement")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "row"
    assert seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_video_is_loaded_only_when_played(visit):
    seen = visit()
    seen.page.get_by_label("Search").fill(episode(3, instruction="open the drawer", axis="axis/3").key)
    seen.page.locator(".row").click()
    video = seen.page.locator("video")
    assert video.get_attribute("preload") == "none"
    source = video.get_attribute("src")
    assert source.startswith("one/seen/")
    assert source.endswith("videos/film.mp4")
    assert len(seen.asked) == 1
    seen.page.get_by_role("link", name="Video file").wait_for()


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(visit, name, scheme):
    seen = visit(name, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    seen.page.locator(".row").first.click()
    seen.page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const found = [];
  const texts = "h1, h2, h3, p, dt, dd, th, td, a, summary, label, span, b, button, code, svg text";
  for (const node of document.querySelectorAll(texts)) {
    if (!node.textContent.trim() || node.closest("[hidden]")) continue;
    const style = getComputedStyle(node);
    const colour = node.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [a, b] = [light(colour), light(behind(node))].sort((x, y) => y - x);
    const least = node.tagName === "B" ? 3 : 4.5;
    if ((a + 0.05) / (b + 0.05) < least) found.push(`${node.tagName} ${node.textContent} ${colour}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_modes(visit, scheme):
    seen = visit("two", color_scheme=scheme)
    seen.page.locator(".row").first.click()
    page_colour = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page_colour == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 22, 26)")
    assert seen.page.evaluate(CONTRAST) == []


def test_tables_charts_and_controls_have_names(visit):
    seen = visit("two")
    assert (
        seen.page.locator("table").count() == seen.page.locator("table:has(thead th[scope=col])").count() > 5
    )
    charts = seen.page.locator("[role=img]")
    assert charts.count() > 8
    assert all(chart.get_attribute("aria-label") for chart in charts.all())
    assert all(
        box.locator("xpath=ancestor::label").count() for box in seen.page.locator("select, input").all()
    )
    ids = seen.page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))


def test_flips_of_two_runs_show_both_sides(visit):
    seen = visit("two")
    seen.options("Change", "lost against the baseline")
    lost = [k for k in range(40) if k % 100 != 7 and k % 3 != 0 and k % 2 == 1]
    assert seen.found() == len(lost)
    row = seen.page.locator("#list > li").first
    row.locator(".row").click()
    assert row.locator(".results > section h3").all_inner_texts() == ["few: ✓ success", "other: ✗ failure"]
    seen.options("Change", "gained against the baseline")
    assert seen.found() == len([k for k in range(40) if k % 100 != 7 and k % 3 == 0 and k % 2 == 0])
    seen.options("Change", "")
    seen.options("Run", "0")
    seen.options("Outcome", "error")
    assert seen.found() == 1


def test_all_but_the_list_needs_no_script(visit):
    seen = visit(java_script_enabled=False)
    assert "needs JavaScript" in seen.page.locator("noscript").inner_html()
    assert seen.page.locator("svg").count() > 8
    assert not seen.page.locator("#filters").is_visible()


OPEN = "document.querySelectorAll('main details').forEach((node) => { node.open = true; })"


@pytest.mark.parametrize("name", ["one", "two", "wide"])
@pytest.mark.parametrize("width", [1200, 1280])
def test_no_table_is_cut_off_on_a_screen(visit, name, width):
    seen = visit(name, viewport={"width": width, "height": 900})
    seen.page.evaluate(OPEN)
    cut = """() => [...document.querySelectorAll(".scroll")]
      .filter((node) => node.scrollWidth > node.clientWidth)
      .map((node) => node.closest("figure").querySelector("h3").textContent)"""
    assert seen.page.evaluate(cut) == []


def test_heads_stand_over_their_numbers(visit):
    """The texts of a head and of its cells end at the same place, or begin there in a column of words."""
    seen = visit("two", viewport={"width": 1200, "height": 900})
    seen.page.evaluate(OPEN)
    apart = """() => {
      const range = document.createRange();
      const box = (node) => { range.selectNodeContents(node); return range.getBoundingClientRect(); };
      const found = [];
      for (const table of document.querySelectorAll("table")) {
        const heads = [...table.querySelectorAll("thead th")];
        for (const row of table.querySelectorAll("tbody tr")) {
          [...row.children].forEach((cell, k) => {
            const [a, b] = [box(heads[k]), box(cell)];
            if (!heads[k].textContent || !cell.textContent) return;
            const [left, right] = [Math.abs(a.left - b.left), Math.abs(a.right - b.right)];
            if (Math.min(left, right) > 1) found.push(heads[k].textContent);
          });
        }
      }
      return [...new Set(found)];
    }"""
    assert seen.page.evaluate(apart) == []


def test_charts_of_many_names_leave_no_blank_beside_them(visit):
    seen = visit("wide", viewport={"width": 1200, "height": 900})
    figure = seen.page.locator("#rates figure", has_text="By axis")
    charts = [chart.bounding_box() for chart in figure.locator("svg").all()]
    assert len(charts) >= 2
    assert len({round(box["y"]) for box in charts}) == 1
    whole, inside = figure.bounding_box()["width"], sum(box["width"] for box in charts)
    assert inside > 0.75 * whole > 800
    # A phone has them one below the other.
    seen.page.set_viewport_size({"width": 390, "height": 800})
    charts = [chart.bounding_box() for chart in figure.locator("svg").all()]
    assert len({round(box["x"]) for box in charts}) == 1
    assert max(box["x"] + box["width"] for box in charts) <= 390


def test_no_tick_is_a_formula_and_none_covers_another(visit):
    covered = """() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
      const nodes = [...svg.querySelectorAll("text")];
      const texts = nodes.map((node) => [node.textContent, node.getBoundingClientRect()]);
      const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 3 && b.top < a.bottom - 3;
      return texts.flatMap(([said, a], k) =>
        texts.slice(k + 1).filter(([, b]) => meet(a, b)).map(([other]) => `${said} / ${other}`));
    })"""
    for name in ("one", "two", "wide"):
        seen = visit(name, viewport={"width": 1200, "height": 900})
        assert seen.page.evaluate(covered) == []
        assert not seen.page.locator("svg text", has_text="$").count()


def test_commands_in_notes_are_code(visit):
    seen = visit("one")
    assert "`" not in seen.page.locator("main").inner_text()
    assert seen.page.locator("main .note code").inner_text() == "rtbench report --frames all"
