"""The doctor: finds what is amiss, says what to do, and never falls ill itself."""

from __future__ import annotations

import io
import shutil
from collections import namedtuple

import pytest
from rich.console import Console

from rtbench.core.errors import RenderError
from rtbench.env import diagnostics, gl

FAST = diagnostics.Speed("a test", 2.0, 50_000.0)


def by_name(report: diagnostics.Report) -> dict[str, diagnostics.Check]:
    return {check.name: check for check in report.checks}


def test_everything_is_looked_at():
    checks = by_name(diagnostics.examine(lambda: FAST))
    looked = {"python", "mujoco", "OpenGL", "frame", "physics", "cache", "robot", "disk (here)"}
    assert looked <= set(checks)
    assert gl.select().renderer in checks["OpenGL"].found
    assert checks["mujoco"].status == "ok"


def test_the_small_scene_is_drawn_and_stepped():
    speed = diagnostics.measure_small()
    assert speed.frame_ms > 0
    assert speed.steps > 240  # faster than real time on anything


@pytest.mark.parametrize(
    ("speed", "name"),
    [
        (diagnostics.Speed("s", 2 * diagnostics.SLOW_FRAME_MS, 1e5), "frame"),
        (diagnostics.Speed("s", 1.0, 100.0), "physics"),
    ],
)
def test_slowness_warns_and_does_not_fail(speed, name):
    report = diagnostics.Report(tuple(diagnostics._judge(speed)))
    assert {c.name for c in report.checks if c.status == "warn"} == {name}
    assert report.ok


def test_a_broken_kitchen_is_reported_and_the_small_scene_measured():
    def broken():
        raise ValueError("no such file\nand a second line")

    checks = by_name(diagnostics.examine(broken))
    assert (checks["kitchen"].status, checks["kitchen"].found) == ("fail", "ValueError: no such file")
    assert "two bodies" in checks["frame"].found


def test_without_opengl_nothing_is_drawn_and_the_remedy_is_given(monkeypatch):
    def none():
        raise RenderError("no OpenGL back end works here")

    monkeypatch.setattr(gl, "prepare", none)
    report = diagnostics.examine(lambda: pytest.fail("measured without OpenGL"))
    check = by_name(report)["OpenGL"]
    assert check.status == "fail"
    assert gl.INSTALL in check.remedy
    assert "frame" not in by_name(report)
    assert not report.ok


def test_missing_packages_and_libraries_fail_but_optional_ones_do_not():
    needed, wanted = diagnostics._packages(("no-such-package",), {"no-such-extra": "train"})
    assert (needed.status, wanted.status) == ("fail", "ok")
    library = diagnostics._libraries(("libno-such.so.9",))
    assert library.status == "fail"
    assert "libno-such.so.9" in library.found
    assert gl.INSTALL in library.remedy


def test_a_full_disk_warns(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - the shape of shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 5_000_000))
    assert diagnostics._disk("disk", tmp_path).status == "warn"


def test_a_cache_that_does_not_exist_yet_is_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path / "deep" / "cache"))
    checks = {check.name: check for check in diagnostics._folders()}
    assert checks["cache"].status == "ok"
    assert "not baked yet" in checks["robot"].found


def test_the_table_fits_80_columns_and_shows_each_remedy_whole():
    long = "x" * 300
    checks = (
        diagnostics.Check("one", "ok", long),
        diagnostics.Check("two", "fail", "broken", "Run: mend it"),
    )
    out = io.StringIO()
    Console(file=out, width=80).print(diagnostics.render(diagnostics.Report(checks)))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "Run: mend it" in out.getvalue()
    assert out.getvalue().count("x") == 300
    assert "1 of 2 need attention" in out.getvalue()
