"""roboeval's protocol: what its own server and client write, and servers that lie or are lost."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from rtbench.core.errors import PolicyError, RtbenchError
from rtbench.policy.continuous.mapping import preset
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.observation_keys import fitted
from rtbench.policy.remote.policy import RemotePolicy
from tests.helpers.hostile_servers import Hostile
from tests.helpers.policy_servers import scripted_http
from tests.policy.remote.test_gr00t import seen

INFO = {"name": "pi", "action_space": {"type": "eef_delta", "dim": 7}, "state_dim": 8, "action_chunk_size": 2}
SEVEN = [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
ANSWER = {"actions": [SEVEN] * 3, "chunk_size": 3, "action_chunk_size": 2, "model_id": "pi"}


def http_reply(body, status="200 OK", head=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n{head}\r\n".encode() + data


class Server:
    """Answers as told, and keeps what it was asked."""

    def __init__(self, info=INFO):
        self.asked, self.info, self.answer = [], http_reply(info), http_reply(ANSWER)

    def __call__(self, method, path, body):
        self.asked.append((method, path, json.loads(body) if body else None))
        return {"/info": self.info, "/reset": http_reply({"success": True})}.get(path, self.answer)


def policy_for(url, **arguments):
    told = {"keys": "roboeval-libero", "timeout_s": 0.3, "reconnect_s": 0.1} | arguments
    return RemotePolicy(url, **told)


def test_another_server_is_asked_in_its_own_form():
    server = Server()
    with scripted_http(server) as url:
        policy = policy_for(url)
        policy.reset(0, "pick apple", 7)
        chunk = policy.predict(seen(1), [0])
        assert policy.episode_report(0)["remote"]["reset"] == "global"
        policy.close()
    np.testing.assert_allclose(chunk, [[SEVEN] * 2])  # no more than its chunk size
    assert [call[:2] for call in server.asked] == [("GET", "/info"), ("POST", "/reset"), ("POST", "/predict")]
    assert server.asked[1][2] is None
    obs = server.asked[2][2]["obs"]
    assert set(obs) == {"instruction", "images", "state"}
    assert (obs["instruction"], len(obs["state"]["flat"])) == ("pick apple", 8)
    image = Image.open(io.BytesIO(base64.b64decode(obs["images"]["primary"])))
    assert (image.format, image.size) == ("PNG", (256, 256))
    image.verify()
    sent = np.asarray(Image.open(io.BytesIO(base64.b64decode(obs["images"]["wrist"]))))
    np.testing.assert_array_equal(sent, fitted(seen(1)[0].images["wrist"], (256, 256), "pad"))


def test_a_server_that_does_not_fit_is_told_in_a_sentence():
    for info, said in (
        (http_reply({"detail": "Not Found"}, "404 Not Found"), "HTTP status 404 of /info"),
        (http_reply({"name": "x"}), "is no roboeval server"),
        (http_reply({"error": "Model not ready yet"}, "503 Busy"), "is not ready: Model not ready yet"),
        (http_reply(b"<html>"), "sent no JSON object"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is no HTTP server"),
        (b"", "closed the connection"),
        (None, "gave no reply within 0.3 s"),
    ):
        server = Server()
        server.info = info
        with scripted_http(server) as url, pytest.raises(PolicyError, match=said):
            policy_for(url)
    with scripted_http(Server()) as url, pytest.raises(PolicyError, match="keys=roboeval-libero"):
        policy_for(url, keys=None)
    with pytest.raises(PolicyError, match=r"no server at http://127\.0\.0\.1:9: Connection refused"):
        policy_for("http://127.0.0.1:9")
    with scripted_http(Server(INFO | {"state_dim": 14})) as url:
        policy = policy_for(url)
        policy.reset(0, "pick apple", 1)
        with pytest.raises(PolicyError, match="takes a state of 14 numbers; the keys send 8"):
            policy.predict(seen(1), [0])


REPLIES = {
    "no JSON": http_reply(b"{"),
    "deep": http_reply(b"[" * 100_000),
    "many lists": http_reply(b'{"actions":[' + b"[]," * 300_000 + b"[]]}"),
    "a list": http_reply([1]),
    "no actions": http_reply({"action": [SEVEN]}),
    "nothing": http_reply({"actions": None}),
    "words": http_reply({"actions": ["a"] * 7}),
    "ragged": http_reply({"actions": [SEVEN, SEVEN[1:]]}),
    "width": http_reply({"actions": [SEVEN[1:]]}),
    "no chunk": http_reply({"actions": []}),
    "NaN": http_reply(b'{"actions": [[NaN, 0, 0, 0, 0, 0, 0]]}'),
    "infinity": http_reply(b'{"actions": [[1e999, 0, 0, 0, 0, 0, 0]]}'),
    "an error": http_reply({"error": "CUDA out of memory", "traceback": "..."}, "500 Oops"),
    "an error that is no JSON": http_reply(b"<html>502</html>", "502 Bad Gateway"),
    "no status": b"HTTP/1.1 fine\r\n\r\n",
    "no HTTP": b"\x00\x01\x02\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    "too long": http_reply(b" " * (2**20 + 1)),
    "a long head": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
    "many heads": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "cut off": b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
    "no more": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    "a redirection": http_reply(b"", "302 Found", "location: http://127.0.0.1:9/\r\n"),
    "half closed": b"",
    "silence": None,
}


@pytest.fixture(scope="module")
def hostile():
    server = Server()

    def answer(reply):
        server.answer = reply

    with scripted_http(server) as url:
        policy = MappedPolicy(policy_for(url), preset("libero-7d"))
        yield Hostile(policy, answer, http_reply(ANSWER))
        policy.policy.close()


@pytest.mark.parametrize("name", REPLIES)
def test_a_malformed_reply_is_an_error_in_a_sentence(hostile, name):
    lost = name in ("half closed", "silence", "cut off", "a bad length", "a bad chunk")
    hostile.refuses(REPLIES[name], PolicyLostError if lost else RtbenchError)


def test_a_reply_that_was_changed_on_the_way_is_refused_or_understood(hostile):
    """Sixty replies with some bytes changed: none ends in another error than ours."""
    url = hostile.policy.policy._url
    impatient = MappedPolicy(policy_for(url, timeout_s=0.05), preset("libero-7d"))
    hostile.survives_changes(http_reply(ANSWER), rounds=60, least=20, policy=impatient)
    impatient.policy.close()
