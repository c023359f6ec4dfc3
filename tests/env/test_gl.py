"""The choice of the OpenGL back end, with probes that are real once and fakes elsewhere."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtbench.core.errors import RenderError
from rtbench.env import gl
from tests.helpers.paths import ROOT

EGL = gl.Backend("egl", "llvmpipe (LLVM 15)", "Mesa", "4.5 Mesa 22.3.6")
OSMESA = dataclasses.replace(EGL, name="osmesa")


@pytest.fixture
def probes(monkeypatch):
    """Fake probes: set answers[name]; calls lists the names tried. MUJOCO_GL is unset."""
    answers: dict[str, gl.Backend | str] = {"egl": EGL, "osmesa": OSMESA, "glfw": "no display"}
    calls: list[str] = []

    def fake(name):
        calls.append(name)
        return answers[name]

    monkeypatch.setattr(gl, "_try", fake)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    return answers, calls


def test_the_second_call_answers_from_the_cache(probes, tmp_path):
    _, calls = probes
    assert gl.select(cache=tmp_path) == EGL
    assert gl.select(cache=tmp_path) == EGL
    assert calls == ["egl"]


def test_fresh_probes_again(probes, tmp_path):
    _, calls = probes
    gl.select(cache=tmp_path)
    gl.select(cache=tmp_path, fresh=True)
    assert calls == ["egl", "egl"]


def test_osmesa_follows_where_egl_fails(probes, tmp_path):
    answers, calls = probes
    answers["egl"] = "no device"
    assert gl.select(cache=tmp_path) == OSMESA
    assert calls == ["egl", "osmesa"]


def test_a_failure_is_one_line_with_reasons_and_remedy_and_is_not_cached(probes, tmp_path):
    answers, _ = probes
    answers.update(egl="no device", osmesa="no library")
    with pytest.raises(RenderError) as caught:
        gl.select(cache=tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    assert gl.INSTALL in text
    assert "egl: no device" in text
    assert "osmesa: no library" in text
    answers["egl"] = EGL
    assert gl.select(cache=tmp_path) == EGL


def test_the_users_choice_is_the_only_one_tried(probes, tmp_path, monkeypatch):
    answers, calls = probes
    answers["osmesa"] = "no library"
    monkeypatch.setenv("MUJOCO_GL", "OSMesa ")
    with pytest.raises(RenderError, match=r"MUJOCO_GL=osmesa does not work here.*unset MUJOCO_GL"):
        gl.select(cache=tmp_path)
    assert calls == ["osmesa"]


@pytest.mark.parametrize("device", ["9", "x"])
def test_a_wrong_device_is_to_be_corrected_and_nothing_installed(probes, tmp_path, monkeypatch, device):
    answers, calls = probes
    answers["egl"] = "no such device"
    monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", device)
    with pytest.raises(
        RenderError, match=rf"MUJOCO_EGL_DEVICE_ID={device} does not work.*or unset it"
    ) as caught:
        gl.select(cache=tmp_path)
    assert "apt-get" not in str(caught.value)
    assert calls == ["egl"], "another back end would draw elsewhere"


def test_others_may_read_the_cached_answer(probes, tmp_path):
    before = os.umask(0o022)
    try:
        gl.select(cache=tmp_path)
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_choice_and_no_choice_are_cached_apart(probes, tmp_path, monkeypatch):
    gl.select(cache=tmp_path)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert gl.select(cache=tmp_path) == OSMESA


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("egll", "Did you mean 'egl'\\?.*Allowed: egl, osmesa, glfw"),
        ("off", "switches rendering off.*Unset it"),
    ],
)
def test_a_wrong_choice_is_explained(probes, tmp_path, monkeypatch, value, message):
    monkeypatch.setenv("MUJOCO_GL", value)
    with pytest.raises(RenderError, match=message):
        gl.select(cache=tmp_path)


@pytest.mark.parametrize(
    "variable", ["LIBGL_ALWAYS_SOFTWARE", "CUDA_VISIBLE_DEVICES", "MUJOCO_EGL_DEVICE_ID"]
)
def test_a_changed_driver_variable_probes_again(probes, tmp_path, monkeypatch, variable):
    _, calls = probes
    monkeypatch.delenv(variable, raising=False)
    gl.select(cache=tmp_path)
    monkeypatch.setenv(variable, "1")
    gl.select(cache=tmp_path)
    assert calls == ["egl", "egl"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.binary(max_size=200)
    | st.sampled_from([b"[]", b"null", b"{}", b'{"name": 1, "renderer": 2, "vendor": 3, "version": 4}'])
)
def test_a_damaged_cache_is_probed_anew(probes, tmp_path, damage):
    _, calls = probes
    gl.select(cache=tmp_path, fresh=True)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    calls.clear()
    assert gl.select(cache=tmp_path) == EGL
    assert calls == ["egl"]


def test_a_cache_that_cannot_be_written_is_no_error(probes, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert gl.select(cache=blocked / "gl") == EGL


def test_prepare_sets_what_mujoco_and_pyopengl_read(probes, tmp_path, monkeypatch):
    answers, _ = probes
    answers["egl"] = "no device"
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "egl")
    gl.prepare(cache=tmp_path)
    assert (os.environ["MUJOCO_GL"], os.environ["PYOPENGL_PLATFORM"]) == ("osmesa", "osmesa")


def test_a_back_end_that_hangs_crashes_or_fails_gives_a_reason(monkeypatch, tmp_path):
    stand_in = tmp_path / "python"

    def answer(script: str) -> gl.Backend | str:
        stand_in.write_text(f"#!/bin/sh\n{script}\n")
        stand_in.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(stand_in))
        return gl._try("egl")

    assert answer("kill -SEGV $$") == "crashed with signal 11"
    assert answer("echo first >&2; echo 'ImportError: no EGL' >&2; exit 1") == "ImportError: no EGL"
    assert answer("exit 3") == "exit code 3"
    monkeypatch.setattr(gl, "PROBE_SECONDS", 0.2)
    assert answer("exec sleep 5") == "no picture within 0 s"


def test_the_real_probe_names_its_driver():
    found = gl._try(gl.select().name)
    assert isinstance(found, gl.Backend), found
    assert found.renderer
    assert found.version


def test_a_context_draws_even_where_mujoco_came_first():
    """In a process of its own: here MuJoCo's back end was fixed long ago."""
    code = (
        "import mujoco; from rtbench.env import gl\n"
        "context = gl.context(8, 8)\n"
        "from OpenGL import GL\n"
        "print(GL.glGetString(GL.GL_RENDERER).decode()); context.free()"
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    clean["PYTHONPATH"] = os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == gl.select().renderer, done.stderr


@pytest.mark.parametrize(
    ("renderer", "software"), [("llvmpipe (LLVM 15)", True), ("NVIDIA H100/PCIe", False)]
)
def test_software_is_told_from_hardware(renderer, software):
    assert dataclasses.replace(EGL, renderer=renderer).software is software
