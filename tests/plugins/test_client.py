"""rtbench-client: any model behind a server in 20 lines, which rtbench plays without being told more."""

import ast
import http.client
import re
import sys
import time
import tomllib

import msgpack
import numpy as np
import pytest
from websockets.sync.client import connect

from rtbench.core.errors import PolicyError
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.policy.remote.codec import pack, unpack
from tests.helpers.paths import ROOT
from tests.policy.remote.test_policy import frames, remote

FOLDER = ROOT / "plugins" / "client"
sys.path.insert(0, str(FOLDER))

import rtbench_client  # noqa: E402 - a distribution of its own, which rtbench's environment does not have

MODELS = {"lerobot", "torch", "transformers", "octo", "jax", "PIL"}
"""What the models bring whose bridges are here; each is imported by its bridge alone."""
FILES = sorted((FOLDER / "rtbench_client").glob("*.py"))


class Rememberer:
    """Chunks of two actions that depend on seed, instruction and all images of the session."""

    def __init__(self):
        self.seen, self.ended = {}, []

    def reset(self, session, seed):
        self.seen[session] = [seed % 97]

    def infer(self, observation):
        seen = self.seen[observation.session]
        seen += [int(observation.images["head"].astype(np.int64).sum() % 101), len(observation.prompt)]
        assert observation.proprio[3] == 3.0
        assert observation.step == len(seen) // 2 - 1
        return np.tile(np.array([sum(seen) % 31 / 1000, 0, 0, 0, 0, 0, 1.0]), (2, 1))

    def end(self, session):
        self.ended.append(session)


@pytest.fixture
def rememberer():
    policy = Rememberer()
    with rtbench_client.Server(policy, action="bridge-7d", history=2, port=0) as server:
        yield policy, f"ws://127.0.0.1:{server.port}"


def test_a_policy_of_20_lines_is_played_without_keys_and_mapping(rememberer):
    _, url = rememberer
    policy = remote(url)
    assert isinstance(policy, MappedPolicy)
    assert (policy.mapping.preset, policy.needs.history, policy.needs.cameras) == ("bridge-7d", 2, ("head",))
    tokens = {}
    for slot in (0, 1):
        policy.reset(slot, "pick apple", 5)
    for slot, order in ((0, (0, 1, 2)), (1, (0, 1, 2))):
        tokens[slot] = [policy.act([frames(3)[k]], [slot])[0] for k in order]
    np.testing.assert_array_equal(tokens[0], tokens[1])  # sessions are kept apart, and the seed arrives
    report = policy.episode_report(0)
    assert (report["remote"]["protocol"], report["remote"]["reset"]) == ("roboarena", "session")
    assert report["predictions"] == 2  # of three steps: a chunk is carried out before the next is asked for
    assert len(report["remote"]["policy_ms"]) == 2
    policy.policy.close()


def test_sessions_end_with_their_connection_and_where_there_are_many(rememberer):
    policy, url = rememberer
    far = remote(url)
    for seed in range(6):
        far.reset(0, "pick apple", seed)
    assert policy.ended == list(policy.seen)[:2]
    far.policy.close()
    for _ in range(100):
        if len(policy.ended) == 6:
            break
        time.sleep(0.02)
    assert policy.ended == list(policy.seen)


def test_an_openpi_client_is_served_by_a_function():
    prompts = []

    def infer(observation):
        prompts.append((observation.prompt, observation.step, sorted(observation.images)))
        return np.arange(7.0)

    image = np.zeros((224, 224, 3), dtype=np.uint8)
    with (
        rtbench_client.Server(infer, action="libero-7d", port=0) as server,
        connect(f"ws://127.0.0.1:{server.port}", compression=None, proxy=None) as socket,
    ):
        assert unpack(socket.recv())["rtbench"]["policy"] == "infer"
        for prompt in ("pick apple", "pick apple", "pick sponge"):
            message = {"observation/image": image, "observation/wrist_image": image, "prompt": prompt}
            socket.send(pack(message))
            np.testing.assert_array_equal(unpack(socket.recv())["actions"], [np.arange(7.0)])
    cameras = ["head", "wrist"]
    assert prompts == [("pick apple", 0, cameras), ("pick apple", 1, cameras), ("pick sponge", 0, cameras)]


def test_health_and_key():
    options = {"action": "bridge-7d", "port": 0}
    with rtbench_client.Server(lambda _: [0.0] * 7, key="sesame", **options) as server:
        web = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        web.request("GET", "/healthz")
        assert web.getresponse().read() == b"OK\n"
        with pytest.raises(PolicyError, match="HTTP status 401"):
            remote(f"ws://127.0.0.1:{server.port}")
    with pytest.raises(ValueError, match="give a key"):
        rtbench_client.Server(print, host="0.0.0.0", **options)  # noqa: S104 - refused
    with pytest.raises(ValueError, match=r"unknown \['hand'\]"):
        rtbench_client.Server(print, cameras=["hand"], **options)


def raises(observation):
    raise RuntimeError("CUDA out of memory")


@pytest.mark.parametrize(
    ("infer", "message", "said"),
    [
        (raises, None, "RuntimeError: CUDA out of memory"),
        (lambda _: np.full((1, 7), np.nan), None, "expected finite ones"),
        (lambda _: np.zeros((1, 1, 7)), None, "expected finite ones [H, D]"),
        (lambda _: None, {"endpoint": "kill"}, "expected infer or reset"),
        (lambda _: None, [1], "expected an observation"),
        (lambda _: None, {"prompt": 3}, "expected a text"),
        (lambda _: None, {"prompt": "x", "observation/image": np.zeros((2, 2))}, "holds no image"),
        (lambda _: None, b"\xc1", "no msgpack"),
        (lambda _: None, msgpack.packb({"a": {"__ndarray__": True, "dtype": "|O"}}), "expected numbers"),
    ],
)
def test_what_goes_wrong_is_told_to_the_client(infer, message, said):
    with rtbench_client.Server(infer, action="bridge-7d", port=0) as server:
        url = f"ws://127.0.0.1:{server.port}"
        with connect(url, compression=None, proxy=None) as socket:
            socket.recv()
            data = message if isinstance(message, bytes) else pack(message or {"prompt": "pick apple"})
            socket.send(data)
            assert said in socket.recv()
        remote(url).policy.close()  # it goes on


def test_the_readmes_policy_is_served_and_short():
    text = (FOLDER / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 20
    space = {"__name__": "readme"}
    exec(code, space)  # noqa: S102 - our own README
    with rtbench_client.Server(space["MyPolicy"](), action="bridge-7d", port=0) as server:
        policy = remote(f"ws://127.0.0.1:{server.port}")
        policy.reset(0, "pick apple", 1)
        assert policy.act(frames(1), [0]).shape == (1, 11)
        policy.policy.close()


def test_it_needs_only_what_it_names_and_old_python():
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[>=<]", one)[0] for one in project["dependencies"]}
    assert names == {"numpy", "websockets", "msgpack"}
    imported = set()
    for path in FILES:
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    others = imported - set(sys.stdlib_module_names) - {"rtbench_client", *MODELS}
    assert others == names


def test_cameras_and_states_of_lerobots_policies():
    from types import SimpleNamespace

    from rtbench_client.lerobot import _cameras, _check_state

    base = {f"observation.images.camera{k}": SimpleNamespace(shape=(3, 256, 256)) for k in (1, 2, 3)}
    ours = {"observation.images.head": SimpleNamespace(shape=(3, 64, 64)), "observation.state": None}
    assert _cameras(ours, {}) == (["head"], {"observation.images.head": ("head", (3, 64, 64))})
    names = {"head": "camera1", "wrist": "camera2"}
    needed, images = _cameras(base, names, pads=True)
    assert needed == ["head", "wrist"]
    assert [camera for camera, _ in images.values()] == ["head", "wrist"]
    for rename, pads in ((names, False), ({}, True)):
        with pytest.raises(ValueError, match="--rename head=camera"):
            _cameras(base, rename, pads=pads)
    _check_state((15,), None, "trained")
    _check_state((6,), 32, "smolvla")
    for shape, most in (((6,), None), ((6,), 12)):
        with pytest.raises(ValueError, match=r"rtbench has \(15,\)"):
            _check_state(shape, most, "trained")
