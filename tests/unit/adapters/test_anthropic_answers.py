"""What a client gets of Anthropic's answers where the blocks, their order or their citations are out of the ordinary."""

import json
from typing import Any

import pytest

from haimaker.adapters.anthropic import chat
from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON, Event
from tests.support.builders import chat_request, result_of
from tests.unit.adapters.claude import attempt
from tests.unit.adapters.folding import fold

PAGE = {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "x", "encrypted_index": "e"}
TEXT = {"type": "char_location", "document_title": "Law", "document_index": 0, "start_char_index": 3, "end_char_index": 9}
PDF = {"type": "page_location", "document_title": None, "document_index": 1, "start_page_number": 2, "end_page_number": 3}
FOUND = {"type": "search_result_location", "source": "kb/7", "title": "Seven", "search_result_index": 0, "start_block_index": 0}


def whole(content: list[JSON], **fields: Any) -> JSON:
    body = {"type": "message", "id": "msg_1", "model": "claude", "content": content, "stop_reason": "end_turn", **fields}
    return dict(result_of(chat, body, attempt())["choices"][0]["message"])


def began(identifier: str = "msg_1") -> JSON:
    return {"type": "message_start", "message": {"id": identifier, "model": "claude", "content": [], "usage": {"input_tokens": 3}}}


def block(index: int, *deltas: JSON, **start: Any) -> list[JSON]:
    """The events of a block that stays open."""
    changes = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [{"type": "content_block_start", "index": index, "content_block": start}, *changes]


def wrote(text: str) -> JSON:
    return {"type": "text_delta", "text": text}


STOPPED = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}, {"type": "message_stop"}]


def chunks(*events: JSON) -> list[JSON]:
    made = [Event(json.dumps(event).encode()) for event in events]
    return [chunk.body for chunk in chat.from_stream(made, chat_request(), attempt())]


def streamed(*events: JSON) -> JSON:
    return fold(chunks(*events))


@pytest.mark.parametrize(
    ("citation", "url", "title", "place"),
    [
        (PAGE, "https://a.example", "A", None),
        ({**TEXT, "cited_text": "law."}, "Law", "Law", {"document_index": 0, "start_char_index": 3, "end_char_index": 9}),
        ({**PDF, "cited_text": "law."}, "", "", {"document_index": 1, "start_page_number": 2, "end_page_number": 3}),
        ({**FOUND, "cited_text": "law."}, "kb/7", "Seven", {"search_result_index": 0, "start_block_index": 0}),
        ({"type": "of_the_future"}, None, None, None),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) and "type" in value else "",
)
def test_citations(citation: JSON, url: str | None, title: str, place: JSON | None) -> None:
    cited = {"start_index": 4, "end_index": 8, "url": url, "title": title}
    told = {"type": "url_citation", "url_citation": cited, **({"cited_text": "law.", "location": place} if place else {})}
    first, second = {"type": "text", "text": "See "}, {"type": "text", "text": "here"}
    expected = None if url is None else [told]
    assert whole([first, {**second, "citations": [citation]}]).get("annotations") == expected
    said = {"type": "citations_delta", "citation": citation}
    events = [began(), *block(0, **first), *block(1, wrote("here"), said, type="text", text=""), *STOPPED]
    assert streamed(*events)["choices"][0]["message"].get("annotations") == expected


def test_a_message_that_begins_twice_is_one() -> None:
    events = [began(), *block(0, wrote("Good "), type="text", text=""), began()]
    again = {"type": "content_block_delta", "index": 0, "delta": wrote("day")}
    assert streamed(*events, again, *STOPPED)["choices"][0]["message"]["content"] == "Good day"


def test_another_message_within_one_breaks_it_off() -> None:
    events = [began(), *block(0, wrote("Good"), type="text", text=""), began("msg_2")]
    with pytest.raises(BadGatewayError) as broken:
        streamed(*events, *block(0, wrote("Hello"), type="text", text=""), *STOPPED)
    assert broken.value.code == "stream_interrupted"


def test_a_call_that_was_cut_keeps_what_there_is_of_it() -> None:
    """Arguments that stream as they are written may end anywhere when the limit is reached."""
    piece = {"type": "input_json_delta", "partial_json": '{"text": "Once up'}
    events = [began(), *block(0, piece, type="tool_use", id="t", name="write", input={})]
    cut = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 9}}
    choice = streamed(*events, cut, {"type": "message_stop"})["choices"][0]
    assert (choice["finish_reason"], choice["message"]["tool_calls"][0]["function"]["arguments"]) == ("length", '{"text": "Once up')


def test_where_tools_ran_is_told() -> None:
    """https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool#container-reuse"""
    container = {"id": "container_1", "expires_at": "2026-01-01T00:00:00Z"}
    body = {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "container": container}
    assert result_of(chat, body, attempt())["container"] == container
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": container}, "usage": {"output_tokens": 1}}
    assert chunks(began(), *block(0, type="text", text="Hi"), ended)[-1]["container"] == container


@pytest.mark.parametrize(
    ("given", "arguments"),
    [({"a": "ü"}, '{"a": "ü"}'), ('{"a":1}', '{"a":1}'), ("", "{}"), ({}, "{}"), (None, "{}"), ([1], "{}")],
)
def test_an_input_that_comes_at_once(given: Any, arguments: str) -> None:
    """As those write it who speak the format without being Anthropic, too."""
    use = {"type": "tool_use", "id": "t", "name": "run", "input": given}
    assert whole([use])["tool_calls"][0]["function"]["arguments"] == arguments
    call = streamed(began(), *block(0, **use), *STOPPED)["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["arguments"] == arguments


def test_a_content_that_is_a_text() -> None:
    assert result_of(chat, {"content": "Hi", "stop_reason": "end_turn"}, attempt())["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize(
    ("first", "later", "text", "counted"),
    [
        ({"input_tokens": 3, "cache_read_input_tokens": 5}, {"input_tokens": 0, "cache_read_input_tokens": 0}, "a", (8, 5, 2)),
        ({"input_tokens": 0, "cache_read_input_tokens": 0}, {"input_tokens": 3, "cache_read_input_tokens": 5}, "a", (8, 5, 2)),
        ({"input_tokens": 3}, {"input_tokens": None, "cache_read_input_tokens": 5}, "a", (8, 5, 2)),
        ({"input_tokens": 3, "output_tokens": 4}, {"output_tokens": 0}, "a", (3, 0, 4)),
        ({"input_tokens": 3, "output_tokens": 4}, {"output_tokens": 0}, "", (3, 0, 0)),
    ],
)
def test_a_count_that_a_stream_tells_later_stands_unless_it_is_none(
    first: JSON, later: JSON, text: str, counted: tuple[int, int, int]
) -> None:
    written = block(0, wrote(text), type="text", text="") if text else []
    ends = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2, **later}}
    begins = {"type": "message_start", "message": {"id": "msg_1", "model": "claude", "content": [], "usage": first}}
    usage = streamed(begins, *written, ends, {"type": "message_stop"})["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    assert (usage["prompt_tokens"], cached, usage["completion_tokens"]) == counted
