import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.seeding import entropy, generator

names = st.lists(st.one_of(st.text(max_size=8), st.integers(-(10**9), 10**9)), max_size=4)


@given(names, names)
def test_other_names_are_another_stream(a, b):
    assert (entropy(*a) == entropy(*b)) == (a == b)


def test_how_names_are_cut_matters():
    assert entropy("ab", "c") != entropy("a", "bc")
    assert entropy("a\x1fstr:b") != entropy("a", "b")


def test_a_number_is_not_its_text():
    assert entropy(1) != entropy("1")


def test_a_number_of_numpys_is_the_same_number():
    """Seeds often come out of arrays."""
    assert entropy("placement", np.int64(7)) == entropy("placement", 7)


@given(names)
def test_the_same_names_give_the_same_numbers(a):
    assert np.array_equal(generator(*a).random(4), generator(*a).random(4))


def test_streams_do_not_depend_on_each_other():
    first, second = generator("a"), generator("a")
    generator("b").random(100)
    first.random(3)
    second.random(3)
    assert first.random() == second.random()


def test_streams_look_independent():
    draws = np.array([generator("pick", seed, "placement").random(200) for seed in range(50)])
    off = np.corrcoef(draws) - np.eye(50)
    assert np.abs(off).max() < 0.35  # five standard deviations of 200 draws


def test_another_process_draws_the_same_numbers():
    code = "from rtbench.core.seeding import generator; print(generator('a', 3).integers(2**62))"
    path = os.pathsep.join(sys.path)
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
        assert int(done.stdout) == generator("a", 3).integers(2**62)


def test_the_entropy_has_128_bits():
    values = [entropy("x", i) for i in range(64)]
    assert max(values) < 2**128
    assert max(values) > 2**120


@pytest.mark.parametrize("numbers", [(0,), (1, 2)])
def test_drawing_leaves_numpys_own_generator_alone(numbers):
    before = repr(np.random.get_state()[1][:4])  # noqa: NPY002 - to see that nobody touched it
    generator(*numbers).random(5)
    assert repr(np.random.get_state()[1][:4]) == before  # noqa: NPY002
