"""A PaliGemma of the released classes, with random weights and a tokenizer that is made here."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = [
    "pick coke can",
    "move apple near sponge",
    "Q: what action should the robot take to ? A: Plan: Action: . \n",
]


def save_tiny(folder: Path, *, pieces: int = 600, seed: int = 0, scale: float = 1.0) -> Path:
    """Write a model and its processor as `save_pretrained` does."""
    import transformers as tf

    torch.manual_seed(seed)
    processor = _processor(tf, pieces)
    vision = tf.SiglipVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28,
        patch_size=14,
        projection_dim=16,
    )  # fmt: skip
    text = tf.GemmaConfig(
        vocab_size=len(processor.tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    config = tf.PaliGemmaConfig(
        vision_config=vision, text_config=text, projection_dim=16, hidden_size=16,
        image_token_index=processor.image_token_id,
    )  # fmt: skip
    model = tf.PaliGemmaForConditionalGeneration(config).eval()
    if scale != 1:
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(scale)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _processor(tf, pieces):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    texts = [
        f"{text} {number} {chr(97 + number % 26) * 3}{number}" for text in WORDS for number in range(400)
    ]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=pieces, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    names = {f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk")}
    tokenizer = tf.PreTrainedTokenizerFast(tokenizer_object=made, **names)
    images = tf.SiglipImageProcessorPil if hasattr(tf, "SiglipImageProcessorPil") else tf.SiglipImageProcessor
    images = images(size={"height": 28, "width": 28})
    images.image_seq_length = 4
    return tf.PaliGemmaProcessor(images, tokenizer)
