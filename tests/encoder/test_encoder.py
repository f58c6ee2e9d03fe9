"""Masked language models of the pocket profile: what is hidden, what is learnt, what half of the layers keep."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, DataCollatorForLanguageModeling

from workshop_utils.encoder import (
    accuracy,
    distillation_loss,
    encoder_tokenizer,
    fill,
    half,
    masked,
    new_encoder,
    rows_of,
    train,
)
from workshop_utils.pocket import stories


@pytest.fixture(scope="module")
def tokenizer():
    return encoder_tokenizer()


@pytest.fixture(scope="module")
def rows(tokenizer):
    return rows_of(list(stories.texts(40)), tokenizer)


def tiny(tokenizer, n_layer=2):
    torch.manual_seed(0)
    return new_encoder(tokenizer, n_layer, 32).eval()


def shares(read, ids, labels, tokenizer):
    """Of all tokens: chosen; of the chosen ones: [MASK], as they were, and something else."""
    chosen = labels != -100
    hidden = read[chosen] == tokenizer.mask_token_id
    same = read[chosen] == ids[chosen]
    text = ~torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    return [chosen.sum() / text.sum(), *(x.float().mean() for x in (hidden, same, ~hidden & ~same))]


def test_masking_hides_as_transformers_collator_does(tokenizer, rows):
    many = rows.repeat(20, 1)
    ours = masked(many, tokenizer, torch.Generator().manual_seed(0))
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15, seed=1)
    theirs = collator([{"input_ids": row} for row in many])
    theirs = theirs["input_ids"], theirs["labels"]
    for read, labels in (ours, theirs):
        assert torch.equal(labels[labels != -100], many[labels != -100])
        assert torch.equal(read[labels == -100], many[labels == -100])
        assert not torch.isin(many[labels != -100], torch.tensor(tokenizer.all_special_ids)).any()
        found = shares(read, many, labels, tokenizer)
        assert found == pytest.approx([0.15, 0.8, 0.1, 0.1], abs=0.01)


def test_an_evaluation_hides_all_that_it_asks_for(tokenizer, rows):
    read, labels = masked(rows, tokenizer, torch.Generator().manual_seed(0), only_masks=True)
    assert (read[labels != -100] == tokenizer.mask_token_id).all()


def test_an_encoder_learns_what_it_is_shown(tokenizer, rows):
    model = tiny(tokenizer)
    before = sum(accuracy(model, rows[:4], tokenizer))
    losses = train(model, rows[:4], tokenizer, 120, batch=4, rate=0.02, muon=0.06)
    assert losses[0] > 5
    assert losses[-1] < 5
    assert sum(accuracy(model, rows[:4], tokenizer)) > before + 0.2


def test_training_is_the_same_twice_and_stops_when_told(tokenizer, rows):
    ran = [train(tiny(tokenizer), rows, tokenizer, 9, each_step=lambda step, loss: step == 3) for _ in range(2)]
    assert ran[0] == ran[1]
    assert len(ran[0]) == 3


def test_half_keeps_every_other_layer(tokenizer):
    teacher = tiny(tokenizer, 4)
    student = half(teacher)
    assert student.config.num_hidden_layers == 2
    theirs = teacher.state_dict()
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, theirs[name.replace("layers.1.", "layers.2.")]), name
    torch.manual_seed(1)
    fresh = half(teacher, copied=False)
    assert fresh.num_parameters() == student.num_parameters()
    assert not torch.equal(fresh.get_input_embeddings().weight, teacher.get_input_embeddings().weight)


def test_half_of_a_bert(tokenizer):
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64
    )
    teacher = BertForMaskedLM(config)
    student = half(teacher)
    assert student.config.num_hidden_layers == 2
    ours, theirs = student.bert.encoder.layer[1], teacher.bert.encoder.layer[2]
    assert torch.equal(ours.output.dense.weight, theirs.output.dense.weight)


def test_distillation_is_what_its_docstring_says(tokenizer, rows):
    teacher, student = tiny(tokenizer, 2), half(tiny(tokenizer, 2))
    read, labels = masked(rows[:3], tokenizer, torch.Generator().manual_seed(0))
    attend = (rows[:3] != tokenizer.pad_token_id).long()
    with torch.no_grad():
        same = distillation_loss(teacher, teacher, read, attend, labels, weights=(1, 0, 1))
        assert same == pytest.approx(0, abs=1e-5)
        own = student(input_ids=read, attention_mask=attend, labels=labels).loss
        assert distillation_loss(student, teacher, read, attend, labels, weights=(0, 1, 0)) == pytest.approx(float(own))
        said, taught = (
            one(input_ids=read, attention_mask=attend).logits[labels != -100] / 3 for one in (student, teacher)
        )
        p, q = taught.softmax(-1), said.softmax(-1)
        by_hand = 9 * (p * (p / q).log()).sum(-1).mean()
        found = distillation_loss(student, teacher, read, attend, labels, temperature=3, weights=(1, 0, 0))
        assert found == pytest.approx(float(by_hand), rel=1e-2)
    distillation_loss(student, teacher, read, attend, labels).backward()
    assert all(p.grad is None for p in teacher.parameters())


def test_blanks_are_filled_by_the_likeliest_tokens(tokenizer):
    model = tiny(tokenizer)
    found = fill(model, tokenizer, "Once upon a [MASK] there was", k=3)
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    assert len(found) == 3
    with pytest.raises(ValueError, match=r"no \[MASK\]"):
        fill(model, tokenizer, "Once upon a time")


def test_a_blank_before_the_mask_belongs_to_the_hidden_token(tokenizer):
    ids = tokenizer("Once upon a time")["input_ids"]
    assert tokenizer("Once upon a [MASK]")["input_ids"] == [*ids[:-2], tokenizer.mask_token_id, ids[-1]]
