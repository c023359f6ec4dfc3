"""Content of several roots: where it is found, how it is told apart, and that every reader refuses the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.task import library
from rtbench.task.library import BUNDLED, Library
from rtbench.task.yaml_loader import Entry

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
