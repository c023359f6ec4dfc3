"""A damaged run is told in a sentence, and never spoils the others; changed numbers are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rtbench.core.errors import RunError
from rtbench.result.folder import EPISODES, RUN
from rtbench.result.run import load_run
from rtbench.result.scores import load_scores
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench


def edit_record(folder, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / EPISODES
    first, *rest = path.read_text().splitlines(keepends=True)
    data = json.loads(first)
    change(data)
    path.write_text(json.dumps(data) + "\n" + "".join(rest))


def edit_run(folder, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / RUN
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.fixture
def folder(tmp_path):
    return synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(4), 1.0))


RECORDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "outcome.steps is -1": lambda line: line["outcome"].update(steps=-1),
    "outcome.steps is 241, expected from 0 to 240": lambda line: line["outcome"].update(steps=241),
    "12 steps of tokens, but the outcome has 11": lambda line: line["outcome"].update(steps=11),
    "outcome.progress is 1.5": lambda line: line["outcome"].update(progress=1.5),
    "outcome.events.dropped is -2": lambda line: line["outcome"]["events"].update(dropped=-2),
    "the goal was held, but not true at the end": lambda line: line["outcome"].update(end=False),
    "times.policy is -0.5": lambda line: line["times"]["policy"].append(-0.5),
    "times.reset is -1": lambda line: line["times"].update(reset=-1),
    "simulated_s is -3": lambda line: line.update(simulated_s=-3),
    "hashes are not 8 hex digits a step": lambda line: line.update(hashes="x" * 96),
    "3 tokens, expected 11 a step": lambda line: line.update(tokens="AAAA"),
}


@pytest.mark.parametrize("message", RECORDS)
def test_numbers_of_a_record_have_ranges_and_fit_one_another(folder, message):
    edit_record(folder, RECORDS[message])
    with pytest.raises(RunError, match=rf"episodes.jsonl, line 1: not a usable record: {message}"):
        load_run(folder)


@pytest.mark.parametrize("message", list(RECORDS)[:1] + list(RECORDS)[5:7])
def test_scores_are_checked_likewise(folder, message):
    edit_record(folder, RECORDS[message])
    with pytest.raises(RunError, match=r"episodes.jsonl, line 1: not a usable record"):
        load_scores(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta.update(episodes=-3), "episodes: input should be greater than or equal to 0"),
        (lambda meta: meta.update(episodes="4"), "episodes: input should be a valid integer"),
        (lambda meta: meta.update(episodes=True), "episodes: input should be a valid integer"),
        (lambda meta: meta.update(episodes=10**30), "episodes: input should be less than or equal"),
        (lambda meta: meta["settings"].update(control_hz=0), "control_hz: input should be greater"),
        (lambda meta: meta["settings"].update(latency_ms=[-5]), "latency_ms"),
        (lambda meta: meta["settings"].update(latency_ms=[float("nan")]), "NaN is no number"),
        (lambda meta: meta.update(note=float("inf")), "Infinity is no number"),
    ],
)  # fmt: skip
def test_numbers_of_a_run_have_ranges(folder, change, message):
    edit_run(folder, change)
    with pytest.raises(RunError, match=r"run\.json: not ") as error:
        load_run(folder)
    assert message in str(error.value)


@pytest.mark.parametrize("deep", ["[" * 100_000, "[" * 100_000 + "]" * 100_000])
def test_deep_json_is_damage(folder, deep):
    whole = (folder / EPISODES).read_text()
    (folder / EPISODES).write_text(whole + deep + "\n")
    for load in (load_run, load_scores):
        with pytest.raises(RunError, match="line 5: not a record; the file is damaged"):
            load(folder)
    (folder / EPISODES).write_text(whole.replace('"video":null', f'"report":{deep},"video":null'))
    with pytest.raises(RunError, match="line 1: not a"):
        load_run(folder)
    (folder / RUN).write_text(deep)
    with pytest.raises(RunError, match=r"run\.json: not valid JSON"):
        load_run(folder)


def test_bytes_that_are_no_utf_8_are_damage(folder):
    whole = (folder / EPISODES).read_bytes()
    (folder / EPISODES).write_bytes(whole + b'{"schema": "\xff')  # cut off
    assert len(load_run(folder).records) == 4
    (folder / EPISODES).write_bytes(whole.replace(b'"pick thing"', b'"pick \xff"'))
    with pytest.raises(RunError, match="line 1: not a"):
        load_run(folder)


DAMAGE: dict[str, Callable[[Any], object]] = {
    "no list of sessions": lambda folder: edit_run(folder, lambda meta: meta.update(sessions=3)),
    "deep run.json": lambda folder: (folder / RUN).write_text("[" * 100_000),
    "deep summary.json": lambda folder: (folder / "summary.json").write_text("[" * 100_000),
    "a line of rubbish": lambda folder: (folder / EPISODES).write_bytes(b"\x00\xff\n"),
    "a changed number": lambda folder: edit_record(folder, RECORDS["outcome.steps is -1"]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_one_damaged_run_breaks_neither_list_nor_table(tmp_path, folder, how):
    other = synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(4), 1.0), policy="b")
    DAMAGE[how](folder)
    listed = rtbench("ls", "runs", "--out", str(tmp_path))
    assert listed.code == 0, listed.err
    assert str(other) in listed.out
    assert f"{folder}" in listed.err
    if how != "deep summary.json":
        tabled = rtbench("table", str(tmp_path))
        assert tabled.code == 0, tabled.err
        assert "left out" in tabled.err


def test_a_run_without_sessions_is_listed_and_shown(tmp_path, folder):
    edit_run(folder, lambda meta: meta.update(sessions=[]))
    for command in (["ls", "runs", "--out", str(tmp_path)], ["show", str(folder)]):
        done = rtbench(*command)
        assert done.code == 0, done.err
