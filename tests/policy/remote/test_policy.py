"""A policy behind a server of ours acts as the same policy in this process, by each protocol."""

import threading

import numpy as np
import pytest

from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.core.seeding import generator
from rtbench.evaluation import recorded_env
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.latency import Latency
from rtbench.evaluation.progress import Silent
from rtbench.evaluation.replay import verify
from rtbench.evaluation.rollout import Decision, rollout
from rtbench.policy.base import Needs
from rtbench.policy.card import build, resolve
from rtbench.policy.remote.address import PROTOCOLS
from rtbench.policy.remote.policy import RemotePolicy
from rtbench.policy.seed import policy_seed
from rtbench.report.run_table import caption
from tests.helpers import fake_env
from tests.helpers.policy_servers import served

WIRES = tuple(PROTOCOLS)


class Rememberer:
    """Tokens that depend on the seed, the instruction and every image since the reset."""

    def __init__(self, history=2):
        self.needs, self.fingerprint, self.seen = Needs(cameras=("head",), history=history), "rememberer", {}

    def reset(self, slot, instruction, seed):
        self.seen[slot] = [len(instruction), seed % 1009]

    def act(self, observations, slots):
        rows = []
        for seen, slot in zip(observations, slots, strict=True):
            self.seen[slot].append(int(seen.images["head"].astype(np.int64).sum() % 10007))
            tokens = generator("rememberer", *self.seen[slot]).integers(0, 256, 11)
            tokens[10] %= 2
            rows.append(tokens)
        return np.array(rows)


def frames(count, seed=0):
    pixels = generator("frames", seed).integers(0, 256, (count, 256, 320, 3), dtype=np.uint8)
    proprio = np.arange(15, dtype=np.float32)
    return [Observation({"head": image}, "pick apple", proprio, k) for k, image in enumerate(pixels)]


def remote(url, **arguments):
    return build(resolve(f"remote:{url}", arguments=arguments))


def tokens(policy, seen, slot=0, seed=2**62 + 1):
    policy.reset(slot, "pick apple", seed)
    return np.array([policy.act([one], [slot])[0] for one in seen])


@pytest.mark.parametrize("protocol", WIRES)
def test_tokens_of_rt1_are_those_of_the_local_policy(protocol):
    card = resolve("rt1")
    local, seen = build(card), frames(3)
    with served(card, protocol) as (url, _):
        far = remote(url)
        for seed in (1, 2**63 - 1):
            np.testing.assert_array_equal(tokens(far, seen, seed=seed), tokens(local, seen, seed=seed))


@pytest.mark.parametrize("protocol", WIRES)
def test_eight_clients_at_once_keep_their_histories(protocol):
    seen = [frames(4, client) for client in range(8)]
    expected = [tokens(Rememberer(), seen[client], seed=client) for client in range(8)]
    with served(Rememberer(), protocol) as (url, _):
        found = [None] * 8

        def play(client):
            policy = remote(url)
            tokens(policy, seen[client - 1], seed=5)  # an episode before, which must be forgotten
            found[client] = tokens(policy, seen[client], seed=client)
            policy.policy.close()

        threads = [threading.Thread(target=play, args=(client,)) for client in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    np.testing.assert_array_equal(found, expected)


def locally(policy, episode, seed, pace):
    """Tokens int64[n, 11] of an episode that is played in this process."""
    env = fake_env.FakeEnv(EnvSettings(cameras=("head",)))
    policy.reset(0, episode.instruction, seed)
    result = rollout(env, episode, lambda seen: Decision(policy.act([seen], [0])[0], 0.0), pace=pace)
    return np.array(result.trace.tokens)


def test_a_run_records_and_charges_round_trips_beside_the_policys_own_time(tmp_path):
    told = Options(factory=fake_env.FACTORY, reporter=Silent(), latency=Latency(measured=True))
    with served(Rememberer(), "roboarena") as (url, _):
        run = evaluate(f"remote:{url}", fake_env.episodes(2), out=tmp_path, workers=1, options=told)
    assert run.meta.policy.name == url.removeprefix("ws://").replace(":", "-")
    assert len(run.records) == 2
    assert run.meta.settings.latency_measured is True
    pace = recorded_env.pace(run)
    for record in run.records:
        told = record.report["remote"]
        assert (told["protocol"], told["reset"]) == ("roboarena", "session")
        trips, own = told["round_trip_ms"], told["policy_ms"]
        assert len(trips) == len(own) == len(record.times.policy) >= len(record.token_rows) == 14
        assert all(0 < inner < outer for inner, outer in zip(own, trips, strict=True))
        near = locally(Rememberer(), record.episode, policy_seed(record.episode), pace)
        np.testing.assert_array_equal(record.token_rows, near)
        assert verify(fake_env.FakeEnv(), record, pace=pace) == []
        assert verify(fake_env.FakeEnv(), record) != []
    rates = run.summary.hz
    assert rates.server.p50 < rates.round_trip.p50 <= rates.round_trip.p95 <= rates.round_trip.p99
    assert f"round trip   {rates.round_trip.p50:.3g}"[:16] in caption(run.summary)
    assert "\nserver alone " in caption(run.summary)


def test_a_server_without_resets_is_said_so_and_refused_with_a_memory():
    with served(Rememberer(), "openpi") as (url, _):
        policy = remote(url)
        policy.reset(0, "pick apple", 1)
        assert policy.episode_report(0)["remote"]["reset"] == "seed"


def test_what_is_no_server_is_told_in_a_sentence():
    with pytest.raises(PolicyError, match=r"no server at ws://127\.0\.0\.1:9: Connection refused Start"):
        remote("ws://127.0.0.1:9")
    for url, said in {
        "ftp://127.0.0.1:1": "expected ws://HOST:PORT",
        "ws://": "expected ws://HOST:PORT",
        "ws://127.0.0.1:99999": "expected ws://HOST:PORT",
        "ws://user:word@127.0.0.1:1": "would be recorded",
    }.items():
        with pytest.raises(PolicyError, match=said):
            remote(url)
    with pytest.raises(UnknownNameError, match="Did you mean 'openpi'"):
        RemotePolicy("ws://127.0.0.1:9", protocol="openpie")


def test_a_server_of_another_protocol_is_named():
    with served(Rememberer(), "roboarena") as (url, _), pytest.raises(PolicyError, match="speaks roboarena"):
        remote(url, protocol="openpi")


def test_a_key_is_asked_for_and_not_recorded(monkeypatch):
    monkeypatch.delenv("RTBENCH_API_KEY", raising=False)
    with served(Rememberer(), "roboarena", key="sesame") as (url, _):
        with pytest.raises(PolicyError, match="HTTP status 401"):
            remote(url)
        monkeypatch.setenv("RTBENCH_API_KEY", "sesame")
        assert tokens(remote(url), frames(1)).shape == (1, 11)
