"""Made-up checkpoints with the names and shapes of Google's."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np

from rtbench.core.seeding import generator
from rtbench.policy.rt1.google_checkpoint import Variable, table

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
INTEGERS = ("global_step", "save_counter", "/count")


def values(size):
    """Random values for every variable of a checkpoint, in TensorFlow's layout and dtype."""
    rng = generator("released checkpoint", size.name)
    found = {}
    for name, shape in table(size).items():
        if name.endswith(INTEGERS):
            found[name] = np.array(424760, dtype=np.int64)
        elif name.endswith("variance"):
            found[name] = rng.uniform(0.5, 2, shape).astype(np.float32)
        else:
            found[name] = (rng.standard_normal(shape, dtype=np.float32) / 10).astype(np.float32)
    return found


class FakeReader:
    """A checkpoint in memory."""

    where = "rt1main/ckpt-424760"

    def __init__(self, arrays):
        self.arrays = dict(arrays)

    def variables(self):
        return {name: Variable(array.shape, str(array.dtype)) for name, array in self.arrays.items()}

    def read(self, name):
        return self.arrays[name]


def write_files(folder, number=424760):
    """The files that a checkpoint has, without content."""
    folder.mkdir(exist_ok=True)
    for ending in ("index", "data-00000-of-00001"):
        (folder / f"ckpt-{number}.{ending}").write_bytes(b"a checkpoint")
    return folder


def fake_tensorflow(arrays, broken=()):
    """A module `tensorflow` that finds these arrays in any checkpoint, and fails at reading some."""
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    dtypes = {name: SimpleNamespace(name=str(array.dtype)) for name, array in arrays.items()}

    def get_tensor(name):
        if name in broken:
            raise IndexError("Read less bytes than requested")
        return arrays[name]

    def load_checkpoint(prefix):
        return SimpleNamespace(
            get_variable_to_shape_map=lambda: shapes,
            get_variable_to_dtype_map=lambda: dtypes,
            get_tensor=get_tensor,
        )

    module = ModuleType("tensorflow")
    module.train = SimpleNamespace(load_checkpoint=load_checkpoint)
    return module


def as_saved(arrays):
    """With what TensorFlow adds: a suffix, an entry of its own, and Adam's two moments of each variable."""
    saved = {f"{name}{SUFFIX}": array for name, array in arrays.items()}
    saved["_CHECKPOINTABLE_OBJECT_GRAPH"] = np.array(0)
    for name in (
        "agent/_actor_network/_transformer/_token_emb/bias",
        "agent/_actor_network/_action_token_emb/bias",
    ):
        for moment in "mv":
            saved[f"{name}/.OPTIMIZER_SLOT/agent/_optimizer/{moment}{SUFFIX}"] = arrays[name]
    return saved
