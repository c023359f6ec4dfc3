"""Who plays what on a cluster, with replicas that only pretend."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from rtbench.core.environment import EnvSettings
from rtbench.core.errors import RunError
from rtbench.core.fault import Fault
from rtbench.evaluation.cluster import dispatcher
from rtbench.evaluation.cluster.dispatcher import Answer, Dispatcher
from rtbench.evaluation.cluster.messages import Environment, Failed, Played, Said
from rtbench.evaluation.cluster.shape import Seat
from rtbench.evaluation.ending import LostPolicyError, NoWorkersError, TooManyErrorsError
from rtbench.evaluation.plan import Limits
from rtbench.result.record import of_fault
from tests.helpers.runs import TOLERANT, Listener, episodes


class Pretended:
    """A cluster whose replicas answer at once, as `behave(cluster, replica, episodes)` says."""

    def __init__(self, behave=None):
        self.behave = behave or (lambda cluster, replica, given: answered(replica, given))
        self.started, self.killed, self.pending, self.seen = [], [], [], []

    def start(self, replica):
        self.started.append(replica)
        self.pending.append(Answer(replica))

    def give(self, replica, given):
        self.seen.append((replica, [episode.seed for _, episode in given]))
        answer = self.behave(self, replica, given)
        if answer is not None:
            self.pending.append(answer)

    def answers(self, timeout_s):
        now, self.pending = self.pending, []
        return now

    def kill(self, replica):
        self.killed.append(replica)
        self.pending = [answer for answer in self.pending if answer.replica != replica]

    def place(self, replica):
        return f"replica {replica}"


def record(episode):
    return of_fault(episode, "rtbench", Fault("policy", "as a record that is quick to make"), [])


def answered(replica, given, *more):
    return Answer(replica, (*more, *(Played(record(episode)) for _, episode in given)))


def play(behave=None, count=8, workers=(1, 1), limits=TOLERANT, sink=lambda record: None, **launch):
    chosen, kept, said = episodes(count), [], Listener()
    cluster = Pretended(behave)
    defaults = {
        "in_order": False, "reporter": said, "limits": limits, "videos": Path("videos"), "env": EnvSettings(),
    }  # fmt: skip
    places = [Seat("m", n, float(n)) for n in workers]
    ready = []
    run = Dispatcher(
        SimpleNamespace(**defaults | launch), list(enumerate(chosen)), places,
        lambda record: kept.append(record.episode.seed) or sink(record), ready.append,
    )  # fmt: skip
    try:
        run.run(cluster)
    except RunError as error:
        return SimpleNamespace(error=error, kept=kept, said=said.said, cluster=cluster)
    return SimpleNamespace(error=None, kept=kept, said=said.said, cluster=cluster, ready=ready)


def test_every_episode_is_played_once_by_all_replicas():
    done = play()
    assert sorted(done.kept) == list(range(8))
    assert {replica for replica, given in done.cluster.seen if given} == {0, 1}
    assert sorted(done.cluster.killed) == [0, 1]
    assert max(len(given) for _, given in done.cluster.seen) == 2, "one to play, one to go on with"


def test_who_tells_of_several_at_once_is_given_more_to_go_on_with_and_the_last_ones_are_shared():
    done = play(count=80)
    sizes = [len(given) for replica, given in done.cluster.seen if replica == 0 and given]
    assert sizes[0] == 2
    assert sizes[1] == 1 + 2 * sizes[0], "one to play, and twice what it told"
    assert sizes[-1] == 1
    assert sorted(done.kept) == list(range(80))


def test_one_replica_is_enough_for_few_episodes():
    assert play(count=2, workers=(2, 2)).cluster.started == [0]


def test_what_a_dead_replica_held_is_played_again():
    def behave(cluster, replica, given):
        if given and replica == 1 and cluster.started.count(1) < 3:
            return Answer(1, lost="the actor died")
        return answered(replica, given)

    done = play(behave, count=30)
    assert sorted(done.kept) == list(range(30))
    assert done.cluster.started.count(1) == 3
    assert any("the actor died; its episodes are played again" in line for line in done.said)


def test_an_episode_that_kills_every_replica_is_an_error_and_those_behind_it_are_not():
    def behave(cluster, replica, given):
        if any(episode.seed == 3 for _, episode in given):
            return Answer(replica, lost="the actor died")
        return answered(replica, given)

    errors = []
    done = play(behave, workers=(2,), sink=lambda record: errors.append(record.error.kind))
    assert sorted(done.kept) == list(range(8))
    assert errors.count("worker_died") == 1
    assert done.cluster.started == [0] * 6, "twice in company, once alone, and so for those before it"


def test_replicas_that_never_play_end_the_run():
    done = play(lambda cluster, replica, given: Answer(replica, lost="out of memory"), count=100)
    assert isinstance(done.error, NoWorkersError)
    assert "out of memory" in str(done.error)
    assert "the same command continues the run" in str(done.error)


@pytest.mark.parametrize(
    ("kind", "expected"), [("LostPolicyError", LostPolicyError), ("RenderError", RunError), ("", RunError)]
)
def test_a_machine_that_cannot_play_ends_the_run(kind, expected):
    done = play(lambda cluster, replica, given: Answer(replica, (Failed(kind, "no OpenGL here"),)))
    assert type(done.error) is expected
    assert str(done.error) == "replica 0: no OpenGL here"


def test_a_machine_without_workers_is_as_a_dead_one():
    def behave(cluster, replica, given):
        if replica == 0:
            return Answer(0, (Failed("NoWorkersError", "no memory"),))
        return answered(replica, given)

    assert sorted(play(behave).kept) == list(range(8))


def test_a_straggler_is_given_a_second_time_and_counts_once(monkeypatch):
    monkeypatch.setattr(dispatcher, "STRAGGLES_LEAST_S", 0.0)
    monkeypatch.setattr(dispatcher, "STRAGGLES", 0.0)

    def behave(cluster, replica, given):
        if replica == 0:
            cluster.slow = [*getattr(cluster, "slow", []), *given]
            return None if given else Answer(0)
        return answered(replica, given, *(Played(record(episode)) for _, episode in given))

    done = play(behave)
    assert sorted(done.kept) == list(range(8))
    assert len(done.cluster.slow) in {1, 2}, "the test is void: nobody was slow"


def test_a_silent_replica_is_given_up(monkeypatch):
    monkeypatch.setattr(dispatcher, "SILENT_S", 0.01)

    def behave(cluster, replica, given):
        if given and cluster.started.count(0) == 1:
            return None
        return answered(replica, given)

    done = play(behave, workers=(1,))
    assert sorted(done.kept) == list(range(8))
    assert "no sign of life" in done.said[0]


def test_news_are_passed_on():
    def behave(cluster, replica, given):
        return answered(replica, given, Environment({"renderer": f"card {replica}"}), Said("careful."))

    done = play(behave)
    assert done.ready == [{"renderer": "card 0"}]
    assert "careful." in done.said
    assert [line for line in done.said if "card 0 and card 1" in line]


def test_films_come_with_their_records(tmp_path):
    def behave(cluster, replica, given):
        films = [
            Played(dataclasses.replace(record(episode), video=f"{episode.seed}.mp4"), b"film")
            for _, episode in given
        ]
        return Answer(replica, tuple(films))

    play(behave, videos=tmp_path / "videos")
    assert sorted(path.name for path in (tmp_path / "videos").iterdir()) == [f"{i}.mp4" for i in range(8)]


def test_too_many_errors_and_the_order_are_the_main_process_s_matter():
    done = play(limits=Limits(error_share=0.1, error_least=3))
    assert isinstance(done.error, TooManyErrorsError)

    def behave(cluster, replica, given):
        return answered(replica, given[::-1])

    assert play(behave, in_order=True, workers=(4,)).kept == list(range(8))


def test_when_time_is_up_no_more_is_given():
    assert play(limits=dataclasses.replace(TOLERANT, run_s=0.0)).kept == []
