"""What the small model can say: 256 bins for actions and places, a few markers, and pieces of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from rtbench.core.action import BINS
from rtbench.core.errors import PolicyError
from rtbench.policy.rt2.token_table import TokenTable

PAD, PLAN, ANSWER, END_OF_WORDS, ACTION, END = range(BINS, BINS + 6)
"""Markers after the bins: nothing; a plan begins; an answer begins; words end; an action begins; all ends."""
FIRST_PIECE = BINS + 6
PIECES = 3000 - FIRST_PIECE
"""Pieces of words at most: 256 bytes, and what is frequent in the texts of the training."""


class Vocabulary:
    """Ids of words. Any text has ids, since single bytes are pieces too."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Vocabulary:
        """Byte pairs that are frequent in texts (Sennrich et al. 2016)."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=PIECES, min_frequency=2, initial_alphabet=sorted(alphabet), show_progress=False
        )
        # Sorted: equal texts give equal pieces, whatever their order.
        tokenizer.train_from_iterator(sorted(texts), trainer)
        return cls(tokenizer)

    @classmethod
    def from_json(cls, text: str, where: str) -> Vocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            PolicyError: it cannot be read, or has too many pieces; names `where`.
        """
        try:
            found = cls(Tokenizer.from_str(text))
        except Exception as error:  # noqa: BLE001 - tokenizers raises no narrower one
            raise PolicyError(f"{where}: its vocabulary cannot be read: {error}.") from None
        if found._tokenizer.get_vocab_size() > PIECES:
            raise PolicyError(f"{where}: its vocabulary has over {PIECES} pieces.")
        return found

    def to_json(self) -> str:
        """The pieces as text."""
        return self._tokenizer.to_str()

    def __len__(self) -> int:
        """Number of ids, the bins and markers included."""
        return FIRST_PIECE + int(self._tokenizer.get_vocab_size())

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Ids of a text, at most so many."""
        plain = text.encode("utf-8", "replace").decode()
        ids = self._tokenizer.encode(plain, add_special_tokens=False).ids[:most]
        return [FIRST_PIECE + piece for piece in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bins and markers are left out."""
        pieces = [token - FIRST_PIECE for token in ids if token >= FIRST_PIECE]
        return str(self._tokenizer.decode(pieces)).strip()

    def table(self) -> TokenTable:
        """Its ids by their use."""
        bins = np.arange(BINS)
        words = np.arange(FIRST_PIECE, len(self))
        return TokenTable(bins, bins, words, (PLAN,), (END_OF_WORDS,), (ACTION,))
