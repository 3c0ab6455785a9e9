"""Which effort becomes which budget at Databricks, and when none does."""

import json
from typing import Any

import pytest

from haimaker.adapters.databricks import chat
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from tests.support.builders import attempt, chat_request

SONNET, OPUS_55 = "databricks/databricks-claude-sonnet-4-5", "databricks/databricks-claude-opus-5-5"
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
AFTER_A_CALL = [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c", "content": "1"}]
NEXT_TURN = [*AFTER_A_CALL, {"role": "assistant", "content": "1"}, {"role": "user", "content": "And?"}]
LOST = ("reasoning_effort",)


def sent(target: str, **fields: Any) -> tuple[JSON, tuple[str, ...]]:
    made = chat.to_upstream(chat_request(**fields), attempt(target))
    body = json.loads(made.body)
    assert "reasoning_effort" not in body
    return body, made.dropped


@pytest.mark.parametrize(
    ("target", "fields", "budget", "dropped"),
    [
        (SONNET, {"reasoning_effort": "low"}, 1_024, ()),
        (SONNET, {"reasoning_effort": "high"}, 4_096, ()),
        ("databricks/system.ai.claude-opus-4-8", {"reasoning_effort": "high"}, 4_096, ()),
        (SONNET, {"reasoning_effort": "high", "max_tokens": 1_500}, 1_024, ()),
        (SONNET, {"reasoning_effort": "high", "max_tokens": 1_024}, None, LOST),
        (SONNET, {"reasoning_effort": "none"}, None, ()),
        (SONNET, {"reasoning_effort": "low", "thinking": {"type": "enabled", "budget_tokens": 2_000}}, 2_000, ()),
        (SONNET, {"reasoning_effort": "low", "temperature": 1, "top_p": 0.5}, 1_024, ("top_p",)),
        (SONNET, {"reasoning_effort": "low", "tool_choice": "required"}, None, LOST),
        (SONNET, {"reasoning_effort": "low", "messages": AFTER_A_CALL}, None, LOST),
        (SONNET, {"reasoning_effort": "low", "messages": NEXT_TURN}, 1_024, ()),
        (OPUS_55, {"reasoning_effort": "low"}, None, LOST),
        (OPUS_55, {"reasoning_effort": "none"}, None, LOST),
    ],
)
def test_an_effort_is_a_budget(target: str, fields: JSON, budget: int | None, dropped: tuple[str, ...]) -> None:
    body, lost = sent(target, **fields)
    assert (body.get("thinking", {}).get("budget_tokens"), lost) == (budget, dropped)


@pytest.mark.parametrize("effort", ["much", 3, ["low"]])
def test_what_is_no_effort_is_refused(effort: Any) -> None:
    with pytest.raises(BadRequestError) as raised:
        sent(SONNET, reasoning_effort=effort)
    assert raised.value.param == "reasoning_effort"
