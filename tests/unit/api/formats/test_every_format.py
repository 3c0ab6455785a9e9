"""What holds of all client formats together: an answer of a model, asked for in each and read by its vendor's SDK, says the same,
whole and streamed, and however the provider's bytes are cut."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from pydantic import TypeAdapter

from haimaker import adapters
from haimaker.api import formats
from haimaker.api.formats import responses_answers
from haimaker.http import sse
from haimaker.http.errors import BadGatewayError, BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request, StreamEvent
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result
from tests.support.builders import attempt

MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
USAGE: JSON = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 4},
    "cost": 0.25,
}
HEAD: JSON = {"id": "c1", "created": 5, "model": "m"}
TURN = [{"role": "user", "content": "Hi"}]
BODIES: Mapping[str, JSON] = {
    "chat_completions": {"model": "m", "messages": TURN, "stream_options": {"include_usage": True}},
    "messages": {"model": "m", "max_tokens": 99, "messages": TURN},
    "responses": {"model": "m", "input": "Hi", "store": False},
    "gemini_generate": {"contents": [{"parts": [{"text": "Hi"}]}]},
}
LENGTH, FILTERED, ENDED = "length", "filtered", "ended"
REASONS = {"length": LENGTH, "max_tokens": LENGTH, "max_output_tokens": LENGTH, "MAX_TOKENS": LENGTH}
REASONS |= dict.fromkeys(("content_filter", "refusal", "SAFETY"), FILTERED)


class Said(NamedTuple):
    """An answer as its reader understands it; `used` are what was read, of it from a cache, and what was written."""

    text: str
    thought: str
    calls: Sequence[tuple[str, str, Any]]
    reason: str
    used: tuple[int, int, int]


def asked(operation: str, *, stream: bool) -> tuple[Any, ChatRequest]:
    """The client format, and a request in it."""
    named = {"gemini_generate": "gemini_stream"}.get(operation, operation) if stream else operation
    body = BODIES[operation] | ({"stream": True} if stream and named == operation else {})
    request = Request("r1", {}, dumps(body), {"id": "m"} if named.startswith("gemini") else {}, {"alt": "sse"})
    client_format = formats.find(named, request)
    parsed = client_format.parse(request)
    assert isinstance(parsed, ChatRequest)
    return client_format, parsed


def whole(operation: str, message: JSON, reason: str) -> JSON:
    client_format, request = asked(operation, stream=False)
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason, "logprobs": None}
    body = {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    told: JSON = json.loads(client_format.render(request, Result(body), "r1")[1])
    return told


def streamed(operation: str, deltas: Iterable[JSON], reason: str) -> list[JSON]:
    client_format, request = asked(operation, stream=True)
    head = {**HEAD, "object": "chat.completion.chunk"}
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in ({"role": "assistant"}, *deltas)]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    chunks = [StreamEvent({**head, "choices": [choice]}) for choice in choices]
    chunks.append(StreamEvent({**head, "choices": [], "usage": USAGE}))
    pieces = list(client_format.events(request, iter(chunks), "r1"))
    return [json.loads(event.data) for event in sse.decode(pieces)]


def of_chat(answer: Any) -> Said:
    (choice,), used = answer.choices, answer.usage
    message = choice.message
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    thought = getattr(message, "reasoning_content", None) or ""
    counts = (used.prompt_tokens, used.prompt_tokens_details.cached_tokens, used.completion_tokens)
    return Said(message.content or "", thought, calls, REASONS.get(choice.finish_reason, ENDED), counts)


def of_message(message: Message) -> Said:
    texts, thoughts = ([each for each in message.content if each.type == kind] for kind in ("text", "thinking"))
    calls = [(each.id, each.name, each.input) for each in message.content if each.type == "tool_use"]
    used = message.usage
    cached = used.cache_read_input_tokens or 0
    return Said(
        "".join(each.text for each in texts if each.type == "text"),
        "".join(each.thinking for each in thoughts if each.type == "thinking"),
        calls,
        REASONS.get(message.stop_reason or "", ENDED),
        (used.input_tokens + cached, cached, used.output_tokens),
    )


def of_response(response: Response) -> Said:
    thought = "".join(part.text for item in response.output if item.type == "reasoning" for part in item.summary)
    calls = [(item.call_id, item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]
    details, used = response.incomplete_details, response.usage
    assert used
    counts = (used.input_tokens, used.input_tokens_details.cached_tokens, used.output_tokens)
    return Said(response.output_text, thought, calls, REASONS.get(str(details.reason) if details else "", ENDED), counts)


def of_contents(answers: Sequence[JSON]) -> Said:
    read = [GenerateContentResponse._from_response(response=answer, kwargs={}) for answer in answers]
    parts = [part for answer in read for part in answer.parts or ()]
    calls = [part.function_call for part in parts if part.function_call]
    last, used = (read[-1].candidates or [])[0], read[-1].usage_metadata
    assert used
    written = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
    return Said(
        "".join(part.text for part in parts if part.text and not part.thought),
        "".join(part.text for part in parts if part.text and part.thought),
        [(call.id or "", call.name or "", call.args) for call in calls],
        REASONS.get(last.finish_reason.value if last.finish_reason else "", ENDED),
        (used.prompt_token_count or 0, used.cached_content_token_count or 0, written),
    )


def read_whole(operation: str, answer: JSON) -> Said:
    if operation == "messages":
        return of_message(Message.model_validate(answer))
    if operation == "responses":
        return of_response(Response.model_validate(answer))
    return of_contents([answer]) if operation == "gemini_generate" else of_chat(ChatCompletion.model_validate(answer))


def read_stream(operation: str, events: Sequence[JSON]) -> Said:
    if operation == "messages":
        message: Message | None = None
        buffers: dict[int, bytes] = {}
        for event in events:
            message = accumulate_event(event=MESSAGE_EVENT.validate_python(event), current_snapshot=message, json_bufs=buffers)
        assert message
        return of_message(message)
    if operation == "responses":
        return of_response(Response.model_validate(events[-1]["response"]))
    if operation == "gemini_generate":
        return of_contents(events)
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for event in events:
        state.handle_chunk(ChatCompletionChunk.model_validate(event))
    return of_chat(state.current_completion_snapshot)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
PIECES = st.lists(TEXTS, max_size=3)
ARGUMENTS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-9, 9) | TEXTS, max_size=2)


@settings(max_examples=30)
@given(PIECES, PIECES, st.lists(ARGUMENTS, max_size=3), st.sampled_from(["length", "content_filter", "stop"]))
def test_an_answer_says_the_same_in_each_format(thoughts: list[str], texts: list[str], calls: list[JSON], reason: str) -> None:
    reason = "tool_calls" if calls and reason == "stop" else reason
    written = [json.dumps(arguments) for arguments in calls]
    made = [{"id": f"call_{at}", "type": "function", "function": {"name": "f"}} for at in range(len(calls))]
    deltas: list[JSON] = [{"reasoning_content": text} for text in thoughts] + [{"content": text} for text in texts]
    for at, (call, arguments) in enumerate(zip(made, written, strict=True)):
        deltas.append({"tool_calls": [{"index": at, **call, "function": {"name": "f", "arguments": arguments[:2]}}]})
        deltas.append({"tool_calls": [{"index": at, "function": {"arguments": arguments[2:]}}]})
    message: JSON = {"reasoning_content": "".join(thoughts)} if thoughts else {}
    message |= {"content": "".join(texts)} if texts else {}
    if calls:
        message["tool_calls"] = [
            {**call, "function": {"name": "f", "arguments": text}} for call, text in zip(made, written, strict=True)
        ]
    told = [(f"call_{at}", "f", arguments) for at, arguments in enumerate(calls)]
    expected = Said("".join(texts), "".join(thoughts), told, REASONS.get(reason, ENDED), (30, 10, 9))
    for operation in BODIES:
        assert read_whole(operation, whole(operation, message, reason)) == expected, operation
        assert read_stream(operation, streamed(operation, deltas, reason)) == expected, operation


CHAT_CHUNKS: list[JSON] = [
    {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Zü"}, "finish_reason": None}]},
    {
        **HEAD,
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
                },
                "finish_reason": None,
            }
        ],
    },
    {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {**HEAD, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
]
GOOGLES: list[JSON] = [
    {"candidates": [{"content": {"parts": [{"text": "Zü"}], "role": "model"}, "index": 0}], "tomorrow": {"a": [None]}},
    {
        "candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
    },
]
ANTHROPICS: list[JSON] = [
    {
        "type": "message_start",
        "message": {"id": "m", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Zü"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}, "tomorrow": [1]},
    {"type": "message_stop"},
]
UPSTREAMS: Mapping[str, list[JSON]] = {
    "hosted_vllm/m": CHAT_CHUNKS,
    "gemini/gemini-2.5-flash": GOOGLES,
    "anthropic/claude-sonnet-5-5": ANTHROPICS,
}


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize("target", UPSTREAMS)
@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, 900), max_size=6), line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_cut_of_the_providers_bytes_gives_the_same_events(operation: str, target: str, cuts: set[int], line_end: str) -> None:
    """Native and translated."""

    def told(cuts: Iterable[int], line_end: str) -> list[bytes]:
        lines = [f"data: {json.dumps(event, ensure_ascii=False)}{line_end * 2}" for event in UPSTREAMS[target]]
        raw = "".join(lines).encode()
        places = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
        pieces = [raw[start:end] for start, end in pairwise(places)]
        client_format, request = asked(operation, stream=True)
        at = attempt(target)
        events = adapters.find(request, at).from_stream(sse.decode(pieces), request, at)
        return list(client_format.events(request, iter(list(events)), "r1"))

    assert told(cuts, line_end) == told((), "\n") != []


NO_CHOICES: JSON = {**HEAD, "object": "chat.completion", "choices": [], "usage": USAGE}
EMBED: JSON = {"content": {"parts": [{"text": "a"}]}}
EMPTY: Mapping[str, tuple[JSON, JSON]] = {
    **{operation: (body, NO_CHOICES) for operation, body in BODIES.items()},
    "responses_compact": ({"model": "m", "input": "Hi"}, NO_CHOICES),
    "gemini_embed": (EMBED, {"data": [], "usage": {"prompt_tokens": 1}}),
    "gemini_batch_embed": ({"requests": [EMBED]}, {"data": [], "usage": {"prompt_tokens": 1}}),
}


@pytest.mark.parametrize("used", ["x", [1], True, {}])
@pytest.mark.parametrize("operation", ["messages", "responses", "responses_compact"])
def test_a_native_answer_whose_usage_is_no_object_has_ours(operation: str, used: object) -> None:
    request = formats.find(operation).parse(Request("r1", {}, dumps(EMPTY[operation][0])))
    result = Result({**NO_CHOICES, "usage": USAGE}, native={"id": "x", "usage": used})
    told = json.loads(formats.find(operation).render(request, result, "r1")[1])["usage"]
    assert (told["output_tokens"], told["cost"]) == (9, 0.25)


def test_a_response_has_what_a_chunk_leaves_out() -> None:
    chunk = {
        "id": "c",
        "created": None,
        "model": None,
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}],
    }
    *_, last = responses_answers.events([chunk], BODIES["responses"], "r1")
    assert Response.model_validate(last["response"]).model == "m"


@pytest.mark.parametrize("operation", EMPTY)
def test_an_answer_that_says_nothing_is_an_answer_or_the_providers_error(operation: str) -> None:
    sent, said = EMPTY[operation]
    client_format = formats.find(operation)
    request = client_format.parse(Request("r1", {}, dumps(sent), {"id": "m"}))
    with suppress(BadGatewayError):
        assert isinstance(json.loads(client_format.render(request, Result(said), "r1")[1]), dict)


def linking(link: str) -> Iterator[tuple[str, JSON]]:
    """Wherever a client's format has a place for a link that somebody fetches, by the operation."""
    source = {"type": "url", "url": link}
    for block in ({"type": "image", "source": source}, {"type": "document", "source": source}):
        for content in ([block], [{"type": "tool_result", "tool_use_id": "a", "content": [block]}]):
            yield "messages", {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": content}]}
    image, file = {"type": "input_image", "image_url": link}, {"type": "input_file", "file_url": link}
    for item in ({"role": "user", "content": [image]}, {"role": "user", "content": [file]}):
        yield "responses", {"model": "m", "input": [item]}
        yield "responses_compact", {"model": "m", "input": [item]}
    yield "responses", {"model": "m", "input": [{"type": "function_call_output", "call_id": "c", "output": [image]}]}
    for part in ({"fileData": {"fileUri": link}}, {"file_data": {"file_uri": link, "mime_type": "image/png"}}):
        yield "gemini_generate", {"contents": [{"role": "user", "parts": [part]}]}
        yield "gemini_stream", {"contents": [{"role": "user", "parts": [part]}]}
        yield "gemini_embed", {"content": {"parts": [part]}}


@pytest.mark.parametrize(
    "link", ["file:///etc/passwd", "ftp://h/a", "//h/a", "http:/\\h/a", "http:///a", "javascript:a", "gopher://h/"]
)
def test_links_that_are_not_of_the_web_are_refused_in_every_format(link: str) -> None:
    for operation, body in linking(link):
        with pytest.raises(BadRequestError):
            formats.find(operation).parse(Request("r1", {}, dumps(body), {"id": "m"}))
