"""Whole answers as streams: folded by the official SDK they are what they were."""

import json

import pytest
from openai.types import Completion

from haimaker.adapters.openai.messages import without_fields
from haimaker.http.values import JSON
from haimaker.operations.text_chunks import text_chunks
from tests.unit.adapters.folding import fold
from tests.wire.case import Case, find

WHOLE = [case for case in find("chat") if case.has("response.json") and "error" not in case.json("response.json")]
KNOWN = [case for case in WHOLE if "custom" not in case.bytes("response.json").decode()]
"""The official types of chunks know no custom tools."""


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_a_chat(case: Case) -> None:
    body = case.json("response.json")
    before = json.dumps(body)
    folded = fold([chunk.body for chunk in text_chunks(body)])
    assert json.dumps(body) == before
    for choice, made in zip(body["choices"], folded["choices"], strict=True):
        assert made["finish_reason"] == choice["finish_reason"]
        said = {name: made["message"].get(name) for name in ("content", "refusal", "reasoning_content")}
        assert said == {name: choice["message"].get(name) or None for name in said}
        calls = [without_fields(call, ("index",)) for call in choice["message"].get("tool_calls") or ()]
        assert made["message"].get("tool_calls", []) == calls
    assert folded.get("usage", {}).get("total_tokens") == (body.get("usage") or {}).get("total_tokens")


def test_a_completion() -> None:
    choices = [{"index": at, "text": text, "finish_reason": "stop", "logprobs": None} for at, text in enumerate("ab")]
    body: JSON = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": choices}
    chunks = [chunk.body for chunk in text_chunks(body)]
    assert [Completion.model_validate(chunk).choices[0].text for chunk in chunks] == ["a", "b"]
