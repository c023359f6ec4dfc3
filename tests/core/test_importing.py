"""A user's file finds what lies beside it, shares it with no other, and is read anew when it was edited."""

import sys

import pytest

from rtbench.core.errors import PolicyError
from rtbench.core.importing import PREFIX, load_object, loaded_sources


def folder(tmp_path, name, helper="VALUE = 1\n"):
    place = tmp_path / name
    place.mkdir()
    (place / "pol.py").write_text(
        "import helper\n\n\ndef value():\n    return helper.VALUE\n\n\n"
        "def late():\n    from helper import VALUE\n    return VALUE\n"
    )
    (place / "helper.py").write_text(helper)
    return place / "pol.py"


def test_a_file_imports_what_lies_beside_it_also_late(tmp_path):
    path = folder(tmp_path, "a")
    assert load_object(f"{path}:value")() == 1
    assert load_object(f"{path}:late")() == 1
    assert set(loaded_sources(path)) == {"pol", "helper"}


def test_two_folders_keep_their_own_helpers_and_leak_into_nothing(tmp_path):
    first, second = folder(tmp_path, "a"), folder(tmp_path, "b", "VALUE = 2\n")
    path = list(sys.path)
    values = [load_object(f"{p}:value") for p in (first, second)]
    late = [load_object(f"{p}:late") for p in (first, second)]
    assert [value() for value in values] == [1, 2]
    assert [value() for value in late] == [1, 2]
    assert "helper" not in sys.modules
    assert sys.path == path


def test_packages_submodules_and_relative_imports_are_found(tmp_path):
    path = tmp_path / "pol.py"
    package = tmp_path / "net"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text(
        "from . import sizes\nimport shared\nWIDTH = sizes.WIDTH + shared.MORE\n"
    )
    (package / "sizes.py").write_text("WIDTH = 4\n")
    (tmp_path / "shared.py").write_text("MORE = 3\n")
    path.write_text(
        "import net.layers\nfrom net import sizes\nfrom net.layers import WIDTH\nfrom shared import *\n"
        "TOTAL = net.layers.WIDTH + sizes.WIDTH + WIDTH + MORE\n"
    )
    assert load_object(f"{path}:TOTAL") == 7 + 4 + 7 + 3
    assert set(loaded_sources(path)) == {"pol", "net", "net.layers", "net.sizes", "shared"}


def test_an_edited_file_or_helper_is_read_anew_and_the_old_objects_live_on(tmp_path):
    path = folder(tmp_path, "a")
    old = load_object(f"{path}:value")
    assert load_object(f"{path}:value") is old, "nothing changed: the same module"
    # Same size, and perhaps the same time stamp: a cached compilation would not notice.
    (path.parent / "helper.py").write_text("VALUE = 7\n")
    assert load_object(f"{path}:value")() == 7
    assert old() == 1
    path.write_text("def value():\n    return 9\n")
    assert load_object(f"{path}:value")() == 9


def test_a_module_of_a_file_can_be_looked_up_by_its_name(tmp_path):
    path = tmp_path / "pol.py"
    path.write_text(
        "from __future__ import annotations\nimport dataclasses\n\n\n"
        "@dataclasses.dataclass\nclass P:\n    x: int = 0\n"
    )
    made = load_object(f"{path}:P")
    assert made.__module__.startswith(PREFIX)
    assert sys.modules[made.__module__].P is made


def test_rtbench_and_builtin_modules_are_never_taken_from_beside(tmp_path):
    (tmp_path / "rtbench").mkdir()
    (tmp_path / "rtbench" / "__init__.py").write_text("raise RuntimeError\n")
    (tmp_path / "time.py").write_text("raise RuntimeError\n")
    path = tmp_path / "pol.py"
    path.write_text("import rtbench, time\nfrom rtbench.policy.base import Needs\nNAME = rtbench.__name__\n")
    assert load_object(f"{path}:NAME") == "rtbench"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys\nsys.exit(1)\n", r"cannot import .*pol\.py: it called sys\.exit\(1\)"),
        ("raise SystemExit\n", r"sys\.exit\(None\)"),
        ("import no_such_thing\n", "no module named 'no_such_thing'; pip install"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("x = (\n", "SyntaxError"),
        ("y = 1\n", "has no 'x'"),
    ],
)
def test_what_goes_wrong_is_told_and_leaves_nothing_behind(tmp_path, text, message):
    path = tmp_path / "pol.py"
    path.write_text(text)
    finders = list(sys.meta_path)
    with pytest.raises(PolicyError, match=message):
        load_object(f"{path}:x")
    if "y = 1" not in text:
        assert sys.meta_path == finders
        assert not [name for name in sys.modules if name.startswith(f"{PREFIX}pol_") and name.endswith(".pol")
                    and getattr(sys.modules[name], "__file__", "") == str(path)]  # fmt: skip
    path.write_text("x = 3\n")
    assert load_object(f"{path}:x") == 3
