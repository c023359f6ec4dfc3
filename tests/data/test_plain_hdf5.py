"""HDF5 of strangers: what leads to other files or is too large is refused before it is read."""

import h5py
import numpy as np
import pytest

from rtbench.data.plain_hdf5 import LARGEST, arrays, plain_links


def external_link(file, tmp_path):
    file["x"] = h5py.ExternalLink(tmp_path / "other.h5", "/secret")


def soft_link(file, tmp_path):
    file["x"] = h5py.SoftLink("/obs")


def storage(file, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(8))
    file.create_dataset("x", (8,), "u1", external=[(str(tmp_path / "raw"), 0, 8)])


def virtual(file, tmp_path):
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (8,))
    file.create_virtual_dataset("x", layout)


def large(file, tmp_path):
    file.create_dataset("x", (LARGEST + 1,), "u1", chunks=(1024,), compression="gzip")


def committed_type(file, tmp_path):
    file["x"] = np.dtype("f8")


@pytest.mark.parametrize("make", [external_link, soft_link, storage, virtual, large, committed_type])
def test_it_is_refused(tmp_path, make):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.arange(8, dtype="u1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["obs/head"] = np.zeros(3)
        arrays(file)
        make(file, tmp_path)
    with h5py.File(tmp_path / "a.h5", "r") as file, pytest.raises(ValueError, match="x "):
        arrays(file)


def test_members_are_there_and_no_links(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = 1
        plain_links(file, ["a"])
        with pytest.raises(KeyError):
            plain_links(file, ["b"])


def test_arrays_are_found_by_their_paths(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["obs/head"], file["tokens"] = np.arange(3), np.arange(2)
        found = arrays(file)
    assert found.keys() == {"obs/head", "tokens"}


def test_a_group_that_lies_in_itself_ends(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["obs/head"] = np.arange(3)
        file["obs/again"] = file["obs"]
        with pytest.raises(RuntimeError):
            arrays(file)
