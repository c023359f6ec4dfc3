"""A replica in this process, with workers of the fake environment."""

import dataclasses
import os
import re
import sys
import time

import pytest

from rtbench.core.environment import EnvSettings
from rtbench.core.errors import PolicyError, RtbenchError, UnknownNameError
from rtbench.core.fault import Fault
from rtbench.core.importing import load_object
from rtbench.evaluation.cluster.code import code_of
from rtbench.evaluation.cluster.messages import Environment, Failed, Order, Played
from rtbench.evaluation.cluster.replica import Replica
from rtbench.evaluation.engine import engine
from rtbench.evaluation.latency import NO_LATENCY
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.player import player_of
from rtbench.policy.card import resolve
from rtbench.result.record import of_fault
from tests.helpers.runs import FACTORY, POLICIES, episodes, essence, play


def order(policy="Pusher", **changes):
    player = player_of(resolve(f"{POLICIES}:{policy}"))
    told = Order(
        card=player.card, identity=player.identity, code=code_of(()), factory=FACTORY, env=EnvSettings(),
        limits=Limits(error_least=sys.maxsize), robots=(), draws=False, latency=NO_LATENCY, video="none",
        repeat=0, path=tuple(sys.path),
    )  # fmt: skip
    return dataclasses.replace(told, **changes)


def events_of(replica, given=(), until=lambda events: False, limit_s=120):
    """What it tells until that is enough, or it has failed."""
    found, end = replica.exchange(list(given)), time.monotonic() + limit_s
    while not until(found) and not any(isinstance(event, Failed) for event in found):
        assert time.monotonic() < end, found
        found += replica.exchange([])
    return found


def test_a_replica_plays_what_it_is_given_and_its_records_are_those_of_a_local_run(tmp_path):
    chosen = list(enumerate(episodes(4)))
    replica = Replica(order(workers=2))
    first = events_of(replica, chosen[:1], lambda events: any(isinstance(e, Played) for e in events))
    rest = events_of(replica, chosen[1:], lambda events: sum(isinstance(e, Played) for e in events) == 3)
    replica.close()
    assert isinstance(first[0], Environment)
    found = [event.record for event in first + rest if isinstance(event, Played)]
    local = play(tmp_path, episodes(4), workers=1)

    class Run:
        records = found

    assert essence(Run) == essence(local)


def test_records_are_gathered_only_while_more_episodes_wait(monkeypatch):
    monkeypatch.setattr(Replica, "_run", lambda self: None)
    monkeypatch.setattr("rtbench.evaluation.cluster.replica.GATHER_S", 60.0)
    replica, chosen = Replica(order(workers=1)), list(enumerate(episodes(3)))
    news = [Played(of_fault(episode, "rtbench", Fault("policy", "quick"), [])) for _, episode in chosen]
    for event in news[:2]:
        replica._events.put(event)
    began = time.monotonic()
    assert replica.exchange(chosen) == news[:2], "the third plays, and none waits behind it"
    replica._events.put(news[2])
    assert replica.exchange([]) == news[2:]
    assert time.monotonic() - began < 30

    monkeypatch.setattr("rtbench.evaluation.cluster.replica.GATHER_S", 0.5)
    replica._events.put(news[0])
    began = time.monotonic()
    assert replica.exchange(chosen) == news[:1]
    assert time.monotonic() - began >= 0.5, "the second plays while the third waits: nothing is urgent"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": {"code": "0123"}}, "another rtbench is installed here: code .* instead of 0123"),
        ({"identity": {"weights": "other"}}, "its .*weights differ from those of the main process"),
    ],
)  # fmt: skip
def test_another_rtbench_or_policy_is_refused(changes, said):
    (failed,) = events_of(Replica(order(**changes)))
    assert failed.kind in {"RunError", "PolicyError"}
    assert re.search(said, failed.message), failed.message


def test_unknown_engines_and_policies_that_cannot_be_copied_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="local, ray"):
        engine("rya")
    pytest.importorskip("ray")
    pusher = load_object(f"{POLICIES}:Pusher")()
    with pytest.raises(PolicyError, match="makes the policy on each machine"):
        play(tmp_path, episodes(1), pusher, engine=engine("ray"))


@pytest.mark.skipif(not os.environ.get("RTBENCH_TEST_ALL"), reason="a minute; RTBENCH_TEST_ALL=1 runs it")
def test_a_run_on_ray_has_the_same_records_and_loses_none_with_a_killed_actor(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    chosen = [*episodes(30, variant="slow:0.02")]
    marker = tmp_path / "killed"
    killer = dataclasses.replace(chosen[7], variant=f"kill_replica:{marker}")
    local = play(tmp_path / "local", [*chosen[:7], *chosen[8:]], workers=2)
    found = play(tmp_path / "ray", [*chosen, killer], workers=2, engine=engine("ray", 2))
    assert not ray.is_initialized()
    assert marker.exists(), "no actor was killed: the test is void"
    assert len(found.records) == 31
    assert essence(local).items() <= essence(found).items()
    assert not [record for record in found.records if record.error]


def test_ray_without_a_cluster_says_so(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(RtbenchError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        play(tmp_path, episodes(1), engine=engine("ray"))
