"""Serves a policy over WebSockets, by the protocols of openpi, RoboArena and vla-eval.

The event loop only reads and writes. The policy decides in its own thread: `rtbench.evaluation.serving.host`.
"""

from __future__ import annotations

import http
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rtbench.core.errors import RtbenchError
from rtbench.evaluation.serving.answer import answered, begin_unless, said, seed_of
from rtbench.evaluation.serving.host import PolicyHost, ServedPolicyError, Session
from rtbench.evaluation.serving.listening import Listening, ServeError
from rtbench.evaluation.serving.sessions import NamedSessions
from rtbench.evaluation.serving.translation import Translation
from rtbench.policy.remote.codec import MOST_BYTES, WireError, pack, unpack
from rtbench.policy.remote.connection import RESET_KEY, SEED_KEY

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

HEALTH = {"/healthz": "OK\n", "/health": json.dumps({"status": "ok"})}
"""Path -> what is answered to a GET: openpi's, and vla-eval's."""
MOST_SESSION_IDS = 4
"""Sessions of one connection by RoboArena; the one that was asked longest ago ends where there are more."""
INTERNAL_ERROR = 1011
"""Close code after an error, of openpi and RoboArena."""
Handler = Callable[["ServerConnection", PolicyHost, Translation], Awaitable[None]]


@asynccontextmanager
async def serving(
    host: PolicyHost, translation: Translation, protocol: str, where: Listening
) -> AsyncIterator[int]:
    """Serve a policy while the context lasts; gives the port.

    Raises:
        ServeError: a port in use, or an address that this machine does not have.
    """
    from websockets.asyncio.server import serve

    handler = _HANDLERS[protocol]

    async def handle(socket: ServerConnection) -> None:
        await _handle(handler, socket, host, translation)

    try:
        server = await serve(
            handle,
            where.host,
            where.port,
            process_request=lambda socket, request: _before(socket, request, where),
            compression=None,
            max_size=MOST_BYTES,
            max_queue=1,
            ping_interval=None,
            close_timeout=1,
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServeError(f"cannot listen at {where.host}:{where.port}: {reason}.") from None
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def _before(socket: ServerConnection, request: Request, where: Listening) -> Response | None:
    """Answer a question for health, or refuse a client without the key."""
    path = request.path.partition("?")[0]
    if path in HEALTH:
        return socket.respond(http.HTTPStatus.OK, HEALTH[path])
    if not where.admits(request.headers.get("Authorization", "").removeprefix("Api-Key ")):
        return socket.respond(
            http.HTTPStatus.UNAUTHORIZED, "the header Authorization: Api-Key KEY is needed\n"
        )
    return None


async def _handle(
    handler: Handler, socket: ServerConnection, host: PolicyHost, translation: Translation
) -> None:
    from websockets.exceptions import ConnectionClosed

    try:
        await handler(socket, host, translation)
    except ConnectionClosed:
        return
    except (ServedPolicyError, RtbenchError) as error:
        await _refuse(socket, str(error))
    except Exception as error:
        await _refuse(socket, f"a fault in rtbench: {type(error).__name__}")
        raise


async def _refuse(socket: ServerConnection, reason: str) -> None:
    """End a connection as openpi does: a text with the error, then close code 1011."""
    from websockets.exceptions import ConnectionClosed

    try:
        await socket.send(f"error: {reason}")
        await socket.close(INTERNAL_ERROR, "error")
    except ConnectionClosed:
        return


async def _openpi(socket: ServerConnection, host: PolicyHost, translation: Translation) -> None:
    await socket.send(pack(said(host, translation)))
    with host.session() as session:
        async for data in socket:
            message = _map(data)
            seen = translation.observation(message, session.step)
            await _begin_if_new(session, host, message, seen.instruction)
            await socket.send(pack(await answered(session, translation, seen)))


async def _begin_if_new(
    session: Session, host: PolicyHost, message: dict[str, Any], instruction: str
) -> None:
    """Begin an episode where the client says so, or, for one that cannot, with a new instruction."""
    told = message.get(RESET_KEY) is True
    if not told and instruction == session.instruction:
        return
    if not told and host.history > 1:
        raise WireError(
            f"policy {host.name} remembers {host.history} observations, and openpi does not say where an "
            f"episode begins; serve it by roboarena or vla-eval, or send {RESET_KEY}."
        )
    await session.begin(instruction, seed_of(message))


async def _roboarena(socket: ServerConnection, host: PolicyHost, translation: Translation) -> None:
    config = {
        "image_resolution": None,
        "needs_wrist_camera": "wrist" in host.cameras,
        "n_external_cameras": int("head" in host.cameras),
        "needs_stereo_camera": False,
        "needs_session_id": True,
        "action_space": "cartesian_velocity",
    }
    await socket.send(pack(config | said(host, translation)))
    with NamedSessions(host, MOST_SESSION_IDS) as sessions:
        async for data in socket:
            message = _map(data)
            session = sessions.get(str(message.get("session_id", ""))[:200])
            endpoint = message.get("endpoint")
            if endpoint == "reset":
                # The instruction comes with the first observation.
                session.forget(seed_of(message))
                await socket.send("reset successful")
            elif endpoint == "infer":
                seen = translation.observation(message, session.step)
                await begin_unless(session, seen.instruction)
                await socket.send(pack(await answered(session, translation, seen)))
            else:
                raise WireError(f"endpoint {str(endpoint)[:40]!r}; expected infer or reset.")


async def _vla_eval(socket: ServerConnection, host: PolicyHost, translation: Translation) -> None:
    with host.session() as session:
        async for data in socket:
            message = _map(data)
            kind, payload = message.get("type"), message.get("payload")
            if not isinstance(payload, dict):
                raise WireError("a message has no map 'payload'; expected protocol vla-eval.")
            try:
                if kind == "hello":
                    await _send(socket, message, "hello", _hello(host, translation))
                elif kind == "episode_start":
                    task = payload.get("task")
                    seed = task.get("seed") if isinstance(task, dict) else 0
                    session.forget(seed_of({SEED_KEY: seed}))
                elif kind == "observation":
                    seen = translation.observation(_flat(payload), session.step)
                    await begin_unless(session, seen.instruction)
                    reply = await answered(session, translation, seen)
                    await _send(socket, message, "action", reply | {"actions": reply["actions"][0]})
                elif kind != "episode_end":
                    raise WireError(f"type {str(kind)[:40]!r} is no message of protocol vla-eval.")
            except (ServedPolicyError, RtbenchError) as error:
                # By this protocol the connection stays open.
                await _send(socket, message, "error", {"error": f"{kind}_failed: {error}"})


def _hello(host: PolicyHost, translation: Translation) -> dict[str, Any]:
    return {
        "harness_version": version("rtbench"),
        "protocol_version": 1,
        "model_server": host.name,
        "capabilities": said(host, translation),
    }


async def _send(
    socket: ServerConnection, request: dict[str, Any], kind: str, payload: dict[str, Any]
) -> None:
    number = request.get("seq")
    reply = {"type": kind, "payload": payload, "seq": number if isinstance(number, int) else 0}
    await socket.send(pack(reply | {"timestamp": time.time()}, keys=str))


def _flat(payload: dict[str, Any]) -> dict[str, Any]:
    images = payload.get("images")
    if not isinstance(images, dict):
        raise WireError("an observation has no map 'images'.")
    return {**payload, **images}


def _map(data: str | bytes) -> dict[str, Any]:
    if isinstance(data, str):
        raise WireError("a text came; expected a binary message.")
    found = unpack(data)
    if not isinstance(found, dict):
        raise WireError(f"{type(found).__name__} came; expected a map.")
    return found


_HANDLERS: dict[str, Handler] = {"openpi": _openpi, "roboarena": _roboarena, "vla-eval": _vla_eval}
