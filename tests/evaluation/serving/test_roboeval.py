"""roboeval's protocol, served: what its own client sends, and requests that make no sense."""

import base64
import http.client
import io
import json

import numpy as np
import pytest
from PIL import Image

from rtbench.core.errors import PolicyError
from tests.helpers.policy_servers import served
from tests.policy.remote.test_policy import Rememberer, frames
from tests.policy.remote.test_roboeval import policy_for


def picture(pixels, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=form)
    return base64.b64encode(file.getvalue()).decode()


def test_the_server_answers_others_and_stays_up():
    image = frames(1)[0].images["head"]
    obs = {"instruction": "pick apple", "images": {"primary": picture(image)}, "state": {}}
    with served(Rememberer(history=1), "roboeval", action="libero-7d") as (url, _):
        web = http.client.HTTPConnection(url.partition("://")[2], timeout=5)

        def call(method, path, body=None):
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            web.request(method, path, body=data)
            reply = web.getresponse()
            return reply.status, json.loads(reply.read())

        assert call("GET", "/healthz")[0] == 200
        assert call("GET", "/health")[1]["ready"] is True
        info = call("GET", "/info")[1]
        assert (info["action_space"], info["action_chunk_size"]) == ({"type": "eef_delta", "dim": 7}, 1)
        assert call("POST", "/reset") == (200, {"success": True})
        status, found = call("POST", "/predict", {"obs": obs})
        assert (status, np.shape(found["actions"]), found["chunk_size"]) == (200, (1, 7), 1)
        assert found["action_space"] == info["action_space"]
        jpeg = obs | {"images": {"primary": picture(image, "JPEG")}}
        assert call("POST", "/predict", {"obs": jpeg})[0] == 200
        for said, body in {
            "cannot be read": b"{",
            "has no images under primary": {"obs": obs | {"images": {}}},
            "base64": {"obs": obs | {"images": {"primary": "%"}}},
            "an image cannot be read": {"obs": obs | {"images": {"primary": "iVBORw0KGgo="}}},
            "expected /reset, or /predict": {},
            "Expected `str`": {"obs": obs | {"instruction": 7}},
        }.items():
            status, found = call("POST", "/predict", body)
            assert status == 400
            assert said in found["error"]
        assert call("GET", "/x")[0] == 400
        web.close()


def test_a_key_is_asked_for(monkeypatch):
    with served(Rememberer(), "roboeval", key="sesame") as (url, _):
        monkeypatch.delenv("RTBENCH_API_KEY", raising=False)
        with pytest.raises(PolicyError, match="HTTP status 401"):
            policy_for(url, keys=None)
        monkeypatch.setenv("RTBENCH_API_KEY", "sesame")
        policy_for(url, keys=None).close()
