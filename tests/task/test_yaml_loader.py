"""Content is read strictly: every slip names the file, the place and the remedy."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from rtbench.core.errors import ContentError
from rtbench.task import yaml_loader

FOLDER = "tasks/things"
ROOT = Path(__file__).parents[2]
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    size: tuple[float, float]


class Thing(yaml_loader.Entry):
    mass: float
    count: int = 0
    label: str = ""
    tags: tuple[str, ...] = ()
    parts: dict[str, Part] = Field(default_factory=dict)


def root(tmp_path: Path, **files: str) -> Path:
    (tmp_path / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (tmp_path / FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def read(tmp_path: Path, **files: str) -> dict[str, Thing]:
    return yaml_loader.read_files(sorted((root(tmp_path, **files) / FOLDER).glob("*.yaml")), Thing)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("a: {mas: 1}", ["a: unknown key 'mas'", "'mass'", "Allowed: count, label, mass, parts, tags"]),
        ("a: {count: 1}", ["a: key 'mass' is missing", "Keys: count"]),
        ("a: {mass: heavy}", ["a: key 'mass' is \"heavy\"", "number"]),
        ("a: {mass: 1, count: 1.5}", ["'count'", "1.5", "integer"]),
        ("a: {mass: 1, count: true}", ["'count'", "true", "integer"]),
        ("a: {mass: 1, label: 3}", ["'label' is 3", "string"]),
        ("a: {mass: 1, tags: x}", ["'tags'", "array"]),
        ("a: {mass: 1e999}", ["a: a value that content cannot hold"]),
        ("a: {mass: .nan}", ["a: key 'mass'", "number"]),
        ("a: {mass: 1, parts: {p: {sise: [1, 2]}}}", ["unknown key 'parts.p.sise'", "'size'"]),
        ("a: {mass: 1, parts: {p: {size: [1]}}}", ["parts.p.size.1", "missing"]),
        ("a: {mass: 1}\na: {mass: 2}", ["line 2", "'a' stands twice", "line 1"]),
        ("a:\n  mass: 1\n  mass: 2", ["line 3", "'mass' stands twice", "line 2"]),
        ("a: {mass: 1", ["line 1", "not valid YAML"]),
        ("a:\n\tmass: 1", ["line 2", "not valid YAML"]),
        ("a: !!python/object/apply:os.getcwd []", ["line 1", "not valid YAML"]),
        ("? [a]\n: {mass: 1}", ["key must be a text"]),
        ("a: &a {mass: *a}", ["line 1, column 14", "'a' stands inside of what it stands for"]),
        ("a: {mass: 1}\n\x01", ["line 2", "not valid YAML: character U+0001"]),
        ("a:\n  mass: !!bool x", ["line 2, column 9", "tags such as tag:yaml.org,2002:bool are not used"]),
        ("a: {label: !!timestamp x}", ["line 1", "tags such as"]),
        ("a: {label: !!set {b, c}}", ["line 1", "tags such as"]),
        ("a: {tags: !!omap [b: 1]}", ["line 1", "tags such as"]),
        ("a: {label: !mine b}", ["line 1", "tags such as !mine"]),
        ("a: {count: " + "9" * 5000 + "}", ["line 1, column 12", "too many digits"]),
        ("a: " + "[" * 3000 + "]" * 3000, ["line 1, column 43", "nested more than 40 deep"]),
        ("a: " + "{b: " * 3000, ["line 1", "nested more than 40 deep"]),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), ["line 40", "nested more than 40 deep"]),
        ("- a", ["mapping of entry names", "a list"]),
        ("a: 3", ["a: expected a mapping of keys", "the value 3"]),
        ("a:", ["a: expected a mapping of keys", "nothing"]),
        ("Big Can: {mass: 1}", ["Big Can", "lower-case"]),
        ("a: {mass: 1, name: b}", ["'name' is not allowed"]),
    ],
)
def test_slips_name_file_place_and_remedy(tmp_path, text, fragments):
    with pytest.raises(ContentError) as caught:
        read(tmp_path, mine=text)
    for fragment in [str(tmp_path / FOLDER / "mine.yaml"), *fragments]:
        assert fragment in str(caught.value)


LISTS = "\n".join(f"  l{n}: &l{n} [" + ", ".join([f"*l{n - 1}"] * 9) + "]" for n in range(1, 12))
MERGES = "\n".join(f"  l{n}: &l{n} {{<<: [" + ", ".join([f"*l{n - 1}"] * 9) + "]}" for n in range(1, 12))


@pytest.mark.parametrize("text", [f"a:\n  l0: &l0 [x]\n{LISTS}", f"a:\n  l0: &l0 {{x: 1}}\n{MERGES}"])
def test_aliases_do_not_expand_without_bound(tmp_path, text):
    began = time.process_time()
    with pytest.raises(ContentError, match=r"mine.yaml: line \d+, .*more than 100,000 values"):
        read(tmp_path, mine=text)
    assert time.process_time() - began < 2


def test_a_file_that_is_too_large_or_none_is_named(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * yaml_loader.MOST_BYTES)
    with pytest.raises(ContentError, match=r"large.yaml: larger than 1,000,000 bytes"):
        yaml_loader.read_file(path, Thing)
    path.write_bytes(b"a:\n  label: \xff")
    with pytest.raises(ContentError, match=r"large.yaml: line 2: not UTF-8: byte 0xff"):
        yaml_loader.read_file(path, Thing)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ContentError, match="not a regular file"):
        yaml_loader.read_files([tmp_path / "pipe.yaml"], Thing)


def test_yaml_says_what_it_looks_like(tmp_path):
    text = "a: {mass: 1e-3, count: 010, label: on, tags: [no, '1', 1:30, 2020-01-01]}"
    thing = read(tmp_path, f=text)["a"]
    assert (thing.mass, thing.count, thing.label) == (0.001, 10, "on")
    assert thing.tags == ("no", "1", "1:30", "2020-01-01")
    assert thing.where == f"{tmp_path / FOLDER / 'f.yaml'}: a"


things = st.fixed_dictionaries(
    {"mass": st.floats(-1e6, 1e6), "count": st.integers(-(10**9), 10**9)},
    optional={
        "label": st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=8),
        "parts": st.dictionaries(
            names, st.fixed_dictionaries({"size": st.lists(st.floats(0, 1), min_size=2, max_size=2)})
        ),
    },
)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@shared
@given(data=st.dictionaries(names, things, max_size=4))
def test_what_is_written_is_read(tmp_path, data):
    (tmp_path / "f.yaml").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    found = yaml_loader.read_file(tmp_path / "f.yaml", Thing)
    assert set(found) == set(data)
    for name, fields in data.items():
        assert found[name].name == name
        assert found[name].model_dump(mode="json", include=set(fields)) == fields


pieces = st.sampled_from([*"ab:{}[],-? \n\"'&*!#|>%@`1.~<", "mass", "a: {mass: 1}", "\n  ", ": "])


@shared
@given(text=st.lists(pieces, max_size=30).map("".join))
def test_any_text_is_read_or_refused_politely(tmp_path, text):
    path = tmp_path / "f.yaml"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(ContentError):  # any other exception is a failure
        assert all(type(thing) is Thing for thing in yaml_loader.read_file(path, Thing).values())


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_libyaml_reads_as_pyyaml_does(monkeypatch):
    roots = [ROOT / folder for folder in ("envs", "tasks", "policies", "results")]
    texts = [path.read_text(encoding="utf-8") for root in roots for path in root.rglob("*.yaml")]
    assert len(texts) > 70
    # Where the parsers differ, PyYAML's own decides: a tab in a mapping, '?' in a list, a key without value.
    texts += [
        "a: {b:\t1}\nb: {\tc: 1}",
        "a: {b: [c?_d]}",
        "a: {b: [c:, d]}",
        "a: {on: 1e-3, b: 1:30}",
        "a: [\x00]",
    ]

    def said(text):
        try:
            return repr(yaml_loader._load(text))
        except yaml.YAMLError as error:
            return str(error)

    with_libyaml = [said(text) for text in texts]
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert with_libyaml == [said(text) for text in texts]


def test_a_name_defined_twice_names_both_files(tmp_path):
    with pytest.raises(ContentError) as caught:
        read(tmp_path, one="a: {mass: 1}", two="a: {mass: 2}")
    assert "one.yaml" in str(caught.value)
    assert "two.yaml" in str(caught.value)


def test_files_are_merged_in_order_and_edits_are_seen(tmp_path):
    assert list(read(tmp_path, b="z: {mass: 1}", a="y: {mass: 1}\nx: {mass: 1}")) == ["y", "x", "z"]
    assert read(tmp_path, b="z: {mass: 23}")["z"].mass == 23
    found = read(tmp_path)
    found.clear()
    assert read(tmp_path), "the caller's copy is its own"


def test_models_must_forbid_unknown_keys(tmp_path):
    class Loose(BaseModel):
        name: str

    with pytest.raises(TypeError, match="Loose"):
        yaml_loader.read_file(root(tmp_path, f="a: {}") / FOLDER / "f.yaml", Loose)
