"""Policies of numbers play, in batches and by chunks; what they say is recorded, and wrong ones are told."""

import json

import numpy as np
import pytest

import rtbench
from rtbench.core.action import RTBENCH
from rtbench.core.episode import Observation
from rtbench.core.errors import ActionError, ContentError, PolicyError, UnknownNameError
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.policy.base import Needs
from rtbench.policy.card import build, resolve, with_action
from rtbench.policy.continuous.mapping import ActionMapping, Chunk, preset
from rtbench.policy.continuous.named import find_mapping
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.result.clipped import clipping_warnings
from rtbench.result.record import read_records
from rtbench.task.library import Library
from tests.helpers import fake_env

SEEN = Observation({}, "", np.zeros(15, dtype=np.float32), 0)


class Counter:
    """Chunks of 4 whose x is a hundredth of the number of predictions in the slot, and then of the step."""

    needs = Needs()
    action = "bridge-7d"
    fingerprint = "counter"

    def __init__(self, factor=1.0):
        self.calls, self.asked, self.factor = {}, [], factor

    def reset(self, slot, instruction, seed):
        self.calls[slot] = 0

    def predict(self, observations, slots):
        self.asked.append(list(slots))
        found = np.zeros((len(slots), 4, 7))
        for row, slot in zip(found, slots, strict=True):
            self.calls[slot] += 1
            row[:, 0] = (0.01 * self.calls[slot] + 0.001 * np.arange(4)) * self.factor
            row[:, 6] = 1.0
        return found


def moved(tokens):
    return [round(float(RTBENCH.decode(row)[0]), 3) for row in tokens]


def test_slots_keep_chunks_of_their_own_and_only_those_that_are_due_are_asked():
    inner = Counter()
    policy = MappedPolicy(inner, preset("bridge-7d").model_copy(update={"chunk": Chunk(execute=2)}))
    policy.reset(0, "a", 1)
    policy.act([SEEN], [0])
    policy.reset(1, "b", 1)
    rows = [policy.act([SEEN, SEEN], order) for order in ([0, 1], [1, 0], [0, 1])]
    assert inner.asked == [[0], [1], [0], [1]]
    slot_1 = [rows[0][1], rows[1][0], rows[2][1]]
    np.testing.assert_allclose(moved(slot_1), [0.01, 0.011, 0.02], atol=0.0007)


def test_a_reset_drops_what_is_left_of_a_chunk():
    policy = MappedPolicy(Counter(), preset("bridge-7d"))
    first = []
    for _ in range(2):
        policy.reset(0, "a", 1)
        first.append(policy.act([SEEN], [0]))
    np.testing.assert_array_equal(*first)


def play(policy, tmp_path, **options):
    chosen = [fake_env.episode(k) for k in range(3)]
    told = Options(factory=fake_env.FACTORY, reporter=Silent(), **options)
    return evaluate(policy, chosen, out=tmp_path, workers=1, options=told)


def test_what_was_clipped_is_in_records_and_summary_and_is_told(tmp_path):
    run = play(Counter(factor=100.0), tmp_path)
    first = run.records[0].report
    assert first["clipped"]["x"]["clipped"] == first["clipped"]["x"]["n"] > 0
    assert first["clipped"]["y"]["clipped"] == 0
    assert first["predictions"] == -(-first["clipped"]["x"]["n"] // 4)
    counts = run.summary.clipped
    assert counts["x"].clipped == sum(r.report["clipped"]["x"]["clipped"] for r in run.records)
    (warning,) = clipping_warnings(counts)
    assert warning.startswith("x: 100 % of ")
    assert "m. Is the unit right?" in warning
    assert json.loads((run.path / "summary.json").read_text())["clipped"]["x"]["high"] > 1
    assert read_records(run.path / "episodes.jsonl").records == run.records


def test_a_policy_of_tokens_has_no_report(tmp_path):
    run = play("noop", tmp_path)
    assert run.summary.clipped is None
    assert "report" not in json.loads((run.path / "episodes.jsonl").read_text().splitlines()[0])
    assert "action" not in json.loads((run.path / "run.json").read_text())["policy"]


def test_the_mapping_and_the_rate_are_part_of_the_runs_id(tmp_path):
    plain = play(Counter(), tmp_path)
    assert plain.meta.settings.control_hz == 5, "the rate of the preset"
    assert plain.meta.policy.action["rotation"]["form"] == "rpy"
    again = play(Counter(), tmp_path)
    assert again.meta.id == plain.meta.id
    shorter = preset("bridge-7d").model_copy(update={"chunk": Chunk(execute=1)})
    others = [play(Counter(), tmp_path, action=shorter), play(Counter(), tmp_path, control_hz=3)]
    assert len({plain.meta.id, *(run.meta.id for run in others)}) == 3
    assert others[1].meta.settings.control_hz == others[1].meta.policy.action["control_hz"] == 3


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "mine" / "policies"
    folder.mkdir(parents=True)
    stats = {"action": {"q01": [-0.1] * 7, "q99": [0.1] * 7, "mask": [True] * 6 + [False]}}
    (folder / "stats.json").write_text(json.dumps(stats))
    (folder / "mine.yaml").write_text(
        "mine:\n  factory: tests.policy.continuous.test_policy:Counter\n  summary: counts\n"
        "  action:\n    preset: bridge-7d\n    chunk: {execute: 3}\n"
        "    normalization: {method: quantiles, statistics: stats.json}\n"
    )
    return folder.parent


def test_a_card_says_what_numbers_mean_and_changed_statistics_are_another_run(content, tmp_path):
    runs = [play("mine", tmp_path, content=(str(content),))]
    action = runs[0].meta.policy.action
    assert (action["preset"], action["chunk"]["execute"]) == ("bridge-7d", 3)
    assert action["normalization"]["statistics"] == "stats.json"
    text = (content / "policies" / "stats.json").read_text()
    (content / "policies" / "stats.json").write_text(text.replace("-0.1", "-0.2"))
    runs.append(play("mine", tmp_path, content=(str(content),)))
    assert runs[0].meta.id != runs[1].meta.id
    assert str(content) not in json.dumps(runs[0].meta.policy.as_dict())


@pytest.mark.parametrize(("old", "new", "words"), [
    ("preset: bridge-7d", "preset: brigde-7d", "unknown preset 'brigde-7d'. Did you mean 'bridge-7d'"),
    ("execute: 3", "execute: 0", "chunk.execute.* is 0; expected greater than or equal to 1"),
    ("chunk: {", "chunks: {", "unknown key 'action.chunks'. Did you mean 'chunk'"),
    ("method: quantiles", "method: quantile", "Did you mean 'quantiles'"),
    ("statistics: stats", "statistics: stat", "unknown file 'stat.json'. Did you mean 'stats.json'"),
])  # fmt: skip
def test_mistakes_in_a_card(content, old, new, words):
    path = content / "policies" / "mine.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises((ContentError, UnknownNameError), match=words):
        build(resolve("mine", Library((content,))))


def test_statistics_of_another_width_are_told_before_anything_is_played(content):
    (content / "policies" / "stats.json").write_text(
        json.dumps({"action": {"q01": [0.0] * 8, "q99": [1.0] * 8}})
    )
    with pytest.raises(ContentError, match="q01: has 8 numbers; the mapping's layout has 7"):
        build(resolve("mine", Library((content,))))


class Silent7(Counter):
    action = None


def test_numbers_without_a_mapping_and_a_mapping_without_numbers():
    card = resolve(f"{__name__}:Silent7")
    with pytest.raises(PolicyError, match=r"nothing says what they mean.*--action.*bridge-7d"):
        build(card)
    assert build(with_action(card, find_mapping("libero-7d"))).mapping.width == 7
    with pytest.raises(
        PolicyError, match="has an action mapping, but gives tokens itself: NoopPolicy has act"
    ):
        build(with_action(resolve("noop"), find_mapping("libero-7d")))


def test_a_mapping_in_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine:\n  preset: libero-7d\n  position: {unit: 0.02}\n")
    found = find_mapping(str(path))
    assert (found.position.unit, found.position.limit, found.control_hz) == (0.02, 1.0, 20)
    path.write_text("a: {}\nb: {}\n")
    with pytest.raises(ContentError, match="has 2 entries; expected one"):
        find_mapping(str(path))
    with pytest.raises(UnknownNameError, match="Did you mean 'droid-8d'"):
        find_mapping("droid-7d")


@pytest.mark.parametrize(("fields", "words"), [
    ({"layout": ["position", "position"]}, "position stands there twice"),
    ({"layout": ["joints", "position"]}, "give joints, or position and rotation"),
    ({"layout": ["unused"]}, "names nothing"),
    ({"end": {"rule": "terminate"}}, "rule terminate needs the part 'terminate'"),
    ({"gripper": {"open": 1.0, "closed": 1.0}}, "open and closed are both 1"),
    ({"gripper": {"kind": "relative", "sticky": {"rule": "on_level"}}}, "sticky is for absolute numbers"),
    ({"chunk": {"length": 4, "execute": 5}}, "execute is 5, and a chunk has 4 actions"),
])  # fmt: skip
def test_mappings_that_make_no_sense(fields, words):
    with pytest.raises(ValueError, match=words):
        ActionMapping.model_validate(fields)


class Wide(Counter):
    def predict(self, observations, slots):
        return np.zeros((len(slots), 2, 8))


def test_an_action_of_another_size_is_an_error_of_the_episode_and_not_a_failure(tmp_path):
    policy = MappedPolicy(Wide(), preset("bridge-7d"))
    policy.reset(0, "", 0)
    with pytest.raises(ActionError, match=r"shape \(1, 2, 8\); expected \(1, H, 7\)"):
        policy.act([SEEN], [0])
    run = play(Wide(), tmp_path)
    assert run.summary.overall.errors == 3
    assert "expected (1, H, 7)" in run.records[0].error.message


def test_the_numbers_of_rt1_are_played_as_its_tokens(kitchen, episode_of):
    """The oracle's own actions, as eleven numbers, in a kitchen: tokens and states are the oracle's."""
    from rtbench.policy.oracle import oracle_action

    class Numbers:
        needs = rtbench.Needs()

        def reset(self, slot, instruction, seed):
            """Nothing to forget."""

        def predict(self, observations, slots):
            return np.array([oracle_action(kitchen)])

    policy = MappedPolicy(Numbers(), preset("rt1-11d"))
    seen = kitchen.begin(episode_of("pick/coke_can-v0"))
    policy.reset(0, "", 0)
    while not kitchen.terminated:
        (row,) = policy.act([seen], [0])
        np.testing.assert_array_equal(row, RTBENCH.encode(oracle_action(kitchen)))
        seen = kitchen.advance(row)
        assert seen.step < 60
    assert kitchen.success()


@pytest.mark.parametrize("hz", [5, 15, 20])
def test_the_oracles_path_is_followed_at_faster_rates(kitchen, episode_of, hz):
    """5 cm up in one second, whatever the rate."""
    from rtbench.env.kitchen import Kitchen

    fast = Kitchen(cameras=(), control_hz=hz)
    seen = fast.begin(episode_of("pick/coke_can-v0"))
    before = seen.proprio[7:10].copy()

    class Up:
        needs = rtbench.Needs()

        def reset(self, slot, instruction, seed):
            """Nothing to forget."""

        def predict(self, observations, slots):
            return np.array([[0, 0, 0.05 / hz, 0, 0, 0, -1.0]])

    policy = MappedPolicy(Up(), ActionMapping(control_hz=hz))
    policy.reset(0, "", 0)
    for _ in range(hz):
        seen = fast.advance(policy.act([seen], [0])[0])
    fast.wait(0.25)
    after = fast.observe().proprio[7:10]
    np.testing.assert_allclose(after - before, [0, 0, 0.05], atol=0.004)
