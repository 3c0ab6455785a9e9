"""Reasoning between tags in the text: parted in the whole answer and in a stream alike, however it is cut."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.adapters.openai import chat
from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON
from haimaker.providers.provider import Provider
from tests.support.builders import attempt, chat_request, result_of
from tests.unit.adapters.folding import fold
from tests.unit.adapters.test_openai_chat import HEAD, events

R1 = "deepseek-r1-distill-llama-70b"
INSIDE = "qwen3-235b-a22b-thinking-2507"
PLAIN = "llama-3.3-70b"
CASES: list[tuple[str, str, tuple[str, str]]] = [
    (R1, "<think>Hm.</think>\n\nHi", ("Hm.", "Hi")),
    (R1, "\n<think>\nHm <b> </thin</think>Hi <think>", ("\nHm <b> </thin", "Hi <think>")),
    (R1, "<think></think>Hi", ("", "Hi")),
    (R1, "<think>Hm", ("Hm", "")),
    (R1, "<think>Hm</thi", ("Hm</thi", "")),
    (R1, "<thinking>Hm</thinking> Hi", ("Hm", "Hi")),
    ("magistral-small", "[THINK]Hm[/THINK]Hi", ("Hm", "Hi")),
    (R1, "<thin air>", ("", "<thin air>")),
    (R1, "<thi", ("", "<thi")),
    (R1, "Hi <think>Hm</think>", ("", "Hi <think>Hm</think>")),
    (R1, "Hm</think>Hi", ("", "Hm</think>Hi")),
    (INSIDE, "Hm</think>\n\nHi</think>", ("Hm", "Hi</think>")),
    (INSIDE, "<think>Hm</think>Hi", ("Hm", "Hi")),
    (INSIDE, "Hi there", ("Hi there", "Hi there")),
    (INSIDE, "Hi </thi", ("Hi </thi", "Hi </thi")),
    (PLAIN, "<think>Hm</think>Hi", ("", "<think>Hm</think>Hi")),
]


def whole(model: str, message: JSON) -> JSON:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    tried = attempt(f"acme/{model}", provider=Provider("acme"))
    made: JSON = result_of(chat, {**HEAD, "object": "chat.completion", "choices": [choice]}, tried)["choices"][0]["message"]
    return made


def streamed(model: str, *deltas: JSON, ends: bool = True) -> JSON:
    choices = [{"index": 0, "delta": {"role": "assistant"}}, *({"index": 0, "delta": delta} for delta in deltas)]
    end: list[Any] = [{"index": 0, "delta": {}, "finish_reason": "stop"}] if ends else []
    stream = events(*({**HEAD, "choices": [choice]} for choice in choices + end))
    made = [chunk.body for chunk in chat.from_stream(stream, chat_request(), attempt(f"acme/{model}", provider=Provider("acme")))]
    message: JSON = fold(made)["choices"][0]["message"]
    return message


def parts(message: JSON) -> tuple[str, str]:
    return message.get("reasoning_content") or "", message.get("content") or ""


@pytest.mark.parametrize(("model", "text", "expected"), CASES)
def test_reasoning_is_parted_from_the_text(model: str, text: str, expected: tuple[str, str]) -> None:
    made = parts(whole(model, {"content": text}))
    assert made == (expected if expected[0] not in ("", text) else ("", text))
    for size in (1, 2, 5, 1_000):
        pieces = [{"content": text[start : start + size]} for start in range(0, len(text), size)]
        assert parts(streamed(model, *pieces)) == parts(streamed(model, *pieces, ends=False)) == expected


def bare(text: str) -> str:
    """Without blanks and tags, nor those that come about where a tag between their halves is gone."""
    left = "".join(text.split())
    while left != (without := left.replace("<think>", "").replace("</think>", "")):
        left = without
    return left


@given(st.lists(st.sampled_from(["<think>", "</think>", "<th", "ink>", "a", "\n", " ", "</", "<"]), max_size=12), st.booleans())
def test_no_letter_is_lost(pieces: list[str], inside: bool) -> None:
    text = "".join(pieces)
    made = parts(streamed(INSIDE if inside else R1, *({"content": piece} for piece in pieces)))
    assert made == parts(streamed(INSIDE if inside else R1, {"content": text}))
    assert bare("".join(made)) in (bare(text), bare(text + text) if inside and "</think>" not in text else bare(text))


def test_reasoning_that_the_provider_parts_itself_stays() -> None:
    said = {"reasoning_content": "Hm", "content": "<think>"}
    assert parts(whole(INSIDE, said)) == ("Hm", "<think>")
    assert parts(streamed(INSIDE, {"reasoning_content": "Hm"}, {"content": "<think>"})) == ("Hm", "<think>")


@pytest.mark.parametrize("name", ["deepseek-r1", "qwq-32b", INSIDE])
def test_reasoning_without_an_opening_tag_is_told_as_it_comes(name: str) -> None:
    """Also in a stream that is cut, which tells nothing twice."""
    tried = attempt(f"acme/{name}", provider=Provider("acme"))
    pieces = [{**HEAD, "choices": [{"index": 0, "delta": {"content": text}}]} for text in ("Let me ", "see</th")]
    made: list[JSON] = []
    stream = chat.from_stream(events(*pieces, done=False), chat_request(), tried)
    with pytest.raises(BadGatewayError):
        made.extend(chunk.body for chunk in stream)
    deltas = [chunk["choices"][0]["delta"] for chunk in made]
    assert [delta.get("reasoning_content") for delta in deltas] == ["Let me ", "see", "</th"]
    assert not any(delta.get("content") for delta in deltas)


def test_what_is_held_back_comes_before_a_call() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    made = streamed(INSIDE, {"content": "Hi"}, {"tool_calls": [call]})
    assert (made["content"], made["tool_calls"][0]["id"]) == ("Hi", "c")
