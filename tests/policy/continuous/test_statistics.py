"""Statistics of every kind of file scale back what was scaled, and files that do not fit are told."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.policy.continuous.mapping import ActionMapping, Normalization
from rtbench.policy.continuous.statistics import Scaling, read_scaling

RNG = np.random.default_rng(0)
DATA = RNG.normal([0.1, 0, -0.2, 0, 0, 0, 0.5], [1, 2, 3, 0.5, 0.1, 0.2, 0.3], (1000, 7))
STATS = {
    "mean": DATA.mean(0), "std": DATA.std(0), "min": DATA.min(0), "max": DATA.max(0),
    "q01": np.quantile(DATA, 0.01, 0), "q99": np.quantile(DATA, 0.99, 0),
}  # fmt: skip
LISTS = {name: value.tolist() for name, value in STATS.items()}
MASK = [True] * 6 + [False]


def mapping(path, method="quantiles", **more):
    return ActionMapping(normalization=Normalization(method=method, statistics=str(path), **more))


def written(tmp_path, content, name="stats.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("form", [
    {"action": LISTS}, {"bridge": {"action": LISTS}}, {"norm_stats": {"actions": LISTS, "state": LISTS}},
    {"action": LISTS, "observation.state": LISTS},
])  # fmt: skip
@pytest.mark.parametrize("method", ["mean_std", "quantiles", "min_max"])
def test_every_form_is_read(tmp_path, form, method):
    scaling = read_scaling(mapping(written(tmp_path, form), method))
    low, high = {"mean_std": (STATS["mean"] - STATS["std"], STATS["mean"] + STATS["std"]),
                 "quantiles": (STATS["q01"], STATS["q99"]),
                 "min_max": (STATS["min"], STATS["max"])}[method]  # fmt: skip
    np.testing.assert_allclose(scaling.apply(-np.ones(7)), low, atol=1e-12)
    np.testing.assert_allclose(scaling.apply(np.ones(7)), high, atol=1e-12)


def test_the_mask_of_the_file_leaves_numbers_as_they_are_and_the_cards_own_goes_first(tmp_path):
    path = written(tmp_path, {"bridge": {"action": {**LISTS, "mask": MASK}}})
    assert read_scaling(mapping(path)).apply(np.full(7, 0.3))[6] == 0.3
    own = read_scaling(mapping(path, mask=tuple([False] * 6 + [True])))
    np.testing.assert_array_equal(own.apply(np.full(7, 0.3))[:6], 0.3)
    assert own.apply(np.full(7, 0.3))[6] != 0.3


def test_episodes_of_lerobot_are_pooled(tmp_path):
    parts = np.split(DATA, [100, 450])
    lines = [
        {"episode_index": i, "stats": {"action": {
            "mean": part.mean(0).tolist(), "std": part.std(0).tolist(), "min": part.min(0).tolist(),
            "max": part.max(0).tolist(), "count": [len(part)]}}}
        for i, part in enumerate(parts)
    ]  # fmt: skip
    path = written(tmp_path, "\n".join(map(json.dumps, lines)), "episodes_stats.jsonl")
    scaling = read_scaling(mapping(path, "mean_std"))
    np.testing.assert_allclose(scaling.offset, STATS["mean"], atol=1e-12)
    np.testing.assert_allclose(scaling.scale, STATS["std"], atol=1e-12)
    with pytest.raises(
        ContentError, match=r"q01: is missing, and quantiles needs it\. There: max, mean, min, std"
    ):
        read_scaling(mapping(path))


@given(
    st.lists(st.floats(-5, 5), min_size=7, max_size=7), st.lists(st.floats(0.01, 3), min_size=7, max_size=7)
)
def test_scaling_and_its_inverse(numbers, scale):
    scaling = Scaling(np.array(scale), np.arange(7.0), np.zeros(7, dtype=bool))
    np.testing.assert_allclose(scaling.invert(scaling.apply(np.array(numbers))), numbers, atol=1e-9)


def test_clipping_before_scaling(tmp_path):
    scaling = read_scaling(mapping(written(tmp_path, {"action": LISTS}), clip=True))
    np.testing.assert_allclose(scaling.apply(np.full(7, 9.0)), STATS["q99"])


@pytest.mark.parametrize(("content", "more", "words"), [
    ("{", {}, "not valid JSON"),
    ("[1]", {}, "expected a JSON object"),
    ({"state": LISTS}, {}, "holds no statistics of actions"),
    ({"a": {"action": LISTS}, "b": {"action": LISTS}}, {}, "name one by normalization.key: a, b"),
    ({"action": {**LISTS, "q01": [0.0] * 6}}, {}, "q01: has 6 numbers; the mapping's layout has 7"),
    ({"action": {**LISTS, "q01": ["x"] * 7}}, {}, "q01: is no list of numbers"),
    ({"action": {**LISTS, "q99": [float("nan")] * 7}}, {}, "q99: holds a number that is not finite"),
    ({"action": {**LISTS, "q99": [-99.0] * 7}}, {}, "q99: is below q01"),
    ({"action": {**LISTS, "mask": [True]}}, {}, "mask: expected 7 of true and false"),
])  # fmt: skip
def test_files_that_do_not_fit(tmp_path, content, more, words):
    with pytest.raises(ContentError, match=words):
        read_scaling(mapping(written(tmp_path, content), **more))


def test_a_misspelt_data_set_and_a_missing_file(tmp_path):
    path = written(tmp_path, {"bridge_orig": {"action": LISTS}})
    with pytest.raises(UnknownNameError, match="Did you mean 'bridge_orig'"):
        read_scaling(mapping(path, key="bridge_org"))
    with pytest.raises(ContentError, match="cannot be read: No such file"):
        read_scaling(mapping(tmp_path / "none.json"))
