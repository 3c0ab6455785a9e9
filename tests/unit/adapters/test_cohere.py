"""Cohere, both ways: what it is sent is read by its own SDK's types, what it answers by OpenAI's."""

import json
from typing import Any

import pytest
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ConfigDict, TypeAdapter

from haimaker.adapters.cohere import chat
from haimaker.http.errors import APIError, BadGatewayError, BadRequestError
from haimaker.http.values import JSON, ErrorFields, Event
from haimaker.models.rates import to_units
from haimaker.operations.chat import parse_chat
from haimaker.pricing import costs, usage
from tests.support import vendor_schemas
from tests.support.builders import MESSAGES, attempt, chat_request, result_of
from tests.unit.adapters.folding import fold

ATTEMPT = attempt("cohere/command-a-03-2025")
REASONING = attempt("cohere/command-a-plus-05-2026")
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "sub", "description": "Takes away.", "strict": True}}
CALL = {"id": "a", "function": {"name": "add", "arguments": ""}}
PDF = "data:application/pdf;base64,JVBERi0="
USAGE = {"billed_units": {"input_tokens": 12.0, "output_tokens": 7.0}, "tokens": {"input_tokens": 507.0, "output_tokens": 10.0}}


def text(content: str) -> JSON:
    return {"type": "text", "text": content}


def sent(at: Any = ATTEMPT, **fields: Any) -> tuple[JSON, tuple[str, ...]]:
    made = chat.to_upstream(parse_chat(json.dumps({"model": at.target, "messages": MESSAGES, **fields}).encode()), at)
    body: JSON = json.loads(made.body)
    vendor_schemas.cohere_types(body)
    return body, made.dropped


@pytest.mark.parametrize(
    ("message", "made"),
    [
        ({"role": "developer", "content": "Be kind"}, {"role": "system", "content": "Be kind"}),
        ({"role": "user", "content": [text("a"), text("b")]}, {"role": "user", "content": "ab"}),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com/a.png"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
        ),
        (
            {"role": "assistant", "reasoning_content": "I will add.", "tool_calls": [CALL]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
                "tool_plan": "I will add.",
            },
        ),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": ""}),
        ({"role": "tool", "tool_call_id": "a", "content": "2"}, {"role": "tool", "tool_call_id": "a", "content": "2"}),
        (
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "document", "document": {"data": {"n": "2"}}}]},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "document", "document": {"data": {"n": "2"}}}]},
        ),
    ],
)
def test_messages(message: JSON, made: JSON) -> None:
    before = [{"role": "assistant", "tool_calls": [CALL]}] if message["role"] == "tool" else []
    assert sent(messages=[*before, message])[0]["messages"][len(before)] == made


def test_a_file_of_text_is_a_document() -> None:
    part = {"type": "file", "file": {"file_data": "data:text/plain;base64,R3LDvGV6aQ==", "filename": "a.txt"}}
    body, _ = sent(messages=[{"role": "user", "content": [{"type": "text", "text": "Sum up"}, part]}], documents=["Own"])
    assert body["documents"] == ["Own", {"id": "file-1", "data": {"text": "Grüezi", "title": "a.txt"}}]
    assert body["messages"] == [{"role": "user", "content": "Sum up"}]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_data": PDF}}]}, "messages[0].content[0].file"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0].image_url.url"),
        ({"role": "tool", "content": "2"}, "messages[0].tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, "messages[0].tool_calls[0].function.name"),
        ({"role": "narrator", "content": "2"}, "messages[0].role"),
    ],
)
def test_messages_that_are_refused(message: JSON, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        sent(messages=[message])
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "made", "dropped"),
    [
        ({"top_p": 0.5, "top_k": 3, "stop": "a", "seed": 1}, {"p": 0.5, "k": 3, "stop_sequences": ["a"], "seed": 1}, ()),
        (
            {"max_completion_tokens": 9, "temperature": 0, "logprobs": True},
            {"max_tokens": 9, "temperature": 0, "logprobs": True},
            (),
        ),
        (
            {"n": 1, "user": "me", "service_tier": "flex", "parallel_tool_calls": False},
            {},
            ("user", "service_tier", "parallel_tool_calls"),
        ),
        ({"response_format": {"type": "text"}}, {}, ()),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}, ()),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
            (),
        ),
        ({"reasoning_effort": "high"}, {}, ("reasoning_effort",)),
        ({"reasoning_effort": "none"}, {}, ()),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, {"thinking": {"type": "disabled"}}, ()),
        (
            {"safety_mode": "OFF", "citation_options": {"mode": "FAST"}},
            {"safety_mode": "OFF", "citation_options": {"mode": "FAST"}},
            (),
        ),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, ()),
    ],
)
def test_parameters(fields: JSON, made: JSON, dropped: tuple[str, ...]) -> None:
    body, lost = sent(**fields)
    assert (body, lost) == ({"model": "command-a-03-2025", "messages": MESSAGES, "stream": False, **made}, dropped)


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [("none", {"type": "disabled"}), ("low", {"type": "enabled", "token_budget": 1024}), ("high", {"type": "enabled"})],
)
def test_efforts(effort: str, thinking: JSON) -> None:
    assert sent(REASONING, reasoning_effort=effort)[0]["thinking"] == thinking


@pytest.mark.parametrize(
    ("choice", "names", "made"),
    [
        (None, ["add", "sub"], None),
        ("auto", ["add", "sub"], None),
        ("none", ["add", "sub"], "NONE"),
        ("required", ["add", "sub"], "REQUIRED"),
        ({"type": "function", "function": {"name": "sub"}}, ["sub"], "REQUIRED"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}}, ["add"], None),
    ],
)
def test_choices_of_tools(choice: Any, names: list[str], made: str | None) -> None:
    body, _ = sent(tools=[TOOL, OTHER], tool_choice=choice)
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert (body.get("tool_choice"), body["strict_tools"]) == (made, True)


@pytest.mark.parametrize("fields", [{"n": 2}, {"logit_bias": {"1": 1}}, {"top_logprobs": 2}, {"web_search_options": {"a": 1}}])
def test_what_changes_the_meaning_is_refused(fields: JSON) -> None:
    with pytest.raises(BadRequestError) as caught:
        sent(**fields)
    assert (caught.value.param, caught.value.code) == (next(iter(fields)), "unsupported_parameter")
    assert sent(**fields, drop_params=True)[1] == tuple(fields)


def whole(message: JSON, **fields: Any) -> JSON:
    body = {"id": "abc", "finish_reason": "COMPLETE", "message": {"role": "assistant", **message}, **fields}
    TypeAdapter(V2ChatResponse).validate_python(body)
    made = result_of(chat, body, ATTEMPT)
    ChatCompletion.model_validate(made)
    return made


def chunks(*events: JSON) -> list[JSON]:
    made = [Event(json.dumps(body).encode(), str(body.get("type", ""))) for body in events]
    bodies = [chunk.body for chunk in chat.from_stream(made, chat_request(), ATTEMPT)]
    for body in bodies:
        ChatCompletionChunk.model_validate(body)
    return bodies


def event(kind: str, index: int | None = None, **message: Any) -> JSON:
    body = {"type": kind, **({} if index is None else {"index": index}), "delta": {"message": message}}
    TypeAdapter(V2ChatStreamResponse, config=ConfigDict(extra="forbid")).validate_python(body)
    return body


def call(index: int, arguments: str | None, name: str = "add") -> list[JSON]:
    function = {"name": name, "arguments": ""}
    begun = event("tool-call-start", index, tool_calls={"id": f"{name}_{index}", "type": "function", "function": function})
    pieces = [event("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}) for piece in arguments or ""]
    return [begun, *pieces, {"type": "tool-call-end", "index": index}]


def end(reason: str = "COMPLETE", **fields: Any) -> JSON:
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": USAGE, **fields}}


BEGIN = {"type": "message-start", "id": "abc", "delta": {"message": {"role": "assistant"}}}


@pytest.mark.parametrize(
    ("reason", "called", "finish"),
    [
        ("COMPLETE", False, "stop"),
        ("STOP_SEQUENCE", False, "stop"),
        ("MAX_TOKENS", True, "length"),
        ("TOOL_CALL", True, "tool_calls"),
        ("COMPLETE", True, "tool_calls"),
        ("ERROR_TOXIC", False, "content_filter"),
        ("ERROR_LIMIT", False, "length"),
        ("TIRED", False, "stop"),
    ],
)
def test_reasons_to_finish(reason: str, called: bool, finish: str) -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "b", "arguments": "{}"}}] if called else []
    assert whole({"tool_calls": calls}, finish_reason=reason)["choices"][0]["finish_reason"] == finish
    events = call(0, "{}") if called else []
    assert fold(chunks(BEGIN, *events, end(reason)))["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(("reason", "status"), [("ERROR", 502), ("TIMEOUT", 504)])
def test_reasons_that_are_failures(reason: str, status: int) -> None:
    for tries in (lambda: whole({}, finish_reason=reason), lambda: chunks(BEGIN, end(reason, error="It broke."))):
        with pytest.raises(APIError) as caught:
            tries()
        assert caught.value.status == status


@pytest.mark.parametrize(
    ("said", "prompt", "completion", "cached"),
    [
        (USAGE, 507, 10, 0),
        ({**USAGE, "cached_tokens": 448}, 507, 10, 448),
        ({"billed_units": {"input_tokens": 3, "output_tokens": 4}}, 3, 4, 0),
        ({"tokens": {"input_tokens": 3, "output_tokens": 4}}, 3, 4, 0),
    ],
)
def test_usage(said: JSON, prompt: int, completion: int, cached: int) -> None:
    made = whole({}, usage=said)["usage"]
    assert (made["prompt_tokens"], made["completion_tokens"]) == (prompt, completion)
    assert made["prompt_tokens_details"]["cached_tokens"] == cached


def test_the_cost_is_what_is_invoiced() -> None:
    made = whole({}, usage=USAGE)["usage"]
    rates = ATTEMPT.model_info.rates
    expected = 12 * to_units(rates["input_cost_per_token"]) + 7 * to_units(rates["output_cost_per_token"])
    assert costs.price(usage.from_openai(made), ATTEMPT.model_info) == to_units(made["cost"]) == expected
    assert chunks(BEGIN, end())[-1]["usage"] == made
    assert "cost" not in whole({}, usage={"tokens": USAGE["tokens"]})["usage"]
    assert "usage" not in whole({})


@pytest.mark.parametrize(
    ("arguments", "made"), [("", "{}"), ("null", "{}"), (" ", "{}"), ("{}", "{}"), ('{"a": null}', '{"a": null}'), ("nul", "nul")]
)
def test_arguments_of_calls(arguments: str, made: str) -> None:
    wholly = whole({"tool_calls": [{"id": "a", "type": "function", "function": {"name": "b", "arguments": arguments}}]})
    assert wholly["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == made
    streamed = fold(chunks(BEGIN, *call(0, arguments), *call(1, "{}", "sub"), end("TOOL_CALL")))["choices"][0]["message"][
        "tool_calls"
    ]
    assert [found["function"] for found in streamed] == [{"name": "add", "arguments": made}, {"name": "sub", "arguments": "{}"}]


CITATION = {
    "start": 2,
    "end": 5,
    "text": "sun",
    "sources": [{"type": "document", "id": "doc:0", "document": {"id": "doc:0", "title": "Sky"}}],
}
contents = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, st.text(min_size=1, max_size=4)),
        st.builds(lambda text: {"type": "thinking", "thinking": text}, st.text(min_size=1, max_size=4)),
    ),
    max_size=3,
)


@settings(max_examples=100, deadline=None)
@given(contents, st.text(max_size=4), st.lists(st.sampled_from(["", "null", '{"a":1}']), max_size=3), st.booleans())
def test_a_stream_folds_into_the_whole_answer(content: list[JSON], plan: str, arguments: list[str], cited: bool) -> None:
    events = [BEGIN]
    for index, part in enumerate(content):
        field = part["type"]
        events.append(event("content-start", index, content={"type": field, field: ""}))
        events += [event("content-delta", index, content={field: letter}) for letter in part[field]]
        events.append({"type": "content-end", "index": index})
    events += [event("tool-plan-delta", tool_plan=letter) for letter in plan]
    calls = [
        {"id": f"add_{place}", "type": "function", "function": {"name": "add", "arguments": text}}
        for place, text in enumerate(arguments)
    ]
    events += [one for place, text in enumerate(arguments) for one in call(place, text)]
    events += [event("citation-start", 0, citations=CITATION), {"type": "citation-end", "index": 0}] if cited else []
    folded = fold(chunks(*events, {"type": "debug"}, end()))
    made = whole(
        {"content": content, "tool_plan": plan, "tool_calls": calls, "citations": [CITATION] if cited else []}, usage=USAGE
    )
    assert folded["choices"][0]["message"] == {name: value for name, value in made["choices"][0]["message"].items() if value}
    assert folded["choices"][0]["finish_reason"] == made["choices"][0]["finish_reason"]
    assert (folded["id"], folded["usage"]) == (made["id"], made["usage"])


def test_citations_are_annotations() -> None:
    (found,) = whole({"citations": [CITATION]})["choices"][0]["message"]["annotations"]
    assert found["url_citation"] == {"start_index": 2, "end_index": 5, "title": "Sky", "url": "doc:0"}


def test_log_probabilities() -> None:
    item = {"text": "Hi", "token_ids": [1], "logprobs": [-0.5]}
    entry = {"token": "Hi", "logprob": -0.5, "top_logprobs": [], "bytes": [72, 105]}
    assert whole({}, logprobs=[item])["choices"][0]["logprobs"]["content"] == [entry]
    streamed = chunks(BEGIN, {**event("content-delta", 0, content={"text": "Hi"}), "logprobs": item}, end())
    assert [chunk["choices"][0]["logprobs"] for chunk in streamed[1:2]] == [{"content": [entry]}]


kinds = st.sampled_from(
    ["message-start", "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta"]
)
more = st.sampled_from(["tool-call-end", "citation-start", "unheard-of", None, 3])
values = st.sampled_from(
    [None, 1, "x", [], {}, [{}], {"text": 1}, {"thinking": "t"}, {"id": 1, "function": {"name": 2, "arguments": 3}}, {"start": "x"}]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.one_of(kinds, more), values, values), max_size=10), st.booleans())
def test_events_in_any_order_and_shape(events: list[tuple[Any, Any, Any]], ends: bool) -> None:
    bodies = [
        {
            "type": kind,
            "delta": {"message": {"content": one, "tool_calls": one, "tool_plan": one, "citations": one}},
            "logprobs": other,
            "id": other,
        }
        for kind, one, other in events
    ]
    try:
        made = chunks(*bodies, *([{"type": "message-end"}] if ends else []))
    except BadGatewayError as error:
        found = error.code
    else:
        found = None
        assert [choice["finish_reason"] for chunk in made for choice in chunk["choices"] if choice["finish_reason"]] != []
    assert found == (None if ends else "stream_interrupted")


@pytest.mark.parametrize("body", [{}, {"message": "failed"}, {"message": None}])
def test_a_whole_answer_without_a_message(body: JSON) -> None:
    with pytest.raises(BadGatewayError):
        result_of(chat, body, ATTEMPT)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292."},
            "context_length_exceeded",
        ),
        ({"message": "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model."}, None),
        ({"message": "model 'x' not found, make sure the correct model ID was used"}, "model_not_found"),
        ({"message": "You are using a Trial key, which is limited to 1000 API calls / month."}, "insufficient_quota"),
        ({"message": "You are using a Trial key, which is limited to 20 API calls / minute."}, "rate_limit_exceeded"),
        ({"message": "invalid request: all elements in history must have a message."}, None),
        ({"message": {"a": 1}}, None),
        ([], None),
        (None, None),
    ],
)
def test_error_bodies(body: Any, code: str | None) -> None:
    message = body["message"] if isinstance(body, dict) and isinstance(body["message"], str) else ""
    assert chat.read_error(body) == ErrorFields(message, code)
