"""Which graphics card each worker draws on, of a machine with several."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from rtbench.env.gl import DEVICE, Backend


def drawing_devices(
    backend: Backend, environ: Mapping[str, str] = os.environ, dev: Path = Path("/dev")
) -> tuple[str, ...]:
    """Values of MUJOCO_EGL_DEVICE_ID over which workers are to be spread; none where there is no choice.

    MuJoCo takes it for an index among the cards of CUDA_VISIBLE_DEVICES where that is set, else among all.
    The policy's card is in the list too: drawing takes little of it, and its memory is asked for late.

    Args:
        backend: What draws here. Only EGL on a card can choose.
        environ: The environment: a device that the user named is kept for all.
        dev: Folder of device files.
    """
    if backend.name != "egl" or backend.software or environ.get(DEVICE):
        return ()
    count = visible_cards(environ, dev)
    return tuple(map(str, range(count))) if count > 1 else ()


def visible_cards(environ: Mapping[str, str] = os.environ, dev: Path = Path("/dev")) -> int:
    """Number of NVIDIA's cards that a process may use."""
    named = environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        cards = []
        for part in map(str.strip, named.split(",")):
            if part in {"", "-1"}:  # CUDA takes those before the first invalid one
                break
            cards.append(part)
        return len(cards)
    return sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in _names(dev))


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []
