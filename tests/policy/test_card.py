"""Finding, making and checking policies; the controls; replay."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.action import CONVENTIONS, GRIPPER, MODE, Mode, convention
from rtbench.core.errors import ContentError, PolicyError, RunError, UnknownNameError
from rtbench.core.importing import load_object
from rtbench.evaluation.replay import ReplayPolicy, differences, replay, verify
from rtbench.evaluation.rollout import Decision, rollout
from rtbench.policy.base import Needs
from rtbench.policy.baselines import NoopPolicy, RandomPolicy
from rtbench.policy.card import Card, build, cards, check_shape, coverage, resolve
from rtbench.policy.identity import describe, identity
from rtbench.policy.seed import policy_seed
from rtbench.result.record import of_result
from rtbench.task.library import Library
from rtbench.task.training_coverage import TrainedOn
from rtbench.testing import PROBES, check_policy
from tests.helpers.paths import HELPERS, ROOT

FAKE = HELPERS / "fake_env.py"
PUSHER = f"{HELPERS / 'fake_policies.py'}:Pusher"
make_episode, FakeEnv = load_object(f"{FAKE}:episode"), load_object(f"{FAKE}:FakeEnv")


@pytest.mark.parametrize("name", CONVENTIONS)
def test_noop_holds_still_with_an_open_gripper(name):
    policy = NoopPolicy(name)
    rows = policy.act([None] * 3, [0, 1, 2])
    assert rows.shape == (3, 11)
    action = convention(name).decode(rows[0])
    assert action[MODE] == Mode.ARM
    assert action[GRIPPER] == -1
    np.testing.assert_allclose(action[:6], 0, atol=1e-15 if name == "rtbench" else 0.01)


@given(st.integers(0, 2**63 - 1), st.sampled_from(sorted(CONVENTIONS)))
@settings(max_examples=30, deadline=None)
def test_random_depends_on_the_seed_alone(seed, name):
    policy, other = RandomPolicy(name), RandomPolicy(name)
    policy.reset(0, "a", seed)
    policy.reset(1, "a", seed + 1)
    other.reset(7, "b", seed)
    rows = [policy.act([None, None], [0, 1]) for _ in range(5)]
    alone = [other.act([None], [7]) for _ in range(5)]
    for pair, single in zip(rows, alone, strict=True):
        convention(name).check_tokens(pair[0])
        np.testing.assert_array_equal(pair[0], single[0])
    assert any((pair[0] != pair[1]).any() for pair in rows)


def test_random_uses_all_bins_and_mostly_the_arm():
    policy = RandomPolicy("rt1")
    policy.reset(0, "", 1)
    spec = convention("rt1")
    actions = np.array([policy.act([None], [0])[0] for _ in range(4000)])
    modes = [spec.modes[token] for token in actions[:, spec.order.index(MODE)]]
    shares = [modes.count(mode) / len(modes) for mode in (Mode.ARM, Mode.BASE, Mode.TERMINATE)]
    np.testing.assert_allclose(shares, [0.895, 0.1, 0.005], atol=0.02)
    assert shares[2] > 0
    assert np.all(np.ptp(actions[:, 1:], axis=0) == 255)


def test_the_controls_and_the_oracle_have_cards():
    assert {"noop", "random", "replay", "oracle"} <= set(cards())
    assert all(card.summary for card in cards().values())
    assert isinstance(build(resolve("noop")), NoopPolicy)
    assert build(resolve("random", arguments={"convention": "rt1"})).needs.convention == "rt1"


@pytest.mark.parametrize("name", ["noop", "random"])
@pytest.mark.parametrize("spoken", ["rtbench", "rt1"])
def test_the_controls_keep_the_contract(name, spoken):
    assert check_policy(build(resolve(name, arguments={"convention": spoken})), spoken) == list(PROBES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nop", "Did you mean 'noop'"),
        ("rtbench.policy.baselines:Noop", "has no 'Noop'.*Did you mean 'NoopPolicy'"),
        ("no_such_package.x:P", "no module named 'no_such_package'"),
        ("./nothing.py:P", "nothing.py: no such file"),
        (":P", "names nothing"),
        (PUSHER.replace("Pusher", "NoAct"), r"NoAct has no method act\(observations, slots\)"),
        ("rtbench.policy.baselines:MODE_SHARES", "is no class or function"),
    ],
)
def test_a_policy_that_cannot_be_had_is_explained(name, message):
    with pytest.raises((PolicyError, UnknownNameError), match=message):
        build(resolve(name))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import no_such_thing", "no module named 'no_such_thing'"),
        ("def P(:", "SyntaxError"),
        ("class P:\n  def __init__(self): raise OSError('no weights')", "OSError: no weights"),
        ("class P:\n  def act(self): ...", "no method reset"),
        ("class P:\n  def act(self): ...\n  def reset(self): ...", "'needs' must be a Needs"),
    ],
)
def test_a_broken_file_is_explained(tmp_path, body, message):
    path = tmp_path / "mine.py"
    path.write_text(body)
    with pytest.raises(PolicyError, match=message):
        build(resolve(f"{path}:P"))


def test_two_files_of_one_name_do_not_collide(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "policy.py").write_text(
            "from dataclasses import dataclass\nfrom rtbench.policy.baselines import NoopPolicy\n"
            f"@dataclass\nclass Data:\n  x: int = 0\nclass P(NoopPolicy):\n  tag = '{folder}'\n"
        )
    tags = [build(resolve(f"{tmp_path}/{folder}/policy.py:P")).tag for folder in "ab"]
    assert tags == ["a", "b"]


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (Needs(convention="rt3"), "unknown action convention 'rt3'"),
        (Needs(cameras=("haed",)), "Did you mean 'head'"),
        (Needs(privileged=True), "no method attach"),
    ],
)
def test_needs_are_checked(needs, message):
    policy = NoopPolicy()
    policy.needs = needs
    with pytest.raises((PolicyError, UnknownNameError), match=message):
        check_shape(policy, "mine")


def user_content(tmp_path, card):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "mine.yaml").write_text(card)
    (folder / "mine.py").write_text(
        "from rtbench.policy.baselines import NoopPolicy\nclass P(NoopPolicy):\n"
        "  def __init__(self, weights=None):\n    super().__init__()\n    self.weights = weights\n"
    )
    (folder / "w.bin").write_bytes(b"weights")
    return Library([tmp_path])


CARD = "mine:\n  factory: mine.py:P\n  summary: mine\n  weights: w.bin\n"


def test_a_users_card_finds_its_file_and_weights(tmp_path):
    library = user_content(tmp_path, CARD)
    card = resolve("mine", library)
    assert Path(build(card).weights).read_bytes() == b"weights"
    assert describe(card)["weights"] == "w.bin"
    before = identity(card)
    (tmp_path / "policies" / "w.bin").write_bytes(b"others")
    assert identity(resolve("mine", library)) != before


def test_other_weights_than_the_cards_are_refused(tmp_path):
    library = user_content(tmp_path, CARD + f"  sha256: '{'0' * 64}'\n")
    with pytest.raises(PolicyError, match="SHA-256"):
        resolve("mine", library)


def test_weights_given_as_an_argument_are_not_passed_over(tmp_path):
    with pytest.raises(PolicyError, match=r"mine: .*weights of its own.*--policy-arg weights=FILE"):
        resolve("mine", user_content(tmp_path, CARD), {"weights": "other.bin"})


def test_weights_that_are_missing_are_told_with_a_remedy(tmp_path):
    library = user_content(tmp_path, CARD + "  weights_from: make weights\n")
    (tmp_path / "policies" / "w.bin").unlink()
    with pytest.raises(PolicyError, match=r"w\.bin, are not beside its card\. To get them: make weights\.$"):
        resolve("mine", library)
    (tmp_path / "policies" / "mine.yaml").write_text(CARD)
    with pytest.raises(PolicyError, match="where the card comes from"):
        resolve("mine", library)


TRAINED = (
    "  trained_on:\n    about: much\n    skills: [pick]\n    scenes: [office_kitchen]\n"
    "    object_sets: [seen]\n    languages: [en, de]\n"
)


def test_a_card_says_what_it_was_trained_on(tmp_path):
    card = resolve("mine", user_content(tmp_path, CARD + TRAINED))
    assert card.trained_on.skills == ("pick",)
    assert card.trained_on.languages == ("en", "de")
    plain = json.loads(json.dumps(describe(card)))
    assert plain["trained_on"]["object_sets"] == ["seen"]
    same = Card(**{**plain, "trained_on": TrainedOn.model_validate(plain["trained_on"])})
    weights = {"weights": "w.bin", "factory": "mine.py:P"}
    assert same.model_dump() == {**card.model_dump(), **weights}, "their folder is the machine's"
    known = coverage(card, Library([tmp_path]))
    assert "pick/apple-v0" in known.tasks
    assert not any(task.startswith("move_near") for task in known.tasks)
    assert coverage(resolve("oracle")) is None
    assert describe(resolve("noop"))["trained_on"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("skills:", "skils:"), r"mine\.yaml: mine: unknown key 'trained_on.skils'. Did you mean 'skills'"),
        (("    skills: [pick]\n", ""), "give 'tasks' or 'skills'"),
        (("about: much", "languages: [German]"), "stands twice"),
        (("[en, de]", "[en, German]"), "'trained_on.languages.1' is \"German\""),
    ],
)
def test_a_claim_that_cannot_be_read_names_the_card(tmp_path, change, message):
    with pytest.raises(ContentError, match=message):
        resolve("mine", user_content(tmp_path, CARD + TRAINED.replace(*change)))


def test_a_claim_about_what_does_not_exist_names_the_card(tmp_path):
    library = user_content(tmp_path, CARD + TRAINED.replace("[pick]", "[pik]"))
    with pytest.raises(
        UnknownNameError, match=r"policy mine: trained_on: unknown skill 'pik'\. Did you mean 'pi"
    ):
        coverage(resolve("mine", library), library)


def test_a_card_with_an_unknown_key_names_file_and_key(tmp_path):
    with pytest.raises(ContentError, match=r"mine.yaml.*'wieghts'.*Did you mean 'weights'"):
        resolve("mine", user_content(tmp_path, CARD.replace("weights:", "wieghts:")))


def test_an_entry_point_is_found(tmp_path, monkeypatch):
    info = tmp_path / "some_robot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-robot\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rtbench.policies]\nsome = rtbench.policy.baselines:NoopPolicy\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert cards()["some"].summary == "from some-robot"
    assert isinstance(build(resolve("some")), NoopPolicy)


def test_the_policy_in_the_readme_keeps_the_contract(tmp_path):
    text = (ROOT / "policies" / "README.md").read_text()
    (tmp_path / "my_policy.py").write_text(text.split("```python\n")[1].split("```")[0])
    assert check_policy(build(resolve(f"{tmp_path}/my_policy.py:Forward")), "rtbench") == list(PROBES)


class Leaky(RandomPolicy):
    """One generator for all slots."""

    def reset(self, slot, instruction, seed):
        super().reset(slot, instruction, seed)
        self._generators = dict.fromkeys(range(9), self._generators[slot])


class Forgetful(RandomPolicy):
    """Does not reset."""

    def reset(self, slot, instruction, seed):
        if slot not in self._generators:
            super().reset(slot, instruction, seed)


class ByPlace(RandomPolicy):
    """Goes by place in the batch."""

    def act(self, observations, slots):
        return super().act(observations, range(len(slots)))

    def reset(self, slot, instruction, seed):
        for each in range(9):
            super().reset(each, instruction, seed)


class Vandal(NoopPolicy):
    """Writes into its observation."""

    def act(self, observations, slots):
        observations[0].proprio[0] += 1
        return super().act(observations, slots)


class Insistent(NoopPolicy):
    """Cannot do without words."""

    def reset(self, slot, instruction, seed):
        instruction.split()[0]


class OneRow(NoopPolicy):
    """Ignores the batch."""

    def act(self, observations, slots):
        return super().act(observations, slots)[0]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Leaky(), "beside another slot"),
        (Forgetful(), "after a reset"),
        (ByPlace(), "beside another slot"),
        (Vandal(), "proprioception was changed"),
        (Insistent(), "an empty instruction: it raised IndexError"),
        (OneRow(), r"shape \(11,\); expected \(1, 11\)"),
    ],
)
def test_a_policy_that_breaks_its_contract_is_found_out(policy, message):
    with pytest.raises(PolicyError, match=message):
        check_policy(policy)


def test_another_convention_than_expected_is_found_out():
    with pytest.raises(PolicyError, match="'rtbench'; expected 'rt1'"):
        check_policy(NoopPolicy(), "rt1")


def played(policy, episode, env=None):
    policy.reset(0, episode.instruction, policy_seed(episode))
    result = rollout(env or FakeEnv(), episode, lambda o: Decision(policy.act([o], [0])[0], 0.0))
    return of_result(episode, "rtbench", result, None)


def test_replay_plays_each_episodes_own_tokens(tmp_path):
    records = [played(RandomPolicy(), make_episode(seed)) for seed in range(3)]
    (tmp_path / "episodes.jsonl").write_bytes(b"".join(r.line() for r in records))
    policy = build(resolve("replay", arguments={"run": str(tmp_path)}))
    for record in reversed(records):
        again = played(policy, record.episode)
        assert (again.tokens, again.hashes, again.outcome) == (record.tokens, record.hashes, record.outcome)
    with pytest.raises(RunError, match="no finished record of the episode 'other'"):
        policy.reset(0, "other", 5)
    with pytest.raises(RunError, match="cannot be read"):
        ReplayPolicy(str(tmp_path / "nothing"))


def test_verify_confirms_the_truth_and_tells_what_differs():
    record = played(RandomPolicy(), make_episode(1))
    assert verify(FakeEnv(), record) == []
    worse = replace(record, outcome=replace(record.outcome, end=not record.outcome.end))
    assert verify(FakeEnv(), worse) == [f"end: {worse.outcome.end} then, {record.outcome.end} now"]
    hashes = record.hashes[:16] + "0" * 8 + record.hashes[24:]
    assert "from step 3 on" in verify(FakeEnv(), replace(record, hashes=hashes))[0]
    assert "final state" in verify(FakeEnv(), replace(record, final_hash="0"))[0]
    moved = bytes([*record.tokens[:11], record.tokens[11] ^ 64, *record.tokens[12:]])
    assert "from step 2 on" in verify(FakeEnv(), replace(record, tokens=moved))[0]
    assert "end at step 2" in verify(FakeEnv(), replace(record, tokens=record.tokens[:22]))[0]
    other = replace(record, fingerprint={"state": "0", "frame": "1"})
    assert [line[:24] for line in differences(other, replay(FakeEnv(), record))] == [
        "the state at the start i"
    ]


def test_seeds_of_policies_are_63_bits_and_differ():
    seeds = {policy_seed(make_episode(i)) for i in range(200)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**61


@pytest.mark.parametrize(
    "field",
    [{"weights": "../secret"}, {"weights": "/etc/passwd"}, {"factory": "../../elsewhere.py:Policy"}],
)
def test_a_card_names_no_file_outside_of_its_folder(tmp_path, field):
    card = {"factory": "rtbench.policy.baselines:NoopPolicy", "summary": "s", **field}
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/mine.yaml").write_text(json.dumps({"mine": card}))
    with pytest.raises(
        PolicyError, match=r"policy mine: (weights|factory) .* is outside of the card's folder"
    ):
        resolve("mine", Library((tmp_path,)))
