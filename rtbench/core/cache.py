"""The folder of what is made once and kept: the baked robot, known sentences, the choice of OpenGL."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "RTBENCH_CACHE"


def cache_folder() -> Path:
    """RTBENCH_CACHE where that is set, else rtbench's folder in the user's cache; it need not exist."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("rtbench"))
