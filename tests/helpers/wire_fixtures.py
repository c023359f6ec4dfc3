"""Writes tests/golden/wire/: messages as the packages of their protocols write them.

    PYTHON tests/helpers/wire_fixtures.py openpi|vla-eval|roboeval|gr00t

PYTHON is an interpreter that has openpi-client 0.1.2, vla-eval 0.8.0, roboeval 0.1.1 (with fastapi, httpx
and pillow), or for GR00T, whose package is not on PyPI, msgpack and NumPy: its bytes are made as
`MsgSerializer` in gr00t/policy/server_client.py does. The tests read the files and need none of these.
"""

import base64
import io
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "wire"
IMAGE = (np.arange(6 * 8 * 3) % 251).astype(np.uint8).reshape(6, 8, 3)
STATE = np.linspace(-1, 1, 8)
CHUNK = (np.arange(14) / 8).reshape(2, 7)
PROMPT = "pick apple"


def openpi():
    """Both sides write with the same codec; RoboArena's server uses it too."""
    from openpi_client import msgpack_numpy

    seen = {
        "observation/image": IMAGE,
        "observation/wrist_image": IMAGE,
        "observation/state": STATE,
        "prompt": PROMPT,
    }
    timing = {"policy_timing": {"infer_ms": 1.5}, "server_timing": {"infer_ms": 2.5}}
    config = {
        "image_resolution": (224, 224), "needs_wrist_camera": True, "n_external_cameras": 1,
        "needs_stereo_camera": False, "needs_session_id": True, "action_space": "joint_position",
    }  # fmt: skip
    droid = {
        "observation/exterior_image_0_left": IMAGE, "observation/wrist_image_left": IMAGE,
        "observation/joint_position": STATE[:7], "observation/cartesian_position": STATE[:6],
        "observation/gripper_position": STATE[:1], "prompt": PROMPT, "session_id": "s-1",
    }  # fmt: skip
    messages = {
        "openpi-metadata": {"reset_pose": [0.0, -1.5]},
        "openpi-observation": seen,
        "openpi-reply": {
            "actions": CHUNK,
            "state": STATE.astype(np.float32),
            "scale": np.float32(0.5),
            **timing,
        },
        "roboarena-config": config,
        "roboarena-infer": {**droid, "endpoint": "infer"},
        "roboarena-reset": {"endpoint": "reset", "session_id": "s-1"},
        "roboarena-reply": {"actions": CHUNK},
    }
    return {name: msgpack_numpy.packb(message) for name, message in messages.items()}


def vla_eval():
    """Messages of client and server."""
    from vla_eval.protocol.messages import Message, MessageType, make_hello_payload, pack_message

    seen = {"images": {"agentview": IMAGE, "wrist": IMAGE}, "task_description": PROMPT, "states": STATE}
    payloads = {
        "hello-client": ("hello", make_hello_payload(benchmark="libero")),
        "hello-server": ("hello", make_hello_payload(model_server="pi0", capabilities={})),
        "episode_start": ("episode_start", {"task": {"name": "x"}, "mode": "live"}),
        "observation": ("observation", seen),
        "action": ("action", {"actions": CHUNK[0].astype(np.float32)}),
        "episode_end": ("episode_end", {"metrics": {"success": True}, "steps": 3, "elapsed_sec": 0.5}),
        "error": ("error", {"error": "observation_failed: no weights"}),
    }
    return {
        f"vla-eval-{name}": pack_message(Message(MessageType(kind), payload, seq=7, timestamp=1.0))
        for name, (kind, payload) in payloads.items()
    }


def roboeval():
    """Bodies of the server's replies, by its own application, and of the client's requests, by its schema."""
    from fastapi.testclient import TestClient
    from PIL import Image
    from sims.vla_policies.base import VLAPolicyBase, make_app
    from sims.vla_policies.vla_schema import PredictRequest, VLAObservation

    class Policy(VLAPolicyBase):
        def load_model(self, model_id, device, **_):
            self.model_id, self.ready = model_id, True

        def predict(self, obs):
            assert obs.instruction == PROMPT
            return CHUNK.tolist()

        def get_info(self):
            space = {"type": "eef_delta", "dim": 7}
            return {
                "name": "pi",
                "model_id": "pi",
                "action_space": space,
                "state_dim": 8,
                "action_chunk_size": 2,
            }

    file = io.BytesIO()
    Image.fromarray(IMAGE).save(file, format="PNG")
    text = base64.b64encode(file.getvalue()).decode("utf-8")
    obs = VLAObservation(
        instruction=PROMPT, images={"primary": text, "wrist": text}, state={"flat": STATE.tolist()}
    )
    body = PredictRequest(obs=obs).model_dump_json().encode()
    with TestClient(make_app(Policy(), "pi", "cpu")) as web:
        found = {
            "health": web.get("/health"), "info": web.get("/info"), "reset-reply": web.post("/reset"),
            "predict-reply": web.post("/predict", content=body, headers={"content-type": "application/json"}),
        }  # fmt: skip
        assert all(reply.status_code == 200 for reply in found.values())
        return {f"roboeval-{name}": reply.content for name, reply in found.items()} | {
            "roboeval-predict": body
        }


def gr00t():
    """Requests and replies; the keys are those of its LIBERO embodiment."""
    import msgpack

    def encode(value):
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": file.getvalue()}

    def modality(deltas, keys):
        none = dict.fromkeys(("sin_cos_embedding_keys", "mean_std_embedding_keys", "action_configs"))
        told = {"delta_indices": deltas, "modality_keys": keys, **none}
        return {"__ModalityConfig_class__": True, "as_json": told}

    axes = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
    task = "annotation.human.action.task_description"
    video = dict.fromkeys(("image", "wrist_image"), IMAGE[None, None])
    state = {key: np.full((1, 1, 1 + (key == "gripper")), 0.25, dtype=np.float32) for key in axes}
    seen = {"video": video, "state": state, "language": {task: [[PROMPT]]}}
    messages = {
        "config-request": {"endpoint": "get_modality_config"},
        "config": {
            "video": modality([0], ["image", "wrist_image"]), "state": modality([0], axes),
            "action": modality([0, 1], axes), "language": modality([0], [task]),
        },
        "reset": {"endpoint": "reset", "data": {"options": None}},
        "reset-reply": {},
        "get_action": {"endpoint": "get_action", "data": {"observation": seen, "options": None}},
        "action": [{key: CHUNK[None, :, k : k + 1].astype(np.float32) for k, key in enumerate(axes)}, {}],
        "error": {"error": "no weights"},
        "ping": {"endpoint": "ping"},
        "ping-reply": {"status": "ok", "message": "Server is running"},
    }  # fmt: skip
    return {f"gr00t-{name}": msgpack.packb(message, default=encode) for name, message in messages.items()}


def main():
    """Write one protocol's files."""
    made = {"openpi": openpi, "vla-eval": vla_eval, "roboeval": roboeval, "gr00t": gr00t}[sys.argv[1]]()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in made.items():
        (FOLDER / f"{name}.bin").write_bytes(data)
    print(f"{len(made)} files in {FOLDER}")


if __name__ == "__main__":
    main()
