"""A server that is lost voids its episodes: they are played again, and are never failures or errors."""

import msgpack
import pytest

from rtbench.core.action import idle
from rtbench.core.errors import Exit
from rtbench.evaluation.ending import LostPolicyError
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.policy.card import resolve
from rtbench.policy.remote.codec import pack
from rtbench.result.record import read_records
from tests.helpers import fake_env
from tests.helpers.policy_servers import scripted

SAID = {"rtbench": {"cameras": ["head"], "convention": "rtbench", "action": "rt1-11d"}}


class Teller(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


def unreliable(breaks):
    """A server that hangs up at the questions whose numbers, from 1 on, `breaks` says yes to."""
    asked = 0

    async def handle(socket):
        nonlocal asked
        await socket.send(msgpack.packb(SAID))
        async for _ in socket:
            asked += 1
            if breaks(asked):
                socket.transport.abort()
                return
            await socket.send(pack({"actions": idle()[None]}))

    return handle


def play(url, tmp_path, reporter=None, count=3):
    card = resolve(f"remote:{url}", arguments={"reconnect_s": 0.3, "timeout_s": 5})
    told = Options(factory=fake_env.FACTORY, reporter=reporter or Silent())
    return evaluate(card, fake_env.episodes(count), out=tmp_path, workers=1, options=told)


def test_episodes_of_a_lost_server_are_played_again(tmp_path):
    teller = Teller()
    with scripted(unreliable(lambda n: n in (4, 9))) as url:
        lossy = play(url, tmp_path / "lossy", teller)
    assert sum("played again" in text for text in teller.said) == 2
    records = read_records(lossy.path / "episodes.jsonl").records
    assert [record.error for record in records] == [None] * 3
    for record in records:  # the whole episode, and no step of a lost one
        assert record.outcome.steps == len(record.token_rows) == len(record.report["remote"]["round_trip_ms"])


def test_a_server_that_breaks_in_every_episode_ends_the_run_which_goes_on_later(tmp_path):
    with (
        scripted(unreliable(lambda n: True)) as url,
        pytest.raises(LostPolicyError, match="3 times in a row"),
    ):
        play(url, tmp_path)
    assert LostPolicyError.exit_code == Exit.TOO_MANY_ERRORS
