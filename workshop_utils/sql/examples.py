"""Examples of text to SQL, from the pocket world's shops or from the hub: ask a model, and judge what it answers.

Example -> conversation -> reply -> SQL -> verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import conversation
from workshop_utils.machine.hub_rows import hub_rows
from workshop_utils.pocket.shops import Asked
from workshop_utils.sql import form
from workshop_utils.sql.judge import Verdict, judge
from workshop_utils.sql.sandbox import Sandbox

HUB_SET = "gretelai/synthetic_text_to_sql"
COLUMNS = ("sql_context", "sql_prompt", "sql")
N_FILLINGS = 2  # of a pocket schema, with different rows
MAX_NEW_TOKENS = 80


@dataclass(frozen=True)
class Example:
    """A question to a database and the query that answers it.

    Attributes:
        question: in plain words.
        query: the gold one, in standard SQL.
        schema: the CREATE TABLE statements.
        databases: scripts that make and fill it, one or more.
        kind: of the question, "" if it is not known.
    """

    question: str
    query: str
    schema: str
    databases: tuple[str, ...]
    kind: str = ""


def of_shops(asked: Iterable[Asked]) -> list[Example]:
    """Examples from questions of pocket.shops."""
    return [
        Example(
            one.question, one.query, one.database.schema, tuple(map(one.database.filled, range(N_FILLINGS))), one.kind
        )
        for one in asked
    ]


def of_hub(n: int, split: str = "train", sandbox: Sandbox | None = None) -> list[Example]:
    """Examples from gretelai/synthetic_text_to_sql, 106,000 made by a language model: a SELECT each.

    Its SQL is of several dialects, and some of it is wrong: with a sandbox, only what runs in SQLite is taken.

    Args:
        n: how many at most.
        split: "train" or "test".
        sandbox: tries each gold query; None takes all that begin with SELECT or WITH.

    Raises:
        ConnectionError, FileNotFoundError, ValueError: as in machine.hub_rows.
    """
    found: list[Example] = []
    for row in hub_rows(HUB_SET, COLUMNS, split=split):
        context, question, query = (str(row[column]).strip() for column in COLUMNS)
        if len(found) == n:
            break
        if not query.lower().startswith(("select", "with")):
            continue
        if sandbox is None or not sandbox.run(context, query.rstrip(";")).error:
            found.append(Example(question, query.rstrip(";"), form.statements(context), (context,)))
    return found


def messages(example: Example, shots: Sequence[Example] = (), compact: bool = True) -> list[dict[str, str]]:
    """The conversation to train on; without its last turn, the one to ask with.

    Args:
        example: the question and its answer.
        shots: examples to show before it, as earlier turns.
        compact: the pocket form of schema and query, or CREATE TABLE and standard SQL.
    """
    turns: list[str] = []
    for one in (*shots, example):
        turns += [form.prompt(one.schema, one.question, compact), form.compact(one.query) if compact else one.query]
    return conversation(*turns)


def conversations(examples: Sequence[Example], together: int = 1, compact: bool = True) -> list[list[dict[str, str]]]:
    """Conversations to train on, in which a schema is shown once and several questions follow.

    Most tokens of an example are its schema, which is never learnt: two questions each teach more in the time.

    Args:
        examples: those of a conversation in a row, to one schema, as shops.to_train draws them.
        together: questions per conversation.
        compact: as in messages.
    """
    talks = []
    for start in range(0, len(examples), together):
        talk = messages(examples[start], compact=compact)
        for one in examples[start + 1 : start + together]:
            talk += conversation(one.question, form.compact(one.query) if compact else one.query)
        talks.append(talk)
    return talks


def answers(
    model: LanguageModel, examples: Sequence[Example], shots: Sequence[Example] = (), compact: bool = True
) -> list[str]:
    """What a model answers, greedily, as standard SQL.

    Args:
        model: instruction-tuned.
        examples: to be asked.
        shots: examples to show before each.
        compact: as in messages.
    """
    prompts = [model.chat_ids(messages(one, shots, compact)[:-1]) for one in examples]
    return [form.standard(one.text) for one in model.generate(prompts, MAX_NEW_TOKENS)]


def verdicts(sandbox: Sandbox, examples: Sequence[Example], queries: Sequence[str]) -> list[Verdict]:
    """Judge the answers to examples by running them."""
    return [judge(sandbox, one.databases, one.query, said) for one, said in zip(examples, queries, strict=True)]
