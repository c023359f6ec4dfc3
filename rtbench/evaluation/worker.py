"""A worker: one process, one environment, one episode after another.

It is started as a fresh interpreter and not by `multiprocessing`, which would import the user's main script
again; it is told everything through one connection, and it leaves when the main process is gone.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import numpy as np

from rtbench.core.action import convention
from rtbench.core.environment import EnvSettings, EpisodeEnv
from rtbench.core.episode import EpisodeResult, Observation, Trace
from rtbench.core.errors import ActionError, RenderError, RtbenchError
from rtbench.core.fault import Fault, FaultError, Kind
from rtbench.core.importing import load_object
from rtbench.core.stated_plan import StatedPlan
from rtbench.core.text import text_of
from rtbench.evaluation.latency import milliseconds
from rtbench.evaluation.messages import (
    Alive,
    Ask,
    Broken,
    Done,
    FromWorker,
    Hello,
    Idle,
    Play,
    Ready,
    Reply,
    ToWorker,
    Wire,
    Withdraw,
)
from rtbench.evaluation.pointing import with_things
from rtbench.evaluation.rollout import Act, Decision, rollout
from rtbench.policy.base import Policy, Privileged
from rtbench.policy.check import check_tokens, stated_plans
from rtbench.policy.report import episode_report

PARENT_CHECK_S = 0.5
"""How often a worker looks whether its parent still lives [s]: even a hung simulator leaves no orphan."""


class WithdrawnError(Exception):
    """The main process gave the episode up."""


def main(descriptor: int, parent: int) -> None:
    """Serve the main process `parent` over the socket `descriptor` until it says or goes away."""
    # Ctrl-C reaches the whole group; only the main process decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    wire: Wire = Connection(descriptor)
    try:
        serve(wire)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def serve(wire: Wire) -> None:
    """Play what the wire asks for."""
    hello: Hello = wire.recv()
    worker = _made(hello, wire)
    if isinstance(worker, Broken):
        wire.send(worker)
        return
    wire.send(Ready(worker.env.info()))
    try:
        while (play := worker.receive()) is not None:
            if isinstance(play, Play):
                worker.send(worker.play(play))
    finally:
        worker.env.close()


def _made(hello: Hello, wire: Wire) -> Worker | Broken:
    what: Kind = "environment"
    try:
        env = make_env(hello)
        what = "policy"
        return Worker(hello, wire, env, _make_policy(hello))
    except RtbenchError as error:
        return Broken(text_of(error), "", what)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the main process must hear of it
        fault = Fault.of(what, error)
        return Broken(fault.message, fault.traceback, what)


def make_env(hello: Hello) -> EpisodeEnv:
    """The environment that a worker is for."""
    factory: Callable[[EnvSettings], EpisodeEnv] = load_object(hello.factory)
    return factory(hello.settings)


class Worker:
    """One environment and, for privileged policies, the policy beside it."""

    def __init__(self, hello: Hello, wire: Wire, env: EpisodeEnv, policy: Policy | None) -> None:
        self._hello = hello
        self._wire = wire
        self._convention = convention(hello.settings.convention)
        self.env = env
        self._policy = policy
        self._plans: list[StatedPlan] = []
        """What the policy has stated in the episode."""

    def receive(self) -> ToWorker:
        """The next message from the main process."""
        return cast("ToWorker", self._wire.recv())

    def send(self, message: FromWorker) -> None:
        """Tell the main process."""
        self._wire.send(message)

    def play(self, play: Play) -> Done | Idle | Broken:
        """Play one episode; whatever happens in it, the worker stays fit for the next."""
        trace = Trace()
        self._plans = []
        try:
            act = self._act_here(play) if self._policy is not None else self._act_there
            result = rollout(self.env, play.episode, act, pace=self._hello.pace, trace=trace)
        except WithdrawnError:
            return Idle()
        except RenderError as error:
            # No episode's fault: the machine cannot draw, and all others would end like this one.
            return Broken(str(error), "")
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks, it is an error of this episode only
            return Done(None, self._blame(error), _listed(trace), report=self._report())
        # Asked before a film is made: nothing of the policy may depend on that.
        report = self._report()
        return replace(self._finish(play, result), plans=tuple(self._plans), report=report)

    def _blame(self, error: Exception) -> Fault:
        """The fault an exception stands for; afterwards the environment is fit for another episode."""
        if isinstance(error, FaultError):
            return error.fault
        if isinstance(error, ActionError):
            return Fault("policy_output", str(error))
        if isinstance(error, RtbenchError):
            return Fault("environment", str(error))
        fault = Fault.of("environment", error)
        self._renew_env()
        return fault

    def _finish(self, play: Play, result: EpisodeResult) -> Done:
        if play.video == "all" or (play.video == "fail" and not result.outcome.end):
            return self._film(play, result)
        return Done(result, None)

    def _report(self) -> dict[str, Any]:
        try:
            return episode_report(self._policy, 0)
        except Exception:  # noqa: BLE001 - a user's policy; the episode does not depend on it
            return {}

    def _film(self, play: Play, result: EpisodeResult) -> Done:
        from rtbench.evaluation.film import film_again

        key = play.episode.key
        path = Path(self._hello.videos) / f"{key}.mp4"
        taken = tuple(map(milliseconds, result.trace.policy_s))
        try:
            film_again(
                self.env,
                play.episode,
                result,
                path,
                pace=self._hello.pace.again([(key, taken)]),
                plans=self._plans,
                on_step=lambda: self.send(Alive()),
            )
        except Exception as error:  # noqa: BLE001 - whatever breaks, the episode had been played
            if not isinstance(error, OSError | RtbenchError):
                self._renew_env()
            return Done(result, None, warning=f"{key}: no video: {error}")
        return Done(result, None, video=path.name)

    def _act_there(self, observation: Observation) -> Decision:
        self.send(Ask(observation))
        answer = self.receive()
        if isinstance(answer, Reply):
            self._note(answer.plan)
            return answer.decision
        if isinstance(answer, Withdraw):
            raise FaultError(answer.fault) if answer.fault else WithdrawnError
        raise EOFError

    def _note(self, plan: StatedPlan | None) -> None:
        """Keep a plan that is new, with the things that it points at."""
        if plan is not None and (not self._plans or self._plans[-1].step != plan.step):
            self._plans.append(with_things(plan, self.env))

    def _act_here(self, play: Play) -> Act:
        policy = cast("Policy", self._policy)
        try:
            if isinstance(policy, Privileged):
                policy.attach(0, self.env)
        except BaseException as error:  # noqa: BLE001 - a user's policy may raise anything, SystemExit too
            raise FaultError(Fault.of("policy", error)) from None
        told: str | None = None

        def act(observation: Observation) -> Decision:
            nonlocal told
            try:
                # Only now does the environment hold the episode that the policy may read. An instruction that
                # changes in the middle of it begins anew.
                instruction = observation.instruction or play.episode.instruction
                if instruction != told:
                    policy.reset(0, instruction, play.seed)
                    told = instruction
                start = time.perf_counter()
                tokens = policy.act([observation], [0])
                seconds = time.perf_counter() - start
                checked = check_tokens(tokens, 1, self._convention)
                plan = stated_plans(policy, [0])[0]
            except BaseException as error:  # noqa: BLE001
                raise FaultError(Fault.of("policy", error)) from None
            self.send(Alive())
            if isinstance(checked, Fault):
                raise FaultError(checked)
            row = checked[0]
            if isinstance(row, Fault):
                raise FaultError(row)
            if isinstance(plan, Fault):
                raise FaultError(plan)
            self._note(plan)
            return Decision(row, seconds)

        return act

    def _renew_env(self) -> None:
        """A simulator that raised is in no known state."""
        try:
            self.env.close()
        finally:
            self.env = make_env(self._hello)


def _make_policy(hello: Hello) -> Policy | None:
    if hello.card is None:
        return None
    from rtbench.policy.card import build
    from rtbench.policy.identity import check_identity

    policy = build(hello.card)
    if hello.identity is not None:
        check_identity(hello.card, policy, hello.identity)
    return policy


def _listed(trace: Trace) -> list[list[int]]:
    return [[int(t) for t in np.asarray(row)] for row in trace.tokens]


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)
