"""Content of several roots: where it is found, how it is told apart, and who refuses what."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.env.kitchen import Kitchen
from rtbench.task import library
from rtbench.task.library import BUNDLED, Library
from rtbench.task.yaml_loader import Entry
from tests.helpers.commands import rtbench

FOLDER = "tasks/things"


class Thing(Entry):
    mass: float


def root(folder: Path, **files: str) -> Path:
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_name_that_two_roots_define_names_both_files(tmp_path):
    roots = [root(tmp_path / "x", f="b: {mass: 1}"), root(tmp_path / "y", f="b: {mass: 1}")]
    with pytest.raises(ContentError) as caught:
        Library(roots).read(FOLDER, Thing)
    assert str(roots[0]) in str(caught.value)
    assert str(roots[1]) in str(caught.value)


def test_missing_places_name_what_was_looked_for(tmp_path):
    with pytest.raises(
        ContentError, match=r"tasks/nowhere: no such content folder; looked for .*tasks/nowhere"
    ):
        BUNDLED.read("tasks/nowhere", Thing)
    with pytest.raises(ContentError, match="no such folder; --content"):
        Library([tmp_path / "absent"]).all_roots()
    with pytest.raises(ContentError, match="expected one of envs, tasks"):
        Library([tmp_path]).all_roots()
    (root(tmp_path) / FOLDER / "f.yml").write_text("")
    with pytest.raises(ContentError, match=r"rename it to f\.yaml"):
        Library([tmp_path]).read(FOLDER, Thing)


def test_find_takes_the_first_root_and_suggests(tmp_path):
    one, two = root(tmp_path / "1", a="", both="1"), root(tmp_path / "2", b="", both="2")
    assert Library([one, two]).find(FOLDER, "b.yaml") == two / FOLDER / "b.yaml"
    assert Library([one, two]).find(FOLDER, "both.yaml") == one / FOLDER / "both.yaml"
    with pytest.raises(UnknownNameError, match=r"Did you mean 'both\.yaml'"):
        Library([one, two]).find(FOLDER, "bothh.yaml")


def test_hash_depends_on_names_and_bytes_only(tmp_path):
    one = root(tmp_path / "1", a="a: {mass: 1}", b="b: {mass: 1}")
    before = Library([one]).content_hash()
    shutil.copytree(one, tmp_path / "2")
    assert Library([tmp_path / "2"]).content_hash() == before, "not on the place"
    (one / FOLDER / "README.md").write_text("words")
    (one / "results").mkdir()
    (one / "results" / "table.csv").write_text("1")
    assert Library([one]).content_hash() == before, "not on words and results"
    (one / FOLDER / "a.yaml").rename(one / FOLDER / "c.yaml")
    renamed = Library([one]).content_hash()
    (one / FOLDER / "c.yaml").write_text("a: {mass: 10}")
    assert len({before, renamed, Library([one]).content_hash(), BUNDLED.content_hash()}) == 4


def test_an_installed_package_reads_its_own_copy(tmp_path, monkeypatch):
    package = root(tmp_path / "rtbench" / "_content", f="a: {mass: 7}").parent
    monkeypatch.setattr(library, "_PACKAGE", package)
    assert Library().all_roots() == (package / "_content",)
    assert Library().read(FOLDER, Thing)["a"].mass == 7


# Every reader refuses the same -----------------------------------------------------------------------------

CAN = "{kind: can, size: [0.06, 0.1], mass: 0.3, label: {color: red}, names: [odd can], tags: [movable]}"
READERS = (
    ("ls", "objects"),
    ("ls", "tasks"),
    ("ls", "suites"),
    ("check", "tasks", "--play", 0),
    ("run", "--policy", "noop", "--suite", "seen", "--limit", 1),
    ("show", "pick/coke_can-v0"),
)


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: "-".join(map(str, reader[:2])))
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("mass", "mas", "unknown key 'mas'. Did you mean 'mass'? Allowed: kind, label, mass"),
        ("can, size", "cann, size", "'kind' is \"cann\"; expected 'can', 'bottle'"),
        ("0.06", "66", "size: sizes are metres between 0.001 and 0.5"),
        ("mass: 0.3", "mass: 300", "'mass' is 300; expected less than or equal to 2"),
        ("0.06", "0.09", "too wide for the tag 'movable'"),
    ],
)
def test_a_slip_in_an_object_is_told_by_all_that_read_it(tmp_path, reader, old, new, told):
    file = write(tmp_path, "envs/objects/mine.yaml", f"odd_can: {CAN.replace(old, new)}\n")
    said = rtbench(*reader, "--content", tmp_path)
    assert said.code == 2
    assert f"{file}: odd_can: " in said.err
    assert told in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("reader", [("ls", "tasks"), ("check", "tasks", "--play", 0)])
def test_a_slip_in_a_scene_is_told_by_all_that_read_it(tmp_path, reader):
    text = BUNDLED.find("envs/scenes", "office_kitchen.yaml").read_text()
    text = text.replace("office_kitchen:", "mine:").replace("workspace", "workspase")
    file = write(tmp_path, "envs/scenes/mine.yaml", text)
    said = rtbench(*reader, "--content", tmp_path)
    assert said.code == 2
    assert f"{file}: mine: unknown key 'workspase'. Did you mean 'workspace'?" in said.err


@pytest.mark.parametrize("reader", [("ls", "variants"), ("ls", "suites"), ("check", "tasks", "--play", 0)])
def test_a_slip_in_a_variant_is_told_by_all_that_read_it(tmp_path, reader):
    file = write(tmp_path, "envs/variants/mine.yaml", "odd: {surfaces: {tops: clth}}\n")
    said = rtbench(*reader, "--content", tmp_path)
    assert said.code == 2
    assert f"{file}: odd: key 'surfaces.tops' is \"clth\"" in said.err
    assert "Did you mean 'cloth'?" in said.err


def test_the_simulator_refuses_what_listing_refuses(tmp_path):
    write(tmp_path, "envs/objects/mine.yaml", f"odd_can: {CAN.replace('0.06', '66')}\n")
    with pytest.raises(ContentError) as listed:
        Library([tmp_path]).things()
    with pytest.raises(ContentError) as played:
        Kitchen(cameras=(), content=(tmp_path,))
    assert str(listed.value) == str(played.value)


def test_two_libraries_of_the_same_roots_are_one(tmp_path):
    write(tmp_path, "envs/objects/mine.yaml", f"odd_can: {CAN}\n")
    one, same = Library([tmp_path]), Library((str(tmp_path),))
    assert one == same
    assert hash(one) == hash(same)
    assert one != BUNDLED
    assert one.task("pick/coke_can-v0") is same.task("pick/coke_can-v0")
    assert one.things()["odd_can"] is same.things()["odd_can"], "read once"
