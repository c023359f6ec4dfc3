"""The server answers clients of others, keeps the loopback to itself, and stays up whatever is sent."""

import asyncio
import http.client
import threading
import time
from contextlib import contextmanager

import msgpack
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from rtbench.core.action import RTBENCH
from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.evaluation.player import Player
from rtbench.evaluation.serving.host import PolicyHost
from rtbench.evaluation.serving.listening import Listening, ServeError
from rtbench.evaluation.serving.translation import translation
from rtbench.policy.base import Needs
from rtbench.policy.remote.address import check_protocol
from rtbench.policy.remote.codec import pack, unpack
from rtbench.policy.thread import PolicyThread
from tests.helpers.policy_servers import served
from tests.policy.remote.test_policy import Rememberer

SQUARE = np.full((224, 224, 3), 7, dtype=np.uint8)
LIBERO = {
    "observation/image": SQUARE,
    "observation/wrist_image": SQUARE,
    "observation/state": np.zeros(8),
    "prompt": "pick apple",
}


class Forward:
    """One centimetre forward, fingers closed; may be slow, and fails where it is told to."""

    def __init__(self, seconds=0.0):
        self.needs, self.fingerprint, self.seconds, self.episodes = Needs(("head",)), "forward", seconds, []

    def reset(self, slot, instruction, seed):
        self.episodes.append((instruction, seed))

    def act(self, observations, slots):
        time.sleep(self.seconds)
        if any(seen.instruction == "fail" for seen in observations):
            raise ValueError("it was told to")
        assert all(seen.images["head"].shape == (256, 320, 3) for seen in observations)
        action = np.zeros(11)
        action[[0, 6]] = 0.01, 1.0
        return np.tile(RTBENCH.encode(action), (len(slots), 1))


class Seer(Forward):
    """A policy that reads the simulator."""

    def __init__(self):
        super().__init__()
        self.needs = Needs(privileged=True)


@contextmanager
def client(url, **options):
    with connect(url, compression=None, max_size=None, proxy=None, **options) as socket:
        yield socket


def answer(socket):
    """The reply as a map; a text is an error."""
    reply = socket.recv(timeout=10)
    assert isinstance(reply, bytes), reply
    return unpack(reply)


def get(url, path):
    web = http.client.HTTPConnection(url.removeprefix("ws://"), timeout=5)
    web.request("GET", path)
    reply = web.getresponse()
    return reply.status, reply.read().decode()


def test_an_openpi_client_is_answered_in_its_own_numbers():
    with served(Forward(), action="libero-7d") as (url, _), client(url) as socket:
        assert answer(socket)["rtbench"]["action"] == "libero-7d"
        for _ in range(2):
            socket.send(pack(LIBERO))
            reply = answer(socket)
        np.testing.assert_allclose(reply["actions"], [[0.2, 0, 0, 0, 0, 0, 1]], atol=0.01)  # 0.05 m is 1
        assert reply["tokens"].shape == (1, 11)
        assert reply["terminate"] is False
        assert reply["policy_timing"]["infer_ms"] >= 0


def test_a_new_instruction_is_a_new_episode_where_the_client_cannot_say_so():
    policy = Forward()
    with served(policy) as (url, _), client(url) as socket:
        socket.recv()
        for prompt in ("pick apple", "pick apple", "pick sponge"):
            socket.send(pack(LIBERO | {"prompt": prompt}))
            answer(socket)
    assert policy.episodes == [("pick apple", 0), ("pick sponge", 0)]


def test_a_policy_with_a_memory_is_not_asked_by_a_client_that_cannot_reset_it():
    with served(Rememberer()) as (url, _), client(url) as socket:
        socket.recv()
        socket.send(pack(LIBERO))
        assert "does not say where an episode begins" in socket.recv()
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert socket.close_code == 1011


def test_a_vla_eval_client_gets_one_action_and_errors_leave_it_connected():
    images = {"agentview": SQUARE, "wrist": SQUARE}

    def message(kind, payload, seq):
        return pack({"type": kind, "payload": payload, "seq": seq, "timestamp": 0.0}, keys=str)

    with served(Forward(), "vla-eval", action="bridge-7d") as (url, _), client(url) as socket:
        socket.send(message("hello", {"harness_version": "0.8", "protocol_version": 1}, 1))
        hello = answer(socket)
        assert (hello["type"], hello["seq"], hello["payload"]["protocol_version"]) == ("hello", 1, 1)
        socket.send(message("episode_start", {"task": {"name": "x"}, "mode": "live"}, 2))
        socket.send(message("observation", {"images": images, "task_description": "pick apple"}, 3))
        reply = answer(socket)
        assert (reply["type"], reply["seq"], reply["payload"]["actions"].shape) == ("action", 3, (7,))
        socket.send(message("observation", {"images": {}, "task_description": "pick apple"}, 4))
        assert answer(socket)["payload"]["error"].startswith("observation_failed: ")
        socket.send(message("episode_end", {"metrics": {}, "steps": 1, "elapsed_sec": 0.1}, 5))
        socket.send(message("observation", {"images": images, "task_description": "pick apple"}, 6))
        assert answer(socket)["seq"] == 6


def test_roboarena_sessions_of_one_connection_are_kept_apart():
    with served(Rememberer(), "roboarena", keys="rtbench") as (url, _), client(url) as socket:
        assert answer(socket)["needs_session_id"] is True
        image = np.zeros((256, 320, 3), dtype=np.uint8)
        seen = {"observation/image": image, "prompt": "x", "observation/proprio": np.zeros(15)}
        found = {"a": [], "b": []}
        for name in found:
            socket.send(pack({"endpoint": "reset", "session_id": name}))
            assert socket.recv() == "reset successful"
        for name in "aabab":
            socket.send(pack({**seen, "endpoint": "infer", "session_id": name}))
            found[name].append(answer(socket)["tokens"].tolist())
    assert found["a"][:2] == found["b"]
    assert found["a"][0] != found["a"][1]


def test_the_event_loop_answers_while_the_policy_thinks():
    with served(Forward(seconds=0.5)) as (url, host), client(url) as socket:
        socket.recv()
        socket.send(pack(LIBERO))
        start = time.monotonic()
        assert get(url, "/healthz") == (200, "OK\n")
        assert time.monotonic() - start < 0.4
        answer(socket)
        assert host.batches == [1]


def test_requests_that_wait_are_decided_in_one_batch():
    with served(Forward(seconds=0.3)) as (url, host):

        def ask():
            with client(url) as socket:
                socket.recv()
                for _ in range(2):
                    socket.send(pack(LIBERO))
                    answer(socket)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sum(host.batches) == 8
        assert max(host.batches) >= 2


def test_a_failing_policy_is_told_and_the_server_stays_up():
    with served(Forward()) as (url, _):
        with client(url) as socket:
            socket.recv()
            socket.send(pack(LIBERO | {"prompt": "fail"}))
            assert "ValueError: it was told to" in socket.recv()
        with client(url) as socket:
            socket.recv()
            socket.send(pack(LIBERO))
            assert answer(socket)["actions"].shape == (1, 11)


HOSTILE = [
    b"\xc1", b"", "text", msgpack.packb([]), msgpack.packb({}), pack(LIBERO | {"prompt": 3}),
    pack(LIBERO | {"observation/image": np.zeros((224, 224, 4), dtype=np.uint8)}),
    pack(LIBERO | {"observation/image": np.zeros((0, 224, 3), dtype=np.uint8)}),
    pack(LIBERO | {"observation/image": np.zeros((224, 224, 3))}),
    pack({"observation/image": SQUARE}),
    pack({"observation/image": SQUARE, "prompt": "x", "observation/proprio": np.zeros(3)}),
]  # fmt: skip


@pytest.mark.parametrize("protocol", ["openpi", "roboarena", "vla-eval"])
def test_hostile_clients_get_a_sentence_and_others_are_served(protocol):
    with served(Forward(), protocol) as (url, _):
        for data in HOSTILE:
            with client(url) as socket:
                if protocol != "vla-eval":
                    socket.recv()
                socket.send(data)
                said = socket.recv(timeout=5)
                assert "Traceback" not in str(said)
                assert "a fault in rtbench" not in str(said), data[:99]
        with client(url) as socket:  # hangs up with a question open
            if protocol != "vla-eval":
                socket.recv()
            socket.send(pack(LIBERO))
        assert get(url, "/healthz")[0] == 200


def test_health_is_open_and_the_rest_is_not_without_the_key():
    with served(Forward(), key="sesame") as (url, _):
        assert get(url, "/healthz") == (200, "OK\n")
        assert get(url, "/health") == (200, '{"status": "ok"}')
        assert get(url, "/")[0] == 401
        with client(url, additional_headers={"Authorization": "Api-Key sesame"}) as socket:
            socket.recv()


def test_other_machines_need_a_key_and_mistakes_are_told():
    for host in ("0.0.0.0", "192.168.0.7", "::", "a.b.c"):  # noqa: S104 - refused
        with pytest.raises(ServeError, match="RTBENCH_API_KEY"):
            Listening(host).check()
    for where in (Listening(), Listening("::1"), Listening("localhost"), Listening("0.0.0.0", key="k")):  # noqa: S104
        where.check()
    with pytest.raises(UnknownNameError, match="Did you mean 'roboarena'"):
        check_protocol("robotarena")
    with pytest.raises(PolicyError, match="joints do not follow"):
        translation("openpi", ("head",), action="droid-8d")
    with pytest.raises(PolicyError, match="reads the simulator's state"):
        PolicyHost(Player("oracle", Seer(), None, {}, PolicyThread()))


def test_a_port_in_use_is_told():
    async def twice(port):
        from rtbench.evaluation.serving.websocket import serving

        async with serving(None, None, "openpi", Listening(port=port)):
            pass

    with served(Forward()) as (url, _), pytest.raises(ServeError, match="cannot listen at 127"):
        asyncio.run(twice(int(url.rpartition(":")[2])))
