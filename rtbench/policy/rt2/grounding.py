"""Grounding: of all plans of one form, the likeliest whose names are those of the things at its places.

Words and places are decided one after the other, and words say what an instruction makes likely, whatever is
there. Asked in another language to put the apple into the bowl, the decoder said 'move red cup near black
cup', and pointed at the apple; elsewhere it named the right thing, and pointed at a wrong one. Here a thing
that is seen is chosen for each name of a plan, so that the product of three probabilities is highest: of the
words, of the places, and of the name where the thing is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.action import BINS
from rtbench.policy.rt2.decoding import PLACES, Plan
from rtbench.policy.rt2.network import Picture
from rtbench.policy.rt2.spoken_names import pattern
from rtbench.policy.rt2.vocabulary import Vocabulary

PRESENT = 0.3
"""Least presence of a thing that may be meant."""
NAMES = 3
"""Likeliest names of a thing that are tried."""
ROUNDS = 2
"""How often all names of a plan are chosen in turn at most."""
NEAR = 5
"""Bins on each side that count as the place of a thing: the parts of cells that have places are six wide."""
Logits = Callable[[Tensor], Tensor]
"""Logits float32[n, S, vocabulary] of what follows each id of n suffixes int64[n, S]."""


@dataclass(frozen=True)
class _Thing:
    """A thing with one of its names."""

    number: int
    """Of the thing, among those in the picture."""
    name: str
    evidence: float
    """Logarithm of the name's probability."""


class Grounding:
    """Grounds plans in pictures."""

    def __init__(self, vocabulary: Vocabulary, names: Sequence[str], most_words: int) -> None:
        """Grounding by names.

        Args:
            vocabulary: Of the plans.
            names: What can be named, in the order of the network's vectors.
            most_words: Words of a plan at most.
        """
        self._vocabulary, self._names, self._most = vocabulary, list(names), most_words
        self._pattern = pattern(names)
        self._table = vocabulary.table()
        ids = [*self._table.end_of_words, *self._table.words.tolist()]
        self._impossible = torch.ones(len(vocabulary), dtype=torch.bool)
        self._impossible[ids] = False

    def __call__(self, plan: Plan, picture: Picture, logits: Logits) -> Plan:
        """The grounded plan; the plan itself where it names nothing, or nothing is seen.

        Args:
            plan: A plan that was decided.
            picture: Of one image.
            logits: Of suffixes, given image and instruction.
        """
        text = self._vocabulary.decode(plan.words)
        said = list(islice(self._pattern.finditer(text), PLACES))
        seen = [k for k, here in enumerate(picture.presence[0].tolist()) if here >= PRESENT]
        if not said or len(seen) < len(said):
            return plan
        bins = (picture.places[0].flip(-1) * BINS).long().clamp(0, BINS - 1)
        choices = [self._choices(picture, seen, match.group()) for match in said]

        def filled(chosen: Sequence[_Thing]) -> Plan:
            written, end = "", 0
            for match, thing in zip(said, chosen, strict=True):
                written, end = written + text[end : match.start()] + thing.name, match.end()
            words = self._vocabulary.encode(written + text[end:], self._most)
            return Plan(tuple(words), tuple(bins[[chosen[0].number, chosen[-1].number]].flatten().tolist()))

        best = [
            min(things, key=lambda thing: _away(bins[thing.number].tolist(), place))
            for things, place in zip(choices, (plan.places[:2], plan.places[2:]), strict=False)
        ]
        # A name is chosen again if another one has changed since.
        open_slots = list(range(len(said))) * ROUNDS if len(said) > 1 else [0]
        settled: set[int] = set()
        for slot in open_slots:
            if slot in settled:
                continue
            taken = {other.number for k, other in enumerate(best) if k != slot}
            free = [thing for thing in choices[slot] if thing.number not in taken]
            trials = [[*best[:slot], thing, *best[slot + 1 :]] for thing in free]
            evidence = torch.tensor([sum(thing.evidence for thing in trial) for trial in trials])
            scores = self._scores([filled(trial) for trial in trials], logits) + evidence
            chosen = trials[int(scores.argmax())]
            settled = settled | {slot} if chosen == best else {slot}
            best = chosen
        return filled(best)

    def _choices(self, picture: Picture, seen: Sequence[int], said: str) -> list[_Thing]:
        """Each thing that is seen, by its likeliest names and by the one that was said."""
        chances = picture.names[0].log()
        found = []
        for number in seen:
            names = chances[number].topk(min(NAMES, len(self._names))).indices.tolist()
            said_number = self._names.index(said)
            names += [] if said_number in names else [said_number]
            found += [_Thing(number, self._names[name], float(chances[number, name])) for name in names]
        return found

    def _scores(self, plans: Sequence[Plan], logits: Logits) -> Tensor:
        """Log-probabilities float32[n] of plans."""
        suffixes = [plan.ids(self._table) for plan in plans]
        length = max(map(len, suffixes))
        ids = torch.tensor([[*suffix, *[0] * (length - len(suffix))] for suffix in suffixes])
        found = logits(ids).float().cpu()[:, :-1]
        targets = ids[:, 1:, None]
        position = torch.arange(length - 1)
        start = torch.tensor([len(self._table.plan) + len(plan.words) for plan in plans])[:, None]
        # The end is not decided where there are as many words as may be.
        ends = torch.tensor([len(plan.words) < self._most for plan in plans])[:, None]
        words = (position < start - 1) | ((position == start - 1) & ends)
        first = start + len(self._table.end_of_words) - 1
        places = (position >= first) & (position < first + 2 * PLACES)
        said = found.masked_fill(self._impossible, -torch.inf).log_softmax(-1).gather(2, targets)[..., 0]
        chances = found[..., :BINS].softmax(-1)
        width = 2 * NEAR + 1
        around = width * F.avg_pool1d(chances, width, 1, NEAR, count_include_pad=True)
        pointed = around.gather(2, targets.clamp(max=BINS - 1))[..., 0].log()
        return said.masked_fill(~words, 0).sum(1) + pointed.masked_fill(~places, 0).sum(1)


def _away(place: Sequence[int], other: Sequence[int]) -> int:
    """Squared distance of two places in bins."""
    return sum((a - b) ** 2 for a, b in zip(place, other, strict=True))
