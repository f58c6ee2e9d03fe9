"""Every lesson as on a machine with one T4, on a CPU: in float16, with a small copy of the hub beside it.

Its exercises have right answers of another form; of the two lessons with Qwen none is touched.

Sizes are those of WORKSHOP_HURRY, the GPU is that of offline/one_gpu.py. What only a chip shows is not seen here: its
memory, its kernels, Unsloth.
"""

import re
import socket

import pytest
from lesson_runs import LESSONS, MODELS_KEPT, Ask, Executed

from workshop_utils.machine import profiles

QWEN = profiles.PAIRS["t4"]
MAX_PEAK_MB = 12_000  # what Colab leaves beside a T4
ASKS = [("t4", number) for number in LESSONS] + [("qwen", "01"), ("qwen", "07")]
# What setup() prints on such a machine.
CHOSEN = [
    r"^profile  t4, because Tesla T4 has 16 GB",
    r"^device   cuda: Tesla T4,",
    r"^numbers  float16, because its capability is 7\.5",
]
# What a lesson prints when it has taken the t4 path; a lesson whose path is the same everywhere is not in here.
SIGNS = {
    "01": [r"google/gemma-2-2b: [\d,]+ parameters", r"google/gemma-2-2b-it: ", "<start_of_turn>user\n"],
    "02": ["GPT-2's tokenizer is here, 50,257 tokens", r"documents, uint16, tokenizer gpt2 of 50,257"],
    "03": [r"largest difference: \de-0[5-9]\nThe most important thing about a small language model is"],
    "04": [
        r"tokenizer gpt2 of 50,257",
        r"log\(50,304\)",
        "This text has no answer key",
        r"0\.3: the loss \(now nan\) or its gradient is not finite at step",  # float16 overflows; the lesson goes on
        "optimizer +adamw",
        "every bit the same: True",
    ],
    "05": [r"limit [\d,]+ MB\nout of memory with batch_size 16"],
    "06": ["both runs compute on cpu in float32: 2 processes need a GPU each, and this machine has 1"],
    "07": [
        "backend  transformers",
        r"\d+ pairs to train on",
        r"steps of 2 x 4 conversations, learning rate 0\.0002",
        "loaded again, the same answer: True",
        "refused: the adapter in .* was trained on google/gemma-2-2b-it with other weights",
    ],
    "08": [
        r"held out: {'questions and databases': 8}",
        r"steps of 2 x 4 conversations, learning rate 0\.0002",
        r"tokens of our queries among them: \[\]",
        r"queries are the same as before merging",
    ],
    "09": [
        "adapter from lesson 07's run on this machine|its run comes first",
        "written by hand: 0 pairs of rows",
        r"left out: float32 \(for CPUs: .*GGUF F32, GGUF Q8_0, GGUF Q4_0 \(gemma2 ",
    ],
    "10": [
        "^google/gemma-2-2b-it on cuda, computing in float16",
        "gemma2: see the commands above",
        r"a llama with [\d,]+ parameters",  # the pocket model goes on
        "right +tokens 100%  template 100%",
        r"fox-teller-f16.gguf: [\d,]+ bytes",
    ],
}

QWEN_SIGNS = {"01": [r"<\|im_start\|>user\n"], "07": [r"<\|im_end\|>'$"]}  # the template that is shown is Qwen's


@pytest.mark.rehearsal
@pytest.mark.lessons
@pytest.mark.parametrize("ask", ASKS, ids="-".join)
def test_a_lesson_runs_along_the_path_of_a_t4(ask: Ask, done: Executed):
    way, number = ask
    done.passed(MAX_PEAK_MB)
    if way == "t4":
        done.solved()
    assert done.refused <= {repr(socket.gethostname())}  # torchrun looks up what this machine is called
    said = "".join(shown for _, shown in done.cells)
    signs = SIGNS.get(number, []) if way == "t4" else QWEN_SIGNS[number]
    for sign in (*CHOSEN, *signs):
        assert re.search(sign, said, re.MULTILINE), sign
    assert f"models   {' and '.join(profiles.GEMMA if way == 't4' else QWEN)}\n" in said
    assert "1,000 documents of roneneldan/TinyStories, from WORKSHOP_HUB" in said
    assert "HELD OUT" not in said
    if number in MODELS_KEPT and way == "t4":
        assert "loaded as torch.float16 attention eager\n" in said  # SDPA cannot soft-cap
