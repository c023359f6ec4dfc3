"""Files of demonstrations: what is written is read, and what is damaged is named."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rtbench.core.action import CONVENTIONS, convention
from rtbench.core.image import shrink
from rtbench.data.demonstration import DemonstrationError, Demonstrations, Header, check_alike
from rtbench.data.hdf5_writer import Writer
from tests.helpers.demonstrations import SIZE, made_up, same

HEAD = Header(size=SIZE, settings={"suite": "fake", "noise": 0.25})


def write(path, demos, header=HEAD):
    with Writer(path, header) as file:
        for demo in demos:
            file.add(demo)
    return path


@settings(max_examples=20)
@given(
    lengths=st.lists(st.integers(1, 12), max_size=12), height=st.integers(1, 9), width=st.integers(1, 9),
    spec=st.sampled_from(sorted(CONVENTIONS)),
)  # fmt: skip
def test_what_is_written_is_read(tmp_path_factory, lengths, height, width, spec):
    path = tmp_path_factory.mktemp("demos") / "demos.h5"
    size = height, width
    demos = [made_up(seed, steps, size=size, spec=spec) for seed, steps in enumerate(lengths)]
    write(path, demos, Header(spec, size))
    with Demonstrations(path) as found:
        assert (len(found), found.frames) == (len(lengths), sum(lengths))
        assert found.lengths.tolist() == lengths
        assert found.keys == tuple(demo.episode.key for demo in demos)
        assert found.skills == tuple(demo.episode.skill for demo in demos)
        assert all(same(found.demo(k), demo) for k, demo in enumerate(demos))
        assert found.header == Header(spec, size)


def test_the_layout_is_robomimics(tmp_path):
    demo = made_up(3, 6)
    with h5py.File(write(tmp_path / "demos.h5", [made_up(1, 4), demo])) as file:
        assert file["data"].attrs["total"] == 10
        assert '"type": 2' in file["data"].attrs["env_args"]
        group = file["data/demo_1"]
        assert group.attrs["num_samples"] == 6
        for name in ("key", "task", "skill", "instruction", "seed", "split"):
            assert group.attrs[name] == getattr(demo.episode, name)
        assert (group.attrs["policy"], group.attrs["success"]) == ("oracle", True)
        actions = np.stack([convention("rtbench").decode(row) for row in demo.tokens])
        np.testing.assert_allclose(group["actions"][:], actions, atol=1e-7)
        assert group["modes"][:].tolist() == actions[:, 10].tolist()
        assert group["rewards"][:].tolist() == group["dones"][:].tolist() == [0, 0, 0, 0, 0, 1]
        assert (group["obs/head"].dtype, group["obs/proprio"].dtype) == (np.uint8, np.float32)


def test_a_failure_has_no_reward(tmp_path):
    with h5py.File(write(tmp_path / "demos.h5", [made_up(success=False)])) as file:
        assert not file["data/demo_0/rewards"][:].any()
        assert file["data/demo_0/dones"][-1] == 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("demos") / "demos.h5"
    return write(path, [made_up(seed, 9, size=(32, 40)) for seed in range(4)], Header(size=(32, 40)))


@given(share=st.floats(0, 0.999))
@example(share=0.0001)
@example(share=0.0)
def test_a_file_cut_off_anywhere_is_named(whole, tmp_path_factory, share):
    path = tmp_path_factory.mktemp("cut") / "cut.h5"
    data = whole.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DemonstrationError, match=r"cut\.h5: (damaged or )?(cut off|no HDF5)"):
        Demonstrations(path)


def test_a_damaged_picture_is_named(whole, tmp_path):
    path = tmp_path / "spoilt.h5"
    path.write_bytes(whole.read_bytes())
    with h5py.File(path) as file:
        chunk = file["data/demo_2/obs/head"].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + chunk.size // 2)
        raw.write(b"\0" * 16)
    with Demonstrations(path) as found:
        assert found.demo(1).success
        with pytest.raises(DemonstrationError, match=r"spoilt\.h5: demo_2 is damaged"):
            found.demo(2)


def spoil(how):
    def edit(path):
        with h5py.File(path, "r+") as file:
            how(file)

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_text("actions"), "no HDF5 file"),
        (spoil(lambda file: file.attrs.pop("format")), "not written by `rtbench demos`"),
        (spoil(lambda file: file.attrs.__setitem__("schema", 0)), "schema 0, this rtbench reads 1"),
        (spoil(lambda file: file.attrs.__setitem__("convention", "rt2")), "unknown action convention 'rt2'"),
        (spoil(lambda file: file["data"].attrs.__setitem__("total", 7)), "20 frames, its head says 7"),
        (spoil(lambda file: file["data"].pop("demo_1")), "its head is damaged"),
        (spoil(lambda file: file.pop("failed")), "its head is damaged"),
    ],
)
def test_what_is_no_file_of_demonstrations_is_refused(tmp_path, edit, told):
    path = write(tmp_path / "demos.h5", [made_up(seed, 5) for seed in range(4)])
    edit(path)
    with pytest.raises(Exception, match=told) as caught:
        Demonstrations(path)
    assert caught.type.__module__.startswith("rtbench.")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tokens": np.full((5, 11), 200, np.uint8)}, "tokens are not of convention 'rtbench': 200"),
        ({"labels": np.zeros((4, 11), np.uint8)}, r"labels is uint8\[4, 11\], expected uint8\[5, 11\]"),
        ({"images": np.zeros((5, 8, 9, 3), np.uint8)}, r"images is uint8\[5, 8, 9, 3\]"),
        ({"proprio": np.zeros((5, 15))}, "proprio is float64"),
        ({"proprio": np.full((5, 15), np.nan, np.float32)}, "proprio is not finite"),
    ],
)
def test_a_demonstration_that_does_not_fit_is_refused(tmp_path, changes, told):
    path = tmp_path / "demos.h5"
    with pytest.raises(DemonstrationError, match=told), Writer(path, HEAD) as file:
        file.add(replace(made_up(), **changes))
    assert list(tmp_path.iterdir()) == []


def test_tokens_of_another_convention_are_found_when_read(tmp_path):
    path = write(tmp_path / "demos.h5", [made_up()])
    with h5py.File(path, "r+") as file:
        file["data/demo_0/labels"][2, 10] = 128
    with Demonstrations(path) as found, pytest.raises(DemonstrationError, match="128 at step 2, position 10"):
        found.demo(0)


def test_files_of_two_conventions_or_sizes_do_not_mix(tmp_path):
    path = write(tmp_path / "demos.h5", [made_up()])
    with Demonstrations(path) as found:
        check_alike(path, found.header, replace(HEAD, settings={}))
        with pytest.raises(DemonstrationError, match=r"demos\.h5: convention rtbench, the others have rt1;"):
            check_alike(path, found.header, replace(HEAD, convention="rt1"))
        with (
            pytest.raises(DemonstrationError, match="image size 8x10, the others have 8x12;"),
            Writer(tmp_path / "other.h5", replace(HEAD, size=(8, 12))) as file,
        ):
            file.copy(found, 0)


def write_one_and_an_empty_one(file):
    file.add(made_up(1))
    file.add(made_up(2, 0))


def test_a_failing_writer_leaves_what_was_there(tmp_path):
    path = write(tmp_path / "demos.h5", [made_up()])
    before = path.read_bytes()
    with pytest.raises(DemonstrationError, match="no steps"), Writer(path, HEAD) as file:
        write_one_and_an_empty_one(file)
    assert [path] == list(tmp_path.iterdir())
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DemonstrationError, match="cannot be written: No such file"):
        Writer(tmp_path / "missing" / "demos.h5", HEAD)


def test_shrunk_pixels_are_means():
    image = np.random.default_rng(0).integers(0, 256, (256, 320, 3)).astype(np.uint8)
    means = image.reshape(128, 2, 160, 2, 3).mean((1, 3))
    assert np.abs(shrink(image, (128, 160)) - means).max() <= 1  # rounded along each axis
    assert shrink(image, (256, 320)) is image
