"""Runs made, listed, shown, verified and replayed by the command line."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import imageio.v2 as imageio
import pytest
from PIL import Image

from rtbench.result.record import read_records
from rtbench.result.video import FPS
from tests.helpers.commands import rtbench, width

BAD_POLICY = """
from rtbench.policy.base import Needs

class Bad:
    needs = Needs()
    def reset(self, slot, instruction, seed):
        pass
    def act(self, observations, slots):
        raise ValueError("a bug of mine")
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Folder of runs: noop, two episodes."""
    folder = tmp_path_factory.mktemp("cli") / "runs"
    said = rtbench("run", "--policy", "noop", "--limit", 2, "--jobs", 1, "--out", folder)
    assert said.code == 0, said.err
    return folder


@pytest.fixture(scope="module")
def run(out):
    (folder,) = out.glob("noop/seen/*")
    return folder


@pytest.fixture
def copied(run, tmp_path):
    """The run again, to be spoilt, as id 'spoilt' below the folder `tmp_path`."""
    return Path(shutil.copytree(run, tmp_path / "noop" / "seen" / "spoilt"))


def keys(run) -> list[str]:
    return [record.key for record in read_records(run / "episodes.jsonl").records]


def test_episodes_and_runs_that_are_not_there(run, out):
    missing = rtbench("show", f"{run}:zz")
    assert (missing.code, "unknown episode 'zz'" in missing.err) == (2, True)
    parent = rtbench("show", run.parent, "--out", out)
    assert (parent.code, f"Runs in it: {run}" in parent.err) == (2, True)
    key = keys(run)[0]
    wrong = f"{key[:8]}{'0' if key[8] != '0' else '1'}{key[9:]}"
    near = rtbench("show", wrong, "--out", out)
    assert (near.code, f"Did you mean the episode {key!r}" in near.err) == (2, True)


def test_the_same_command_goes_on_and_shows_the_table(run, out):
    before = (run / "episodes.jsonl").read_bytes()
    said = rtbench("run", "--policy", "noop", "-n", 2, "-j", 2, "--out", out)
    assert said.code == 0
    assert "continuing: 2 of 2 episodes are done" in said.out
    assert "noop on seen" in said.out
    assert "95 % CI" in said.out
    assert "closed loop" in said.out
    assert f"results: {run}" in said.out
    table = said.out.split("noop on seen")[1].split("results:")[0]
    assert width(table) <= 80
    assert (run / "episodes.jsonl").read_bytes() == before


def test_images_are_drawn_on_request_and_make_another_run(run, out, tmp_path):
    said = rtbench("run", "--policy", "noop", "-n", 1, "--images", "--out", tmp_path)
    assert said.code == 0, said.err
    (with_images,) = tmp_path.glob("noop/seen/*")
    (record,) = read_records(with_images / "episodes.jsonl").records
    (first, _) = read_records(run / "episodes.jsonl").records
    assert "frame" in record.fingerprint
    assert "frame" not in first.fingerprint
    assert with_images.name != run.name
    assert rtbench("verify", with_images).code == 0
    assert "cameras head" in rtbench("show", with_images).out


def test_too_many_errors_exit_with_5_even_in_a_short_run(tmp_path):
    policy = tmp_path / "bad.py"
    policy.write_text(BAD_POLICY)
    said = rtbench("run", "--policy", f"{policy}:Bad", "-n", 1, "--out", tmp_path / "runs")
    assert said.code == 5
    assert "1 of 1 episodes were errors; the first: ValueError: a bug of mine" in said.err
    (run,) = (tmp_path / "runs").glob("Bad/seen/*")
    assert str(run) in said.out
    shown = rtbench("show", f"{run}:{keys(run)[0]}")
    assert "Traceback" in shown.out
    assert "bad.py" in shown.out
    again = ("run", "--policy", f"{policy}:Bad", "-n", 1, "--out", tmp_path / "runs")
    tolerant = rtbench(*again, "--max-errors", 1)
    assert tolerant.code == 0


def test_a_control_arm_plays_the_same_scenes_beside_the_run(run, out):
    said = rtbench("run", "--policy", "noop", "-n", 2, "-j", 1, "--language", "blank", "--out", out)
    assert said.code == 0, said.err
    assert "continuing: 2 of 2 episodes are done" in said.out, "the true run was played again"
    assert "noop on seen, blank instructions" in said.out
    score = said.out.split("language ignorance, blank instruction")[1]
    assert "score      none: nothing was solved with the true instruction" in score
    assert "blank      0.0 % (0 of 2)" in score
    assert "by chance  noop 0.0 % (0 of 2)" in score
    assert width(score) <= 80
    (control,) = set(out.glob("noop/seen/*")) - {run}
    truth = {record.key: record for record in read_records(run / "episodes.jsonl").records}
    for record in read_records(control / "episodes.jsonl").records:
        twin = truth[record.episode.twin]
        assert (record.episode.instruction, record.episode.arm) == ("", "blank")
        assert record.fingerprint["state"] == twin.fingerprint["state"]
        assert record.final_hash == twin.final_hash
    shown = rtbench("show", control)
    assert "language ignorance, blank instruction" in shown.out
    assert "ablation      blank instruction" in rtbench("show", f"{control}:{keys(control)[0]}").out
    shutil.rmtree(control)


def test_an_arm_or_axis_that_there_is_not_is_refused(tmp_path):
    arm = rtbench("run", "--policy", "noop", "-n", 1, "--language", "klingon", "--out", tmp_path)
    assert (arm.code, "'blank', 'swapped', 'shuffled'" in arm.err) == (2, True)
    alone = rtbench("run", "--policy", "noop", "-n", 1, "--language", "swapped", "--out", tmp_path)
    assert (alone.code, "no other task with an instruction" in alone.err) == (2, True)
    axis = rtbench("run", "--policy", "noop", "--axis", "sene", "--out", tmp_path)
    assert (axis.code, "Did you mean 'seen'" in axis.err) == (2, True)
    assert not list(tmp_path.iterdir()), "something was played before the mistake was told"


def test_a_card_that_claims_training_splits_its_run(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.yaml").write_text(
        "still:\n  factory: rtbench.policy.baselines:NoopPolicy\n  summary: still\n"
        "  trained_on: {skills: [drive], scenes: [office_kitchen]}\n"
    )
    given = ("--content", tmp_path, "--out", tmp_path / "runs")
    said = rtbench("run", "--policy", "still", "--rounds", 1, "--skill", "drive", "--skill", "pick", *given)
    assert said.code == 0, said.err
    assert "split, by the card" in said.out
    (run,) = (tmp_path / "runs").glob("still/seen/*")
    splits = json.loads((run / "summary.json").read_text())["splits"]
    assert {split: group["n"] for split, group in splits.items()} == {"seen": 1, "novel": 1}
    by_task = {record.episode.skill: record.key for record in read_records(run / "episodes.jsonl").records}
    assert "new to it     skill pick, object" in rtbench("show", f"{run}:{by_task['pick']}").out
    assert "nothing: it was trained on all of it" in rtbench("show", f"{run}:{by_task['drive']}").out
    assert "skills: drive" in rtbench("show", "still", "--content", tmp_path).out


def test_runs_are_listed(run, out):
    (row,) = json.loads(rtbench("ls", "runs", "--out", out, "--json").out)
    assert row["folder"] == str(run)
    assert (row["policy"], row["suite"], row["episodes"], row["planned"]) == ("noop", "seen", 2, 2)
    assert rtbench("ls", "runs", "--out", out).out.split("\t")[0] == str(run)
    empty = rtbench("ls", "runs", "--out", out / "nowhere")
    assert (empty.code, empty.out) == (0, "")
    assert "no runs in" in empty.err


def test_episodes_are_listed(run):
    rows = json.loads(rtbench("ls", "episodes", run, "--json").out)
    assert [row["key"] for row in rows] == keys(run)
    assert {row["result"] for row in rows} == {"failure"}
    skill = rows[0]["task"].split("/")[0]
    few = rtbench("ls", "episodes", run, "--failed", "--skill", skill).out.splitlines()
    assert [line.split("\t")[0] for line in few] == [keys(run)[0]]


def test_a_run_is_shown_by_folder_and_by_the_beginning_of_its_id(run, out):
    said = rtbench("show", run)
    assert "noop on seen" in said.out
    assert "rtbench.policy.baselines:NoopPolicy" in said.out
    assert f"{keys(run)[0]} " in said.out  # a failure, to be looked at
    assert width(said.out.replace(str(run), "RUN")) <= 80
    assert str(run) in rtbench("show", run.name[:6], "--out", out).out


def test_an_episode_is_shown_by_key_and_by_its_beginning(run, out):
    key = keys(run)[0]
    (record, _) = read_records(run / "episodes.jsonl").records
    for name in (f"{run}:{key}", f"{run}:{key[:6]}", key, key[:8]):
        said = rtbench("show", name, "--out", out)
        assert said.code == 0
        assert f'"{record.episode.instruction}"' in said.out
        assert f"{run}:{key}" in said.out
        assert "termination missing" in said.out
        assert f"{record.outcome.steps} steps of 11 (arm {record.outcome.steps})" in said.out


def test_a_key_in_two_runs_is_ambiguous(run, tmp_path):
    for name in "ab":
        shutil.copytree(run, tmp_path / "noop" / "seen" / name)
    said = rtbench("show", keys(run)[0], "--out", tmp_path)
    assert said.code == 2
    assert f"{tmp_path / 'noop/seen/a'}:{keys(run)[0]}, {tmp_path / 'noop/seen/b'}:{keys(run)[0]}" in said.err


def test_verify_confirms_a_run_with_another_number_of_workers(run):
    said = rtbench("verify", run, "-j", 2)
    assert said.code == 0
    assert "2 of 2 episodes confirmed" in said.out


def spoil(run: Path, change) -> str:
    """Change the first record of a run; gives its key."""
    path = run / "episodes.jsonl"
    first, *rest = path.read_text().splitlines()
    record = json.loads(first)
    change(record)
    path.write_text("\n".join([json.dumps(record), *rest]) + "\n")
    return record["key"]


def test_verify_finds_another_state_and_another_outcome(copied, tmp_path):
    def change(record):
        record["hashes"] = record["hashes"][:8] + "0" * 8 + record["hashes"][16:]
        record["outcome"] |= {"end": True, "ever": True}

    key = spoil(copied, change)
    said = rtbench("verify", copied)
    assert said.code == 1
    lines = [line for line in said.out.splitlines() if line.startswith(key)]
    assert "the state differs from step 2 on" in lines[0]
    assert any("end: True then, False now" in line for line in lines[1:])
    assert "1 of 2 episodes confirmed" in said.out


def test_verify_finds_tokens_that_end_too_early(copied):
    def change(record):
        tokens = base64.b64decode(record["tokens"])
        record["tokens"] = base64.b64encode(tokens[:-11]).decode()
        record["hashes"] = record["hashes"][:-8]
        record["outcome"]["steps"] -= 1

    key = spoil(copied, change)
    said = rtbench("verify", copied)
    assert said.code == 1
    assert key in said.out
    assert "the recorded tokens end" in said.out


def test_verify_samples_the_same_episodes_each_time(run):
    said = rtbench("verify", run, "--sample", 1)
    assert "1 of 1 episodes confirmed" in said.out
    assert said.code == 0


def test_another_mujoco_is_not_comparable(copied):
    path = copied / "run.json"
    meta = json.loads(path.read_text())
    meta["simulator"]["mujoco"] = "3.9.0"
    path.write_text(json.dumps(meta))
    said = rtbench("verify", copied)
    assert said.code == 4
    assert "played with MuJoCo 3.9.0" in said.err
    assert "mujoco==3.9.0" in said.err


def test_changed_content_is_told_of(copied):
    path = copied / "run.json"
    meta = json.loads(path.read_text())
    meta["content_hash"] = "0" * 64
    path.write_text(json.dumps(meta))
    said = rtbench("verify", copied, "--sample", 1)
    assert said.code == 0
    assert "the content (envs/ or tasks/) has changed" in said.err


def test_an_environment_of_ones_own_is_not_loaded(copied):
    path = copied / "run.json"
    meta = json.loads(path.read_text())
    meta["settings"]["factory"] = "os:system"
    path.write_text(json.dumps(meta))
    said = rtbench("verify", copied)
    assert said.code == 2
    assert "os:system" in said.err


def test_replay_makes_a_video(run, tmp_path):
    (record, _) = read_records(run / "episodes.jsonl").records
    film = tmp_path / "new" / "film.mp4"
    said = rtbench("replay", run, "--episode", record.key[:8], "-o", film)
    assert said.code == 0, said.err
    assert "not as recorded" not in said.err
    assert str(film) in said.out
    assert [path.name for path in film.parent.iterdir()] == ["film.mp4"]
    with imageio.get_reader(film) as reader:
        assert reader.get_meta_data()["fps"] == FPS
        frames = list(reader.iter_data())
    assert len(frames) >= FPS * record.simulated_s + FPS
    assert {frame.shape for frame in frames} == {(304, 640, 3)}
    assert frames[-1][288:, 500:].max() > 100 > frames[0][288:, 500:].max(), "the outcome stands at the end"


def test_a_replay_that_differs_says_so(copied):
    key = spoil(copied, lambda record: record.update(final_hash="0" * 16))
    said = rtbench("replay", f"{copied}:{key}")
    assert said.code == 0
    assert "not as recorded: the final state differs" in said.err
    assert (copied / "videos" / f"{key}.mp4").stat().st_size > 0


@pytest.mark.parametrize("kind", ["task", "episode"])
def test_a_first_frame_is_written(kind, run, tmp_path):
    what = "pick/coke_can-v0" if kind == "task" else f"{run}:{keys(run)[0]}"
    path = tmp_path / "frame.png"
    said = rtbench("show", what, "--frame", path)
    assert said.code == 0, said.err
    image = Image.open(path)
    assert image.size == (320, 256)
    assert len(set(image.tobytes())) > 100


def test_seeds_of_demonstrations_are_told():
    """Nothing is played: a suite without the skill stops it after the note."""
    said = rtbench("run", "--policy", "noop", "--seed", 10, "--skill", "nothing")
    assert "demonstrations are recorded under seeds from 10 on" in said.err
    assert "demonstrations" not in rtbench("run", "--policy", "noop", "--seed", 9, "--skill", "nothing").err
