"""From a question to a verdict: both forms, examples of the hub, and a tuning of two steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset

from workshop_utils.chat import models
from workshop_utils.machine.profiles import choose
from workshop_utils.pocket import shops
from workshop_utils.sql import (
    Sandbox,
    answers,
    attach,
    compact,
    config,
    conversations,
    messages,
    of_hub,
    of_shops,
    prompt,
    standard,
)
from workshop_utils.sql import verdicts as judged
from workshop_utils.sql.examples import HUB_SET
from workshop_utils.sql.form import tables
from workshop_utils.sql.recipe import never_trained
from workshop_utils.tuning import lora
from workshop_utils.tuning.finetune import tune


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_HURRY", "1")


def test_the_compact_form_is_undone_for_every_query_and_keeps_schemas_short() -> None:
    for one in shops.to_train(300) + shops.to_test(100, "databases"):
        assert standard(compact(one.query)) == one.query
        assert [set(columns) for columns in tables(one.database.schema).values()] == [
            {"id", *table.columns, *([f"{table.refers}_id"] if table.refers else [])} for table in one.database.tables
        ]
    toys = shops.shops()[0]
    assert prompt(toys.schema, "How many?").split("\n")[1] == " toys: id, name, colour, price, stock, makers_id"
    assert toys.schema in prompt(toys.schema, "How many?", compact=False)


def test_replies_of_large_models_become_sql() -> None:
    assert standard("```sql\nSELECT a FROM t;\n```\nThis query ...") == "SELECT a FROM t"
    assert standard("select count(*) from t where a = ' Lily' and b. c = 'it''s';") == (
        "select count(*) from t where a = 'Lily' and b.c = 'it''s'"
    )


def test_columns_are_read_from_statements_of_other_peoples_schemas() -> None:
    schema = (
        "CREATE TABLE IF NOT EXISTS `a` (id INT PRIMARY KEY, price DECIMAL(5, 2), PRIMARY KEY (id), "
        "FOREIGN KEY (b_id) REFERENCES b(id)); INSERT INTO a VALUES (1, 2.5); create table b(x text default 'y')"
    )
    assert tables(schema) == {"a": ["id", "price"], "b": ["x"]}


def test_examples_of_the_hub_are_selects_that_run_and_the_splits_stay_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    folder = tmp_path / HUB_SET
    folder.mkdir(parents=True)
    context = "CREATE TABLE a (id INT, price DECIMAL(5,2)); INSERT INTO a VALUES (1, 2.5), (2, 3.5);"
    queries = {
        "good": "SELECT SUM(price) FROM a WHERE id > 1;",
        "changes": "DELETE FROM a;",
        "another dialect": "SELECT TOP 1 id FROM a;",
        "cte": "WITH x AS (SELECT id FROM a) SELECT COUNT(*) FROM x;",
    }
    rows = [{"id": i, "sql_context": context, "sql_prompt": q, "sql": s} for i, (q, s) in enumerate(queries.items())]
    Dataset.from_list(rows).to_parquet(folder / "synthetic_text_to_sql_train.snappy.parquet")
    Dataset.from_list(rows[:1]).to_parquet(folder / "synthetic_text_to_sql_test.snappy.parquet")
    with Sandbox() as sandbox:
        found = of_hub(9, sandbox=sandbox)
        assert [one.question for one in found] == ["good", "cte"]
        assert found[0].schema == "CREATE TABLE a (id INT, price DECIMAL(5,2));"
        assert all(one.right for one in judged(sandbox, found, [one.query for one in found]))
    assert [one.question for one in of_hub(9)] == ["good", "another dialect", "cte"]
    assert [one.question for one in of_hub(9, "test")] == ["good"]
    assert len(of_hub(1)) == 1
    with pytest.raises(FileNotFoundError, match="validation split"):
        of_hub(1, "validation")
    Dataset.from_list([{"text": "x"}]).to_parquet(folder / "synthetic_text_to_sql_test.snappy.parquet")
    with pytest.raises(ValueError, match="no column 'sql_context'"):
        of_hub(1, "test")


def test_the_symbols_are_found_and_trained_beside_the_adapter_and_come_back_with_it(tmp_path: Path) -> None:
    profile = choose("pocket")
    examples = of_shops(shops.to_train(4, 0))
    rows = conversations(examples)
    base = lora.load_base("pocket-instruct", profile)
    unknown = set(base.tokenizer.convert_ids_to_tokens(sorted(never_trained(base))))
    assert not unknown & {"Ġthe", "Ġname", "a", ".", "1"}
    assert ";" in unknown
    assert rows[0][-1]["content"].endswith(";")
    ready = attach(base, rows)
    semicolon = base.tokenizer.convert_tokens_to_ids(";")
    assert ready.model.active_peft_config.trainable_token_indices == {"embed_tokens": [semicolon]}
    tuned = tune(ready, rows, config(profile), tmp_path, profile, quiet=True).model
    said = answers(tuned, examples)
    again = lora.load(lora.load_base("pocket-instruct", profile), tmp_path)
    assert answers(again, examples) == said
    first, second = examples[:2]
    talk = conversations(examples, 2)[0]
    assert talk == [
        *messages(first),
        {"role": "user", "content": second.question},
        {"role": "assistant", "content": compact(second.query)},
    ]
    shots = messages(examples[0], examples[1:3])
    assert len(shots) == 6
    assert shots[-1]["content"] == compact(examples[0].query)


def test_a_model_whose_tokenizer_has_no_bytes_has_no_such_rows() -> None:
    model = models.load("pocket-instruct", choose("pocket"))
    model.tokenizer.get_vocab = lambda: {"a": 0}
    assert never_trained(model) == set()
