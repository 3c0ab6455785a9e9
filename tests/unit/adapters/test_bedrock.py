"""What clients get of Bedrock's answers, whole and streamed, in order or out of it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker.adapters.bedrock import chat, tool_ids
from haimaker.adapters.bedrock.tools import JSON_TOOL
from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.values import JSON, ErrorFields, Event
from haimaker.operations.operation import UpstreamBody
from haimaker.pricing.usage import from_openai
from tests.support.builders import attempt, chat_request, result_of
from tests.unit.adapters.folding import fold

ATTEMPT = attempt("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0")
ATTEMPT = ATTEMPT.copy(model_info=ATTEMPT.model_info.with_fees(ATTEMPT.provider.catalog.fees))
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
STOP = ("messageStop", {"stopReason": "end_turn"})


def start(index: int, name: str = "add", **use: Any) -> tuple[str, JSON]:
    fields = {"toolUseId": f"tooluse_{index}", "name": name, **use}
    return "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": fields}}


def delta(index: int, **fields: Any) -> tuple[str, JSON]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": fields, "p": "abcdef"}


def stop(index: int) -> tuple[str, JSON]:
    return "contentBlockStop", {"contentBlockIndex": index}


def chunks(*events: tuple[str, JSON], **asked: Any) -> list[JSON]:
    made = [Event(json.dumps(body).encode(), name) for name, body in events]
    bodies = [chunk.body for chunk in chat.from_stream(made, chat_request(**asked), ATTEMPT)]
    for body in bodies:
        ChatCompletionChunk.model_validate(body)
    return bodies


def whole(content: list[Any], **fields: Any) -> JSON:
    made = result_of(
        chat, {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn", **fields}, ATTEMPT
    )
    ChatCompletion.model_validate(made)
    return made


def message(content: list[Any]) -> JSON:
    return dict(whole(content)["choices"][0]["message"])


@pytest.mark.parametrize(
    ("reason", "called", "finish"),
    [
        ("end_turn", False, "stop"),
        ("stop_sequence", False, "stop"),
        ("max_tokens", True, "length"),
        ("model_context_window_exceeded", False, "length"),
        ("guardrail_intervened", True, "content_filter"),
        ("content_filtered", False, "content_filter"),
        ("tool_use", True, "tool_calls"),
        ("end_turn", True, "tool_calls"),
        ("tired", False, "stop"),
        (None, False, "stop"),
        (["x"], True, "tool_calls"),
    ],
)
def test_reasons_to_stop(reason: Any, called: bool, finish: str) -> None:
    content = [{"toolUse": {"toolUseId": "a", "name": "b", "input": {}}}] if called else [{"text": "a"}]
    assert whole(content, stopReason=reason)["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (USAGE, {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}),
        (
            {**USAGE, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 3},
            {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        ),
        ({**USAGE, "cacheReadInputTokenCount": 7}, {"prompt_tokens": 17, "completion_tokens": 5, "total_tokens": 22}),
        ({"inputTokens": "ten", "outputTokens": -5}, None),
    ],
)
def test_usage_is_the_same_whole_and_streamed(usage: JSON, counts: JSON | None) -> None:
    told = whole([], usage=usage).get("usage")
    assert (told and {name: told[name] for name in counts or {}}) == counts
    for order in ([STOP, ("metadata", {"usage": usage})], [("metadata", {"usage": usage}), STOP]):
        last = chunks(*order)[-1]
        assert (last["choices"], last["usage"]) == ([], told) if told else not last.get("usage")


@pytest.mark.parametrize(("thinking", "reasoning"), [(3, 3), (9, 5), ("3", 0), (None, 0)])
def test_what_claude_counts_of_its_thinking_is_part_of_the_output(thinking: Any, reasoning: int) -> None:
    fields = {"additionalModelResponseFields": {"usage": {"output_tokens_details": {"thinking_tokens": thinking}}}}
    told = whole([], usage=USAGE, **fields)["usage"]
    assert (told["completion_tokens"], told["completion_tokens_details"]["reasoning_tokens"]) == (5, reasoning)
    assert chunks(("messageStop", {"stopReason": "end_turn", **fields}), ("metadata", {"usage": USAGE}))[-1]["usage"] == told


def test_what_was_written_to_the_cache_for_an_hour() -> None:
    details = [{"ttl": "1h", "inputTokens": 40}, {"ttl": "5m", "inputTokens": 60}]
    tokens = from_openai(whole([], usage={**USAGE, "cacheWriteInputTokens": 100, "cacheDetails": details})["usage"])
    assert (tokens.input, tokens.cache_write_1h, tokens.cache_write_5m, tokens.output) == (10, 40, 60, 5)


def test_no_usage_is_invented() -> None:
    assert "usage" not in whole([])
    assert not any("usage" in chunk for chunk in chunks(STOP))


def test_the_tier_that_served_and_what_a_guardrail_found() -> None:
    fields = {"usage": USAGE, "serviceTier": {"type": "flex"}, "trace": {"guardrail": {"actionReason": "blocked"}}}
    for made in (whole([], **fields), chunks(STOP, ("metadata", fields))[-1]):
        assert (made["service_tier"], made["usage"]["service_tier"], made["trace"]) == ("flex", "flex", fields["trace"])


@pytest.mark.parametrize(
    ("config", "counted", "uses", "shown"),
    [
        ({"trace": "enabled"}, True, {"guardrail_microusd": 150}, {"guardrail", "promptRouter"}),
        ({"trace": "disabled"}, True, {"guardrail_microusd": 150}, {"promptRouter"}),
        ({}, True, {"guardrail_microusd": 150}, {"promptRouter"}),
        ({}, False, {"guardrail_microusd": 2_010, "estimated": True}, {"promptRouter"}),
        (None, True, {"guardrail_microusd": 150}, {"guardrail", "promptRouter"}),
        (None, False, None, {"guardrail", "promptRouter"}),
    ],
)
def test_what_a_guardrail_cost_is_counted_and_its_trace_shown_if_asked_for(
    config: JSON | None, counted: bool, uses: JSON | None, shown: set[str]
) -> None:
    """Where nothing says what it cost, it is a guess: the prompt's characters and the answer's, by every policy."""
    asked = {} if config is None else {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", **config}}
    assessed = {"abc": {"invocationMetrics": {"usage": {"topicPolicyUnits": 1}}} if counted else {}}
    trace = {"guardrail": {"inputAssessment": assessed}, "promptRouter": {"invokedModelId": "m"}}
    said = {"usage": USAGE, "trace": trace}
    answer = {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn", **said}
    made = chat.from_upstream(UpstreamBody({}, json.dumps(answer).encode()), chat_request(**asked), ATTEMPT).body
    for each in (made, chunks(STOP, ("metadata", said), **asked)[-1]):
        assert (each["usage"].get("server_tool_use"), set(each["trace"])) == (uses, shown)


def test_several_calls_count_from_zero_and_never_lack_arguments() -> None:
    events = [delta(0, text="Well"), start(1), start(2), delta(2, toolUse={"input": '{"a":'}), delta(1, toolUse={"input": ""})]
    (choice,) = fold(chunks(*events, delta(2, toolUse={"input": "1}"}), stop(2), stop(1), start(3), STOP))["choices"]
    found = [(call["id"], call["function"]["arguments"]) for call in choice["message"]["tool_calls"]]
    assert found == [("tooluse_1", "{}"), ("tooluse_2", '{"a":1}'), ("tooluse_3", "{}")]
    assert choice["finish_reason"] == "tool_calls"


def test_tools_of_the_provider_are_not_for_the_client() -> None:
    use = {"toolUseId": "a", "name": "nova_grounding", "input": {"q": 1}, "type": "server_tool_use"}
    assert message([{"toolUse": use}, {"toolResult": {"toolUseId": "a", "content": []}}, {"text": "Found"}]) == {
        "role": "assistant",
        "content": "Found",
    }
    events = [
        start(0, "nova_grounding", type="server_tool_use"),
        delta(0, toolUse={"input": "{}"}),
        stop(0),
        delta(1, text="Found"),
        STOP,
    ]
    assert fold(chunks(*events))["choices"][0]["message"] == {"role": "assistant", "content": "Found"}


def test_an_answer_in_json_comes_as_text() -> None:
    use = {"toolUseId": "a", "name": JSON_TOOL, "input": {"n": 1}}
    made = whole([{"text": "Here:"}, {"toolUse": use}], stopReason="tool_use")["choices"][0]
    assert (made["message"]["content"], made["finish_reason"]) == ('{"n":1}', "stop")
    events = [start(0, JSON_TOOL), delta(0, toolUse={"input": '{"n"'}), delta(0, toolUse={"input": ":1}"}), stop(0)]
    streamed = fold(chunks(*events, ("messageStop", {"stopReason": "tool_use"})))["choices"][0]
    assert (streamed["message"]["content"], streamed["finish_reason"]) == ('{"n":1}', "stop")


def test_reasoning_is_shown_and_carried_by_the_next_call() -> None:
    signed = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}}
    redacted = {"reasoningContent": {"redactedContent": "AAEC"}}
    calls = [{"toolUse": {"toolUseId": name, "name": "add", "input": {}}} for name in "abc"]
    made = message([signed, redacted, calls[0], calls[1], signed, calls[2]])
    assert made["reasoning_content"] == "HmHm"
    assert [block["type"] for block in made["thinking_blocks"]] == ["thinking", "redacted_thinking", "thinking"]
    found = [tool_ids.without_blocks(call["id"], "claude") for call in made["tool_calls"]]
    assert found == [("a", [signed, redacted]), ("b", []), ("c", [signed])]


def test_redacted_reasoning_in_pieces_is_one() -> None:
    events = [
        delta(0, reasoningContent={"redactedContent": "AQ=="}),
        delta(0, reasoningContent={"redactedContent": "Ag=="}),
        stop(0),
        STOP,
    ]
    (block,) = fold(chunks(*events))["choices"][0]["message"]["thinking_blocks"]
    assert block["data"] == "AQI="


def test_citations_say_what_they_cover() -> None:
    citation = {"title": "AWS", "location": {"web": {"url": "https://aws.amazon.com/"}}, "sourceContent": [{"text": "cloud"}]}
    cited = {"citationsContent": {"content": [{"text": "A cloud."}], "citations": [citation]}}
    (whole_one,) = message([{"text": "Yes: "}, cited])["annotations"]
    assert whole_one["url_citation"] == {"start_index": 5, "end_index": 13, "title": "AWS", "url": "https://aws.amazon.com/"}
    events = [delta(0, text="Yes: "), stop(0), delta(1, text="A cloud."), delta(1, citation=citation), stop(1), STOP]
    assert fold(chunks(*events))["choices"][0]["message"]["annotations"] == [whole_one]


blocks = st.one_of(
    st.builds(lambda text: {"text": text}, st.text(max_size=5)),
    st.builds(lambda text: {"reasoningContent": {"reasoningText": {"text": text, "signature": "c2ln"}}}, st.text(max_size=5)),
    st.just({"reasoningContent": {"redactedContent": "AAEC"}}),
    st.builds(lambda given: {"toolUse": {"toolUseId": "a", "name": "add", "input": given}}, st.sampled_from([{}, {"a": 1}])),
    st.sampled_from(
        [{"image": {}}, {"hologram": 1}, {"citationsContent": {"content": [{"text": "a"}], "citations": [{"title": "b"}]}}]
    ),
)


def events_of(content: list[JSON]) -> list[tuple[str, JSON]]:
    """The events with which a stream would have said these blocks."""
    events: list[tuple[str, JSON]] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(content):
        use, thought, cited = block.get("toolUse"), block.get("reasoningContent"), block.get("citationsContent")
        if use:
            events.append(start(index, use["name"], toolUseId=use["toolUseId"]))
            events += [delta(index, toolUse={"input": json.dumps(use["input"], separators=(",", ":"))})] if use["input"] else []
        elif thought:
            text = thought.get("reasoningText", {})
            pieces = {**thought, **text}
            events += [delta(index, reasoningContent={name: value}) for name, value in pieces.items() if name != "reasoningText"]
        elif cited:
            events += [delta(index, text="a"), delta(index, citation=cited["citations"][0])]
        elif "text" in block:
            events += [delta(index, text=letter) for letter in block["text"]]
        events.append(stop(index))
    return [*events, STOP, ("unheardOf", {}), ("metadata", {"usage": USAGE})]


@settings(max_examples=100, deadline=None)
@given(st.lists(blocks, max_size=6))
def test_a_stream_folds_into_the_whole_answer(content: list[JSON]) -> None:
    folded, made = fold(chunks(*events_of(content))), whole(content, usage=USAGE)
    assert folded["choices"][0]["finish_reason"] == made["choices"][0]["finish_reason"]
    assert folded["choices"][0]["message"] == {name: value for name, value in made["choices"][0]["message"].items() if value}
    assert folded["usage"] == made["usage"]


names = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "other"]
)
starts = [1, {"toolUse": {"toolUseId": 1, "name": "b"}}, {"toolUse": {"name": None}}]
deltas = [
    "x",
    {"text": "x"},
    {"text": None},
    {"toolUse": {"input": {"a": 1}}},
    {"toolUse": {"input": "{"}},
    {"toolUse": None},
    {"reasoningContent": {"text": "t"}},
    {"reasoningContent": {"signature": 1}},
    {"citation": {"location": {"web": {"url": 1}}, "title": 2, "sourceContent": [3]}},
]
usages = [[1], {"inputTokens": 1.5}, {"inputTokens": 3, "cacheDetails": 4}]
pieces = st.sampled_from(
    [
        {"stopReason": {"a": 1}},
        {"trace": 1, "serviceTier": {"type": 2}},
        *({"start": found} for found in starts),
        *({"delta": found} for found in deltas),
        *({"usage": found} for found in usages),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(names, pieces, st.sampled_from([None, 0, 1, "x"])), max_size=12))
def test_events_in_any_order_and_shape(events: list[tuple[str, JSON, Any]]) -> None:
    try:
        made = chunks(*((name, {**body, "contentBlockIndex": index}) for name, body, index in events))
    except BadGatewayError as error:
        found = error.code
    else:
        found = None
        finishes = [choice["finish_reason"] for chunk in made for choice in chunk["choices"] if choice["finish_reason"]]
        assert len(finishes) == 1
        seen = [call["index"] for chunk in made for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]
        assert list(dict.fromkeys(seen)) == list(range(len(set(seen))))
    assert found == (None if "messageStop" in [name for name, *_ in events] else "stream_interrupted")


@pytest.mark.parametrize(
    "body", [{}, {"output": None}, {"output": {"message": {}}}, {"Output": {"__type": "UnknownOperationException"}}]
)
def test_a_whole_answer_without_a_message(body: JSON) -> None:
    with pytest.raises(BadGatewayError):
        result_of(chat, body, ATTEMPT)


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("throttlingException", {"message": "Slow down"}, 429, "rate_limit_exceeded"),
        ("serviceUnavailableException", {"message": "Later"}, 503, "service_unavailable"),
        ("internalServerException", {"message": "Oh"}, 500, None),
        ("modelTimeoutException", {"message": "Slow"}, 408, "timeout"),
        ("modelStreamErrorException", {"message": "Oh", "originalStatusCode": 529}, 529, "overloaded"),
        ("modelStreamErrorException", {"originalMessage": "Oh"}, 502, "bad_gateway"),
        ("validationException", {"message": "Input is too long for requested model."}, 400, "context_length_exceeded"),
        ("validationException", {"message": "Blocked by our content filters"}, 400, "content_policy_violation"),
        ("someNewException", {}, 502, "bad_gateway"),
    ],
)
def test_exceptions_in_a_stream(name: str, body: JSON, status: int, code: str | None) -> None:
    with pytest.raises(APIError) as caught:
        chunks(("messageStart", {}), delta(0, text="a"), (name, body))
    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize("data", [b"[]", b"{", b'"x"'])
def test_an_event_that_is_no_object(data: bytes) -> None:
    with pytest.raises(BadGatewayError):
        list(chat.from_stream([Event(data, "contentBlockDelta")], chat_request(), ATTEMPT))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "Too many tokens, please wait"}, ErrorFields("Too many tokens, please wait")),
        ({"Message": "Oh"}, ErrorFields("Oh")),
        (
            {"message": "Slow", "__type": "com.amazon.coral.availability#ThrottlingException"},
            ErrorFields("Slow", "rate_limit_exceeded"),
        ),
        ({"message": "Gone", "__type": "ResourceNotFoundException"}, ErrorFields("Gone", "model_not_found")),
        (
            {"message": "The provided model identifier is invalid."},
            ErrorFields("The provided model identifier is invalid.", "model_not_found"),
        ),
        (
            {"message": "You don't have access to the model with the specified model ID."},
            ErrorFields("You don't have access to the model with the specified model ID.", "model_not_allowed"),
        ),
        (
            {"message": "The model returned the following errors: prompt is too long: 9 tokens > 8 maximum"},
            ErrorFields(
                "The model returned the following errors: prompt is too long: 9 tokens > 8 maximum", "context_length_exceeded"
            ),
        ),
        ({"message": ["x"], "__type": 1}, ErrorFields("")),
        ("plain", ErrorFields("plain")),
        (None, ErrorFields("")),
        ([{"message": "x"}], ErrorFields("")),
    ],
)
def test_error_bodies(body: Any, said: ErrorFields) -> None:
    assert chat.read_error(body) == said
