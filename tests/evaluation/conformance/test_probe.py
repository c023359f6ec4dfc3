"""The conformance probe names every planted fault, and finds none in a clean policy."""

import numpy as np
import pytest

from rtbench.core.action import MODE, RTBENCH, Mode
from rtbench.core.errors import PolicyError
from rtbench.evaluation.conformance.probe import probe, probe_situations
from rtbench.evaluation.conformance.situations import SKILLS, choose, record
from rtbench.policy.baselines import NoopPolicy
from rtbench.policy.oracle import OraclePolicy
from rtbench.task.library import BUNDLED
from tests.helpers.frame_memory import FAULTS, FrameMemory, clean, of


@pytest.fixture(scope="module")
def situations():
    from rtbench.env.kitchen import Kitchen

    kitchen = Kitchen(cameras=("head",))
    found = list(record(choose(len(SKILLS), BUNDLED), kitchen))
    kitchen.close()
    return found


def faults(findings):
    return [str(finding) for finding in findings if finding.verdict == "fault"]


def verdicts(findings):
    return {finding.probe: finding.verdict for finding in findings}


def test_situations_are_the_oracles_and_move_along_all_axes(situations):
    assert [one.episode.skill for one in situations] == list(SKILLS)
    right = np.concatenate([one.right for one in situations])
    assert (right[:, MODE] == Mode.BASE).sum() >= 6
    assert (right[:, :7].std(axis=0) > [0.02] * 3 + [0.03] * 3 + [0.5]).all()
    for one in situations:
        assert len(one.observations) == len(one.right) > 4
        assert one.other != one.episode.instruction


def test_a_clean_policy_passes_every_probe(situations):
    found = verdicts(probe_situations(clean(situations), situations))
    assert set(found.values()) == {"pass"}, found
    assert len(found) == 19


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(situations, name):
    make, where, words = FAULTS[name]
    found = probe_situations(make(situations), situations, images=where == "image")
    named = [str(one) for one in found if one.verdict == "fault" and one.probe.startswith(where)]
    assert any(words in text for text in named), faults(found)
    # An exchange of two shows at both of them, and nothing else is accused.
    assert len(faults(found)) <= 2, faults(found)


def test_two_faults_at_once_are_both_named(situations):
    policy = FrameMemory(situations)
    policy.see = lambda image: np.ascontiguousarray(image[::-1, ::-1])

    def change(numbers):
        numbers[..., 1] *= -1
        return numbers

    policy.change = change
    told = "\n".join(faults(probe_situations(of(policy), situations)))
    assert "180 degrees" in told
    assert "sign of y is flipped" in told


def test_of_a_policy_that_does_nothing_the_directions_are_unclear(situations):
    found = verdicts(probe_situations(NoopPolicy(), situations))
    assert [found[name] for name in ("+x, forward", "+y, left", "+z, up", "close and open")] == [
        "unclear"
    ] * 4
    assert found["base forward"] == found["image"] == "skipped"
    assert found["same seed, same action"] == found["reset"] == "pass"


class FlippedOracle(OraclePolicy):
    """A privileged policy with a flipped sign."""

    def act(self, observations, slots):
        rows = [RTBENCH.decode(row) for row in super().act(observations, slots)]
        return np.array([RTBENCH.encode(row * np.array([1, 1, -1] + [1] * 8)) for row in rows])


@pytest.mark.parametrize(("policy", "told"), [(OraclePolicy, []), (FlippedOracle, ["sign of z is flipped"])])
def test_a_privileged_policy_is_asked_beside_the_simulator(policy, told):
    seen = []
    found = probe(policy(), episodes=4, on_situation=lambda done, of: seen.append((done, of)))
    assert len(faults(found)) == len(told)
    assert all(words in text for words, text in zip(told, faults(found), strict=True))
    assert verdicts(found)["reset"] == "skipped"
    assert seen[-1] == (4, 4)


class Raises(NoopPolicy):
    def act(self, observations, slots):
        raise ValueError("no weights")


class Short(NoopPolicy):
    def act(self, observations, slots):
        return np.zeros((len(slots), 7), dtype=np.int64)


@pytest.mark.parametrize(("policy", "words"), [
    (Raises, "act raised ValueError: no weights"),
    (Short, r"act returned shape \(1, 7\); expected \(1, 11\)"),
])  # fmt: skip
def test_a_policy_that_cannot_be_asked_is_told(situations, policy, words):
    with pytest.raises(PolicyError, match=words):
        probe_situations(policy(), situations)
