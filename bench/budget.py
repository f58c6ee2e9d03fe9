"""The budget's formulas against real trainings: counted bytes beside the measured peak, each in a process of its own.

Tensors are counted by torch's profiler from its first allocation to its last; memory of the process (RSS) is what
the operating system saw at most, less what was there before the model was made.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from common import one_core, options, report, row
from torch import Tensor

from workshop_utils.budget.memory import Plan, peak
from workshop_utils.budget.shapes import of_gpt, of_llama
from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.hardware import peak_memory_bytes
from workshop_utils.machine.quiet import quiet_libraries
from workshop_utils.training.train import train
from workshop_utils.tuning.lora import keep_unpacked

BASE = {"block_size": 256, "vocab_size": 8192, "n_layer": 6, "n_head": 6, "n_embd": 384, "bias": False}
LLAMA = {"position": "rope", "norm": "rmsnorm", "activation": "swiglu"}
WIDE = {"n_embd": 768, "vocab_size": 2048, "block_size": 128}
GPTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "float32, sdpa": ({"attention": "sdpa"}, {}),
    "float32, attention written out": ({"attention": "written"}, {}),
    "bf16, sdpa": ({"attention": "sdpa"}, {"dtype": "bfloat16"}),
    "bf16, attention written out": ({"attention": "written"}, {"dtype": "bfloat16"}),
    "bf16, Llama's parts": (LLAMA | {"attention": "sdpa"}, {"dtype": "bfloat16"}),
    "float32, two micro-batches": ({"attention": "sdpa"}, {"grad_accum_steps": 2}),
    "bf16, recomputation": ({"attention": "sdpa"}, {"dtype": "bfloat16", "recompute": True}),
    "float32, wide, one row": (WIDE | {"attention": "sdpa"}, {"batch_size": 1}),
    "float32, wide, one row, Muon": (WIDE | {"attention": "sdpa"}, {"batch_size": 1, "optimizer": "muon"}),
}
TUNED = {"fine-tuning, full, bf16": "full", "fine-tuning, LoRA, bf16": "lora", "fine-tuning, QLoRA, bf16": "qlora"}
ROWS, LENGTH, VOCABULARY = 4, 256, 4096  # of the models that are fine-tuned
TOLERANCE = 0.15
# glibc keeps small freed pieces for later, so that the process seems to need more than its tensors do.
NO_GAPS = {"MALLOC_MMAP_THRESHOLD_": "65536"}


class Noise:
    """Random tokens: what is learnt plays no part."""

    fingerprint = ""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """x and y (B, T)."""
        ids = torch.randint(self.vocab_size, (batch_size, block_size + 1), generator=generator)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def settings(name: str) -> tuple[GPTConfig, TrainConfig, Plan]:
    """Shape, training and plan of one of GPTS."""
    shape, training = GPTS[name]
    training = {"steps": 3, "batch_size": 8, "country": ""} | training
    recompute = training.pop("recompute", False)
    gpt, config = GPTConfig(**BASE | shape), TrainConfig(**training)
    return gpt, config, Plan.of(config, gpt.attention, recompute=recompute)


def run_gpt(name: str) -> None:
    """Three steps of a real training."""
    gpt, config, plan = settings(name)
    model = GPT(gpt)
    if plan.recompute:  # train() itself has no such option
        from torch.utils.checkpoint import checkpoint

        for block in model.blocks:
            forward = block.forward
            block.forward = lambda *args, forward=forward: checkpoint(forward, *args, use_reentrant=False)  # type: ignore
    train(model, Noise(gpt.vocab_size), None, config, quiet=True)


def hub_config() -> Any:
    """A small model of Llama's kind."""
    from transformers import AutoConfig

    sizes = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 8}
    sizes |= {"num_key_value_heads": 8, "head_dim": 32, "vocab_size": VOCABULARY, "max_position_embeddings": 512}
    return AutoConfig.for_model("llama", **sizes, tie_word_embeddings=True)


def tuned_model(method: str) -> Any:
    """The model as it is fine-tuned: all of it in float32, or in bf16 or NF4 with an adapter in float32."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    if method == "full":
        return AutoModelForCausalLM.from_config(hub_config(), dtype=torch.float32).train()
    from peft import LoraConfig, get_peft_model

    model = AutoModelForCausalLM.from_config(hub_config(), dtype=torch.bfloat16)
    if method == "qlora":
        four = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=four, dtype=torch.bfloat16)
        keep_unpacked(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapted = get_peft_model(
        model, LoraConfig(r=16, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapted.train()


def tune(model: Any) -> None:
    """Three steps of fine-tuning, as TRL makes them: autocast, fused AdamW."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    for _ in range(3):
        ids = torch.randint(VOCABULARY, (ROWS, LENGTH))
        with torch.autocast("cpu", torch.bfloat16):
            made = model(input_ids=ids, labels=ids, use_cache=False)
        made.loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def tensors_of(work: Callable[[], object]) -> float:
    """The most bytes that tensors held at a time, of those that were made meanwhile."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(changes))


def process_of(work: Callable[[], object]) -> float:
    """The most bytes that the process held, less what it holds now."""
    import psutil

    before, highest = psutil.Process().memory_info().rss, peak_memory_bytes("cpu")
    work()
    after = peak_memory_bytes("cpu")
    if after <= highest:
        raise SystemExit("the run stayed below what the imports had needed: nothing was measured, take a larger model")
    return float(after - before)


def child(name: str, how: str) -> None:
    """Measure one configuration and print the bytes; runs in a process of its own."""
    one_core()
    torch.manual_seed(0)
    if name in TUNED:
        model = tuned_model(TUNED[name])
        bytes_ = tensors_of(lambda: tune(model)) + model.get_memory_footprint()
    else:
        tiny = GPTConfig(block_size=16, vocab_size=64, n_layer=1, n_head=1, n_embd=16, attention="sdpa")
        config = settings(name)[1]
        train(GPT(tiny), Noise(64), None, config, quiet=True)  # what torch loads at its first use is no matter
        bytes_ = (tensors_of if how == "tensors" else process_of)(lambda: run_gpt(name))
    print(json.dumps(bytes_))


def measured(name: str, how: str, no_gaps: bool = True) -> float:
    """The bytes of one configuration, from a fresh process."""
    command = [sys.executable, __file__, "--child", name, "--how", how]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} | (NO_GAPS if no_gaps else {})
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{name}, {how}: {done.stderr.strip()[-1500:]}")
    return float(done.stdout.splitlines()[-1])


def counted(name: str) -> float:
    """The bytes that the formulas give, on a CPU."""
    if name in TUNED:
        plan = Plan(method=TUNED[name], batch_size=ROWS, block_size=LENGTH)
        config = hub_config()
        sizes = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.num_key_value_heads)
        sizes += (config.head_dim, config.intermediate_size)
        shape = of_llama(name, tuned_model("full").num_parameters(), sizes, VOCABULARY, config.max_position_embeddings)
        return sum(peak(shape, plan, cuda=False)[1].values())
    gpt, _, plan = settings(name)
    return sum(peak(of_gpt(gpt), plan, cuda=False)[1].values())


def compared(what: str, ours: float, real: float) -> dict[str, Any]:
    """A line of the table: MB counted, MB measured, and whether they are within the tolerance."""
    line = row(what, ours / 1e6, real / 1e6)
    return line | {"goal": f"within {TOLERANCE:.0%}", "met": abs(ours / real - 1) <= TOLERANCE}


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--how", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.how)
        return
    quiet_libraries()
    rows = []
    for name in list(GPTS)[-1:] if args.quick else [*GPTS, *TUNED]:
        ours = counted(name)
        rows.append(compared(f"{name}: tensors, MB", ours, measured(name, "tensors")))
        if name in GPTS:
            rows.append(compared(f"{name}: the process, MB", ours, measured(name, "process")))
        for line in rows[-1 - (name in GPTS) :]:
            print(f"{line['what']}: counted {line['ours']:.0f}, measured {line['peer']:.0f}", flush=True)
    if not args.quick:
        name = next(iter(GPTS))
        ours, real = counted(name), measured(name, "process", no_gaps=False)
        rows.append(row(f"{name}: the process, MB, with glibc's own threshold", ours / 1e6, real / 1e6))
    notes = (
        "Ours: bytes that the formulas count for a CPU. Peer: the measured peak, so that a ratio of 1 is exact and one "
        "below 1 counts too little. Three steps of train() in a fresh process; 6 layers, 384 wide, 8 rows of 256 "
        "tokens, a vocabulary of 8,192, unless told otherwise. Tensors: from the profiler's books. The process: peak "
        "RSS less the RSS before the model was made, with MALLOC_MMAP_THRESHOLD_=65536, so that glibc gives freed "
        "pieces back; the last line shows what its own threshold adds in gaps, which no formula knows. Fine-tuning: a "
        "Llama of 6 layers, 256 wide, 4 rows of 256 tokens, an adapter of rank 16 with dropout on all linear layers."
    )
    report("budget", rows, args, notes)


if __name__ == "__main__":
    main()
