"""Files of strangers, at random: each is read or refused, soon; whatever else is raised is a failure.

The seeds are fixed. `RTBENCH_FUZZ=20` plays as many more, which `make fuzz` does.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import numpy as np

from rtbench.core.errors import RtbenchError
from rtbench.data.demonstration import DemonstrationError, Demonstrations, Header
from rtbench.data.hdf5_probe import ProbeError, probe
from rtbench.data.hdf5_writer import Writer
from rtbench.policy.rt1.checkpoint import save
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import Origin, read
from rtbench.result.folder import EPISODES, RUN
from rtbench.result.run import load_run
from rtbench.result.scores import load_scores
from rtbench.task.skill import Skill
from rtbench.task.yaml_loader import read_file
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.demonstrations import SIZE, made_up
from tests.helpers.paths import ROOT
from tests.helpers.rt1_networks import TINY

TIMES = int(os.environ.get("RTBENCH_FUZZ", "1"))
MOST_S = 10.0
ODD = (
    b"\x00", b"\xff", b"\x1b[2J", b"\n", b"-1", b"1e999", b"NaN", b"true", b"null", b"9" * 5000, b"[" * 3000,
    b"{" * 3000, b"!!set ", b"&a ", b"*a", b"<<: ", b'"', b"\xe2\x80\xae", b"", b"99999999999999999999",
)  # fmt: skip


def mutations(whole: bytes, seed: int, count: int, head: int | None = None) -> Iterator[bytes]:
    """The bytes with one to three pieces changed, removed, doubled or replaced by odd ones."""
    draw = np.random.default_rng(seed)
    for _ in range(count * TIMES):
        data = bytearray(whole)
        for _ in range(draw.integers(1, 4)):
            place = int(draw.integers(max(1, min(len(data), head or len(data)))))
            length = int(draw.choice((0, 1, 1, 4, 30)))
            kind = draw.integers(4)
            if kind == 0:
                data[place : place + length] = ODD[draw.integers(len(ODD))]
            elif kind == 1:
                data[place : place + 1] = bytes([draw.integers(256)])
            elif kind == 2:
                data[place:place] = data[place : place + 30]
            else:
                del data[place : place + length]
        yield bytes(data)


def attempt(reader) -> object:
    """What was read, or None where it was refused; any other exception is a failure."""
    began = time.process_time()
    try:
        found = reader()
    except RtbenchError:
        found = None
    assert time.process_time() - began < MOST_S
    return found


def test_yaml(tmp_path):
    path = tmp_path / "skills.yaml"
    whole = min((ROOT / "tasks/skills").glob("*.yaml"), key=lambda file: file.stat().st_size).read_bytes()
    path.write_bytes(whole)
    assert attempt(lambda: read_file(path, Skill))
    for data in mutations(whole, 1, 40):
        path.write_bytes(data)
        attempt(lambda: read_file(path, Skill))


def test_records(tmp_path):
    folder = synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(2), 1.0))
    whole = (folder / EPISODES).read_bytes()
    for data in mutations(whole, 2, 150):
        (folder / EPISODES).write_bytes(data)
        run = attempt(lambda: load_run(folder))
        attempt(lambda: load_scores(folder))
        for record in run.records if run else ():
            assert record.outcome is None or 0 <= record.outcome.steps <= record.episode.horizon


def test_run_json(tmp_path):
    folder = synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(2), 1.0))
    whole = (folder / RUN).read_bytes()
    for data in mutations(whole, 3, 150):
        (folder / RUN).write_bytes(data)
        run = attempt(lambda: load_run(folder))
        assert run is None or (run.meta.episodes >= 0 and json.dumps(run.meta.as_dict(), allow_nan=False))


def test_weights(tmp_path):
    path = tmp_path / "rt1.safetensors"
    save(path, RT1(TINY), Origin("words", "ab" * 32), half=True)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for data in mutations(whole, 4, 60, header):
        path.write_bytes(data)
        attempt(lambda: read(path))


def test_demonstrations(tmp_path):
    path = tmp_path / "demos.h5"
    with Writer(path, Header(size=SIZE)) as file:
        file.add(made_up(1))
    whole = path.read_bytes()

    def play():
        # As `trusted=False` does, with less patience: from some files the library never comes back.
        try:
            probe(path, limit_s=5)
        except ProbeError as error:
            raise DemonstrationError(str(error)) from None
        with Demonstrations(path) as demos:
            return [demos.demo(number) for number in range(len(demos))]

    assert attempt(play)
    for data in mutations(whole, 5, 40):
        path.write_bytes(data)
        attempt(play)
