"""Files that the HDF5 library does not come back from."""

import os

import h5py
import pytest

from rtbench.data import hdf5_probe
from rtbench.data.hdf5_probe import ProbeError, probe


def test_a_file_that_is_fine_or_missing_passes(tmp_path):
    with h5py.File(tmp_path / "fine.h5", "w") as file:
        file.create_group("a").attrs["b"] = 1
    probe(tmp_path / "fine.h5")
    probe(tmp_path / "missing.h5")


def test_what_python_can_say_of_a_file_is_left_to_its_reader(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    probe(tmp_path / "text.h5")


def test_a_file_that_is_never_done_ends_in_time(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")  # nobody writes to it
    with pytest.raises(ProbeError, match=r"within 1 s; it is damaged"):
        probe(tmp_path / "pipe.h5", limit_s=1)


def test_a_crash_of_the_library_is_told(tmp_path, monkeypatch):
    (tmp_path / "crash.h5").write_text("")
    monkeypatch.setattr(hdf5_probe, "_WALK", "import os; os.abort()")
    with pytest.raises(ProbeError, match=r"crashes on it \(signal 6\)"):
        probe(tmp_path / "crash.h5")
