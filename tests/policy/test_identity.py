"""Whatever a policy reads is in its identity, and nothing else of the machine is."""

import subprocess
import sys
import textwrap

import pytest

import rtbench
from rtbench.core import hashing
from rtbench.core.errors import PolicyError
from rtbench.policy.card import Card, build, resolve
from rtbench.policy.identity import check_identity, describe, identity
from rtbench.policy.sources import source_digests
from tests.helpers.paths import ROOT


def card(path, name="P", **arguments):
    return Card(name=name, factory=f"{path}:{name}", summary="", arguments=arguments)


def written(folder, **files):
    """The folder with these modules; 'package__module' lies in a package."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__", 1)).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


POLICY = "import net\nfrom rtbench.policy.baselines import NoopPolicy\n\n\nclass P(NoopPolicy):\n    pass\n"


def in_a_fresh_process(place, path):
    """What a process says that has imported nothing but rtbench."""
    code = (
        "import json; from rtbench.policy.sources import source_digests;"
        f"print(json.dumps(source_digests({place!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{path}:{ROOT}", "PATH": ""},
    )  # fmt: skip
    return done.stdout


def test_a_module_two_imports_away_changes_the_identity(tmp_path):
    path = written(tmp_path, pol=POLICY, net="import layers\n", layers="WIDTH = 1\n") / "pol.py"
    build(card(path))
    first = identity(card(path))
    assert identity(card(path)) == first
    (tmp_path / "layers.py").write_text("WIDTH = 2\n")
    build(card(path))
    assert identity(card(path))["source"] != first["source"]


def test_a_file_beside_that_is_never_imported_does_not(tmp_path):
    path = written(tmp_path, pol="class P:\n    pass\n") / "pol.py"
    first = identity(card(path))
    written(tmp_path, other="x = 1\n")
    assert identity(card(path)) == first


def test_an_import_inside_a_function_counts_before_it_has_happened(tmp_path):
    text = "class P:\n    def act(self, o, s):\n        import late\n"
    path = written(tmp_path, pol=text, late="x = 1\n") / "pol.py"
    assert set(source_digests(str(path))) == {"pol", "late"}


def test_a_package_of_ours_or_the_users_is_followed_through_its_modules(tmp_path):
    written(
        tmp_path, mypkg__policy="from mypkg import net\nclass P:\n    pass\n",
        mypkg__net="from . import deep\nimport numpy\n", mypkg__deep="x = 1\n", mypkg__unused="x = 1\n",
    )  # fmt: skip
    (tmp_path / "mypkg" / "__init__.py").write_text("")
    first = in_a_fresh_process("mypkg.policy", tmp_path)
    assert all(f'"mypkg{name}"' in first for name in ("", ".policy", ".net", ".deep"))
    assert "unused" not in first
    assert "numpy" not in first
    (tmp_path / "mypkg" / "deep.py").write_text("x = 2\n")
    assert in_a_fresh_process("mypkg.policy", tmp_path) != first


def test_rt1_is_all_of_its_network():
    names = set(source_digests("rtbench.policy.rt1"))
    assert {f"rtbench.policy.rt1.{name}" for name in ("inference", "inference_graph", "weights")} <= names
    assert "rtbench.policy.text_encoder.minilm" in names
    assert not [name for name in names if name.startswith(("rtbench.cli", "rtbench.env.", "torch"))]


def test_a_shipped_policy_is_all_of_the_modules_of_its_package():
    """A module that is imported by a computed name is not found: RT-2's network did not count."""
    for name in ("rtbench.policy.rt1", "rtbench.policy.rt2"):
        found = source_digests(name)
        assert {f"{name}.policy", f"{name}.config"} <= set(found)
    found = set(source_digests("rtbench.policy.rt2"))
    package = {f"rtbench.policy.rt2.{path.stem}" for path in (ROOT / "rtbench/policy/rt2").glob("[!_]*.py")}
    assert package <= found


def test_it_does_not_depend_on_what_the_process_has_imported():
    here = source_digests("rtbench.policy.oracle")
    assert in_a_fresh_process("rtbench.policy.oracle", ROOT).count(":") == len(here)


def test_a_package_edited_after_its_import_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    written(tmp_path, edited_once="class P:\n    pass\n")
    mine = Card(name="P", factory="edited_once:P", summary="")
    __import__("edited_once")
    identity(mine)
    (tmp_path / "edited_once.py").write_text("class P:\n    x = 1\n")
    with pytest.raises(PolicyError, match="edited after this Python had imported it"):
        identity(mine)
    del sys.modules["edited_once"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_argument_that_is_a_file_or_folder_counts_by_content(tmp_path, kind):
    path = written(tmp_path, pol="class P:\n    pass\n") / "pol.py"
    place = tmp_path / "last"
    inner = place / "a" / "w.bin" if kind == "folder" else place
    inner.parent.mkdir(parents=True, exist_ok=True)
    inner.write_bytes(b"one")
    mine = card(path, weights=str(place), size=3)
    first = identity(mine)
    assert first["arguments"] == {"weights": "last", "size": 3}
    assert len(first["files"]["weights"]) == 64
    assert str(tmp_path) not in str(first)
    assert str(tmp_path) not in str(describe(mine)["arguments"])
    inner.write_bytes(b"two")
    assert identity(mine)["files"] != first["files"]
    moved = place.rename(tmp_path / "elsewhere")
    inner = moved / "a" / "w.bin" if kind == "folder" else moved
    inner.write_bytes(b"one")
    assert identity(card(path, weights=str(moved), size=3))["files"] == first["files"]


def test_a_renamed_file_in_a_folder_is_another_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    first = hashing.content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert hashing.content_hash(tmp_path) != first


def test_what_cannot_be_hashed_is_recorded(tmp_path, monkeypatch):
    path = written(tmp_path, pol="class P:\n    pass\n") / "pol.py"
    monkeypatch.setattr(hashing, "MOST_FILES", 1)
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    (sentence,) = identity(card(path, data=str(folder)))["unhashed"]
    assert "argument data" in sentence
    assert "at most 1 are hashed" in sentence
    assert identity(Card(name="P", factory="no_such_module:P", summary=""))["unhashed"] == [
        "the source of no_such_module"
    ]


def test_a_large_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hashing, "KEPT_FROM", 1)
    large = tmp_path / "large"
    large.write_bytes(b"abc")
    first = hashing.content_hash(large)
    (kept,) = (tmp_path / "cache" / "digests").iterdir()
    kept.write_text("f" * 64)
    assert hashing.content_hash(large) == "f" * 64, "it was read again"
    large.write_bytes(b"abcd")
    assert hashing.content_hash(large) not in {first, "f" * 64}


def test_the_hash_of_weights_is_the_files_own_sha256():
    mine = resolve("rt1")
    assert identity(mine)["weights"] == mine.sha256


@pytest.mark.parametrize("text", ["fingerprint = 'v1'", "def fingerprint(self):\n        return 'v1'"])
def test_every_policy_is_asked_for_its_fingerprint(tmp_path, text):
    source = textwrap.dedent(POLICY).replace("import net\n", "").replace("    pass", f"    {text}")
    path = written(tmp_path, pol=source) / "pol.py"
    assert identity(card(path), build(card(path)))["fingerprint"] == "v1"


def test_a_policy_that_became_another_is_refused(tmp_path):
    (tmp_path / "w").write_text("one")
    path = written(tmp_path, pol=POLICY.replace("import net\n", "")) / "pol.py"
    mine = card(path, w=str(tmp_path / "w"))
    first = identity(mine)
    check_identity(mine, build(card(path)), first)
    (tmp_path / "w").write_text("two")
    with pytest.raises(PolicyError, match="its files changed while the run was going on"):
        check_identity(mine, build(card(path)), first)


def test_a_run_names_one_hash_for_one_file_of_weights(tmp_path):
    run = rtbench.evaluate(
        "rt1", rtbench.episodes(rtbench.load_suite("seen"), rounds=1)[:1], out=tmp_path, workers=1
    )
    assert run.meta.policy.weights == run.meta.card.sha256


def test_packages_of_another_environment_on_the_path_are_installed_ones(tmp_path):
    package = tmp_path / "lib" / "site-packages" / "huge"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    path = written(tmp_path, pol="import sys\nimport huge\nclass P:\n    pass\n") / "pol.py"
    code = f"from rtbench.policy.sources import source_digests; print(*source_digests({str(path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{package.parent}:{ROOT}", "PATH": ""},
    )  # fmt: skip
    assert done.stdout.split() == ["pol"]
