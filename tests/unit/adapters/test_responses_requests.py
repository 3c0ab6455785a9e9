"""A chat sent as a request for a response: what a client got wrong is refused or left out, and never a defect of ours."""

from contextlib import suppress

import pytest

from haimaker import adapters
from haimaker.http.errors import APIError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.operations.chat import parse_chat
from tests.wire.case import ROOT, Case

CASE = Case(ROOT / "openai/chat/responses_only")
ANSWER = {"role": "assistant", "content": None}


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": [1]},
        {"response_format": {"type": "json_schema", "json_schema": [1]}},
        *(
            {"messages": [{"role": "user", "content": "Hi"}, {**ANSWER, "tool_calls": [call]}]}
            for call in (True, {"id": "c", "function": True}, {"id": ["c"], "custom": {"name": "f"}}, {"custom": True})
        ),
        {"messages": [{"role": "tool", "tool_call_id": ["c"], "content": "x"}]},
        *(
            {"messages": [{"role": "user", "content": [part]}]}
            for part in (True, {"type": "image_url", "image_url": [1]}, {"type": "file", "file": True}, {"type": []})
        ),
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "assistant", "content": [True, {"type": "text", "text": 5}]}, {"role": "user", "content": "Hi"}]},
    ],
    ids=str,
)
def test_no_request_is_a_defect_of_ours(fields: JSON) -> None:
    tried = CASE.attempt()
    with suppress(APIError):
        request = parse_chat(dumps({**CASE.json("request.json"), **fields}))
        assert isinstance(adapters.find(request, tried).to_upstream(request, tried).body, bytes)
