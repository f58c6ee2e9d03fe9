"""Streams: every row once, whatever the number of readers, and wherever it stops."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
from collections import Counter
from itertools import islice, pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from corpus import quick, small_gpt
from numbered_rows import BLOCK, END, ROWS, TEXTS, drain, expected, found, numbers_encoding, same, write
from torch.utils.data import DataLoader

from workshop_utils.stream import StreamingTokenDataset, readers, rows
from workshop_utils.text import split_of
from workshop_utils.training.batches import unmoved
from workshop_utils.training.processes import DistributedError
from workshop_utils.training.train import train

ENCODING = numbers_encoding()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Several chunks in a file and several groups in a chunk, as a large corpus has them."""
    monkeypatch.setattr(rows, "CHUNK_ROWS", 40)
    monkeypatch.setattr(readers, "GROUP_CHARACTERS", 300)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write(folder, 3)
    return folder


@pytest.fixture
def stream(corpus):
    return lambda **settings: StreamingTokenDataset(corpus, ENCODING, BLOCK, **settings)


def through_json(state: dict) -> dict:
    """A state as a checkpoint keeps it: JSON, and one tensor."""
    plain = {name: value for name, value in state.items() if name != "buffer"}
    return json.loads(json.dumps(plain)) | {"buffer": state["buffer"]}


# --- blocks


def test_documents_go_on_over_blocks_with_an_end_after_each(stream):
    pairs = list(stream(shuffle_buffer=0))
    x, y = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
    n = int((y != -1).sum())
    assert torch.equal(x[1:n], y[: n - 1])  # one stream, cut into pieces
    assert (y[n:] == -1).all()
    assert n > len(y) - BLOCK
    texts = [text for text in TEXTS if split_of(text) == "train"]
    assert ENCODING.decode([*x[:n].tolist(), int(y[n - 1])]) == "".join(text + "<|endoftext|>" for text in texts)
    assert x.dtype == y.dtype == torch.int64
    assert all(x.shape == y.shape == (BLOCK,) for x, y in pairs)


def test_end_of_text_inside_a_document_means_the_letters(tmp_path):
    pq.write_table(pa.table({"text": ["a<|endoftext|>b", "c"]}), tmp_path / "a.parquet")
    [(x, y)] = StreamingTokenDataset(tmp_path, ENCODING, 64, val_percent=0)
    assert (y == END).sum() == 2
    assert ENCODING.decode(x[:15].tolist()) == "a<|endoftext|>b"


def test_splits_share_nothing_and_leave_nothing(stream):
    for split in ("train", "val"):
        part = stream(split=split, val_percent=30)
        assert found(list(part)) == expected(split, 30)
        assert part.report["documents"] + part.report["other_split"] == part.report["rows"] == ROWS


def test_the_shuffle_changes_the_order_only(stream):
    plain, shuffled = list(stream(shuffle_buffer=0)), list(stream(shuffle_buffer=40))
    assert not same(plain, shuffled)
    assert found(plain) == found(shuffled) == expected()
    assert same(shuffled, list(stream(shuffle_buffer=40)))
    assert not same(shuffled, list(stream(shuffle_buffer=40, seed=1)))
    first = [int(x[x >= 256][0]) for x, _ in shuffled]
    assert sum(a > b for a, b in pairwise(first)) > len(first) / 4  # far from sorted


def test_epochs_go_on_without_end_each_in_another_order(stream):
    pairs = list(stream(epochs=3, shuffle_buffer=2))
    assert found(pairs) == Counter({token: 3 * n for token, n in expected().items()})
    order = [token for x, _ in pairs for token in x.tolist() if 256 <= token < END]
    third = len(order) // 3
    assert len({tuple(order[i * third : (i + 1) * third]) for i in range(3)}) == 3
    endless = stream(epochs=0)
    for _ in range(200):
        assert endless.batch("windows", 4, BLOCK)[0].shape == (4, BLOCK)
    assert endless.report["documents"] > 1.5 * len(expected())


# --- shares


@pytest.mark.parametrize("n_files", [1, 3, 4])
@pytest.mark.parametrize("n_readers", [2, 3, 4])
def test_every_row_belongs_to_one_reader(tmp_path, n_files, n_readers):
    write(tmp_path, n_files)
    streams = [
        StreamingTokenDataset(tmp_path, ENCODING, BLOCK, rank=rank, world_size=n_readers) for rank in range(n_readers)
    ]
    parts = [found(list(part)) for part in streams]
    assert sum(parts, Counter()) == expected()
    assert sum(len(part) for part in parts) == len(expected())  # and no document is cut between two
    if n_files == n_readers == 4:  # whole files: nobody reads what others do
        assert [part.report["rows"] for part in streams] == [ROWS // 4] * 4


# --- resume; bench/streaming.py does so at 50 places with workers and ranks


@pytest.mark.parametrize("rank", [None, 0, 1])
def test_goes_on_as_if_nothing_had_happened(stream, rank):
    settings = {"shuffle_buffer": 20} | ({} if rank is None else {"rank": rank, "world_size": 2})
    running, whole = stream(**settings), drain(stream(**settings))
    wanted = random.Random(0).sample(range(len(whole)), 20)
    states = {}
    for i in range(len(whole)):
        if i in wanted:
            states[i] = through_json(running.state_dict())
        assert torch.equal(running.batch("windows", 3, BLOCK)[0], whole[i][0])  # asking changes nothing
    for i, state in states.items():
        again = stream(**settings)
        again.load_state_dict(state)
        assert same(drain(again), whole[i:]), f"stopped before batch {i} of {len(whole)}"
        assert again.report == running.report


def test_workers_go_on_too_and_ctrl_c_does_not_reach_them(stream):
    """Real processes: two workers of a rank, and two of a plain DataLoader."""
    settings = {"num_workers": 2, "shuffle_buffer": 20}
    whole, stopped, again = drain(stream(**settings)), stream(**settings), stream(**settings)
    head = [stopped.batch("windows", 3, BLOCK) for _ in range(40)]
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGINT)
    again.load_state_dict(through_json(stopped.state_dict()))
    assert same(head + drain(stopped), whole)
    assert same(head + drain(again), whole)
    assert found(whole) == expected()
    assert again.report["documents"] == len(expected())
    assert found(list(DataLoader(stream(), batch_size=4, num_workers=2))) == expected()
    with pytest.raises(ValueError, match=r"^among \d+ rows .* no text"):  # no traceback of a worker in the sentence
        stream(split="val", val_percent=0, epochs=0, num_workers=2).batch("windows", 3, BLOCK)


def test_stopped_again_and_again(stream):
    """A stream that was resumed can be resumed, which the state of `datasets` itself cannot."""
    whole, parts, state = drain(stream(shuffle_buffer=7)), [], None
    for _ in range(len(whole)):
        part = stream(shuffle_buffer=7)
        if state:
            part.load_state_dict(state)
        parts.append(part.batch("windows", 3, BLOCK))
        state = through_json(part.state_dict())
    assert same(parts, whole)


def test_an_iteration_goes_on_as_well_but_only_once(stream):
    whole = list(stream(shuffle_buffer=15))
    for stop in (0, 1, 7, len(whole) - 1):
        stopped, fresh = stream(shuffle_buffer=15), stream(shuffle_buffer=15)
        list(islice(stopped, stop))
        fresh.load_state_dict(stopped.state_dict())
        assert same(list(fresh), whole[stop:])
        assert same(list(fresh), whole)


def test_in_a_later_epoch_of_json_lines(tmp_path):
    write(tmp_path, 2, suffix="jsonl")
    stream, again = (StreamingTokenDataset(tmp_path, ENCODING, BLOCK, shuffle_buffer=10, epochs=0) for _ in range(2))
    for _ in range(300):
        stream.batch("windows", 2, BLOCK)
    state = through_json(stream.state_dict())
    assert state["readers"]["0"]["epoch"] == 1
    again.load_state_dict(state)
    after = [stream.batch("windows", 2, BLOCK) for _ in range(150)]
    assert same(after, [again.batch("windows", 2, BLOCK) for _ in range(150)])


def test_reads_on_instead_of_replaying(stream, monkeypatch):
    running, again = stream(shuffle_buffer=20), stream(shuffle_buffer=20)
    for _ in range(60):
        running.batch("windows", 3, BLOCK)
    state, encoded, real = running.state_dict(), [], readers.encode
    monkeypatch.setattr(readers, "encode", lambda texts, encoding: encoded.extend(texts) or real(texts, encoding))
    again.load_state_dict(state)
    drain(again)
    assert 0 < len(encoded) == len(expected()) - state["readers"]["0"]["counts"]["documents"]


def test_a_state_of_another_stream_is_refused(stream, corpus):
    state = stream().state_dict()
    for other, words in [
        (stream(seed=1), "seed: 0 then, 1 now"),
        (stream(world_size=2), "world_size: 1 then, 2 now"),
        (stream(num_workers=2), "num_workers: 0 then, 2 now"),
        (stream(split="val"), "split: train then, val now"),
        (StreamingTokenDataset(sorted(corpus.iterdir())[:2], ENCODING, BLOCK), "files: 3 named"),
    ]:
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(state)


@pytest.mark.parametrize("texts", [TEXTS[::-1], TEXTS[:20]])
def test_a_file_that_was_changed_is_noticed(tmp_path, texts):
    [path] = write(tmp_path, 1)
    stream = StreamingTokenDataset(tmp_path, ENCODING, BLOCK, shuffle_buffer=5)
    list(islice(stream, 60))
    state = stream.state_dict()
    pq.write_table(pa.table({"text": texts}), path)
    stream.load_state_dict(state)
    with pytest.raises(ValueError, match=r"row \d+ of .*part-0.parquet is not what it was when the state was"):
        stream.batch("windows", 3, BLOCK)


# --- training


def test_a_stream_stays_where_it_is_although_something_went_wrong_meanwhile(stream):
    used, first = stream(), stream().batch("windows", 2, BLOCK)
    with pytest.raises(ValueError, match="block_size"), unmoved(used):
        _ = used.batch("windows", 2, BLOCK), used.batch("windows", 2, BLOCK + 1)
    assert same([used.batch("windows", 2, BLOCK)], [first])


def test_train_takes_a_stream(corpus):
    stream = StreamingTokenDataset(corpus, ENCODING, 64, val_percent=30, shuffle_buffer=10, epochs=0)
    held = stream.held_out(5)
    assert found([(held.x, held.y)]) <= expected("val", 30)
    run = train(small_gpt(vocab_size=ENCODING.n_vocab + 1), stream, held, quick(rows="windows", steps=8), quiet=True)
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert run.best_val_loss < 10
    assert stream.fingerprint == held.fingerprint


def test_what_cannot_be_trained_on_is_refused(stream):
    model = small_gpt(block_size=BLOCK, vocab_size=2000)
    with pytest.raises(DistributedError, match="split between 2 processes and 1 are training"):
        train(model, stream(rank=1, world_size=2), None, quick(rows="windows"), quiet=True)
    for batches in (stream(), stream(val_percent=30).held_out(2)):
        for how, block_size in (("rows", BLOCK), ("windows", BLOCK + 1)):
            with pytest.raises(ValueError, match='"windows" of 8'):
                batches.batch(how, 2, block_size, torch.Generator())
