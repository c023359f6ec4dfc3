"""Episodes for harnesses that own the loop: their time, their ends, and what is refused."""

import numpy as np
import pytest

from rtbench.core.errors import ActionError, RunError, UnknownNameError
from rtbench.evaluation.stepwise import Stepwise, StepwiseSettings
from tests.helpers import fake_env

FORWARD = np.array([0.07, 0, 0, 0, 0, 0, 1.0])


def made(**changes):
    told = {"skill": "pick", "rounds": 1, "action": "bridge-7d", "control_hz": 3, "factory": fake_env.FACTORY}
    return Stepwise(StepwiseSettings(**{**told, **changes}))


def played(stepwise, numbers, number=0):
    stepwise.begin(number)
    moments = []
    while not moments or not moments[-1].done:
        moments.append(stepwise.step(numbers))
    return moments


def test_an_episode_ends_with_its_goal_where_the_policy_cannot_end_it():
    stepwise = made()
    moments = played(stepwise, FORWARD)
    assert [moment.success for moment in moments] == [False] * (len(moments) - 1) + [True]
    assert len(moments) < stepwise.most_steps(stepwise.episodes[0])
    with pytest.raises(RunError, match="call begin first"):
        stepwise.step(FORWARD)
    stepwise.close()


def test_it_lasts_as_long_as_there_is_time_where_it_is_told_so():
    for changes, hz in (({"until": "end"}, 3), ({"until": "end", "control_hz": None}, 5)):
        stepwise = made(**changes)
        episode = stepwise.episodes[0]
        moments = played(stepwise, FORWARD)
        assert len(moments) == stepwise.most_steps(episode) == episode.horizon * hz // 3
        assert moments[-1].success


def test_a_policy_that_terminates_ends_its_episode():
    stepwise = made(action="rt1-11d")
    stepwise.begin(0)
    end = np.zeros(11)
    end[10] = 2
    moment = stepwise.step(end)
    assert (moment.done, moment.success) == (True, False)


def test_numbers_that_make_no_sense_are_refused_and_episodes_are_counted_round():
    stepwise = made()
    with pytest.raises(RunError, match="call begin first"):
        stepwise.frame()
    first = stepwise.begin(len(stepwise.episodes))
    assert first.instruction == stepwise.episodes[0].instruction
    with pytest.raises(ActionError, match=r"shape \(6,\) came; expected \(7,\) of action bridge-7d"):
        stepwise.step(FORWARD[1:])
    with pytest.raises(ActionError, match="NaN or infinity came"):
        stepwise.step(FORWARD * np.nan)
    assert stepwise.frame().shape == (256, 320, 3)
    with pytest.raises(UnknownNameError, match="Did you mean 'pick'"):
        made(skill="pikc")
    with pytest.raises(RunError, match="expected success or end"):
        made(until="then")
