"""The portable cells of a lesson do its whole job without this package, as a learner would paste them."""

import ast
import json
import re
from pathlib import Path

import pytest
import torch
from pasted import BLOCKED, alone, portable, program

from workshop_utils.chat.models import POCKET
from workshop_utils.gpt import GPT, GPTConfig

ROOT = Path(__file__).resolve().parents[2]

# What the cell before them sets, here with a small text and few steps: by the lesson's number.
SETTINGS: dict[str, str] = {
    "01": f"""
BASE, INSTRUCT = ({str(ROOT / "workshop_utils/pocket/models")!r} + end for end in ("/base", "/instruct"))
DEVICE, DTYPE, ATTENTION = "cpu", "float32", "sdpa"
""",
    "02": """
from pathlib import Path
TEXTS = [f"Fox number {i} lost a kite and found {i % 7} more, naïve as it was." for i in range(300)]
VOCAB, DEVICE, FOLDER = 300, "cpu", Path()
""",
    "03": "",  # a model alone: no text, no device
    "04": """
import numpy as np

DATA = {"train": np.arange(5_000, dtype=np.uint16) % 60, "val": np.arange(700, dtype=np.uint16) % 60}
CONFIG = GPTConfig(block_size=32, vocab_size=64, n_layer=1, n_head=2, n_embd=32)
DEVICE, DTYPE, COUNTRY, FOLDER = "cpu", "bfloat16", "GBR", "out"
STEPS, BATCH, PARTS, RATE = 20, 2, 2, 3e-3
""",
    "06": """
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

texts = [f"Story {i}: the {animal} went home." for i in range(150) for animal in ("cat", "fox")]
Dataset.from_dict({"text": texts, "id": texts}).to_parquet("part-0.parquet")
made = Tokenizer(models.BPE())
made.pre_tokenizer = pre_tokenizers.ByteLevel()
made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=300, special_tokens=["<end>"]))
made.save("tokenizer.json")
FILES, TOKENIZER, DEVICE, DTYPE = ["part-0.parquet"], "tokenizer.json", "cpu", "float32"
STEPS, BLOCK, RATE = 3, 16, 3e-3
shuffled = lambda items, n, rng: items
""",
    "07": f"""
import json
from pathlib import Path

MODEL = {str(POCKET["pocket-instruct"])!r}
DEVICE, DTYPE, ATTENTION, COUNTRY, END = "cpu", "float32", "sdpa", "GBR", "<end_of_turn>"
TARGETS, MAX_LENGTH, PAD, FOLDER, DATA = ["q_proj", "up_proj"], 128, None, "out", {{}}
STEPS, RATE, BATCH, BACKEND = 3, 1e-3, 4, "transformers"
for name, n in (("train", 16), ("held_out", 4)):
    talk = [("user", f"My {{name}} broke."), ("assistant", f"Your {{name}} is not in your power.")]
    line = json.dumps({{"messages": [{{"role": role, "content": text}} for role, text in talk]}})
    Path(name).write_text("\\n".join([line] * n))
    DATA[name] = name
""",
    "08": f"""
import json
from pathlib import Path

MODEL = {str(POCKET["pocket-instruct"])!r}
DEVICE, DTYPE, ATTENTION, COUNTRY, END = "cpu", "float32", "sdpa", "GBR", "<end_of_turn>"
TARGETS, RANK, NEW, NLL = ["q_proj", "v_proj"], 4, [59], {{"loss_type": "nll"}}  # 59 is the semicolon
STEPS, RATE, BATCH, ACCUMULATE, BETA2, MAX_LENGTH, PAD = 3, 2e-3, 4, 1, 0.98, 128, 16
AS_SQL, FOLDER, DATA, TEST = str.strip, "out", "train", "test"
talk = [{{"role": "user", "content": "toys: id. How many?"}}, {{"role": "assistant", "content": "select 1;"}}]
Path(DATA).write_text("\\n".join([json.dumps({{"messages": talk * 2}})] * 16))
row = {{"messages": talk[:1], "database": "create table toys (id);", "gold": "select count(*) from toys"}}
golds = ["select count(*) from toys", "select id from toys where id like 'a%'", "select none from toys"]  # one fails
Path(TEST).write_text("\\n".join(json.dumps(row | {{"gold": gold}}) for gold in golds))
""",
    "09": """
import json
from pathlib import Path

POCKET = Path(PACKAGE) / "pocket" / "models"
talk = [{"role": "user", "content": "My hen is late."}, {"role": "assistant", "content": "A hen obeys nature."}]
Path("held_out.jsonl").write_text("\\n".join([json.dumps({"messages": talk})] * 3))
MODEL, ADAPTER, FOLDER, DATA = str(POCKET / "instruct"), str(POCKET / "stoic"), ".", "held_out.jsonl"
JUDGED = str(Path(PACKAGE) / "data_files" / "labelled_pairs.jsonl")
DEVICE, DTYPE, ATTENTION = "cpu", "float32", "sdpa"
""",
    "10": """
from pathlib import Path

POCKET = Path(PACKAGE) / "pocket" / "models"
MODEL, ADAPTER, FOLDER = str(POCKET / "instruct"), str(POCKET / "stoic"), "."
DEVICE, DTYPE, ATTENTION, END = "cpu", "float32", "sdpa", "<end_of_turn>"
""",
    "11": f"""
import re
import torch
from torch.nn import functional as F

MODEL, DEVICE, MAX_LENGTH = {str(ROOT / "workshop_utils/pocket/models/encoder")!r}, "cpu", 32
TEXTS = [f"Once upon a time a fox called Tom had {{i}} kites, and lost {{i % 7}} of them." for i in range(280)]
BLANKS = ["Once upon a [MASK] there was a fox."]
TRAIN_SECONDS, RATE, MUON = 0.5, 1e-3, 0.015
soft_loss = lambda student, teacher, temperature: ((student - teacher) ** 2).mean()
pool = lambda hidden, mask: (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)

def new_name(name):
    found = re.search("layers.([0-9]+)", name)
    if found is None:
        return name
    return "" if int(found[1]) % 2 else name.replace(found[0], f"layers.{{int(found[1]) // 2}}")

from transformers import AutoModel, AutoTokenizer
ENCODER, TOKENIZER = AutoModel.from_pretrained(MODEL), AutoTokenizer.from_pretrained(MODEL)
NOTES = ["The fox is red.", "The kite is in the tree.", "The bus goes at six.", "A cat.", "A hat.", "A bat."]
QUESTIONS, WANTED = ["Where is the kite?"], [1]
""",
}


def test_the_package_cannot_be_had_in_there(tmp_path):
    assert "portable cells use nothing" in alone(BLOCKED + "import workshop_utils.gpt", tmp_path).stderr


@pytest.mark.parametrize("number", sorted(SETTINGS))
def test_portable_cells_run_alone(number, tmp_path):
    cells = portable(number)
    assert cells, "no cell is tagged portable"
    package = f"PACKAGE = {str(ROOT / 'workshop_utils')!r}\n"  # its files, which nothing imports
    done = alone(program(number, package + SETTINGS[number]), tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not any(re.search(r"\bprofile\b", cell) for cell in cells)


def test_the_gpt_of_lesson_03_computes_what_the_package_computes():
    cells: dict = {}
    exec("\n\n".join(portable("03")), cells)
    theirs = GPT(GPTConfig(block_size=12, vocab_size=64, n_layer=2, n_head=2, n_embd=16))
    own = cells["GPT"](cells["GPTConfig"](block_size=12, vocab_size=64, n_layer=2, n_head=2, n_embd=16))
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    own.load_state_dict(theirs.state_dict())
    x, y = torch.randint(64, (2, 2, 12), generator=torch.Generator().manual_seed(0))
    y[0, :3] = -1
    for mine, expected in zip(own(x, y), theirs(x, y), strict=True):
        assert torch.allclose(mine, expected, atol=1e-5)
    assert own(x)[1] is None
    greedy = own.generate(x[:, :4], 15, temperature=0)
    assert torch.equal(greedy, theirs.generate(x[:, :4], 15, temperature=0))


def test_the_calls_of_unsloth_match_the_signatures_of_its_pinned_releases():
    called = {}
    for node in ast.walk(ast.parse("\n\n".join(portable("07")))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("FastLanguageModel."):
            called.setdefault(node.func.attr, set()).update(word.arg for word in node.keywords)
    assert set(called) == {"from_pretrained", "get_peft_model", "for_training", "for_inference"}
    for signatures in json.loads((ROOT / "tests" / "unsloth_signatures.json").read_text()).values():
        assert all(words <= set(signatures[name]) for name, words in called.items())


UNSLOTH = ROOT / ".venv-unsloth" / "bin" / "python"


@pytest.mark.skipif(not UNSLOTH.is_file(), reason="make test-unsloth makes the environment that this needs")
def test_the_portable_cells_of_lesson_07_run_in_unsloth(tmp_path):
    settings = SETTINGS["07"].replace('"transformers"', '"unsloth"')
    options = ("UNSLOTH_FORCE_CPU", "UNSLOTH_COMPILE_DISABLE", "UNSLOTH_DISABLE_STATISTICS")
    done = alone(program("07", settings), tmp_path, UNSLOTH, **dict.fromkeys(options, "1"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "loaded again, the same answer: True" in done.stdout


def test_every_lesson_with_portable_cells_is_tried():
    lessons = {path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {number for number in lessons if portable(number)} == set(SETTINGS)
