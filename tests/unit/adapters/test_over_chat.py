import json
from typing import Any

import pytest

from haimaker import adapters
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON, Event, UpstreamRequest
from tests.support.builders import attempt, completion_request, result_of

CHATS = attempt("litellm_proxy/m")
COMPLETION = adapters.find(completion_request(), CHATS)


def sent(**fields: Any) -> UpstreamRequest:
    return COMPLETION.to_upstream(completion_request(**fields), CHATS)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"prompt": ["Hi"]}, {}),
        ({"max_tokens": 5, "stop": ["\n"], "seed": 1, "n": 2}, {"max_tokens": 5, "stop": ["\n"], "seed": 1, "n": 2}),
        ({"echo": False, "suffix": "", "logprobs": None, "best_of": 1}, {}),
        ({"suffix": None, "echo": None, "best_of": None}, {}),
        ({"n": 3, "best_of": 3}, {"n": 3}),
        ({"top_k": 5, "drop_params": True}, {"top_k": 5}),
    ],
)
def test_a_prompt_becomes_what_a_user_says(fields: JSON, expected: JSON) -> None:
    made = sent(**fields)
    body = json.loads(made.body)
    assert made.path == "/chat/completions"
    assert body == {"model": CHATS.model, "messages": [{"role": "user", "content": "Hi"}], **expected}
    assert made.dropped == ()


UNSUPPORTED = [
    ({"echo": True}, "echo"),
    ({"suffix": "!"}, "suffix"),
    ({"logprobs": 0}, "logprobs"),
    ({"logprobs": 3}, "logprobs"),
    ({"best_of": 2}, "best_of"),
    ({"n": 2, "best_of": 3}, "best_of"),
]


@pytest.mark.parametrize(("fields", "param"), UNSUPPORTED)
def test_what_chat_has_no_place_for_is_refused_unless_the_client_asks_to_drop_it(fields: JSON, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        sent(**fields)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)
    made = sent(**fields, drop_params=True)
    assert made.dropped == (param,)
    assert param not in json.loads(made.body)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": [1, 2]}, "prompt", "unsupported_parameter"),
        ({"prompt": [[1, 2]], "drop_params": True}, "prompt", "unsupported_parameter"),
        ({"max_tokens": 0}, "max_tokens", "unsupported_parameter"),
        ({"tools": "none of its own"}, "tools", "invalid_value"),
        ({"response_format": 5}, "response_format", "invalid_value"),
    ],
)
def test_what_no_chat_can_do_is_refused_anyway(fields: JSON, param: str, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        sent(**fields)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("message", "reason", "text", "expected"),
    [
        ({"role": "assistant", "content": "Hi"}, "stop", "Hi", "stop"),
        ({"content": "Hi", "reasoning_content": "Hm"}, "length", "Hi", "length"),
        ({"content": None, "tool_calls": []}, "tool_calls", "", "stop"),
        ({"content": ""}, "content_filter", "", "content_filter"),
        (None, "stop", "", "stop"),
    ],
)
def test_what_the_model_says_becomes_the_text(message: Any, reason: str, text: str, expected: str) -> None:
    said = {"index": 1, "message": message, "logprobs": {"content": []}, "finish_reason": reason}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [said],
        "usage": {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1},
    }
    made = result_of(COMPLETION, body, CHATS, completion_request())
    assert made == {
        **body,
        "id": "cmpl-1",
        "object": "text_completion",
        "choices": [{"text": text, "index": 1, "logprobs": None, "finish_reason": expected}],
    }


def test_chunks_likewise() -> None:
    deltas: list[tuple[JSON, str | None]] = [({"role": "assistant"}, None), ({"content": "Hi"}, None), ({}, "stop")]
    events = [
        Event(json.dumps({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).encode())
        for delta, reason in deltas
    ]
    made = [chunk.body["choices"][0] for chunk in COMPLETION.from_stream(events, completion_request(), CHATS)]
    assert [(choice["text"], choice["finish_reason"]) for choice in made] == [("", None), ("Hi", None), ("", "stop")]


def test_errors_are_those_of_chat() -> None:
    assert COMPLETION.read_error({"error": {"message": "No.", "code": "busy"}}).code == "busy"
