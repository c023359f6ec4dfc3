"""Servers that lie, break off or are late: a sentence each, soon, in little memory; nothing is run."""

import pickle  # noqa: TID251 - what must not be read
import struct
import time

import msgpack
import numpy as np
import pytest

from rtbench.core.extras import EXTRAS
from rtbench.policy.continuous.mapping import preset
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.codec import MOST_BYTES, WireError, pack, pack_npy, unpack
from rtbench.policy.remote.policy import RemotePolicy
from tests.helpers.hostile_servers import Hostile, observation
from tests.helpers.policy_servers import scripted

RAN = []


class Bomb:
    def __reduce__(self):
        return (RAN.append, (1,))


def array(data, dtype, shape):
    return {b"__ndarray__": True, b"data": data, b"dtype": dtype, b"shape": shape}


def actions(data, dtype, shape):
    return msgpack.packb({"actions": array(data, dtype, shape)})


def npy(dtype, payload):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (1,)}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + payload


SEVEN = np.zeros((1, 7), dtype="<f4")
REPLIES = {
    "no msgpack": b"\xc1",
    "cut off": pack({"actions": SEVEN})[:-3],
    "something behind": pack({"actions": SEVEN}) + b"\x00",
    "empty": b"",
    "a text": "Traceback (most recent call last):\n  ...\nValueError: out of memory",
    "a number": msgpack.packb(7),
    "a list": msgpack.packb([1, 2]),
    "no actions": msgpack.packb({"action": [0.0] * 7}),
    "nothing": msgpack.packb({"actions": None}),
    "words": msgpack.packb({"actions": ["a"] * 7}),
    "ragged": msgpack.packb({"actions": [[0.0] * 7, [0.0] * 6]}),
    "width": pack({"actions": np.zeros((1, 6))}),
    "no chunk": pack({"actions": np.zeros((0, 7))}),
    "three axes": pack({"actions": np.zeros((1, 1, 7))}),
    "NaN": msgpack.packb({"actions": array(np.full((1, 7), np.nan).tobytes(), "<f8", [1, 7])}),
    "NaN in a list": msgpack.packb({"actions": [[float("nan")] * 7]}),
    "infinity elsewhere": msgpack.packb(
        {"actions": [[0.0] * 7], "state": array(np.full(2, np.inf).tobytes(), "<f8", [2])}
    ),
    "an object": actions(pickle.dumps(Bomb()), "|O", [1, 7]),
    "fields": actions(b"\0" * 56, "f4,f4", [1, 7]),
    "complex": actions(b"\0" * 112, "<c16", [1, 7]),
    "text array": actions(b"\0" * 28, "<U1", [1, 7]),
    "too few bytes": actions(b"\0" * 27, "<f4", [1, 7]),
    "too many bytes": actions(b"\0" * 29, "<f4", [1, 7]),
    "a huge shape": actions(b"", "<f4", [2**40, 2**40]),
    "zero times huge": actions(b"", "<f4", [0, 2**63]),
    "a negative shape": actions(b"\0" * 28, "<f4", [-1, -7]),
    "a shape of words": actions(b"\0" * 28, "<f4", "17"),
    "a pickle as npy": msgpack.packb(
        {"actions": {"__ndarray_class__": True, "as_npy": npy("|O", pickle.dumps(Bomb()))}}
    ),
    "an extension": msgpack.packb({"actions": msgpack.ExtType(5, b"abc")}),
    "deep": b"\x91" * 100_000 + b"\xc0",
    "many maps": b"\xdd" + struct.pack(">I", 90_000) + b"\x80" * 90_000 * 2,
    "a great list": b"\xdd" + struct.pack(">I", 2**32 - 1),
    "a great map": b"\xdf" + struct.pack(">I", 2**32 - 1),
    "lists of lists": msgpack.packb({"actions": [[None] * 1000] * 1000}),
    "an image bomb": msgpack.packb(
        {"actions": {"__image__": True, "format": "png", "data": b"\x89PNG\r\n\x1a\n" + b"\0" * 99}}
    ),
    "an oversized frame": b"\0" * (MOST_BYTES + 1),
}


KEYS = {"openpi": "libero", "roboarena": "libero", "vla-eval": "vla-eval-libero"}
CONFIG = {"action_space": "cartesian_velocity", "needs_session_id": True}


def framed(kind, payload):
    """A message of vla-eval."""
    return msgpack.packb({"type": kind, "payload": payload, "seq": 1, "timestamp": 0.0})


GOOD = {
    "openpi": pack({"actions": SEVEN, "state": np.arange(8.0), "policy_timing": {"infer_ms": 1.5}}),
    "roboarena": pack({"actions": SEVEN}),
    "vla-eval": framed("action", {"actions": [0.0] * 7}),
}
VLA_EVAL = {
    "another type": framed("observation", {}),
    "a payload that is a list": framed("action", [1]),
    "its error": framed("error", {"error": "observation_failed: CUDA out of memory"}),
    "no actions in it": framed("action", {"action": [0.0] * 7}),
    "an object in it": framed("action", {"actions": array(pickle.dumps(Bomb()), "|O", [1, 7])}),
    "NaN in it": framed("action", {"actions": [float("nan")] * 7}),
    "a huge shape in it": framed("action", {"actions": array(b"", "<f4", [2**40, 2**40])}),
}


def policy_for(url, timeout_s=2.0, protocol="openpi"):
    far = RemotePolicy(url, keys=KEYS[protocol], timeout_s=timeout_s, reconnect_s=0.3)
    return MappedPolicy(far, preset("libero-7d"))


def ask(policy):
    policy.reset(0, "pick apple", 1)
    return policy.act([observation()], [0])


@pytest.fixture(scope="module", params=GOOD)
def hostile(request):
    """A server of that protocol."""
    protocol, chosen = request.param, {}

    async def handle(socket):
        if protocol != "vla-eval":
            await socket.send(msgpack.packb(CONFIG if protocol == "roboarena" else {}))
        async for message in socket:
            asked = msgpack.unpackb(message)
            if asked.get("type") == "hello":
                await socket.send(framed("hello", {"protocol_version": 1, "capabilities": {}}))
            elif asked.get("endpoint") == "reset":
                await socket.send("reset successful")
            elif asked.get("type") not in ("episode_start", "episode_end"):
                await socket.send(chosen["reply"])

    with scripted(handle) as url:
        policy = policy_for(url, protocol=protocol)
        found = Hostile(policy, lambda reply: chosen.update(reply=reply), GOOD[protocol], ran=RAN)
        found.protocol, found.url = protocol, url
        yield found
        policy.policy.close()


@pytest.mark.parametrize("name", [*REPLIES, *VLA_EVAL])
def test_a_malformed_reply_is_an_error_in_a_sentence(hostile, name):
    hostile.refuses((REPLIES | VLA_EVAL)[name])


def test_replies_that_were_changed_on_the_way_are_refused_or_understood(hostile):
    """With those of the other protocols' tests, and the malformed ones, more than 300 in all."""
    policy = policy_for(hostile.url, 0.5, hostile.protocol)
    hostile.survives_changes(hostile.good, rounds=40, least=10, policy=policy)
    policy.policy.close()


async def silent(socket):
    await socket.send(msgpack.packb({}))
    async for _ in socket:
        pass


async def half_closed(socket):
    await socket.send(msgpack.packb({}))
    await socket.recv()
    socket.transport.write_eof()


async def cut_off(socket):
    await socket.send(msgpack.packb({}))
    await socket.recv()
    socket.transport.abort()


async def polite(socket):
    await socket.send(msgpack.packb({}))
    await socket.recv()
    await socket.close(1001)


@pytest.mark.parametrize("handle", [silent, half_closed, cut_off, polite])
def test_a_server_that_is_lost_is_no_fault_of_the_policy(handle):
    with scripted(handle) as url:
        policy = policy_for(url, timeout_s=0.5)
        start = time.monotonic()
        with pytest.raises(PolicyLostError):
            ask(policy)
        assert time.monotonic() - start < 3
        policy.policy.close()


def test_what_is_packed_is_read_again():
    for dtype in ("|b1", "|u1", "<i8", "<f4", "<f8", ">f4"):
        made = np.arange(6).reshape(2, 3).astype(dtype)
        for packed in (pack({"a": made}), pack({"a": made}, keys=str), pack_npy({"a": made})):
            found = unpack(packed)["a"]
            np.testing.assert_array_equal(found, made)
            assert found.dtype == made.dtype
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(unpack(pack_npy({"a": fortran}))["a"], fortran)
    assert unpack(pack({"n": np.float32(0.5), "none": None}))["n"] == 0.5
    with pytest.raises(WireError, match="dtype"):
        pack({"a": np.array(["a"])})


def test_bytes_of_openpis_own_codec_are_read():
    """A map with keys of bytes, as `openpi_client.msgpack_numpy` writes it; written out by hand."""
    made = bytes.fromhex("81a7616374696f6e7384c40b5f5f6e6461727261795f5fc3c40464617461c404") + struct.pack(
        "<f", 0.25
    )
    made += bytes.fromhex("c4056474797065a33c6634c40573686170659101")
    np.testing.assert_array_equal(unpack(made)["actions"], np.array([0.25], dtype=np.float32))


def test_the_extra_names_what_is_imported():
    assert set(EXTRAS["remote"]) == {"msgpack", "websockets", "zmq"}
