"""GGUF, the file that llama.cpp, Ollama and LM Studio read: written for Llama, Qwen2 and Starcoder2, and read back.

A transformers model and its tokenizer -> one file with everything in it, which llama_cpp.py runs.
llama.cpp splits text by patterns that it knows by name. A tokenizer with another pattern is refused: with other tokens
than in training a model quietly gets worse. Without a tokenizer a file computes with token ids alone.
"""

from __future__ import annotations

import json
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.chat import models, template
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.files import written_atomically
from workshop_utils.machine.quiet import no_bar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

ARCHITECTURES = ("llama", "qwen2", "starcoder2")  # the last is what lesson 04's GPT is (hf.py)
KINDS = {"f32": "F32", "f16": "F16", "q8_0": "Q8_0", "q4_0": "Q4_0"}  # ours, and gguf's
BLOCK = 32  # neighbours in a row that share a scale
# How a byte-level tokenizer splits text before it merges, and what llama.cpp calls it. GPT-2's pattern is the one that
# the tokenizers library has built in; SmolLM2 splits digits off first.
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
MODERN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    (GPT2_SPLIT,): "gpt-2",
    ("digits", GPT2_SPLIT): "smollm",
    (MODERN_SPLIT % r"\p{N}{1,3}",): "llama-bpe",
    (MODERN_SPLIT % r"\p{N}",): "qwen2",
}


def lack_of(model: Any) -> str:
    """Why a model of transformers cannot be written, "" if it can."""
    config = model.config
    if config.model_type not in ARCHITECTURES:
        return (
            f"{config.model_type} is not among the architectures that are written here ({', '.join(ARCHITECTURES)}): "
            "use llama.cpp's convert_hf_to_gguf.py, and then its llama-quantize"
        )
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        return f"its positions are scaled ({rope['rope_type']}): use llama.cpp's convert_hf_to_gguf.py"
    return ""


def _pre_tokenizer(tokenizer: Any) -> str:
    """What llama.cpp (llama-vocab.cpp) calls the way in which a tokenizer splits text; ValueError where it has none."""
    inner = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = inner["pre_tokenizer"] or {}
    steps = steps.get("pretokenizers", [steps])
    if inner["model"]["type"] != "BPE" or steps[-1].get("type") != "ByteLevel":
        raise ValueError(f"no GGUF of this tokenizer: it is {inner['model']['type']}, and not byte-level BPE")
    found = tuple(filter(None, map(_split_of, steps)))
    changes = inner["normalizer"] not in (None, {"type": "NFC"}) or steps[-1]["add_prefix_space"]
    if found not in SPLITS or changes:
        how = "it changes the text first" if changes else f"its pattern is {' and '.join(found) or 'none'}"
        raise ValueError(
            "no GGUF with this tokenizer: llama.cpp would make other tokens of blanks, new lines or digits, since "
            f"{how}, and it knows those of {', '.join(SPLITS.values())}. Train it with one of these, or pass "
            "tokenizer=None: such a file holds no tokenizer and takes token ids alone"
        )
    return SPLITS[found]


def _split_of(step: dict[str, Any]) -> str:
    """The pattern of one step of a pre-tokenizer, "" if it only writes bytes as characters."""
    if step["type"] == "ByteLevel":
        return GPT2_SPLIT if step["use_regex"] else ""
    if step == {"type": "Digits", "individual_digits": True}:
        return "digits"
    if step["type"] == "Split" and step["behavior"] == "Isolated" and not step["invert"]:
        return str(step["pattern"].get("Regex", step["pattern"]))
    return str(step)


def write_gguf(model: Any, tokenizer: Any | None, path: Path | str, kind: str = "q8_0", name: str = "") -> int:
    """Write a model with its tokenizer and template into one file, whole or not at all.

    Args:
        model: LlamaForCausalLM, Qwen2ForCausalLM or Starcoder2ForCausalLM of transformers, in floats.
        tokenizer: its byte-level BPE tokenizer; None for a file that takes token ids and no text.
        path: of the file, which should end in .gguf.
        kind: "f32", "f16", "q8_0" (8 bits and a scale of 16 for 32 weights: 8.5 bits a weight) or "q4_0" (4.5 bits; the
            embedding table, which is often the head too, stays in Q8_0, as llama.cpp keeps it finer). A matrix whose
            rows are no multiple of 32 stays in F16, as llama.cpp's own tool leaves it.
        name: to be shown by programs that open it.

    Returns:
        bytes of the weights in it.

    Raises:
        ValueError: there is no such kind, the model or its tokenizer cannot be written, or llama.cpp would split text
            otherwise than the tokenizer.
        OSError: no space is left, or the folder cannot be written.

    Source: llama.cpp's convert_hf_to_gguf.py and the gguf package, whose quantize does the rounding.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: choose one of {', '.join(KINDS)}")
    if lack := lack_of(model):
        raise ValueError(f"no GGUF of this model: {lack}")
    import gguf

    with written_atomically(path) as file:
        writer = gguf.GGUFWriter(file.name, model.config.model_type)
        _add_shape(writer, model.config, name or Path(path).stem)
        if tokenizer is not None:
            _add_tokenizer(writer, tokenizer, model.config.vocab_size)
        else:
            _add_numbers(writer, model)
        written = _add_weights(writer, model, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return written


def _add_shape(writer: Any, config: Any, name: str) -> None:
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float((config.rope_parameters or {}).get("rope_theta", 10000.0)))
    if config.model_type == "starcoder2":
        writer.add_layer_norm_eps(config.norm_epsilon)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_numbers(writer: Any, model: Any) -> None:
    """In the place of a vocabulary, which llama.cpp insists on, numbers in brackets: text gives no tokens at all."""
    stop = model.generation_config.eos_token_id
    stops = [stop] if isinstance(stop, int) else stop
    if not stops:
        raise ValueError(
            "no GGUF of this model: its generation_config names no end-of-text token, and llama.cpp would take 11 for "
            "it; set model.generation_config.eos_token_id"
        )
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"[{number}]" for number in range(model.config.vocab_size)])
    writer.add_token_merges(["[ ]"])  # it insists on one
    writer.add_add_bos_token(False)
    _add_ids(writer, eos=stops[0], eot=stops[1] if len(stops) > 1 else None)


def _add_tokenizer(writer: Any, tokenizer: Any, vocab_size: int) -> None:
    """The vocabulary, its merges and its special tokens."""
    from gguf import TokenType

    inner = json.loads(tokenizer.backend_tokenizer.to_str())
    names = {number: token for token, number in tokenizer.get_vocab().items()}
    added = {number: token.special for number, token in tokenizer.added_tokens_decoder.items()}
    kinds = {True: TokenType.CONTROL, False: TokenType.USER_DEFINED}  # both are found in a text before it is split
    types = dict.fromkeys(names, TokenType.NORMAL) | {number: kinds[special] for number, special in added.items()}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre_tokenizer(tokenizer))
    writer.add_token_list([names.get(number, f"[PAD{number}]") for number in range(vocab_size)])
    writer.add_token_types([types.get(number, TokenType.UNUSED) for number in range(vocab_size)])
    pairs = inner["model"]["merges"]
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in pairs])
    writer.add_add_bos_token(tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id])
    _add_ids(writer, bos=tokenizer.bos_token_id, eos=tokenizer.eos_token_id, pad=tokenizer.pad_token_id)
    if tokenizer.chat_template:
        _add_ids(writer, eot=next(iter(template.stop_ids(tokenizer)), None))
        writer.add_chat_template(tokenizer.chat_template)


def _add_ids(writer: Any, **special: int | None) -> None:
    for name, number in special.items():
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(int(number))


def _add_weights(writer: Any, model: Any, kind: str) -> int:
    """Every weight under llama.cpp's name for it; returns their bytes."""
    import gguf

    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[config.model_type.upper()], config.num_hidden_layers)
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    written = 0
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and tied:
            continue  # a file without output.weight says that the head is the embedding table
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ValueError(f"no GGUF of this model: llama.cpp has no name for its weight {name}")
        values = _as_llama_cpp(name, tensor, config)
        keep = values.ndim < 2  # norms and biases are few, and matter
        finer = kind == "q4_0" and target in ("token_embd.weight", "output.weight")
        rough = "F16" if values.shape[-1] % BLOCK and kind.startswith("q") else "Q8_0" if finer else KINDS[kind]
        which = getattr(gguf.GGMLQuantizationType, "F32" if keep else rough)
        data = gguf.quants.quantize(values, which)
        writer.add_tensor(target, data, raw_dtype=which)
        written += data.nbytes
    return written


def _as_llama_cpp(name: str, tensor: Tensor, config: Any) -> np.ndarray:
    """The values, float32; a Llama's queries and keys in the order in which llama.cpp rotates them.

    transformers rotates the first half of a head against the second, llama.cpp's Llama even against odd numbers.
    """
    values = tensor.detach().float().cpu().numpy()
    if config.model_type != "llama" or not (".q_proj." in name or ".k_proj." in name):
        return values
    heads = config.num_attention_heads if ".q_proj." in name else config.num_key_value_heads
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def read_gguf(path: Path | str, like: LanguageModel) -> LanguageModel:
    """Read a file back with transformers, its weights unpacked to float32: what llama.cpp would compute with.

    Args:
        path: from write_gguf.
        like: the model that was written; its tokenizer and generation settings are taken over.
    """
    from transformers import AutoModelForCausalLM

    with no_bar(True), redirect_stderr(StringIO()):  # unpacking has a bar of its own, which no setting hides
        made: Any = AutoModelForCausalLM.from_pretrained(
            Path(path).parent,
            gguf_file=Path(path).name,
            dtype="float32",
            attn_implementation=models.attention(like.model.config.model_type),
        )
    made.generation_config = like.model.generation_config
    return replace(like, model=made.to(like.model.device).eval(), source=str(path))


def table_and_rest(path: Path | str) -> tuple[int, int]:
    """Bytes of the embedding table of a file, and of its other weights."""
    from gguf import GGUFReader

    sizes = {tensor.name: int(tensor.n_bytes) for tensor in GGUFReader(path).tensors}
    table = sizes.pop("token_embd.weight")
    return table, sum(sizes.values())
