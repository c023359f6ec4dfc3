"""Serves a policy by GR00T's protocol: msgpack by ZeroMQ, a request and a reply.

Each client is a session, told apart by ZeroMQ; each row of its batch is one too. `kill` is not served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np

from rtbench.core.errors import RtbenchError
from rtbench.evaluation.serving.answer import answered, begin_unless, said, seed_of
from rtbench.evaluation.serving.host import MOST_SESSIONS, PolicyHost, ServedPolicyError
from rtbench.evaluation.serving.listening import Listening, ServeError
from rtbench.evaluation.serving.sessions import NamedSessions
from rtbench.evaluation.serving.translation import Translation
from rtbench.policy.remote.codec import MOST_BYTES, WireError, pack_npy, unpack

LANGUAGE = "annotation.human.task_description"
"""Key of the instruction."""
MOST_BATCH = 16
"""Rows of a request."""


@asynccontextmanager
async def serving(host: PolicyHost, translation: Translation, where: Listening) -> AsyncIterator[int]:
    """Serve a policy while the context lasts; gives the port.

    Raises:
        ServeError: a port in use, or an address that this machine does not have.
    """
    import zmq
    import zmq.asyncio

    context = zmq.asyncio.Context()
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
    socket.setsockopt(zmq.IPV6, int(":" in where.host))
    at = f"[{where.host}]" if ":" in where.host else where.host
    try:
        socket.bind(f"tcp://{at}:{where.port or '*'}")
    except zmq.ZMQError as error:
        socket.close()
        context.term()
        reason = error.strerror or str(error)
        raise ServeError(f"cannot listen at {where.host}:{where.port}: {reason}.") from None
    port = int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
    with NamedSessions(host, MOST_SESSIONS) as sessions:
        served = _Served(host, translation, where, sessions)
        task = asyncio.create_task(_work(socket, served))
        try:
            yield port
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            socket.close()
            context.term()


async def _work(socket: Any, served: _Served) -> None:
    """Answer what comes, as many requests at once as there may be sessions."""
    free = asyncio.Semaphore(MOST_SESSIONS)
    tasks = set[asyncio.Task[None]]()

    async def answer(client: bytes, head: list[bytes], data: bytes) -> None:
        try:
            reply = await served.reply(client, data)
            await socket.send_multipart([client, *head, pack_npy(reply)])
        finally:
            free.release()

    try:
        while True:
            await free.acquire()
            client, *head, data = await socket.recv_multipart()
            task = asyncio.create_task(answer(client, head, data))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    finally:
        for task in tasks:
            task.cancel()


class _Served:
    """What is served."""

    def __init__(
        self, host: PolicyHost, translation: Translation, where: Listening, sessions: NamedSessions
    ) -> None:
        self._host, self._translation, self._where, self._sessions = host, translation, where, sessions
        self._rows: dict[bytes, int] = {}
        """Client -> the rows it has asked for, to be reset."""

    async def reply(self, client: bytes, data: bytes) -> Any:
        """The reply to a request; a map with 'error' where there is none."""
        try:
            return await self._answer(client, unpack(data))
        except (ServedPolicyError, RtbenchError) as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - a client that gets no reply waits for ever
            return {"error": f"a fault in rtbench: {type(error).__name__}"}

    async def _answer(self, client: bytes, request: Any) -> Any:
        if not isinstance(request, dict):
            raise WireError(f"{type(request).__name__} came; expected a map with an endpoint.")
        if not self._where.admits(str(request.get("api_token", ""))):
            raise WireError("Unauthorized: the api_token is missing or wrong.")
        endpoint, asked = request.get("endpoint", "get_action"), request.get("data")
        given = asked if isinstance(asked, dict) else {}
        if endpoint == "ping":
            return {"status": "ok", "message": "Server is running"}
        if endpoint == "get_modality_config":
            return self._config()
        if endpoint == "reset":
            options = given.get("options")
            for row in range(self._rows.pop(client, 0)):
                self._sessions.get((client, row)).forget()
            seed = seed_of(options) if isinstance(options, dict) else 0
            self._sessions.get((client, 0)).forget(seed)
            return {}
        if endpoint == "get_action":
            return await self._action(client, given.get("observation"))
        raise WireError(
            f"endpoint {str(endpoint)[:40]!r}; expected get_action, reset, ping or get_modality_config."
        )

    async def _action(self, client: bytes, observation: Any) -> list[Any]:
        rows = rows_of(observation)
        if len(rows) > MOST_BATCH:
            raise WireError(f"a batch has {len(rows)} rows; at most {MOST_BATCH} are answered.")
        self._rows[client] = max(len(rows), self._rows.get(client, 0))
        answers = await asyncio.gather(*(self._row((client, k), row) for k, row in enumerate(rows)))
        numbers = np.stack([answer.pop("actions") for answer in answers]).astype(np.float32)
        slices = self._translation.mapping.slices
        action = {part: numbers[:, :, where] for part, where in slices.items()}
        info = answers[0] | {"tokens": np.stack([answer["tokens"][0] for answer in answers])}
        return [action, info]

    async def _row(self, name: tuple[bytes, int], row: dict[str, Any]) -> dict[str, Any]:
        session = self._sessions.get(name)
        seen = self._translation.observation(row, session.step)
        await begin_unless(session, seen.instruction)
        return await answered(session, self._translation, seen)

    def _config(self) -> dict[str, Any]:
        """What the policy takes and gives, as GR00T's modality configuration; one set of keys, the first."""
        keys = self._translation.keys[0]
        names = {
            "video": [key.removeprefix("video.") for key in keys.images],
            "state": [key.removeprefix("state.") for key in keys.state],
            "action": list(self._translation.mapping.slices),
            "language": [LANGUAGE],
        }
        return {name: _modality(found) for name, found in names.items()} | said(self._host, self._translation)


def _modality(keys: list[str]) -> dict[str, Any]:
    none = dict.fromkeys(("sin_cos_embedding_keys", "mean_std_embedding_keys", "action_configs"))
    return {
        "__ModalityConfig_class__": True,
        "as_json": {"delta_indices": [0], "modality_keys": keys, **none},
    }


def rows_of(observation: Any) -> list[dict[str, Any]]:
    """An observation of GR00T, nested or flat, as a flat map for each row of its batch: the newest moment.

    Raises:
        WireError: no observation, or rows that do not fit one another.
    """
    if not isinstance(observation, dict):
        raise WireError(f"the observation is {type(observation).__name__}; expected a map.")
    flat: dict[str, Any] = {}
    for name, value in observation.items():
        if name in ("video", "state", "language") and isinstance(value, dict):
            flat |= {f"{name}.{key.removeprefix(f'{name}.')}": one for key, one in value.items()}
        else:
            flat[name] = value
    arrays = {key: one for key, one in flat.items() if isinstance(one, np.ndarray) and one.ndim >= 2}
    texts = [one for one in flat.values() if isinstance(one, list | tuple) and one]
    if len(texts) != 1:
        raise WireError(f"the observation has {len(texts)} instructions; expected one for each row.")
    size = len(texts[0])
    if any(len(one) != size or not one.shape[1] for one in arrays.values()):
        shapes = {key: list(one.shape) for key, one in arrays.items()}
        raise WireError(f"{size} instructions came with arrays of shapes {str(shapes)[:300]}.")
    rows = []
    for k, text in enumerate(texts[0]):
        told = text[-1] if isinstance(text, list | tuple) and text else text
        rows.append({key: one[k, -1] for key, one in arrays.items()} | {"task": told})
    return rows
