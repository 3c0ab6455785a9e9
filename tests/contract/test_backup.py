"""A backup is made beside a gateway that works, restored where nothing was, and OpenAI's SDK finds there all that there was."""

import threading
from pathlib import Path

import openai
import pytest

from local.command_line.__main__ import carry_out, read
from local.command_line.context import Context
from local.command_line.terminal import Terminal
from tests.contract.money_support import Desk, exact_json, serving, wait_until
from tests.contract.sdk_support import environment
from tests.contract.test_batches import begin, ended, line, rows, until, upload
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import Reply

KEPT = {"HAIMAKER_LOG_CONTENT": "true"}


def command(home: Path, *words: str) -> None:
    assert carry_out(Context(read(words), Terminal(), {"HAIMAKER_HOME": str(home)})) == 0


def sdk(desk: Desk, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=desk.url, api_key=key, max_retries=0)


def chat_text(desk: Desk, request_id: str) -> str:
    kept = desk.ask("GET", f"/generation/content?id={request_id}")
    return kept.text if kept.status_code == 200 else ""


def test_a_restored_backup_has_files_batches_content_and_money(
    tmp_path: Path, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """One batch is in its middle: it goes on, and each of its lines is answered once."""
    may_answer, copy = threading.Event(), tmp_path / "copy.tar"

    def answer(call: Call) -> Reply:
        assert call.json["messages"][0]["content"] == "0" or may_answer.wait(20)
        return Reply.json(200, completion("hi"))

    upstream.answers(answer)
    with serving(tmp_path / "home", upstream, **environment(upstream, tmp_path), **KEPT) as desk:
        key = desk.key(max_budget=5, log_content=True)
        client = sdk(desk, key)
        file_id = upload(client, ["a line"])
        done = ended(client, begin(client, [line("a", "demo/echo")]))
        response = client.responses.create(model="demo/echo", input="Keep this.", store=True)
        chat = client.chat.completions.with_raw_response.create(
            model="demo/echo", messages=[{"role": "user", "content": "Kept, too."}]
        )
        going = begin(
            client,
            [line(str(n), "openai/gpt-4o-mini", messages=[{"role": "user", "content": str(n)}], max_tokens=10) for n in range(40)],
        )
        until(client, going, lambda now: now.request_counts.completed == 1)
        request_id = chat.headers["x-request-id"]
        wait_until(lambda: "Kept, too." in chat_text(desk, request_id))
        command(tmp_path / "home", "backup", str(copy))
        client.files.delete(file_id)
        client.responses.delete(response.id)
        may_answer.set()
        ended(client, going)
        with pytest.raises(openai.NotFoundError):
            client.files.content(file_id)
    said = capsys.readouterr()
    assert ("2 keys, 4 requests and " in said.out, "MB are copied" in said.err) == (True, True), said
    command(tmp_path / "new", "restore", str(copy), "--yes")
    asked = len(upstream.calls)
    with serving(tmp_path / "new", upstream, **environment(upstream, tmp_path), **KEPT) as desk:
        assert desk.gateway.batches
        desk.gateway.batches.resume()  # as where it is served
        client = sdk(desk, key)
        assert client.files.content(file_id).text == "a line"
        [row] = rows(client, done.output_file_id)
        assert row["response"]["body"]["choices"][0]["message"]["content"] == "Hi"
        again = client.responses.create(model="demo/echo", input="More.", previous_response_id=response.id)
        assert client.responses.retrieve(response.id).output_text == response.output_text
        assert again.previous_response_id == response.id
        assert "Kept, too." in chat_text(desk, request_id)
        batch = ended(client, going)
        assert (batch.request_counts.completed, batch.request_counts.failed) == (40, 0)
        assert sorted(int(row["custom_id"]) for row in rows(client, batch.output_file_id)) == list(range(40))
        assert len(upstream.calls) - asked == 39, "the line that was answered is not asked again"
        desk.settled(key)
        spent, held, total = desk.money(key)
        assert (spent, held) == (sum(record.cost_nanousd for record in desk.records(key)), 0)
        assert total == spent > 0
        assert exact_json(desk.ask("GET", "/health"))["status"] == "ok"
