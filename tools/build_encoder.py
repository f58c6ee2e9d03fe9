"""Make the encoder that comes with the package: a masked language model of stories, with its card.

python tools/build_encoder.py     some fifteen minutes on one core; writes workshop_utils/pocket/models/encoder
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import torch

from workshop_utils.encoder import SHIPPED, accuracy, encoder_tokenizer, new_encoder, rows_of, train
from workshop_utils.evaluate.intervals import bootstrap
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.profiles import setup
from workshop_utils.machine.record import computer
from workshop_utils.pocket import stories
from workshop_utils.text import split_of

STEPS, BATCH, N_STORIES, SEED = 4000, 8, 20_000, 0
CARD = """\
---
license: cc0-1.0
language: en
pipeline_tag: fill-mask
---

# The encoder of lesson 11

Fills the blanks of short stories for small children. `workshop_utils.encoder.load_encoder()` loads it.

- **Architecture**: ModernBERT of transformers, {parameters:,} parameters (`config.json`), {vocab:,} tokens
- **Size**: {size:.1f} MB in bfloat16, SHA-256 `{sha}`
- **Data**: {stories:,} stories of the package's generator, up to {length} tokens of each. Seeded, CC0
- **Training**: {steps:,} steps of {batch} stories, 15% of the tokens hidden, Muon and AdamW, {minutes:.0f} minutes on
  {machine}, seed {seed}
- **Made by**: `python tools/build_encoder.py`

It puts the right token first at {share:.3f} of the hidden tokens of {held_out} held-out stories (95% interval over
stories, bootstrap: {low:.3f} to {high:.3f}).

It knows the stories of one generator and nothing else. For learning how language models work. English only.
"""


def main() -> None:
    """Train, measure, write."""
    setup("pocket")
    tokenizer = encoder_tokenizer()
    texts = list(stories.texts(N_STORIES, seed=0))
    held_out = rows_of([text for text in texts if split_of(text) == "val"], tokenizer)
    rows = rows_of([text for text in texts if split_of(text) == "train"], tokenizer)
    torch.manual_seed(SEED)
    model, began = new_encoder(tokenizer), time.perf_counter()

    def told(step: int, loss: float) -> None:
        if step % 200 == 0:
            shares = accuracy(model, held_out[:64], tokenizer)
            model.train()
            print(f"{step:,} of {STEPS:,}: loss {loss:.2f}, right {sum(shares) / len(shares):.3f}", flush=True)

    train(model, rows, tokenizer, STEPS, batch=BATCH, seed=SEED, each_step=told)
    minutes = (time.perf_counter() - began) / 60
    model.bfloat16().save_pretrained(SHIPPED)
    encoder_tokenizer().save_pretrained(SHIPPED)  # a fresh one: rows_of has set lengths in the other
    shares = accuracy(model.float(), held_out, tokenizer)  # as it is shipped
    low, high = bootstrap(shares)
    data = Path(SHIPPED, "model.safetensors").read_bytes()
    card = CARD.format(
        parameters=model.num_parameters(),
        vocab=len(tokenizer),
        size=len(data) / 1e6,
        sha=hashlib.sha256(data).hexdigest(),
        stories=len(rows),
        length=rows.shape[1],
        steps=STEPS,
        batch=BATCH,
        minutes=minutes,
        machine=computer(),
        seed=SEED,
        share=sum(shares) / len(shares),
        held_out=len(held_out),
        low=low,
        high=high,
    )
    write_text_atomically(card, Path(SHIPPED, "README.md"))
    print(card)


if __name__ == "__main__":
    main()
