"""PaliGemma (Beyer et al. 2024) as RT-2's model: it answers a question about an image with action tokens.

Its prompt is RT-2's: "Q: what action should the robot take to ...? A:" (Zitkovich et al. 2023, 3.2). Image
and prompt attend each other; what follows is causal. That is so only if `token_type_ids` are given.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.errors import PolicyError
from rtbench.policy.rt2.action_layout import FULL, ActionLayout, layout
from rtbench.policy.rt2.decoding import LazyReading, Plan, Reader
from rtbench.policy.rt2.policy import PLAN_STEPS, THREADS, Planning, RT2Policy, usable_device
from rtbench.policy.rt2.token_table import TokenTable, bins_of, locations

PROMPT = "Q: what action should the robot take to {instruction}? A:"
BEFORE_PLAN, AFTER_WORDS, BEFORE_ACTION = " Plan:", ".", " Action:"
"""What is written around a plan and before an action, as in RT-2's chain of thought."""
MOST_INSTRUCTION = 64
"""Tokens of an instruction at most; the rest is cut off."""
MOST_WORDS = 24
"""Tokens of a plan's words at most."""


@dataclass(frozen=True)
class Prompted:
    """An instruction as tokens; image and prompt attend each other, so that no more of it can be kept."""

    ids: tuple[int, ...]
    """Of image and prompt."""


class PaliGemmaBody:
    """PaliGemma as a body."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        table: str = "loc",
        order: ActionLayout | None = None,
        cache: bool = True,
    ) -> None:
        """A body.

        Args:
            model: A `PaliGemmaForConditionalGeneration`; where it is, it computes.
            processor: Its `PaliGemmaProcessor`.
            table: Which tokens are bins: a key of `rtbench.policy.rt2.token_table.TABLES`.
            order: Order of an action's tokens; None: all eleven, in rtbench's convention.
            cache: Whether keys and values are kept.

        Raises:
            PolicyError: a tokenizer without the ids that are needed, or a model without its image token.
        """
        self._model, self._processor, self._cache = model.eval(), processor, cache
        self._tokenizer = processor.tokenizer
        self.device = model.device
        self.layout = order or layout(FULL)
        self.most_words = MOST_WORDS
        self._image_token = _image_token(model, processor)
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        self._added = sorted(self._tokenizer.added_tokens_decoder)
        rows = int(model.get_output_embeddings().weight.shape[0])
        self.table = self._table(vocabulary, table, rows)
        self._forbidden = {self._image_token, *self.table.bins.tolist(), *self.table.places.tolist()}
        self._forbidden |= set(self._added)

    def _table(self, vocabulary: dict[str, int], name: str, rows: int) -> TokenTable:
        bins = bins_of(name, vocabulary, self._added)
        places = locations(vocabulary)
        end = self._encode(AFTER_WORDS)
        taken = {*bins.tolist(), *places.tolist(), *self._added, end[0]}
        words = np.array(sorted(set(vocabulary.values()) - taken))
        if (highest := int(max(bins.max(), places.max()))) >= rows:
            raise PolicyError(
                f"the tokenizer has the id {highest}, the model has {rows} rows; enlarge the model with "
                "`resize_token_embeddings`, or give its own tokenizer."
            )
        return TokenTable(
            bins, places, words[words < rows], self._encode(BEFORE_PLAN), end, self._encode(BEFORE_ACTION)
        )

    def _encode(self, text: str) -> tuple[int, ...]:
        """Ids of a text of our own, without beginning and end."""
        ids = self._tokenizer.encode(text, add_special_tokens=False)
        if not ids:
            raise PolicyError(f"the tokenizer has no token for {text!r}; give one of PaliGemma.")
        return tuple(ids)

    def begin(self, instruction: str) -> Prompted:
        """The prompt's tokens, without action tokens and markers that an instruction contains as text."""
        plain = " ".join(instruction.encode("utf-8", "replace").decode().split())
        before, after = PROMPT.split("{instruction}")
        # Far more characters than tokens are wanted: a tokenizer takes its time for a megabyte.
        ids = self._tokenizer.encode(plain[: 64 * MOST_INSTRUCTION], add_special_tokens=False)
        said = [token for token in ids if token not in self._forbidden][:MOST_INSTRUCTION]
        start = self._tokenizer.bos_token_id
        images = [self._image_token] * int(self._processor.image_seq_length)
        newline = self._tokenizer.encode("\n", add_special_tokens=False)
        opening = [] if start is None else [start]
        text = [*self._encode(before), *said, *self._encode(after), *newline]
        return Prompted((*images, *opening, *text))

    def look(self, prompt: Prompted, image: NDArray[np.uint8]) -> Reader:
        """Read an image uint8[H, W, 3]; the processor resizes it."""
        pixels = self._processor.image_processor(images=image, return_tensors="pt")["pixel_values"]
        pixels = pixels.to(self.device, self._model.dtype)
        return _Reader(self._model, prompt.ids, pixels, cache=self._cache)

    def words(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


class _Reader(LazyReading):
    """Reads an image and a prompt with what is said after them, and goes on from its cache."""

    def __init__(self, model: Any, prompt: Sequence[int], pixels: Tensor, *, cache: bool) -> None:
        super().__init__()
        self._model, self._pixels = model, pixels
        self._prompt, self._said = list(prompt), list[int]()
        self._keeps = cache
        self._cache: Any = None
        # Renamed in transformers 5.24; the old name warns there.
        parameters = inspect.signature(model.forward).parameters
        self._argument = "cache" if "cache" in parameters else "past_key_values"

    def _read(self, ids: Sequence[int]) -> Tensor:
        self._said += ids
        first = self._cache is None or not self._keeps
        tokens = [*self._prompt, *self._said] if first else list(ids)
        device = self._pixels.device
        count = len(tokens)
        if first:
            types = [0] * len(self._prompt) + [1] * len(self._said)
            more: dict[str, Any] = {"pixel_values": self._pixels}
        else:
            types = [1] * count
            more = {self._argument: self._cache}
        found = self._model.model(
            input_ids=torch.tensor([tokens], device=device),
            token_type_ids=torch.tensor([types], device=device),
            attention_mask=torch.ones(
                1, len(self._prompt) + len(self._said), device=device, dtype=torch.long
            ),
            use_cache=self._keeps,
            **more,
        )
        self._cache = getattr(found, self._argument) if self._keeps else None
        last: Tensor = found.last_hidden_state[0, -1]
        return last

    def ground(self, plan: Plan) -> Plan:
        """The plan itself."""
        return plan

    def act(self, plan: Plan | None) -> None:
        """Nothing: PaliGemma says its actions."""

    def logits(self, ids: Tensor) -> Tensor:
        """Logits of ids as the next token. A soft cap, which Gemma 2 has, keeps their order."""
        rows = self._model.get_output_embeddings().weight[ids]
        logits = torch.mv(rows, self._last())
        cap = getattr(self._model.config.get_text_config(), "final_logit_softcapping", None)
        return cap * torch.tanh(logits / cap) if cap else logits


def from_paligemma(  # noqa: PLR0913 - each is an argument of a card
    weights: str | Path | None = None,
    *,
    model: str | None = None,
    revision: str | None = None,
    table: str = "loc",
    actions: str = FULL,
    convention: str = "rtbench",
    plan: bool = True,
    plan_steps: int = PLAN_STEPS,
    plan_only: bool = False,
    temperature: float = 0.0,
    terminate_threshold: float = 0.0,
    cache: bool = True,
    threads: int = THREADS,
    device: str = "cpu",
    dtype: str = "float32",
) -> RT2Policy:
    """The policy of a PaliGemma: what policy cards name.

    Args:
        weights: Folder that `save_pretrained` wrote, of model and processor.
        model: Instead of it a name on the hub, such as 'google/paligemma-3b-pt-224', for which its licence
            must have been accepted there.
        revision: Commit on the hub; without it, results of different days may be of different weights.
        table: Which tokens are the 256 bins: 'loc', 'least-used' or 'integers'.
        actions: 'full' for eleven tokens, 'arm' for the eight of RT-2.
        convention: Action convention.
        plan: Whether it states plans.
        plan_steps: Steps for which a plan is kept, unless a sub-goal is reached before; 0: for the whole
            episode.
        plan_only: An episode ends with its first plan.
        temperature: As of `rtbench.policy.rt2.policy.from_weights`.
        terminate_threshold: Likewise.
        cache: Whether keys and values are kept.
        threads: CPU threads, for the whole process.
        device: Where to compute: 'cpu' or 'cuda'.
        dtype: Of the weights: 'float32', 'bfloat16' or 'float16'.

    Raises:
        PolicyError: nothing to load, a folder that cannot be used, or an argument that cannot be.
    """
    if (weights is None) == (model is None):
        raise PolicyError(
            "give either 'weights', a folder of PaliGemma, or 'model', a name on the hub such as "
            "google/paligemma-3b-pt-224."
        )
    if weights is not None and not Path(weights).is_dir():
        raise PolicyError(f"{weights}: no such folder; `save_pretrained` of transformers writes one.")
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in dtypes:
        raise PolicyError(f"dtype is {dtype!r}; allowed are {', '.join(dtypes)}.")
    where = usable_device(device)
    torch.set_num_threads(threads)
    network, processor = _loaded(str(weights or model), revision, dtypes[dtype], local=weights is not None)
    body = PaliGemmaBody(
        network.to(where), processor, table=table, order=layout(actions, convention), cache=cache
    )
    planning = Planning(plan, plan_steps, plan_only)
    policy = RT2Policy(body, planning, temperature=temperature, terminate_threshold=terminate_threshold)
    commit = getattr(network.config, "_commit_hash", None)
    policy.fingerprint = f"{model} {commit}" if model else ""
    return policy


def _loaded(name: str, revision: str | None, dtype: torch.dtype, *, local: bool) -> tuple[Any, Any]:
    """Model and processor; no code of the folder is run, and no pickle is read."""
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

    options: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False}
    options["revision"] = revision or "main"
    try:
        model = PaliGemmaForConditionalGeneration.from_pretrained(
            name, dtype=dtype, use_safetensors=True, **options
        )
        processor = PaliGemmaProcessor.from_pretrained(name, **options)
    except Exception as error:  # its parts raise many kinds of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = "the folder must be of a PaliGemma with its processor" if local else "is its licence accepted?"
        raise PolicyError(f"{name}: cannot be loaded: {reason} ({hint})") from error
    return model, processor


def _image_token(model: Any, processor: Any) -> int:
    """Id of the image token, which model and processor must agree on."""
    expected = getattr(model.config, "image_token_id", None)
    found = getattr(processor, "image_token_id", None)
    if expected is None or found is None or expected != found:
        raise PolicyError(
            f"the model's image token has the id {expected}, the processor's {found}; they are of different "
            "models, or the processor's tokenizer lacks '<image>'. Give both as they were saved together."
        )
    features = int(model.config.vision_config.image_size // model.config.vision_config.patch_size) ** 2
    if features != int(processor.image_seq_length):
        raise PolicyError(
            f"the model makes {features} tokens of an image, the processor {processor.image_seq_length}; "
            "give both as they were saved together."
        )
    return int(expected)
