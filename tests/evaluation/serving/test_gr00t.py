"""GR00T's protocol, served: nested and flat observations, batches, and requests that make no sense."""

import numpy as np
import pytest
import zmq

from rtbench.core.errors import PolicyError
from rtbench.policy.remote.codec import unpack
from tests.helpers.policy_servers import served
from tests.policy.remote.test_gr00t import packed, policy_for
from tests.policy.remote.test_policy import Rememberer, frames


def test_the_server_says_its_configuration_and_answers_batches_of_others():
    with served(Rememberer(), "gr00t", action="libero-7d") as (url, host):
        socket = zmq.Context.instance().socket(zmq.REQ)
        socket.connect("tcp://" + url.partition("://")[2])

        def call(endpoint, **data):
            socket.send(packed({"endpoint": endpoint, "data": data}))
            assert socket.poll(5000)
            return unpack(socket.recv())

        assert call("ping") == {"status": "ok", "message": "Server is running"}
        config = call("get_modality_config")
        assert config["video"]["as_json"]["modality_keys"] == ["head"]
        pixels = np.stack([frames(2)[k].images["head"] for k in (0, 1)])[:, None]
        nested = {
            "video": {"head": pixels},
            "state": {"proprio": np.zeros((2, 1, 15), dtype=np.float32)},
            "language": {"annotation.human.task_description": [["pick apple"], ["pick apple"]]},
        }
        flat = {"video.head": pixels, "task": ("pick apple", "pick apple")}
        found = []
        for observation in (nested, flat):
            assert call("reset", options=None) == {}
            action, info = call("get_action", observation=observation, options=None)
            assert {key: part.shape for key, part in action.items()} == {
                "position": (2, 1, 3), "rotation": (2, 1, 3), "gripper": (2, 1, 1)
            }  # fmt: skip
            assert action["position"].dtype == np.float32
            found.append(info["tokens"])
        np.testing.assert_array_equal(found[0], found[1])
        assert not np.array_equal(found[0][0], found[0][1])
        assert sum(host.batches) == 4
        for said, request in {
            "expected get_action, reset": {"endpoint": "kill"},
            "expected a map": [1],
            "the observation is NoneType": {"endpoint": "get_action"},
            "0 instructions": {"endpoint": "get_action", "data": {"observation": {"video.head": pixels}}},
            "2 instructions came with arrays": {
                "endpoint": "get_action", "data": {"observation": flat | {"video.head": pixels[:1]}}
            },
        }.items():  # fmt: skip
            socket.send(packed(request))
            assert socket.poll(5000)
            assert said in unpack(socket.recv())["error"]
        socket.send(b"\xc1")
        assert "no msgpack" in unpack(socket.recv())["error"]
        socket.close(linger=0)


def test_a_key_is_asked_for(monkeypatch):
    with served(Rememberer(), "gr00t", key="sesame") as (url, _):
        monkeypatch.delenv("RTBENCH_API_KEY", raising=False)
        with pytest.raises(PolicyError, match="api_token is missing or wrong"):
            policy_for(url)
        monkeypatch.setenv("RTBENCH_API_KEY", "sesame")
        policy_for(url).close()
