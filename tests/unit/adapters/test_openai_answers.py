"""Answers that lack something or say it in another way, whole and streamed, as OpenAI's: a case is what is not as it should be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker.adapters.openai import chat, completions, counts
from haimaker.http.errors import APIError
from haimaker.http.values import JSON
from haimaker.pricing import usage
from haimaker.providers.provider import AnswerRules, Provider
from tests.support.builders import attempt, chat_request, in_dialect, result_of
from tests.unit.adapters.folding import fold
from tests.unit.adapters.test_openai_chat import HEAD, events

ROW = in_dialect(answers=AnswerRules(service_tiers={"on_demand": "default"}))
WHOLE = {**HEAD, "object": "chat.completion"}
FUNCTION = {"name": "f", "arguments": '{"a":1}'}
CALL = {"id": "call_1", "type": "function", "function": FUNCTION}
CITED = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}}


def whole(body: JSON) -> JSON:
    """The answer, which the official SDK's types accept."""
    made = result_of(chat, body, attempt("acme/m", provider=ROW))
    ChatCompletion.model_validate(made)
    return made


def streamed(*bodies: JSON, row: Provider = ROW) -> list[JSON]:
    made = [chunk.body for chunk in chat.from_stream(events(*bodies), chat_request(), attempt("acme/m", provider=row))]
    for body in made:
        ChatCompletionChunk.model_validate(body)
    return made


def delta(reason: str | None = None, choice: int = 0, **fields: Any) -> JSON:
    return {**HEAD, "choices": [{"index": choice, "delta": fields, "finish_reason": reason}]}


def choice_of(choice: JSON) -> JSON:
    made: JSON = whole({**WHOLE, "choices": [choice]})["choices"][0]
    return made


def test_the_fields_around_the_choices_are_there() -> None:
    made = whole({"choices": [{"message": {"content": "a"}}]})
    message = {"role": "assistant", "content": "a"}
    assert made == {
        "id": "chatcmpl-req-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    odd = whole({"id": 7, "object": "chat.completion.done", "created": 3.5, "model": None, "choices": [{}]})
    assert (odd["id"], odd["created"], odd["model"]) == ("chatcmpl-req-1", 3, "m")
    assert odd["choices"][0]["message"] == {"role": "assistant"}


def test_a_legacy_completion_is_one() -> None:
    made = result_of(completions, {"choices": [{"text": "a"}]}, attempt("acme/m", provider=ROW))
    Completion.model_validate(made)
    assert (made["id"], made["choices"]) == ("cmpl-req-1", [{"index": 0, "text": "a", "finish_reason": "stop"}])


@pytest.mark.parametrize(
    ("tier", "told"),
    [("on_demand", "default"), ("performance", "priority"), ("flex", "flex"), ("", None), ("provisioned", None), (7, None)],
)
def test_a_service_tier_is_one_that_the_sdk_knows(tier: Any, told: str | None) -> None:
    assert whole({**WHOLE, "choices": [], "service_tier": tier})["service_tier"] == told


def unwrapped(body: JSON) -> JSON:
    return body.get("result", body)


def test_a_providers_own_function_mends_answers_and_events_before_they_are_read() -> None:
    row = in_dialect(answers=AnswerRules(mend=unwrapped))
    body = {**WHOLE, "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}
    assert result_of(chat, {"result": body}, attempt("acme/m", provider=row)) == body
    said = delta("stop", role="assistant", content="a")
    assert streamed({"result": said}, row=row) == streamed(said)
    with pytest.raises(APIError):
        result_of(chat, {"result": {"error": {"message": "No"}}}, attempt("acme/m", provider=row))


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"message": {}}, "stop"),
        ({"message": {}, "finish_reason": ""}, "stop"),
        ({"message": {}, "finish_reason": "eos"}, "stop"),
        ({"message": {}, "finish_reason": "MAX_TOKENS"}, "length"),
        ({"message": {"tool_calls": [CALL]}, "finish_reason": None}, "tool_calls"),
        ({"message": {"tool_calls": [CALL]}, "finish_reason": "tool_call"}, "tool_calls"),
        ({"message": {}, "finish_details": {"type": "max_tokens"}}, "length"),
        ({"finish_reason": "content_filter", "content_filter_results": {}}, "content_filter"),
    ],
)
def test_an_answer_says_why_it_ended(choice: JSON, reason: str) -> None:
    assert choice_of({"index": 0, **choice})["finish_reason"] == reason


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"reasoning": "r"}, {"reasoning": "r", "reasoning_content": "r"}),
        ({"reasoning": "r", "reasoning_content": "s"}, {"reasoning": "r", "reasoning_content": "s"}),
        ({"reasoning": ""}, {"reasoning": ""}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "low"}}),
        ({"content": ["a", {"type": "text", "text": "b"}]}, {"content": "ab"}),
        ({"tool_calls": None}, {"tool_calls": None}),
        ({"tool_calls": [None, {"function": {"name": "f"}}]},
         {"tool_calls": [{"id": "call_req1_0_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}),
        ({"tool_calls": [{**CALL, "type": "", "function": {"name": "f", "arguments": {"a": [1]}}}]},
         {"tool_calls": [{**CALL, "function": {"name": "f", "arguments": '{"a": [1]}'}}]}),
        ({"annotations": [CITED, {"type": "file", "file": {"hash": "h"}}]},
         {"annotations": [CITED], "other_annotations": [{"type": "file", "file": {"hash": "h"}}]}),
        ({"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "start_index": None}}]},
         {"annotations": [{"type": "url_citation",
                           "url_citation": {"url": "u", "title": "", "start_index": 0, "end_index": 0}}]}),
    ],
    ids=repr,
)  # fmt: skip
def test_what_was_said_is_said_as_openai_does(message: JSON, expected: JSON) -> None:
    made = choice_of({"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"})
    assert made["message"] == {"role": "assistant", **expected}


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        (None, None),
        ({"content": None}, {"content": None}),
        (-0.5, None),
        ({}, {}),
        (
            {"tokens": ["a", "é"], "token_logprobs": [None, -1], "top_logprobs": [{"b": -2.5}]},
            [("a", 0.0, [97], [("b", -2.5)]), ("é", -1.0, [195, 169], [])],
        ),
    ],
)
def test_log_probabilities_have_a_token_each(logprobs: Any, expected: Any) -> None:
    made = choice_of({"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop", "logprobs": logprobs})["logprobs"]
    if made and made.get("content"):
        made = [
            (each["token"], each["logprob"], each["bytes"], [(top["token"], top["logprob"]) for top in each["top_logprobs"]])
            for each in made["content"]
        ]
    assert made == expected


@pytest.mark.parametrize(
    ("used", "added"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, {}),
        ({"prompt_tokens": 3, "total_tokens": 3}, {"completion_tokens": 0}),
        ({"input_tokens": 3, "output_tokens": 2}, {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
        ({"input_tokens": 3, "output_tokens": 2, "total_tokens": 6},
         {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "completion_tokens_details": {"reasoning_tokens": 1}}),
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 9}},
         {}),
        ({"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14, "completion_tokens_details": {"reasoning_tokens": 9}},
         {}),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 380, "prompt_audio_seconds": 30}, {}),
        ({"prompt_tokens": 3.0, "completion_tokens": None}, {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_cache_hit_tokens": 1},
         {"prompt_tokens_details": {"cached_tokens": 1}}),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cached_tokens": 1, "prompt_tokens_details": []},
         {"prompt_tokens_details": {"cached_tokens": 1}}),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "reasoning_tokens": 1},
         {"completion_tokens_details": {"reasoning_tokens": 1}}),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}},
         {"completion_tokens": 6}),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "completion_tokens_details": []},
         {"completion_tokens_details": None}),
    ],
    ids=repr,
)  # fmt: skip
def test_usage_is_openais(used: JSON, added: JSON) -> None:
    assert whole({**WHOLE, "choices": [], "usage": used})["usage"] == {**used, **added}


@pytest.mark.parametrize(
    ("model", "used", "added"),
    [
        ("google/gemini-2.5-flash",
         {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 9}},
         {"completion_tokens": 11, "total_tokens": 16}),
        ("voxtral-small-2507",
         {"prompt_tokens": 4, "completion_tokens": 7, "total_tokens": 386, "prompt_audio_seconds": 203}, {"prompt_tokens": 379}),
        ("Voxtral-Small-24B", {"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401}, {"prompt_tokens": 386}),
    ],
)  # fmt: skip
def test_usage_of_some_models_is_counted_beside(model: str, used: JSON, added: JSON) -> None:
    assert counts.normalize_usage(used, model) == {**used, **added}


COUNT = st.one_of(st.integers(0, 4), st.sampled_from([None, 2.0, "2", True, -1]))
DETAIL = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens", "cache_read_tokens"]), COUNT),
)


@given(
    st.fixed_dictionaries(
        {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
        optional={"prompt_tokens_details": DETAIL, "completion_tokens_details": DETAIL, "cached_tokens": COUNT},
    ),
    st.sampled_from(["gpt-4o", "voxtral-small-2507", "google/gemini-2.5-pro", "grok-4"]),
    st.booleans(),
)
def test_usage_that_lacks_nothing_is_seen_at_once(used: JSON, model: str, adds_up: bool) -> None:
    if adds_up:
        used = {**used, "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert counts.normalize_usage(used, model) == (counts.complete_usage(used, model) if usage.is_plausible(used) else used)


@pytest.mark.parametrize(
    "odd",
    [
        [delta(content="a", role=""), delta(content="b", role="assistant"), delta("stop", role="assistant")],
        [delta(content="a"), delta(content="b", role=None), delta("stop", content=None)],
        [{"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"delta": {"content": "b"}}]}, {"choices": [{"delta": None}]}],
    ],
)
def test_a_stream_tells_its_role_once(odd: list[JSON]) -> None:
    """The SDK joins what is repeated."""
    [choice] = fold(streamed(*odd))["choices"]
    assert choice["message"] == {"role": "assistant", "content": "ab"}
    assert choice["finish_reason"] == "stop"


def piece(arguments: Any = None, **fields: Any) -> JSON:
    name = fields.pop("name", None)
    function = {"name": name} if name else {}
    return {**fields, "function": function if arguments is None else {**function, "arguments": arguments}}


FIRST = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SECOND = {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x": 1}'}}
NAMELESS = [{**FIRST, "id": "call_req1_0_0"}, {**SECOND, "id": "call_req1_0_1"}]


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([[piece("{", index=0, id="a", name="f")], [piece("}", index=0, id="a", name="f", type="function")]], [FIRST]),
        ([[piece("", index=0, id="a", type="")], [piece("{}", index=0, name="f")]], [FIRST]),
        ([[piece("{}", index=0, id="a", name="f"), piece({"x": 1}, index=0, id="b", name="g")]], [FIRST, SECOND]),
        ([[piece("{}", index=1, id="a", name="f")], [piece('{"x": 1}', index=4, id="b", name="g")]], [FIRST, SECOND]),
        ([[piece("{}", id="a", name="f")], [piece('{"x"', id="b", name="g")], [piece(": 1}")]], [FIRST, SECOND]),
        ([[piece("{}", name="f"), piece('{"x"', name="g")], [piece(": 1}", id="")]], NAMELESS),
        ([[piece("{}", index=0, name="f")], [piece('{"x": 1}', index=0, name="g")]], NAMELESS),
        ([[piece("{}", index=0, id="a", name="f")], [piece(None, index=0)]], [FIRST]),
    ],
    ids=repr,
)
def test_pieces_of_calls_are_joined_rightly(pieces: list[list[JSON]], calls: list[JSON]) -> None:
    [choice] = fold(streamed(*[delta(tool_calls=each) for each in pieces], delta("tool_calls")))["choices"]
    assert choice["message"]["tool_calls"] == calls


def test_a_list_in_pieces_has_positions() -> None:
    """Without them the SDK refuses the second."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    pieces = [delta(annotations=[CITED], images=[image]), delta(annotations=[CITED, CITED], images=[image], notes=["n"])]
    made = streamed(*pieces, delta("stop"))
    fold(made)
    places = [[each["index"] for each in chunk["choices"][0]["delta"]["annotations"]] for chunk in made[:2]]
    assert (places, made[1]["choices"][0]["delta"]["images"][0]["index"]) == ([[0], [1, 2]], 1)


USED = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    "bodies",
    [
        [delta("stop", content="a", role="assistant") | {"x_groq": {"usage": USED}}],
        [{**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": "stop", "usage": USED}]}],
        [delta("stop", content="a"), {**HEAD, "choices": [], "usage": USED}],
        [delta("stop", content="a") | {"x_groq": {"usage": USED}}, {"usage": USED}],
        [delta(content="a") | {"usage": USED}, delta("stop") | {"usage": None}],
    ],
)
def test_usage_is_told_once_in_its_place(bodies: list[JSON]) -> None:
    assert [chunk["usage"] for chunk in streamed(*bodies) if chunk.get("usage")] == [USED]


def test_every_choice_ends() -> None:
    [*_, last] = streamed(
        delta("length", content="a"), delta(choice=1, content="b"), delta(choice=2, tool_calls=[piece("{}", name="f")])
    )
    ends = [(choice["index"], choice["finish_reason"]) for choice in last["choices"]]
    assert ends == [(1, "stop"), (2, "tool_calls")]


@pytest.mark.parametrize("body", [{"message": {"content": ""}, "delta": {}, "finish_reason": "error", "error": {"code": 429}}])
def test_an_error_in_a_choice_is_one(body: JSON) -> None:
    """https://openrouter.ai/docs/api-reference/errors"""
    for made in (lambda: whole({**WHOLE, "choices": [body]}), lambda: streamed({**HEAD, "choices": [body]})):
        with pytest.raises(chat.errors.RateLimitError):
            made()
