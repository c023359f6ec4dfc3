"""All of a policy's code runs in one thread, which has what libraries expect of a thread."""

import asyncio
import contextvars
import sys
import threading
import time

import pytest
import torch

from rtbench.policy.thread import OverdueError, PolicyExitError, PolicyThread


@pytest.fixture
def thread():
    made = PolicyThread()
    yield made
    made.close()


def test_all_calls_are_in_one_thread_that_is_not_ours(thread):
    first, second = thread.call(threading.get_ident), thread.call(threading.get_ident, 5.0)
    assert first == second != threading.get_ident()


def test_what_is_set_in_one_call_holds_in_the_next(thread):
    thread.call(lambda: torch.set_grad_enabled(False))
    assert thread.call(torch.is_grad_enabled) is False
    assert torch.is_grad_enabled() is True


def test_there_is_an_event_loop(thread):
    async def answer():
        await asyncio.sleep(0)
        return 7

    assert thread.call(lambda: asyncio.get_event_loop().run_until_complete(answer())) == 7


def test_a_policy_made_elsewhere_keeps_its_gradient_mode_and_context(thread):
    word = contextvars.ContextVar("word", default="none")
    token = word.set("set")
    with torch.no_grad():
        thread.adopt()
    word.reset(token)
    assert (thread.call(torch.is_grad_enabled), thread.call(word.get)) == (False, "set")
    # Also after a thread was left behind in the middle of a call.
    with pytest.raises(OverdueError):
        thread.call(lambda: time.sleep(1), 0.05)
    assert (thread.call(torch.is_grad_enabled), thread.call(word.get)) == (False, "set")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_ends_a_program_is_the_policys_fault(thread, error):
    def act():
        raise error

    with pytest.raises(PolicyExitError, match="only rtbench ends a run"):
        thread.call(act)
    assert thread.call(lambda: 1) == 1, "the thread lives on"


def test_an_ordinary_error_is_raised_as_it_is(thread):
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda: 1 / 0)


def test_exit_codes_are_told(thread):
    with pytest.raises(PolicyExitError, match=r"called sys\.exit\(1\)"):
        thread.call(lambda: sys.exit(1))
