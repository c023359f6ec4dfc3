"""Messages that the packages of the protocols wrote: read, and written the same by ours."""

import base64
import io

import msgpack
import msgspec
import numpy as np
import pytest
from PIL import Image

from rtbench.policy.remote.codec import pack, pack_npy, unpack
from rtbench.policy.remote.connection import chunk_of
from tests.helpers.policy_servers import scripted, scripted_http, scripted_zmq
from tests.helpers.wire_fixtures import CHUNK, FOLDER, IMAGE, PROMPT, STATE
from tests.policy.remote.test_gr00t import policy_for, seen
from tests.policy.remote.test_roboeval import http_reply

FILES = {path.stem: path.read_bytes() for path in FOLDER.glob("*.bin")}


def test_there_is_a_file_of_every_kind():
    kinds = {name.split("-")[0] if name[0] != "v" else "vla-eval" for name in FILES}
    assert kinds == {"openpi", "roboarena", "vla-eval", "gr00t", "roboeval"}
    assert len(FILES) == 28


@pytest.mark.parametrize("name", [name for name in FILES if "roboeval" not in name])
def test_a_message_is_read(name):
    found = unpack(FILES[name])
    assert isinstance(found, dict | list)


def test_what_is_in_them_is_understood():
    observation = unpack(FILES["openpi-observation"])
    np.testing.assert_array_equal(observation["observation/image"], IMAGE)
    np.testing.assert_array_equal(observation["observation/state"], STATE)
    reply = unpack(FILES["openpi-reply"])
    np.testing.assert_array_equal(chunk_of(reply), CHUNK)
    assert (reply["scale"], reply["policy_timing"]["infer_ms"]) == (0.5, 1.5)
    # vla-eval writes images as PNG.
    assert b"PNG" in FILES["vla-eval-observation"]
    seen_by_vla = unpack(FILES["vla-eval-observation"])["payload"]
    np.testing.assert_array_equal(seen_by_vla["images"]["agentview"], IMAGE)
    np.testing.assert_array_equal(seen_by_vla["states"], STATE)
    action, info = unpack(FILES["gr00t-action"])
    assert (info, action["gripper"].shape) == ({}, (1, 2, 1))
    body = msgspec.json.decode(FILES["roboeval-predict"])["obs"]
    image = Image.open(io.BytesIO(base64.b64decode(body["images"]["primary"])))
    np.testing.assert_array_equal(np.asarray(image), IMAGE)


SAME = [name for name in FILES if name.startswith(("openpi", "roboarena"))]


@pytest.mark.parametrize("name", SAME)
def test_openpis_messages_are_written_the_same(name):
    found = unpack(FILES[name])
    if "scale" in found:  # ours sends NumPy's numbers as plain ones
        found.pop("scale")
        theirs = {k: v for k, v in msgpack.unpackb(FILES[name], strict_map_key=False).items() if k != "scale"}
        assert msgpack.unpackb(pack(found), strict_map_key=False) == theirs
    else:
        assert pack(found) == FILES[name]


@pytest.mark.parametrize(
    "name", [name for name in FILES if name.startswith("gr00t") and name != "gr00t-config"]
)
def test_gr00ts_messages_are_written_the_same(name):
    assert pack_npy(unpack(FILES[name])) == FILES[name]


@pytest.mark.parametrize(
    "name", ["hello-client", "hello-server", "action", "episode_start", "episode_end", "error"]
)
def test_vla_evals_messages_are_written_the_same(name):
    data = FILES[f"vla-eval-{name}"]
    assert pack(unpack(data), keys=str) == data


def ask(url, keys=None):
    """The chunk that a server of these bytes gives."""
    policy = policy_for(url, **({"keys": keys} if keys else {}))
    policy.reset(0, PROMPT, 1)
    chunk = policy.predict(seen(1), [0])[0]
    policy.close()
    return chunk


def test_a_server_of_each_kind_is_played():
    async def openpi(socket):
        await socket.send(FILES["openpi-metadata"])
        async for _ in socket:
            await socket.send(FILES["openpi-reply"])

    async def roboarena(socket):
        await socket.send(FILES["roboarena-config"])
        async for data in socket:
            reset = unpack(data)["endpoint"] == "reset"
            await socket.send("reset successful" if reset else FILES["roboarena-reply"])

    async def vla_eval(socket):
        replies = {"hello": FILES["vla-eval-hello-server"], "observation": FILES["vla-eval-action"]}
        async for data in socket:
            if reply := replies.get(unpack(data)["type"]):
                await socket.send(reply)

    for handle, keys, chunk in (
        (openpi, "libero", CHUNK),
        (roboarena, None, CHUNK),
        (vla_eval, "vla-eval-libero", CHUNK[:1]),
    ):
        with scripted(handle) as url:
            np.testing.assert_allclose(ask(url, keys), chunk)
    ends = {"get_modality_config": "config", "reset": "reset-reply", "get_action": "action"}
    with scripted_zmq(lambda data: FILES[f"gr00t-{ends[unpack(data)['endpoint']]}"]) as url:
        np.testing.assert_allclose(ask(url), CHUNK)
    paths = {"/info": "info", "/reset": "reset-reply", "/predict": "predict-reply"}
    with scripted_http(lambda _, path, __: http_reply(FILES[f"roboeval-{paths[path]}"])) as url:
        np.testing.assert_allclose(ask(url, "roboeval-libero"), CHUNK)


def test_plain_pngs_are_read_as_the_imaging_library_reads_them():
    from PIL import Image

    from rtbench.policy.remote.codec import _plain_png, read_image
    from rtbench.policy.remote.roboeval import _png

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = _png(pixels)
    np.testing.assert_array_equal(_plain_png(data), pixels)
    for mode in ("RGB", "RGBA", "L"):
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(file, "PNG")
        np.testing.assert_array_equal(
            read_image(file.getvalue(), "png"), np.asarray(Image.open(file).convert("RGB"))
        )
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        found = _plain_png(changed)
        # All but the header's own checksum is looked at: what is changed there changes nothing.
        assert found is None or 29 <= place < 33, place
    assert _plain_png(data[:-1]) is None
    assert _plain_png(data + b"x") is None
