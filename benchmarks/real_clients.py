"""Do clients of openpi and vla-eval, from PyPI and unchanged, get the actions of the policy that is served?

    .venv/bin/python benchmarks/real_clients.py [--openpi PYTHON] [--vla-eval PYTHON] [--json FILE]

PYTHON are interpreters of environments that have openpi-client 0.1.2 and vla-eval 0.8.0. `rtbench serve`
serves the shipped RT-1; each client asks for images of 256 x 320 in two episodes, and each action is
compared with that of the same policy here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import Samples, ms, report
from remote import served

from rtbench.core.action import convention
from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.policy import card as cards

COUNT = 20
PROMPTS = ("pick coke can", "move apple near sponge")
OPENPI = """
import json, sys, time, numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy
policy = WebsocketClientPolicy("127.0.0.1", int(sys.argv[2]))
found, times = [], []
for prompt in json.loads(sys.argv[3]):
    for image in np.load(sys.argv[1]):
        start = time.perf_counter()
        reply = policy.infer({"observation/image": image, "prompt": prompt})
        times.append(time.perf_counter() - start)
        found.append(reply["actions"][0].tolist())
print(json.dumps([found, times]))
"""
VLA_EVAL = """
import anyio, json, sys, time, numpy as np
from vla_eval.connection import Connection
async def main():
    found, times = [], []
    async with Connection("ws://127.0.0.1:" + sys.argv[2]) as connection:
        for prompt in json.loads(sys.argv[3]):
            await connection.start_episode({"task": {"name": prompt}, "mode": "sync"})
            for image in np.load(sys.argv[1]):
                start = time.perf_counter()
                reply = await connection.act({"images": {"head": image}, "task_description": prompt})
                times.append(time.perf_counter() - start)
                found.append(np.asarray(reply["actions"]).tolist())
            await connection.end_episode({"metrics": {"success": False}, "steps": 1, "elapsed_sec": 1.0})
    print(json.dumps([found, times]))
anyio.run(main)
"""


def expected(images: np.ndarray) -> np.ndarray:
    """Actions float64[n, 11] of the policy in this process."""
    policy = cards.build(cards.resolve("rt1"))
    spec = convention(policy.needs.convention)
    found = []
    for prompt in PROMPTS:
        policy.reset(0, prompt, 0)
        for step, image in enumerate(images):
            seen = Observation({"head": image}, prompt, np.full(15, np.nan, dtype=np.float32), step)
            found.append(spec.decode(policy.act([seen], [0])[0]))
    return np.array(found)


def main() -> None:
    """Serve, ask, and print what came."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--openpi", metavar="PYTHON")
    parser.add_argument("--vla-eval", metavar="PYTHON")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    images = generator("clients").integers(0, 256, (COUNT, 256, 320, 3), dtype=np.uint8)
    wanted = expected(images)
    rows, data = [], {}
    for name, python, code in (
        ("openpi", options.openpi, OPENPI), ("vla-eval", options.vla_eval, VLA_EVAL)
    ):  # fmt: skip
        if python is None:
            continue
        with tempfile.TemporaryDirectory() as folder, served(name, "rt1") as (url, _):
            file = Path(folder) / "images.npy"
            np.save(file, images)
            port = url.rpartition(":")[2]
            command = [python, "-c", code, str(file), port, json.dumps(PROMPTS)]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout
        found, times = json.loads(out.splitlines()[-1])
        same = int(np.isclose(np.array(found), wanted, rtol=0, atol=1e-12).all(axis=1).sum())
        data[name] = {"same": same, "of": len(wanted), "ms": Samples(name, times).summary()}
        rows.append([name, f"{same} of {len(wanted)}", ms(data[name]["ms"])])
    report("Clients of others", ["client", "same actions", "ms a decision"], rows, {"clients": data})
    sys.exit(any(one["same"] < one["of"] for one in data.values()))


if __name__ == "__main__":
    main()
