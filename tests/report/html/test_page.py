"""The page of a report, its command and its first frames, and what they do with bad input."""

import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtbench.analysis.noise_floor import NOISE, noise
from rtbench.core.fault import Fault
from rtbench.core.text import visible
from rtbench.report.html import first_frames, page, success_curves
from rtbench.report.html.options import Frames, Request
from rtbench.report.html.section import ReportError, series
from rtbench.result.folder import write_json
from rtbench.result.run import load_run
from tests.helpers.commands import rtbench, width
from tests.helpers.synthetic_runs import episode, episodes, rated, record, write

EVIL = "<script>alert('x')</script> & $x^2$ \u2028"
NO_FRAMES = Request(frames=Frames.NONE)


def shown(*folders):
    return series([load_run(folder) for folder in folders])


# The page -------------------------------------------------------------------------------------------------


def text_of(folder):
    path = folder / "report.html"
    page.write_report([load_run(folder)], path, NO_FRAMES)
    return path.read_text(encoding="utf-8")


def test_nothing_of_a_run_becomes_markup(tmp_path):
    made = record(episode(0, instruction=EVIL, axis=EVIL, task=f"{EVIL}-v0", skill=EVIL), success=False)
    judged = dataclasses.replace(made.outcome, subgoals={f"near({EVIL})": False})
    made = dataclasses.replace(made, outcome=judged)
    broken = dataclasses.replace(record(episode(1), None), error=Fault("policy", f"RuntimeError: {EVIL}"))
    folder = write(tmp_path, [made, broken])
    meta = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    meta["policy"] = {"name": f"p{EVIL}", "factory": EVIL, "arguments": {"x": EVIL}, "weights": EVIL}
    meta["sessions"][0]["command"] = EVIL
    (folder / "run.json").write_text(json.dumps(meta), encoding="utf-8")
    text = text_of(folder)
    assert len(re.findall("<script", text)) == 3  # the page's own
    assert "alert('x')</script>" not in text
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    rows = json.loads(data[1])["rows"]
    assert visible(EVIL) in {row["instruction"] for row in rows}


def test_the_agreement_of_reruns_is_shown_where_it_was_measured(tmp_path):
    folder = write(tmp_path, [record(episode(i), success=True) for i in range(3)])
    assert "Agreement of reruns" not in text_of(folder)
    write_json(folder / NOISE, noise([{str(i): i > 5 or k for i in range(60)} for k in (True, False)]))
    text = text_of(folder)
    table = text[text.index("Agreement of reruns") :]
    cells = re.findall(r"<t[hd][^>]*>([^<]*)<", table[: table.index("</table>")])
    assert "90.0 %" in cells
    assert cells[-2:] == ["60", "2"]
    low, high = map(float, re.search(r"(\d+\.\d) to (\d+\.\d)", " ".join(cells)).groups())
    assert low < 90 < high


@pytest.mark.parametrize(
    "outcomes",
    [[None] * 3, [True], [False], [True] * 4, [False] * 4, [None, True]],
    ids=["only errors", "one", "one failure", "all success", "all failure", "an error and a success"],
)
def test_lopsided_runs_have_a_report_without_nan(tmp_path, outcomes):
    made = [record(one, end) for one, end in zip(episodes(len(outcomes)), outcomes, strict=True)]
    folder = write(tmp_path, made)
    said = rtbench("report", folder, "--frames", "none")
    assert said.code == 0, said.err
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|NaN|None|inf)\b", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))


def test_two_thousand_episodes_weigh_little(tmp_path):
    folder = write(tmp_path, rated(episodes(2000, instruction="move the thing near the other thing"), 0.6))
    assert len(text_of(folder).encode()) < 3e6


# The command ----------------------------------------------------------------------------------------------


def test_it_says_where_it_wrote_and_fits_the_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [
        write(Path("runs"), rated(episodes(12), rate), policy).as_posix()
        for rate, policy in ((0.3, "a"), (0.9, "b"))
    ]
    one = rtbench("report", folders[0])
    assert one.code == 0, one.err
    assert f"{folders[0]}/report.html" in one.out
    assert "12, 0 with their first frame" in one.out
    assert width(one.out) <= 80
    assert "first frames" in one.err  # the made-up content is not this one
    both = rtbench("report", *folders, "--frames", "none")
    assert both.code == 0, both.err
    assert Path("report.html").is_file()
    assert "MB" in both.out


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda out: [write(out, [])], "no episode has ended"),
        (lambda out: [write(out, rated(episodes(3), 1))] * 2, "given twice"),
        (lambda out: [out / "nothing"], "unknown run"),
        (lambda out: [write(out, rated(episodes(3), 1)), "-o", "a.pdf"], "ends in .html"),
        (lambda out: [write(out, rated(episodes(3), 1)), "-o", out / "no" / "a.html"], "cannot be written"),
        (lambda out: [write(out, [record(episode(0), success=True)], tail=b'{"schema": 99}\n')], "schema 99"),
        (lambda out: [write(out, rated(episodes(3), 1), str(k)) for k in range(9)], "at most 8"),
    ],
    ids=["empty", "twice", "missing", "ending", "folder", "schema", "too many"],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, make, said):
    told = rtbench("report", *make(tmp_path), "--out", tmp_path)
    assert told.code in {2, 4}  # a newer schema cannot be compared with anything
    assert said in told.err
    assert "Traceback" not in told.err


def test_runs_of_one_policy_are_told_apart_by_their_ids(tmp_path):
    folders = [write(tmp_path, rated(episodes(3), 1), "a", extra={"id": f"{k}" * 12}) for k in (1, 2)]
    assert [one.label for one in shown(*folders)] == ["a 111111111111", "a 222222222222"]
    with pytest.raises(ReportError, match="twice"):
        shown(folders[0], folders[0])


# First frames ---------------------------------------------------------------------------------------------


def test_frames_are_kept_until_the_record_is_another(tmp_path, monkeypatch):
    made = [record(episode(k), success=True) for k in range(3)]
    run = load_run(write(tmp_path, made))
    calls = []

    def drawn(_run, records, _roots):
        calls.append([record.key for record in records])
        return {record.key: first_frames.Frame(b"picture", 0.25) for record in records}

    monkeypatch.setattr(first_frames, "_unlike", lambda *_: "")
    monkeypatch.setattr(first_frames, "_drawn", drawn)
    keys = [record.key for record in made]
    assert first_frames.first_frames(run, keys[:2]).frames.keys() == set(keys[:2])
    again = first_frames.first_frames(run, keys).frames
    assert calls == [keys[:2], keys[2:]]
    assert again[keys[0]] == first_frames.Frame(b"picture", 0.25)
    other = dataclasses.replace(made[0], fingerprint={"state": "another"})
    changed = load_run(write(tmp_path, [other]))
    first_frames.first_frames(changed, keys)
    assert calls[-1] == [keys[0]]


def test_a_damaged_cache_is_made_again_and_a_folder_that_is_read_only_is_told(tmp_path, monkeypatch):
    run = load_run(write(tmp_path, [record(episode(0), success=True)]))
    key = run.records[0].key
    monkeypatch.setattr(first_frames, "_unlike", lambda *_: "")
    monkeypatch.setattr(first_frames, "_drawn", lambda *_: {key: first_frames.Frame(b"picture")})
    for text in ("{", "[]", '{"schema": 1}', '{"schema": 1, "frames": {"x": 3}}'):
        (run.path / first_frames.FILE).write_text(text, encoding="utf-8")
        assert first_frames.first_frames(run, [key]).frames == {key: first_frames.Frame(b"picture")}
    (run.path / first_frames.FILE).unlink()
    (run.path / first_frames.FILE).mkdir()
    assert "not kept" in first_frames.first_frames(run, [key]).remarks[0]


def test_frames_come_from_videos_where_nothing_can_be_drawn(tmp_path):
    import imageio.v2 as imageio

    made = dataclasses.replace(record(episode(0), success=True), video="film.mp4")
    broken = dataclasses.replace(record(episode(1), success=True), video="broken.mp4")
    folder = write(tmp_path, [made, broken])
    picture = np.full((304, 320, 3), 200, np.uint8)
    picture[256:] = 0
    with imageio.get_writer(folder / "videos" / "film.mp4", fps=3, macro_block_size=16) as film:
        film.append_data(picture)
    (folder / "videos" / "broken.mp4").write_bytes(b"no film")
    drawn = first_frames.first_frames(load_run(folder), [made.key, broken.key])
    assert drawn.frames.keys() == {made.key}
    assert "content" in drawn.remarks[0]
    pixels = np.asarray(Image.open(io.BytesIO(drawn.frames[made.key].picture)))
    assert pixels.shape == (128, 160, 3)
    assert pixels.min() > 150  # the caption is cut off


def test_a_distance_curve_needs_every_episode(tmp_path):
    folder = write(tmp_path, rated(episodes(20), 0.5))
    runs = shown(folder)
    frames = {record.key: first_frames.Frame(b"", 0.1 * k) for k, record in enumerate(runs[0].run.records)}
    assert len(page._distances(runs, frames)) == 20
    frames.popitem()
    assert page._distances(runs, frames) == {}
    titles = [figure.title for figure in success_curves.section(runs, {}).figures]
    assert titles == ["Against time", "Against the way commanded"]


def test_frames_are_drawn_of_the_very_state_that_was_played(tmp_path):
    from rtbench.evaluation.evaluate import evaluate
    from rtbench.task.library import BUNDLED, load_suite
    from rtbench.task.suite import draw as one_of

    tasks = [BUNDLED.task(name) for name in ("pick/coke_can-v0", "open_drawer/top_drawer-v0")]
    chosen = [one_of(load_suite("seen"), task, 0) for task in tasks]
    run = evaluate("noop", [dataclasses.replace(one, horizon=1) for one in chosen], out=tmp_path, workers=1)
    drawn = first_frames.first_frames(run, [record.key for record in run.records])
    assert drawn.remarks == ()
    by_skill = {record.episode.skill: drawn.frames[record.key] for record in run.records}
    assert 0.2 < by_skill["pick"].distance < 1.5
    assert by_skill["open_drawer"].distance is None
    picture = np.asarray(Image.open(io.BytesIO(by_skill["pick"].picture)))
    assert picture.std() > 10  # a scene, not one colour
    (run.path / first_frames.FILE).unlink()
    altered = [dataclasses.replace(one, fingerprint={"state": "another"}) for one in run.records]
    other = dataclasses.replace(run, records=tuple(altered))
    assert first_frames.first_frames(other, [record.key for record in altered]).frames == {}
