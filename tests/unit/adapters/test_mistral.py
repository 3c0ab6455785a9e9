"""What Mistral gets is what its own SDK could have sent, and its own answers are read."""

import json

import pytest

from haimaker.adapters.mistral import chat
from haimaker.http.values import JSON
from tests.support import vendor_schemas
from tests.support.builders import attempt, chat_request
from tests.wire.case import Case, find

CASES = [case for case in find("chat") if case.attempt().provider.adapter == "mistral"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_are_what_the_official_sdk_would_send(case: Case) -> None:
    body = case.json("upstream_request.json")["body"]
    vendor_schemas.mistral_types({name: value for name, value in body.items() if name != "foo"})


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "file", "file": {"file_id": "f"}}, {"type": "file", "file_id": "f"}),
        ({"type": "file", "file": {"file_data": "data:x"}}, {"type": "document_url", "document_url": "data:x"}),
        ({"type": "file", "file": {"filename": "a"}}, {"type": "file", "file": {"filename": "a"}}),
        ({"type": "file", "file_id": "f"}, {"type": "file", "file_id": "f"}),
        ({"type": "input_audio", "input_audio": {"data": "d", "format": "mp3"}}, {"type": "input_audio", "input_audio": "d"}),
        ({"type": "input_audio", "input_audio": "d"}, {"type": "input_audio", "input_audio": "d"}),
        ({}, {}),
    ],
)
def test_parts(part: JSON, expected: JSON) -> None:
    request = chat_request(messages=[{"role": "user", "content": [part]}])
    made = chat.to_upstream(request, attempt("mistral/m"))
    assert json.loads(made.body)["messages"][0]["content"] == [expected]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("D681PevKs", "D681PevKs"),
        ("D681PevKs__thinking__abc", "D681PevKs"),
        ("call_abc123def", None),
        ("toolu_01A__thinking__abc", None),
        ("é", None),
        ("", None),
    ],
)
def test_ids_of_calls_have_nine_letters(identifier: str, expected: str | None) -> None:
    call = {"id": identifier, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [{"role": "assistant", "tool_calls": [call, {"id": "abcdefghi"}]}, {"role": "tool", "tool_call_id": identifier}]
    said, result, _ = json.loads(chat.to_upstream(chat_request(messages=turns), attempt("mistral/m")).body)["messages"]
    assert said["tool_calls"][0]["id"] == result["tool_call_id"]
    assert chat.CALL_ID.fullmatch(result["tool_call_id"])
    assert expected in (None, result["tool_call_id"])
    assert said["tool_calls"][1]["id"] == "abcdefghi"


@pytest.mark.parametrize("said", [{"content": ""}, {"content": None}, {"content": []}, {}, {"content": "", "tool_calls": []}])
def test_a_turn_in_which_nothing_was_said_is_left_out(said: JSON) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", **said}, {"role": "user", "content": ""}]
    made = chat.to_upstream(chat_request(messages=turns), attempt("mistral/m"))
    assert json.loads(made.body)["messages"] == [turns[0], turns[2]]
