import json
from typing import Any

import pytest

from haimaker.content import transcript
from haimaker.content.transcript import Conversation, merge_chunks
from haimaker.observability.redaction import Redaction
from tests.support import builders


def kept(*pieces: bytes, asked: dict[str, Any] | None = None) -> dict[str, Any]:
    done: list[Conversation] = []
    heard = Conversation(asked or {"messages": []}, Redaction(), done.append)
    items = ["a head", *pieces]
    assert list(heard.tee(iter(items))) == items
    heard.end(builders.record())
    assert done == [heard]
    return heard.entry()


def test_an_entry_tells_the_request_its_answer_and_what_it_was() -> None:
    entry = kept(b'{"id": "1", ', b'"choices": [{"text": "Hi"}]}', asked={"model": "fast", "prompt": "ada@example.com"})
    assert entry["request"] == {"model": "fast", "prompt": "[email]"}
    assert entry["response"] == {"id": "1", "choices": [{"text": "Hi"}]}
    assert (entry["request_id"], entry["status"], entry["provider"], entry["input_tokens"]) == ("req-1", "ok", "openai", 15)
    assert "truncated" not in entry
    json.dumps(entry)


def test_a_stream_is_folded_before_it_is_cleaned() -> None:
    """So that what came in pieces is found."""
    pieces = [b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % part for part in (b"ada@exa", b"mple.com")]
    entry = kept(b": comment\n\n", *pieces, b"data: [DONE]\n\n")
    assert entry["response"] == {"id": "1", "choices": [{"index": 0, "message": {"content": "[email]"}}]}


def events(*bodies: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode() for body in bodies)


START = {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": {"input_tokens": 3}}}
THINKS = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}
CALLS = {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}


def delta(index: int, kind: str, name: str, text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}}


CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}}
WRITES = {"type": "response.output_text.delta", "delta": "Hi"}


@pytest.mark.parametrize(
    ("told", "response"),
    [
        (
            events(
                START,
                THINKS,
                delta(0, "thinking_delta", "thinking", "Hm"),
                delta(0, "signature_delta", "signature", "Eq"),
                CALLS,
                delta(1, "input_json_delta", "partial_json", '{"a":'),
                delta(1, "input_json_delta", "partial_json", "1}"),
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
                {"type": "message_stop"},
            ),
            {
                "id": "msg_1",
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm", "signature": "Eq"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
                ],
                "stop_reason": "tool_use",
                "usage": {"input_tokens": 3, "output_tokens": 2},
            },
        ),
        (
            events(
                CREATED, WRITES, {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": [1]}}
            ),
            {"id": "resp_1", "status": "completed", "output": [1]},
        ),
        (events(CREATED, WRITES), {"id": "resp_1", "status": "in_progress", "output": [], "output_text": "Hi"}),
    ],
)
def test_streams_of_other_formats_are_merged(told: tuple[bytes, ...], response: Any) -> None:
    assert kept(*told)["response"] == response


@pytest.mark.parametrize(
    ("pieces", "response"),
    [
        ((), None),
        ((b"\xff\xfbaudio",), {"bytes": 7}),
        ((b"data: broken\n\n",), {}),
        ((b"[1]",), [1]),
    ],
)
def test_other_answers(pieces: tuple[bytes, ...], response: Any) -> None:
    found = kept(*pieces)["response"]
    if isinstance(found, dict):
        found.pop("sha256", None)
    assert found == response


def test_what_is_too_long_is_not_kept_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_BYTES", 10)
    entry = kept(b"\xff2345678", b"90abc")
    assert (entry["truncated"], entry["response"]["bytes"]) == (True, 13)


def chunk(index: int, **fields: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": index, **fields}]}


def test_folding_chunks_gives_the_whole_answer() -> None:
    events = [
        chunk(1, delta={"role": "assistant", "content": "B"}),
        chunk(
            0,
            delta={"reasoning_content": "hm", "tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]},
        ),
        chunk(0, delta={"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        chunk(0, delta={"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}, {"index": 1, "function": {"name": "g"}}]}),
        chunk(1, delta={"content": "ye"}, finish_reason="stop"),
        chunk(0, delta={}, finish_reason="tool_calls"),
        {"id": "c", "choices": [], "usage": {"total_tokens": 3}},
        None,
        "odd",
    ]
    assert merge_chunks(events) == {
        "id": "c",
        "usage": {"total_tokens": 3},
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"a":1}'}},
                        {"index": 1, "function": {"name": "g"}},
                    ],
                },
            },
            {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "Bye"}},
        ],
    }
    assert merge_chunks([chunk(0, text="a"), chunk(0, text="b")])["choices"] == [{"index": 0, "text": "ab"}]
    assert merge_chunks([{"type": "delta"}, {"type": "done", "text": "all"}]) == {"type": "done", "text": "all"}


GOOGLES: list[dict[str, Any]] = [
    {"candidates": [{"content": {"parts": [{"text": "ada@exa"}], "role": "model"}, "index": 0}], "responseId": "r"},
    {"candidates": [{"content": {"parts": [{"text": "mple.com"}]}}]},
    {
        "candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "U0lH"}]}, "finishReason": "STOP"}],
        "usageMetadata": {},
    },
]


@pytest.mark.parametrize("form", ["events", "list"])
def test_a_stream_of_googles_is_folded(form: str) -> None:
    pieces = (
        [b"data: %b\n\n" % json.dumps(each).encode() for each in GOOGLES] if form == "events" else [json.dumps(GOOGLES).encode()]
    )
    parts = [{"text": "[email]"}, {"text": "", "thoughtSignature": "U0lH"}]
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, "finishReason": "STOP"}
    assert kept(*pieces)["response"] == {"responseId": "r", "usageMetadata": {}, "candidates": [candidate]}
