"""Policies that bind state to threads, compile, exit, and read our command line, as strangers' do."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time

import torch

from tests.helpers.fake_policies import Pusher


class Bound(Pusher):
    """Its state is bound to the thread in which it was made."""

    def __init__(self):
        super().__init__()
        torch.set_grad_enabled(False)
        self.loop = asyncio.get_event_loop()
        self.made_in = threading.get_ident()

    def check(self):
        assert threading.get_ident() == self.made_in, "called in another thread than it was made in"
        assert not torch.is_grad_enabled(), "the gradient mode was lost"
        assert asyncio.get_event_loop() is self.loop, "the event loop was lost"

    def reset(self, slot, instruction, seed):
        self.check()
        super().reset(slot, instruction, seed)

    def act(self, observations, slots):
        self.check()
        return super().act(observations, slots)


class Exits(Pusher):
    """Ends the program in the episodes that say so."""

    def one(self, observation, slot):
        if "exit" in self.texts[slot] and observation.step == 2:
            sys.exit(1)
        return super().one(observation, slot)


class ExitsAtOnce(Pusher):
    def __init__(self):
        sys.exit(0)


class Parses(Pusher):
    """Reads a command line, as scripts do."""

    def __init__(self):
        super().__init__()
        parser = argparse.ArgumentParser()
        parser.add_argument("--device", default="cpu")
        self.device = parser.parse_args().device


class Compiles(Pusher):
    """Slow in the first call of each size of batch, as a compiler makes it."""

    def __init__(self, first_s: float = 0.5):
        super().__init__()
        self.first_s, self.compiled = first_s, set()

    def act(self, observations, slots):
        if len(slots) not in self.compiled:
            time.sleep(self.first_s)
            self.compiled.add(len(slots))
        return super().act(observations, slots)


class Mends(Pusher):
    """Raises in each episode for as long as the file is there."""

    def __init__(self, broken: str):
        super().__init__()
        self.broken = broken

    def one(self, observation, slot):
        from pathlib import Path

        if "mend" in self.texts[slot] and Path(self.broken).read_text() == "yes":
            raise ValueError("not yet")
        return super().one(observation, slot)

    def fingerprint(self):
        return "mends"
