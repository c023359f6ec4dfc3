"""Parts of a recording: only our own broken ones are deleted, and those are named."""

import pytest

from rtbench.data.demonstration import DemonstrationError, Header
from rtbench.data.shards import Parts
from tests.helpers.demonstrations import SIZE, made_up

HEADER = Header(size=SIZE)


def test_files_of_strangers_stay(tmp_path):
    output = tmp_path / "demos.h5"
    parts = Parts(output, HEADER)
    demo = made_up(1)
    parts.keep(demo)
    parts.close()
    folder = parts.folder
    (folder / "notes.txt").write_text("mine")
    (folder / "other.h5").write_text("no HDF5, and not ours")
    (folder / f"{'a' * 16}.h5").write_text("ours, broken")
    (folder / f".{'b' * 16}.0123456789abcdef.h5").write_text("ours, begun")
    again = Parts(output, HEADER)
    assert again.removed == [folder / f"{'a' * 16}.h5"]
    assert set(again.kept) == {demo.episode.key}
    again.assemble({})
    again.close()
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "other.h5"]
    assert output.exists()


def test_a_part_of_another_schema_is_refused_and_stays(tmp_path):
    import h5py

    parts = Parts(tmp_path / "demos.h5", HEADER)
    parts.keep(made_up(1))
    parts.close()
    (path,) = parts.folder.iterdir()
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 99
    with pytest.raises(DemonstrationError, match="schema 99"):
        Parts(tmp_path / "demos.h5", HEADER)
    assert path.exists()
