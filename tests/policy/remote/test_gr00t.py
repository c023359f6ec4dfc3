"""GR00T's protocol: bytes as its own package writes them, and servers that lie or are lost."""

import dataclasses
import io

import msgpack
import numpy as np
import pytest

from rtbench.core.errors import PolicyError, RtbenchError
from rtbench.policy.continuous.mapping import preset
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.policy.lost import PolicyLostError
from rtbench.policy.remote.codec import unpack
from rtbench.policy.remote.policy import RemotePolicy
from tests.helpers.hostile_servers import Hostile
from tests.helpers.policy_servers import scripted_zmq
from tests.policy.remote.test_connection_hostile import RAN, REPLIES
from tests.policy.remote.test_policy import frames

LIBERO = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
CONFIG = {
    "video": ([-2, 0], ["image", "wrist_image"]),
    "state": ([0], list(LIBERO)),
    "action": ([0, 1, 2], list(LIBERO)),
    "language": ([0], ["annotation.human.action.task_description"]),
}


def packed(message):
    """What `MsgSerializer.to_bytes` of gr00t/policy/server_client.py writes."""

    def encode(value):
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": file.getvalue()}

    return msgpack.packb(message, default=encode)


def modality(deltas, keys):
    none = dict.fromkeys(("sin_cos_embedding_keys", "mean_std_embedding_keys", "action_configs"))
    return {
        "__ModalityConfig_class__": True,
        "as_json": {"delta_indices": deltas, "modality_keys": keys, **none},
    }


CONFIG_BYTES = packed({name: modality(*said) for name, said in CONFIG.items()})
ACTION = {key: np.full((1, 3, 1), k / 10, dtype=np.float32) for k, key in enumerate(LIBERO)}


class Server:
    """Answers as told, and keeps what it was asked."""

    def __init__(self, action=ACTION, config=CONFIG_BYTES):
        self.asked, self.config = [], config
        self.action = action if isinstance(action, bytes | None) else packed([action, {}])

    def __call__(self, data):
        # Another's reader of maps would refuse nothing; ours is used to look at the request.
        request = unpack(data)
        self.asked.append(request)
        return {"get_modality_config": self.config, "reset": packed({})}.get(request["endpoint"], self.action)


def seen(count):
    found = frames(count)
    for one in found:
        one.images["wrist"] = one.images["head"]
    return found


def policy_for(url, timeout_s=0.3, **arguments):
    return RemotePolicy(url, timeout_s=timeout_s, reconnect_s=0.1, **arguments)


def test_another_server_is_asked_for_what_it_says_it_takes():
    server = Server()
    with scripted_zmq(server) as url:
        policy = policy_for(url)
        policy.reset(0, "pick apple", 7)
        for one in seen(3):
            chunk = policy.predict([one], [0])
        assert policy.episode_report(0)["remote"]["reset"] == "global"
        policy.close()
    np.testing.assert_allclose(chunk, [[[k / 10 for k in range(7)]] * 3], atol=1e-6)
    assert server.asked[1] == {"endpoint": "reset", "data": {"options": None}}
    asked = server.asked[-1]["data"]
    assert asked["options"] is None
    observation = asked["observation"]
    assert observation["language"] == {CONFIG["language"][1][0]: [["pick apple"]]}
    assert set(observation["state"]) == set(LIBERO)
    assert observation["state"]["gripper"].shape == (1, 1, 2)
    assert observation["state"]["x"].dtype == np.float32
    pictures = observation["video"]["image"]
    assert (pictures.shape, pictures.dtype) == ((1, 2, 256, 256, 3), np.uint8)
    first, last = server.asked[2]["data"]["observation"]["video"]["image"][0]
    np.testing.assert_array_equal(first, last)  # before the third there is nothing to look back at
    np.testing.assert_array_equal(pictures[0, 0], first)


def test_a_server_trained_on_our_export_is_asked_for_what_its_modality_json_says():
    parts = {"position": 3, "rotation": 3, "gripper": 1}
    config = {
        "video": modality([0], ["head"]), "state": modality([0], ["proprio"]),
        "action": modality([0, 1], list(parts)),
        "language": modality([0], ["annotation.human.task_description"]),
    }  # fmt: skip
    action = {part: np.full((1, 2, width), width / 10, dtype=np.float32) for part, width in parts.items()}
    server = Server(action=action, config=packed(config))
    with scripted_zmq(server) as url:
        policy = policy_for(url)
        assert policy.needs.cameras == ("head",)  # the wrist's is not drawn for a server that takes none
        policy.reset(0, "pick apple", 7)
        chunk = policy.predict(seen(1), [0])[0]
        policy.close()
    np.testing.assert_allclose(chunk, [[0.3] * 6 + [0.1]] * 2, atol=1e-6)
    assert server.asked[-1]["data"]["observation"]["state"]["proprio"].shape == (1, 1, 15)


def rows_of(request):
    return len(request["data"]["observation"]["state"]["x"])


class RowServer(Server):
    """Gives each row its gripper's state times ten; refuses more than `most` rows."""

    def __init__(self, most=99):
        super().__init__()
        self.most = most

    def __call__(self, data):
        request = unpack(data)
        if request["endpoint"] != "get_action":
            return super().__call__(data)
        self.asked.append(request)
        if rows_of(request) > self.most:
            return packed({"error": "expected a batch of 1"})
        x = 10 * request["data"]["observation"]["state"]["x"][:, :, :1]
        return packed([{key: np.repeat(x, 3, axis=1).astype(np.float32) for key in LIBERO}, {}])


@pytest.mark.parametrize("most", [99, 1])
def test_slots_that_ask_together_are_rows_of_one_request_where_the_server_allows(most):
    server = RowServer(most)
    with scripted_zmq(server) as url:
        policy = policy_for(url, timeout_s=2.0)
        asked = seen(3)
        for slot, one in enumerate(asked):
            policy.reset(slot, f"pick {slot}", 7)
            proprio = one.proprio.copy()
            proprio[7] = slot / 100
            asked[slot] = dataclasses.replace(one, proprio=proprio, instruction=f"pick {slot}")
        together = policy.predict(asked, [0, 1, 2])
        again = policy.predict(asked[1:], [1, 2])
        reports = [policy.episode_report(slot)["remote"] for slot in range(3)]
        policy.close()
    np.testing.assert_allclose(together[:, 0, 0], [0, 0.1, 0.2], atol=1e-6)
    np.testing.assert_allclose(again[:, 0, 0], [0.1, 0.2], atol=1e-6)
    assert [len(report["round_trip_ms"]) for report in reports] == [1, 2, 2]
    questions = [request for request in server.asked if request["endpoint"] == "get_action"]
    assert [rows_of(request) for request in questions] == ([3, 2] if most > 3 else [3, 1, 1, 1, 1, 1])
    told = questions[0]["data"]["observation"]
    assert next(iter(told["language"].values())) == [["pick 0"], ["pick 1"], ["pick 2"]]
    assert told["video"]["image"].shape[:2] == (3, 2)


@pytest.mark.parametrize(
    ("name", "deltas", "keys", "said"),
    [
        ("video", [0], ["ego_view"], "do not say what video.ego_view is"),
        ("video", [0, 1], ["image"], "expected offsets of 0 and below"),
        ("video", [-(10**9)], ["image"], "expected offsets of 0 and below"),
        ("state", [0], 7, "'state' has no list of keys"),
        ("action", [0], [], "'action' has no keys"),
    ],
)
def test_what_does_not_fit_is_told_before_the_first_episode(name, deltas, keys, said):
    config = packed({n: modality(*known) for n, known in (CONFIG | {name: (deltas, keys)}).items()})
    with scripted_zmq(Server(config=config)) as url, pytest.raises(PolicyError, match=said):
        policy_for(url)


def test_another_server_and_none_are_told_in_a_sentence():
    for reply, said in (
        (
            packed({"error": "Traceback\n\nValueError: no weights"}),
            "reports an error: ValueError: no weights",
        ),
        (packed([1]), "sent list; expected a modality configuration"),
        (b"ERROR", "reports an error: ERROR"),
        (None, r"gave no reply within 0\.3 s"),
    ):
        with scripted_zmq(lambda _, reply=reply: reply) as url, pytest.raises(PolicyError, match=said):
            policy_for(url)
    with pytest.raises(PolicyError, match=r"no server at zmq://127\.0\.0\.1:9: Connection refused"):
        policy_for("zmq://127.0.0.1:9")


BAD_ACTIONS = {
    "another width": {"x": np.zeros((1, 3, 2), dtype=np.float32)},
    "another length": {"x": np.zeros((1, 2, 1), dtype=np.float32)},
    "no chunk": {key: np.zeros((1, 0, 1), dtype=np.float32) for key in LIBERO},
    "NaN": {"x": np.full((1, 3, 1), np.nan, dtype=np.float32)},
    "two rows": {"x": np.zeros((2, 3, 1), dtype=np.float32)},
    "no array": {"x": [[0.0]]},
    "words": {"x": "far"},
    "truth": {"x": np.ones((1, 3, 1), dtype=bool)},
}


@pytest.fixture(scope="module")
def hostile():
    server = Server()

    def answer(reply):
        server.action = reply.encode() if isinstance(reply, str) else reply

    with scripted_zmq(server) as url:
        # A great frame is still on its way when the next question comes.
        policy = MappedPolicy(policy_for(url, timeout_s=1.0), preset("libero-7d"))
        yield Hostile(policy, answer, packed([ACTION, {}]), ran=RAN)
        policy.policy.close()


@pytest.mark.parametrize("name", [*BAD_ACTIONS, *REPLIES])
def test_a_malformed_reply_is_an_error_in_a_sentence(hostile, name):
    reply = packed([ACTION | BAD_ACTIONS[name], {}]) if name in BAD_ACTIONS else REPLIES[name]
    hostile.refuses(reply, PolicyLostError if name == "an oversized frame" else RtbenchError)


def test_a_reply_that_was_changed_on_the_way_is_refused_or_understood(hostile):
    """Sixty replies with some bytes changed: none ends in another error than ours, none hangs."""
    hostile.survives_changes(packed([ACTION, {}]), rounds=60, least=20)


def test_a_late_reply_loses_the_server_and_is_not_taken_for_the_next(hostile):
    hostile.answer(None)
    with pytest.raises(PolicyLostError, match="gave no reply within"):
        hostile.ask()
    hostile.answer(hostile.good)
    assert hostile.ask().shape == (1, 11)
