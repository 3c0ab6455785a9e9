"""The official SDK against Claude: a tool's round trip in which only OpenAI's fields come back."""

from typing import Any

from tests.contract import test_messages
from tests.contract.money_support import Desk
from tests.contract.sdk_support import sdk
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply

MODEL = "anthropic/claude-opus-5-5"
THOUGHT = {"type": "thinking", "thinking": "The time.", "signature": "EqQB"}
CALL = {"type": "tool_use", "id": "toolu_01", "name": "clock", "input": {}}
TOOLS: Any = [{"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}]


def message(content: list[Any], stop_reason: str) -> Reply:
    usage = {"input_tokens": 9, "output_tokens": 7}
    return Reply.json(
        200,
        {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-5-5",
            "content": content,
            "stop_reason": stop_reason,
            "usage": usage,
        },
    )


def test_a_tool_loop_keeps_the_thinking_and_the_betas_of_both(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    upstream.answers(message([THOUGHT, CALL], "tool_use"), message([{"type": "text", "text": "Four."}], "end_turn"))
    client = sdk(desk, key)
    question: Any = {"role": "user", "content": "What time is it?"}
    answer = client.chat.completions.create(model=MODEL, messages=[question], tools=TOOLS)
    called = (answer.choices[0].message.tool_calls or [])[0]
    said: Any = {"role": "assistant", "tool_calls": [called.model_dump(include={"id", "type", "function"})]}
    result: Any = {"role": "tool", "tool_call_id": called.id, "content": "4"}
    betas = {"anthropic-beta": "context-management-2025-06-27"}
    answer = client.chat.completions.create(model=MODEL, messages=[question, said, result], tools=TOOLS, extra_headers=betas)
    assert answer.choices[0].message.content == "Four."
    sent = upstream.calls[-1]
    assert sent.json["messages"][1]["content"] == [THOUGHT, CALL]
    assert sent.headers["anthropic-beta"].split(",") == ["thinking-binding-controls-2026-08-01", "context-management-2025-06-27"]
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in sent.headers


def test_vertex_ai_is_told_only_of_betas_that_it_has(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    """It refuses requests with others, and Claude Code always sends some."""
    upstream.answers(message([{"type": "text", "text": "Four."}], "end_turn"))
    raw = test_messages.sdk(desk, key).beta.messages.with_raw_response.create(
        model="vertex_ai/claude-opus-4-6",
        max_tokens=99,
        messages=[{"role": "user", "content": "What time is it?"}],
        betas=["prompt-caching-scope-2026-01-05", "context-management-2025-06-27", "advanced-tool-use-2025-11-20"],
    )
    assert upstream.calls[-1].headers["anthropic-beta"] == "context-management-2025-06-27,tool-search-tool-2025-10-19"
    assert raw.headers["x-haimaker-dropped-params"] == "anthropic-beta.prompt-caching-scope-2026-01-05"
