"""Short segments: a few steps of each of many scenes."""

from __future__ import annotations

from rtbench.data import segments
from rtbench.data.demonstration import Demonstrations
from tests.helpers.commands import rtbench as run


def test_short_segments_begin_anywhere_in_an_episode(tmp_path):
    options = ("--short-segments", "-n", 12, "--skill", "pick", "--skill", "open_drawer", "--noise", "0.3")
    for workers in (1, 2):
        said = run("demos", *options, "-j", workers, "--output", tmp_path / f"{workers}.h5")
        assert said.code == 0, said.err
    with Demonstrations(tmp_path / "1.h5") as first, Demonstrations(tmp_path / "2.h5") as second:
        one = [first.demo(k) for k in range(len(first))]
        two = [second.demo(k) for k in range(len(second))]
    assert len(one) == 12
    assert all(1 <= len(demo) <= segments.STEPS for demo in one)
    heights = [float(demo.proprio[0, 9]) for demo in one]
    assert max(heights) - min(heights) > 0.1, "they all begin where the arm begins"
    for demo, same in zip(one, two, strict=True):
        assert (demo.tokens == same.tokens).all()
        assert (demo.images == same.images).all()
        assert (demo.hashes == same.hashes).all()
