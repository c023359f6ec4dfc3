"""Cards over which workers are spread, of machines that tests pretend."""

import pytest

from rtbench.env.gl import DEVICE, Backend
from rtbench.env.gpus import drawing_devices
from rtbench.evaluation.worker_pool import surroundings

CARD = Backend("egl", "NVIDIA H200/PCIe/SSE2", "NVIDIA Corporation", "4.6.0 NVIDIA 580.1")
MESA = Backend("egl", "llvmpipe (LLVM 15.0.6, 256 bits)", "Mesa", "4.5")


@pytest.fixture
def dev(tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("backend", "environ", "expected"),
    [
        (CARD, {}, ("0", "1", "2")),
        (CARD, {"CUDA_VISIBLE_DEVICES": "5,3"}, ("0", "1")),
        (CARD, {"CUDA_VISIBLE_DEVICES": "GPU-8f3a, MIG-77c1"}, ("0", "1")),
        (CARD, {"CUDA_VISIBLE_DEVICES": "4"}, ()),
        (CARD, {"CUDA_VISIBLE_DEVICES": ""}, ()),
        (CARD, {"CUDA_VISIBLE_DEVICES": "0,-1,1"}, ()),
        (CARD, {DEVICE: "1"}, ()),
        (MESA, {}, ()),
        (Backend("osmesa", "softpipe", "Mesa", "3.3"), {}, ()),
    ],
)
def test_devices(dev, backend, environ, expected):
    assert drawing_devices(backend, environ, dev) == expected


def test_workers_take_the_devices_in_turn(monkeypatch):
    monkeypatch.delenv(DEVICE, raising=False)
    assert [surroundings(slot, ("0", "1", "2"))[DEVICE] for slot in range(5)] == ["0", "1", "2", "0", "1"]
    assert DEVICE not in surroundings(1, ())
