"""Rows of conversations: only what is marked is learnt, and every row has its turn."""

import pytest
import torch
from rows import Rows


def rows(n: int = 200) -> Rows:
    """Row number i has 2 + i % 40 tokens, all of them i % 250, of which only those at odd positions are learnt."""
    made = [([i % 250] * (2 + i % 40), [place % 2 == 1 for place in range(2 + i % 40)]) for i in range(n)]
    return Rows(made, "tests", 256)


def draw(data: Rows, seed: int, batch_size: int = 4, block_size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    return data.batch("rows", batch_size, block_size, torch.Generator().manual_seed(seed))


def test_the_next_token_is_the_target_exactly_where_it_is_learnt_and_a_long_row_loses_its_end():
    data = Rows([([5, 6, 7, 8, 9], [False, False, True, True, False])], "tests", 256)
    x, y = draw(data, 0, batch_size=1, block_size=8)
    assert x[0].tolist() == [5, 6, 7, 8, 0, 0, 0, 0]
    assert y[0].tolist() == [-1, 7, 8, -1, -1, -1, -1, -1]  # 6 and 9 are read, and not learnt
    x, y = draw(Rows([(list(range(100)), None)], "tests", 256), 0, batch_size=1, block_size=16)
    assert (x[0].tolist(), y[0].tolist()) == ([*range(16)], [*range(1, 17)])


def test_padding_is_never_learnt_and_batches_have_few_shapes_of_about_equal_size():
    data, shapes = rows(), set()
    for seed in range(60):
        x, y = draw(data, seed)
        shapes.add(tuple(x.shape))
        for ids, targets in zip(x, y, strict=True):
            learnt = targets != -1
            assert set(targets[learnt].tolist()) <= {int(ids[0])}  # a row says one number only
            assert learnt.sum() == (int((ids != 0).sum()) + 1) // 2 or int(ids[0]) == 0
    assert shapes == {(8, 16), (4, 32)}


def test_every_row_comes_about_equally_often_whatever_its_length():
    data = Rows([([1] * length, None) for length in [4] * 600 + [40] * 600], "tests", 256)
    generator = torch.Generator().manual_seed(0)
    batches = [data.batch("rows", 4, 64, generator)[1] for _ in range(3000)]
    lengths = torch.cat([(y != -1).sum(dim=1) for y in batches])
    assert (lengths == 3).sum() / (lengths == 39).sum() == pytest.approx(1, abs=0.15)
