"""The pocket profile's encoder: ModernBERT of transformers, six thin layers, on the pocket tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SHIPPED = str(Path(__file__).parents[1] / "pocket" / "models" / "encoder")  # tools/build_encoder.py makes it
SPECIALS = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
MAX_LENGTH = 160  # tokens of a text, with [CLS] and [SEP]; two stories in three are shorter


def encoder_tokenizer() -> PreTrainedTokenizerFast:
    """The pocket tokenizer with four more tokens: it writes [CLS] before a text and [SEP] after it, as BERT's does."""
    from tokenizers import AddedToken
    from tokenizers.processors import TemplateProcessing

    from workshop_utils.text.tokenizer import pocket_tokenizer, to_transformers

    made = to_transformers(pocket_tokenizer())
    # A blank in front of [MASK] belongs to the token that it hides, " fox": taken along, as in RoBERTa's tokenizer.
    mask = AddedToken("[MASK]", lstrip=True, special=True, normalized=False)
    made.add_special_tokens(cast(Any, SPECIALS | {"mask_token": mask}))
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", made.cls_token_id), ("[SEP]", made.sep_token_id)]
    )
    made.model_max_length = MAX_LENGTH
    return made


def new_encoder(tokenizer: PreTrainedTokenizerFast, n_layer: int = 6, width: int = 128) -> Any:
    """A masked language model with fresh weights, drawn from torch's global generator.

    Args:
        tokenizer: its vocabulary and special tokens.
        n_layer: number of layers.
        width: of the hidden states; a multiple of 32, which is the width of a head.

    Source: Warner et al., "Smarter, Better, Faster, Longer", arXiv 2412.13663 (ModernBERT), here with attention to the
        whole text in every layer.
    """
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    # One kind of layer: all attend to the whole text.
    options: dict[str, Any] = {"layer_types": ["full_attention"] * n_layer}
    options |= {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("pad", "cls", "sep")}
    config = ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=n_layer,
        num_attention_heads=width // 32,
        intermediate_size=width * 8 // 3 // 16 * 16,  # a gated layer has three matrices where BERT's has two
        max_position_embeddings=256,
        initializer_range=0.08,  # about 1 / sqrt(width): the usual 0.02 belongs to wide models
        **options,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
    )
    return ModernBertForMaskedLM(config)


def load_encoder() -> tuple[Any, Any]:
    """The trained encoder of the package, a masked language model on the CPU in float32, and its tokenizer."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    from workshop_utils.machine.quiet import no_bar

    with no_bar(True):
        model = AutoModelForMaskedLM.from_pretrained(SHIPPED, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(SHIPPED)
