"""A wheel as data: named, installed or fetched by pip with its hash, and read without being installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rtbench.core import data_wheel
from rtbench.core.data_wheel import DataWheel, WheelError
from rtbench.core.errors import RtbenchError

WHEEL = DataWheel("some-data", "some_data", "1.2", "ab" * 32, 7, "a test", "RTBENCH_TEST_WHEEL")


class RefusedError(RtbenchError):
    pass


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(WHEEL.variable, raising=False)


@pytest.fixture
def pip(monkeypatch):
    """Stands for pip: writes the wheel, and keeps what it was asked."""
    asked = []

    def run(command, **_):
        asked.append((command, Path(command[command.index("--requirement") + 1]).read_text()))
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / WHEEL.file, "w") as file:
            file.writestr("some_data/inner/a.txt", "fetched")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(data_wheel.subprocess, "run", run)
    return asked


def installed(monkeypatch, folder):
    monkeypatch.setattr(DataWheel, "installed", lambda self: folder)


def write(folder, text):
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.txt").write_text(text)
    return folder


def read(place):
    found = (WHEEL.folder(place, "inner") / "a.txt").read_text()
    if found == "other version":
        raise RefusedError
    return found


def test_a_wheel_a_folder_and_a_package_are_read_alike(tmp_path):
    package = write(tmp_path / "some_data", "here")
    with zipfile.ZipFile(tmp_path / WHEEL.file, "w") as file:
        file.writestr("some_data/inner/a.txt", "here")
    assert [read(place) for place in (package, tmp_path, tmp_path / WHEEL.file)] == ["here"] * 3


def test_the_place_that_is_named_comes_first(tmp_path, monkeypatch, pip):
    installed(monkeypatch, write(tmp_path / "installed", "installed"))
    assert WHEEL.read(read, RefusedError) == "installed"
    monkeypatch.setenv(WHEEL.variable, str(write(tmp_path / "named", "named")))
    assert WHEEL.read(read, RefusedError) == "named"
    monkeypatch.setenv(WHEEL.variable, str(write(tmp_path / "wrong", "other version")))
    with pytest.raises(RefusedError):
        WHEEL.read(read, RefusedError)
    assert not pip


@pytest.mark.parametrize("there", [None, "other version"])
def test_without_a_fitting_copy_the_wheel_is_fetched(tmp_path, monkeypatch, pip, capsys, there):
    installed(monkeypatch, there and write(tmp_path / "installed", there))
    assert WHEEL.read(read, RefusedError) == "fetched"
    ((command, requirement),) = pip
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes", "--no-cache-dir"} <= {*command}
    assert requirement == f"some-data==1.2 --hash=sha256:{WHEEL.sha256}\n"
    assert capsys.readouterr().err == "fetching some-data 1.2 (7 MB, once) for a test ...\n"


def test_the_fetched_wheel_is_dropped(pip):
    with WHEEL.fetched() as wheel:
        assert wheel.is_file()
    assert not wheel.parent.exists()


@pytest.mark.parametrize("said", ["No module named pip", "WARNING: slow\nERROR: no network\n", ""])
def test_where_pip_fails_the_user_is_told_what_to_do(monkeypatch, said):
    monkeypatch.setattr(
        data_wheel.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said)
    )
    reason = "no network" if "network" in said else said or "no reason given"
    expected = (
        rf"cannot fetch some-data 1.2: .*{reason}.*fetch some_data-1.2-py3-none-any.whl \(7 MB\).*set RTB"
    )
    with pytest.raises(WheelError, match=expected) as caught, WHEEL.fetched():
        pass
    assert "\n" not in str(caught.value)


def test_finding_an_installed_copy_does_not_import_it(tmp_path, monkeypatch):
    package = tmp_path / "some_data"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit")
    assert WHEEL.installed() is None
    monkeypatch.syspath_prepend(tmp_path)
    assert WHEEL.installed() == package
