"""Grounding: of all plans of one form, the likeliest whose names are those of the things at its places.

Words and places are decided one after the other, and words say what an instruction makes likely, whatever is
there. Asked in another language to put the apple into the bowl, the decoder said 'move red cup near black
cup', and pointed at the apple; elsewhere it named the right thing, and pointed at a wrong one. Here a thing
that is seen is chosen for each name of a plan, so that the product of three probabilities is highest: of the
words, of the places, and of the name where the thing is. A drawer's place may be the one that was decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.action import BINS
from rtbench.policy.rt2.decoding import PLACES, Plan
from rtbench.policy.rt2.network import Picture
from rtbench.policy.rt2.spoken_names import HANDLE_OF, pattern
from rtbench.policy.rt2.vocabulary import Vocabulary

PRESENT = 0.3
"""Least presence of a thing that may be meant."""
NAMES = 3
"""Likeliest names of a thing that are tried."""
ROUNDS = 2
"""How often all names of a plan are chosen in turn at most."""
AT_ONCE = 8
"""Plans of which the places are looked at together."""
REACH = 16
"""Bins from a place that was decided to what it may mean."""
FROM = " from "
"""Between two names of a plan: the first thing is where the second is, so that one place may be both."""
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
    place: tuple[int, ...]
    """Row and column [bins]."""


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
        bins = (picture.places[0].flip(-1) * BINS).long().clamp(0, BINS - 1).tolist()
        presence = picture.presence[0].tolist()
        seen = {k: tuple(bins[k]) for k, here in enumerate(presence) if here >= PRESENT}
        if not said or len(seen) < len(said):
            return plan
        together = len(said) > 1 and text[said[0].end() : said[1].start()] == FROM
        # Places are those of objects, then of drawers, in whichever order they are named.
        said.sort(key=lambda match: HANDLE_OF + match.group() in self._names)
        own = plan.places[:2], plan.places[2:]
        choices = [
            self._choices(picture, seen, match.group(), place)
            for match, place in zip(said, own, strict=False)
        ]
        alone = len(said) == 1
        # With one name, the second place is that of the same thing, or of one that the plan does not name.
        elsewhere = own[1] if alone and _away(*own) > REACH**2 else None

        def filled(chosen: Sequence[_Thing]) -> Plan:
            written, end = "", 0
            in_order = sorted(zip(said, chosen, strict=True), key=lambda pair: pair[0].start())
            for match, thing in in_order:
                written, end = written + text[end : match.start()] + thing.name, match.end()
            words = self._vocabulary.encode(written + text[end:], self._most)
            return Plan(tuple(words), (*chosen[0].place, *(elsewhere or chosen[-1].place)))

        best = [
            min(things, key=lambda thing: _away(thing.place, place))
            for things, place in zip(choices, own, strict=False)
        ]
        # A name is chosen again if another one has changed since.
        open_slots = [0] if alone else list(range(len(said))) * ROUNDS
        settled: set[int] = set()
        for slot in open_slots:
            if slot in settled:
                continue
            taken = set() if together else {other.number for k, other in enumerate(best) if k != slot}
            free = [thing for thing in choices[slot] if thing.number not in taken]
            trials = [[*best[:slot], thing, *best[slot + 1 :]] for thing in free]
            evidence = torch.tensor([sum(thing.evidence for thing in trial) for trial in trials])
            chosen = trials[self._likeliest([filled(trial) for trial in trials], evidence, logits)]
            settled = settled | {slot} if chosen == best else {slot}
            best = chosen
        return filled(best)

    def _choices(
        self, picture: Picture, seen: Mapping[int, tuple[int, ...]], said: str, own: tuple[int, ...]
    ) -> list[_Thing]:
        """Each thing that is seen, by its likeliest names and by the one that was said.

        Of a drawer the place that was decided, too: it is the drawer's front, and what is seen of an open one
        lies behind that, its handle before it.

        Args:
            picture: Of one image.
            seen: Row and column [bins] of each thing that is seen, by its number.
            said: A name.
            own: Row and column [bins] that were decided for it.
        """
        chances, number_of = picture.names[0], self._names.index
        found = []
        for number, place in seen.items():
            names = chances[number].topk(min(NAMES, len(self._names))).indices.tolist()
            names += [] if number_of(said) in names else [number_of(said)]
            evidence = chances[number, names].log().tolist()
            found += [
                _Thing(number, self._names[name], likely, place)
                for name, likely in zip(names, evidence, strict=True)
            ]
        near = [number for number, place in seen.items() if _away(place, own) <= REACH**2]
        if near and (handle := HANDLE_OF + said) in self._names:
            likely = chances[near][:, [number_of(said), number_of(handle)]].sum(1)
            best = int(likely.argmax())
            found.append(_Thing(near[best], said, float(likely[best].log()), own))
        return found

    def _likeliest(self, plans: Sequence[Plan], evidence: Tensor, logits: Logits) -> int:
        """Number of the plan of which words, places and evidence float32[n] are likeliest together.

        Many plans have the same words, and the places of most need not be looked at: no place makes a plan
        likelier than its words and its evidence are.
        """
        words = list({plan.words: None for plan in plans})
        said = self._said(words, logits)
        bounds = evidence + torch.stack([said[words.index(plan.words)] for plan in plans])
        order: list[int] = bounds.argsort(descending=True, stable=True).tolist()
        best, most = order[0], -math.inf
        for start in range(0, len(order), AT_ONCE):
            tried = [k for k in order[start : start + AT_ONCE] if bounds[k] > most]
            if not tried:
                break
            scores = bounds[tried] + self._pointed([plans[k] for k in tried], logits)
            if float(scores.max()) > most:
                best, most = tried[int(scores.argmax())], float(scores.max())
        return best

    def _said(self, plans: Sequence[tuple[int, ...]], logits: Logits) -> Tensor:
        """Log-probabilities float32[n] of the words of plans, and of their ends."""
        table = self._table
        ids = _padded([[*table.plan, *words, table.end_of_words[0]] for words in plans])
        found = logits(ids[:, :-1]).float().cpu()[:, len(table.plan) - 1 :]
        chances = found.masked_fill(self._impossible, -torch.inf).log_softmax(-1)
        said = chances.gather(2, ids[:, len(table.plan) :, None])[..., 0]
        # The end is not decided where there are as many words as may be.
        decided = torch.tensor([min(len(words) + 1, self._most) for words in plans])[:, None]
        return said.masked_fill(torch.arange(said.shape[1]) >= decided, 0).sum(1)

    def _pointed(self, plans: Sequence[Plan], logits: Logits) -> Tensor:
        """Log-probabilities float32[n] of the places of plans, each with the bins around it."""
        ids = _padded([plan.ids(self._table) for plan in plans])
        before = len(self._table.plan) + len(self._table.end_of_words)
        first = torch.tensor([before + len(plan.words) for plan in plans])[:, None]
        decided = first + torch.arange(2 * PLACES)
        found = logits(ids[:, :-1]).float().cpu()
        chances = found[torch.arange(len(plans))[:, None], decided - 1, :BINS].softmax(-1)
        width = 2 * NEAR + 1
        around = width * F.avg_pool1d(chances, width, 1, NEAR, count_include_pad=True)
        return around.gather(2, ids.gather(1, decided)[..., None])[..., 0].log().sum(1)


def _padded(suffixes: Sequence[Sequence[int]]) -> Tensor:
    """Suffixes as int64[n, longest]; what follows the end of one is without effect on it."""
    length = max(map(len, suffixes))
    return torch.tensor([[*suffix, *[0] * (length - len(suffix))] for suffix in suffixes])


def _away(place: Sequence[int], other: Sequence[int]) -> int:
    """Squared distance of two places in bins."""
    return sum((a - b) ** 2 for a, b in zip(place, other, strict=True))
