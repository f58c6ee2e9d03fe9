"""Make the GPT that comes with the package: lesson 04's run in the pocket profile, with its card.

python tools/build_gpt.py     some ten minutes on two cores; writes workshop_utils/pocket/models/gpt

Stopped at any time, the same command goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.gpt.model import GPT
from workshop_utils.gpt.sampling import generate_text
from workshop_utils.gpt.shipped import CONFIG, FOLDER, WEIGHTS
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.profiles import setup
from workshop_utils.machine.record import computer
from workshop_utils.pocket.stories import score_many
from workshop_utils.text.corpus import prepare
from workshop_utils.training.checkpoints import load_model
from workshop_utils.training.train import train

WORK = Path(__file__).parents[1] / "build" / "pocket" / "gpt"
STORIES, TEMPERATURE = 400, 0.6  # as lesson 04 samples
CARD = """\
---
license: cc0-1.0
language: en
pipeline_tag: text-generation
---

# The GPT of lesson 04

Writes short stories for small children. Trained from nothing by the pocket profile of lesson 04 of the workshop on
small language models; `workshop_utils.gpt.load_shipped()` loads it.

- **Architecture**: the workshop's GPT, {parameters:,} parameters (`config.json`), {vocab:,} tokens, context {context}
- **Size**: {size:.1f} MB in bfloat16, SHA-256 `{sha}`
- **Tokenizer**: the pocket byte-level BPE, fingerprint `{tokenizer}`
- **Data**: 20,000 stories of the package's generator. Seeded, CC0, no text from elsewhere
- **Training**: {steps:,} steps of {batch} stories with {optimizer}, {minutes:.0f} minutes on {machine}, seed {seed};
  validation loss {loss:.3f} nats per token
- **Energy**: {energy}
- **Made by**: `python tools/build_gpt.py`

## Scores

{stories} stories at temperature {temperature}, judged by the rules that the generator follows; 95% intervals (Wilson).

| what is right | share | interval |
|---|---|---|
{scores}

## Limits

It knows the stories of one generator and nothing else: no questions, no facts, no chat. For learning how language
models work. English only.
"""


def main() -> None:
    """Train, sample, write."""
    profile = setup("pocket")
    train_tokens, val_tokens, encoding = prepare(profile)
    torch.manual_seed(profile.training.seed)
    run = train(GPT(profile.gpt), train_tokens, val_tokens, profile.training, WORK, resume=True)
    model = load_model(WORK, "best", encoding=encoding)
    tensors = {name: tensor.bfloat16() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)  # as it is shipped
    texts = generate_text(model, encoding, "", 255, temperature=TEMPERATURE, seed=1, n=STORIES)
    scores = score_many(texts)
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file(tensors, FOLDER / WEIGHTS)
    kept = {"gpt": profile.gpt.to_dict(), "tokenizer": train_tokens.fingerprint}
    write_text_atomically(json.dumps(kept, indent=1) + "\n", FOLDER / CONFIG)
    lines = []
    for name, share in scores.items():
        if name != "n":
            low, high = wilson(share, STORIES)
            lines.append(f"| {'everything' if name == 'all' else name} | {share:.3f} | {low:.3f} to {high:.3f} |")
    data, summary = (FOLDER / WEIGHTS).read_bytes(), run.summary()
    energy = summary["energy"]
    card = CARD.format(
        parameters=model.num_params(),
        vocab=model.config.vocab_size,
        context=model.config.block_size,
        size=len(data) / 1e6,
        sha=hashlib.sha256(data).hexdigest(),
        tokenizer=train_tokens.fingerprint,
        steps=summary["steps_done"],
        batch=run.config.batch_size,
        optimizer={"muon": "Muon and AdamW", "adamw": "AdamW"}[run.config.optimizer],
        minutes=summary["seconds"] / 60,
        machine=computer(),
        seed=run.config.seed,
        loss=summary["best_val_loss"],
        energy=f"{energy['kwh'] * 1000:.1f} Wh ({energy['kind']}, {energy['country']})" if energy else "not measured",
        stories=STORIES,
        temperature=TEMPERATURE,
        scores="\n".join(lines),
    )
    write_text_atomically(card, FOLDER / "README.md")
    print(card)


if __name__ == "__main__":
    main()
