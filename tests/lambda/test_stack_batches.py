"""Files and batches of the deployed stack: the official SDKs through its functions, each with its role, the worker by its queue."""

import json
from typing import Any

import openai
import pytest

from tests.support.openai_wire import completion
from tests.support.reply import Reply

CHAT = "/v1/chat/completions"
COST = 4_500
"""Of one answer of the scripted provider, 10 and 5 tokens of gpt-4o-mini, in nano-dollars."""


def line(name: str, **fields: Any) -> dict[str, Any]:
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": name}], "max_tokens": 50, **fields}
    return {"custom_id": name, "method": "POST", "url": CHAT, "body": body}


def begin(client: openai.OpenAI, lines: list[dict[str, Any]]) -> Any:
    data = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("lines.jsonl", data), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")


def rows(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    return [json.loads(row) for row in client.files.content(file_id).text.splitlines()] if file_id else []


def answers_its_line(call):
    text = call.json["messages"][0]["content"]
    if text.endswith("7"):
        return Reply.json(400, {"error": {"message": "no", "code": None}})
    return Reply.json(200, completion(f"answer {text}"))


def test_files_are_kept_listed_read_and_deleted(batches):
    client = batches.openai_client(batches.stack.key())
    data = bytes(range(256)) * 1_000
    file = client.files.create(file=("notes.bin", data), purpose="user_data")
    assert client.files.retrieve(file.id) == file
    assert [each.id for each in client.files.list().data] == [file.id]
    assert client.files.content(file.id).read() == data
    with pytest.raises(openai.NotFoundError):
        batches.openai_client(batches.stack.key()).files.retrieve(file.id)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(file.id)
    assert batches.objects() == []


def test_a_batch_is_answered_in_order(batches):
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key(budget_nanousd=1_000_000_000)
    client = batches.openai_client(key)
    names = [f"line-{number}" for number in range(30)]
    batch = begin(client, [line(name) for name in names])
    assert (batch.status, client.batches.retrieve(batch.id).status) == ("validating", "validating")
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.errors) == ("completed", None)
    assert batch.request_counts.to_dict() == {"total": 30, "completed": 27, "failed": 3}
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert [row["custom_id"] for row in output] == [name for name in names if not name.endswith("7")]
    assert [row["custom_id"] for row in errors] == ["line-7", "line-17", "line-27"]
    assert all(row["response"]["body"]["choices"][0]["message"]["content"] == f"answer {row['custom_id']}" for row in output)
    assert batch.usage.to_dict()["cost"] == 27 * COST / 1e9
    assert batches.stack.money(key)[:2] == (27 * COST, False)
    assert sorted(name.partition("/")[0] for name in batches.objects()) == ["files"] * 3
