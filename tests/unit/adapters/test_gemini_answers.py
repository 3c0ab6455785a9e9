"""What a client gets of Gemini's answers, usage and errors."""

from typing import Any

import pytest

from haimaker.adapters.gemini import chat
from haimaker.adapters.gemini.answers import FINISH_REASON
from haimaker.adapters.gemini.grounding import to_annotations
from haimaker.adapters.gemini.tokens import to_usage
from haimaker.http.errors import APIError, BadGatewayError, RateLimitError
from haimaker.http.values import JSON, ErrorFields
from tests.unit.adapters.gemini_support import NEWEST, answer, contents, streamed, whole

CALL = {"functionCall": {"name": "a"}}


def first_choice(body: JSON, model: str = NEWEST) -> JSON:
    return dict(whole(body, model)["choices"][0])


@pytest.mark.parametrize("reason", [*FINISH_REASON, "NEVER_HEARD_OF", None])
def test_a_finish_reason_is_one_of_openais(reason: str | None) -> None:
    expected = FINISH_REASON.get(reason or "", "stop")
    assert first_choice(answer({"text": "x"}, reason=reason))["finish_reason"] == expected
    calling = "tool_calls" if expected == "stop" else expected
    assert first_choice(answer(CALL, reason=reason))["finish_reason"] == calling
    if reason:
        assert streamed(answer({"text": "x"}, reason=reason))[-1]["choices"][0]["finish_reason"] == expected


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_a_generation_that_failed_is_no_empty_success(reason: str) -> None:
    """https://ai.google.dev/api/generate-content#FinishReason"""
    for fails in (whole, streamed):
        with pytest.raises(APIError, match=reason) as raised:
            fails({"candidates": [{"finishReason": reason, "index": 0}]})
        assert (raised.value.status, raised.value.code) == (502, reason.lower())


@pytest.mark.parametrize(
    ("number", "reason"),
    [(0, "stop"), (1, "stop"), (2, "length"), (3, "content_filter"), (5, "content_filter"), (99, "stop"), (True, "stop")],
)
def test_a_finish_reason_may_be_a_number(number: int, reason: str) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": number}]}
    assert first_choice(body)["finish_reason"] == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"candidates": []}, "stop"),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, "length"),
        ({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}, "stop"),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "content_filter"),
        ({"usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}}, "stop"),
        (answer({"odd": 1}, {"thoughtSignature": "U0lH"}), "stop"),
    ],
)
def test_an_answer_without_words_is_an_answer(body: JSON, reason: str) -> None:
    assert first_choice(body) == {
        "index": 0,
        "message": {"role": "assistant", "content": None},
        "logprobs": None,
        "finish_reason": reason,
    }
    role, end = streamed(body)[:2]
    assert role["choices"][0]["delta"] == {"role": "assistant"}
    assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, reason)


def test_what_a_client_echoes_goes_back_unchanged() -> None:
    """With the fields that only OpenAI has, which is the least that any client keeps."""
    parts = [
        {"functionCall": {"name": "a", "args": {"n": 1}, "id": "q1"}, "thoughtSignature": "U0lH+/=="},
        {"functionCall": {"name": "b", "args": {}, "id": "q2"}},
    ]
    message = first_choice(answer({"text": "I look."}, *parts))["message"]
    kept = {name: message[name] for name in ("role", "content")}
    calls = [{name: call[name] for name in ("id", "type", "function")} for call in message["tool_calls"]]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in reversed(calls)]
    _, model, user = contents({"role": "user", "content": "x"}, {**kept, "tool_calls": calls}, *results, model=NEWEST)
    assert model["parts"] == [{"text": "I look."}, *parts]
    assert [part["functionResponse"]["id"] for part in user["parts"]] == ["q1", "q2"]


def test_googles_own_tools_are_told_again_and_are_not_for_the_client_to_run() -> None:
    """https://ai.google.dev/gemini-api/docs/tool-combination"""
    own = [
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "1", "args": {"queries": ["x"]}}, "thoughtSignature": "U0lH"},
        {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "1", "response": {}}, "thoughtSignature": "U0lI"},
    ]
    said = answer(*own, {"text": "Rain."})
    message = first_choice(said)["message"]
    assert (message["content"], "tool_calls" in message) == ("Rain.", False)
    assert streamed(said)[-1]["choices"][0]["delta"]["extra_content"] == message["extra_content"]
    _, model, _ = contents({"role": "user", "content": "x"}, message, {"role": "user", "content": "y"}, model=NEWEST)
    assert model["parts"] == [*own, {"text": "Rain."}]
    junk = {"google": {"tool_parts": [{"toolCall": 1}, {"fileData": {"fileUri": "x"}}, 2, {"toolCall": {}, "more": 1}]}}
    _, model, _ = contents(
        {"role": "user", "content": "x"}, {**message, "extra_content": junk}, {"role": "user", "content": "y"}, model=NEWEST
    )
    assert model["parts"] == [{"toolCall": {}}, {"text": "Rain."}]


def test_pieces_of_sound_are_one() -> None:
    parts = [{"inlineData": {"mimeType": "audio/L16", "data": data}} for data in ("AA==", "AQI=", "not base64")]
    assert first_choice(answer(*parts[:2]))["message"]["audio"]["data"] == "AAEC"
    assert first_choice(answer(*parts))["message"]["audio"]["data"] == "AAECnot base64"


def details(**by_kind: int) -> list[JSON]:
    return [{"modality": kind, "tokenCount": count} for kind, count in by_kind.items()]


@pytest.mark.parametrize(
    ("metadata", "searches", "prompt", "completion", "reasoning"),
    [
        ({"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}, 0, 5, 7, 0),
        ({"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 15}, 0, 5, 10, 3),
        ({"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 12}, 0, 5, 7, 3),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 8}, 0, 5, 3, 3),
        ({"promptTokenCount": 5, "toolUsePromptTokenCount": 9, "totalTokenCount": 14}, 0, 14, 0, 0),
        ({"promptTokenCount": 5, "toolUsePromptTokenCount": 9, "totalTokenCount": 14}, 1, 5, 0, 0),
        ({"candidatesTokenCount": 7, "thoughtsTokenCount": 3}, 0, 0, 10, 3),
    ],
)
def test_tokens_are_counted_once(metadata: JSON, searches: int, prompt: int, completion: int, reasoning: int) -> None:
    usage = to_usage(metadata, searches)
    assert usage is not None
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, completion)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == reasoning
    assert to_usage({**metadata, "candidatesTokenCount": -1, "thoughtsTokenCount": "3"}, searches) is None, "it can't be"


def test_modalities_are_parts_of_the_whole() -> None:
    metadata = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 50,
        "totalTokenCount": 150,
        "promptTokensDetails": details(TEXT=20, AUDIO=50, IMAGE=20, VIDEO=10),
        "cacheTokensDetails": details(AUDIO=40, IMAGE=20),
        "candidatesTokensDetails": details(IMAGE=30, AUDIO=10),
    }
    usage = to_usage(metadata, 0)
    assert usage is not None
    assert usage["prompt_tokens_details"] == {
        "cached_tokens": 60,
        "audio_tokens": 50,
        "image_tokens": 20,
        "video_tokens": 10,
        "cached_tokens_details": {"audio_tokens": 40, "image_tokens": 20},
    }
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 0, "audio_tokens": 10, "image_tokens": 30}


@pytest.mark.parametrize("metadata", [{}, {"trafficType": "ON_DEMAND"}, {"promptTokenCount": "many"}])
def test_no_count_is_no_usage(metadata: JSON) -> None:
    assert to_usage(metadata, 0) is None


@pytest.mark.parametrize(("model", "searches"), [("gemini-2.5-flash", 1), (NEWEST, 2)])
def test_searches_are_counted_as_they_are_billed(model: str, searches: int) -> None:
    body = answer({"text": "x"}, groundingMetadata={"webSearchQueries": ["a", "b", ""]})
    body["usageMetadata"] = {"promptTokenCount": 1, "totalTokenCount": 1}
    assert whole(body, model)["usage"]["server_tool_use"] == {"web_search_requests": searches}


@pytest.mark.parametrize(
    ("support", "places"),
    [
        ({"segment": {"startIndex": 3, "endIndex": 5}, "groundingChunkIndices": [0]}, [(2, 4)]),
        ({"segment": {"startIndex": 9, "endIndex": 99, "text": "né"}, "groundingChunkIndices": [0, 7, "x"]}, [(0, 2)]),
        ({"segment": {"startIndex": 5, "endIndex": 1}, "groundingChunkIndices": [0]}, [(4, 4)]),
        ({"groundingChunkIndices": None}, [(0, 0)]),
        ({"segment": "?", "groundingChunkIndices": [0]}, [(0, 0)]),
    ],
)
def test_places_are_counted_in_characters(support: JSON, places: list[tuple[int, int]]) -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}], "groundingSupports": [support]}
    found = [annotation["url_citation"] for annotation in to_annotations(grounding, "né ou non")]
    assert [(citation["start_index"], citation["end_index"]) for citation in found] == places


def error(code: int, status: str, message: str, **fields: Any) -> JSON:
    return {"error": {"code": code, "status": status, "message": message, **fields}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            error(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
            "context_length_exceeded",
        ),
        (
            error(400, "INVALID_ARGUMENT", "the input token count is 9 but the model only supports up to 8"),
            "context_length_exceeded",
        ),
        (error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), "invalid_api_key"),
        (error(400, "INVALID_ARGUMENT", "?", details=[{"reason": "API_KEY_INVALID"}]), "invalid_api_key"),
        (error(400, "INVALID_ARGUMENT", "Invalid JSON payload received."), None),
        (
            error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            "unsupported_country_region_territory",
        ),
        (error(404, "NOT_FOUND", "Publisher Model `x` was not found or your project does not have access."), "model_not_found"),
        (error(404, "NOT_FOUND", "File abc is gone."), None),
        (error(429, "RESOURCE_EXHAUSTED", "Quota exceeded."), "rate_limit_exceeded"),
        (error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), "insufficient_quota"),
        (error(503, "UNAVAILABLE", "The model is overloaded."), "overloaded"),
        ([error(429, "RESOURCE_EXHAUSTED", "x")], "rate_limit_exceeded"),
        ({"error": "invalid_grant", "error_description": "Bad token"}, None),
        ("<html>", None),
        ([], None),
        (None, None),
    ],
)
def test_a_failure_has_a_code_of_openais(body: Any, code: str | None) -> None:
    said = chat.read_error(body)
    assert isinstance(said, ErrorFields)
    assert said.code == code


@pytest.mark.parametrize(
    ("details", "wait_s"),
    [
        ([{"reason": "x"}, {"retryDelay": "34.4s"}], 34.4),
        ([{"retryDelay": "7s"}], 7),
        ([{"retryDelay": "soon"}], None),
        (None, None),
    ],
)
def test_a_failure_says_when_to_come_back(details: Any, wait_s: float | None) -> None:
    assert chat.read_error(error(429, "RESOURCE_EXHAUSTED", "x", details=details)).retry_after_s == wait_s


def test_an_error_in_a_stream_keeps_its_status_and_says_when_to_come_back() -> None:
    failure = error(429, "RESOURCE_EXHAUSTED", "Slow down.", details=[{"@type": "x"}, {"retryDelay": "34.4s"}])
    for body in (failure, [failure]):
        with pytest.raises(RateLimitError) as raised:
            streamed(answer({"text": "x"}, reason=None), body)
        assert raised.value.headers["retry-after"] == "35"


@pytest.mark.parametrize("events", [[], [answer({"text": "x"}, reason=None)], [1], [[]]])
def test_a_stream_that_breaks_off_is_an_error(events: list[Any]) -> None:
    with pytest.raises(BadGatewayError) as raised:
        streamed(*events)
    assert raised.value.code == "stream_interrupted"


@pytest.mark.parametrize("body", [{}, {"predictions": []}, error(500, "INTERNAL", "x"), error(0, "?", "x")])
def test_what_is_no_answer_is_an_error(body: JSON) -> None:
    with pytest.raises(APIError):
        whole(body)
