"""Google's Gemini API as a client format, read by Google's SDK."""

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from haimaker.adapters.anthropic import thinking_ids
from haimaker.api.formats import gemini_answers, gemini_thoughts
from haimaker.api.formats.gemini_requests import to_chat
from haimaker.api.formats.gemini_schemas import is_strict, to_json_schema
from haimaker.http.errors import APIError, BadRequestError, NotFoundError, RateLimitError
from haimaker.http.values import JSON

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 4},
    "cost": 0.25,
}
HELLO = [{"role": "user", "content": "Hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
PIXEL = "iVBORw0KGgo="
THINKING = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]
CARRYING = thinking_ids.pack(thinking_ids.Call("toolu_1", 0, (thinking_ids.PlacedBlock(0, THINKING[0]),)))
"""A call's id with what Claude thought before it."""
SCHEMA = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
TEXT_FORMAT = {"mimeType": "application/json", "schema": SCHEMA}
PLAIN_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def asked(**fields: Any) -> JSON:
    return {"contents": CONTENTS, **fields}


def chat(**fields: Any) -> JSON:
    return {"model": "m", "messages": HELLO, **fields}


def function(name: str, parameters: JSON) -> JSON:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def call(identifier: str, arguments: str, index: int | None = None) -> JSON:
    made = {"id": identifier, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    return made if index is None else {"index": index, **made}


def read(body: JSON) -> types.GenerateContentResponse:
    """As the SDK reads it, of which it drops fields that it does not know."""
    return types.GenerateContentResponse._from_response(response=json.loads(json.dumps(body)), kwargs={})


EMPTY = {"type": "object", "properties": {}}
TWO = [{"functionDeclarations": [{"name": "f"}, {"name": "g", "parametersJsonSchema": {"type": "object"}}]}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        (
            {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
            {"messages": [{"role": "system", "content": "Be brief."}, *HELLO]},
        ),
        ({"system_instruction": {"parts": {"text": "a"}}}, {"messages": [{"role": "system", "content": "a"}, *HELLO]}),
        ({"contents": {"parts": {"text": "Hi"}}}, {}),
        ({"contents": "Hi"}, {}),
        (
            {"generationConfig": {"temperature": 0, "topP": 0.5, "maxOutputTokens": 9, "stopSequences": ["x"], "seed": 1}},
            {"temperature": 0, "top_p": 0.5, "max_completion_tokens": 9, "stop": ["x"], "seed": 1},
        ),
        (
            {"generation_config": {"candidate_count": 2, "presence_penalty": 1, "frequency_penalty": 0.5}},
            {"n": 2, "presence_penalty": 1, "frequency_penalty": 0.5},
        ),
        ({"generationConfig": {"responseLogprobs": True, "logprobs": 3}}, {"logprobs": True, "top_logprobs": 3}),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, {"reasoning_effort": "none"}),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True}}}, {}),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024}}}, {"reasoning_effort": "low"}),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 8192}}}, {"reasoning_effort": "medium"}),
        ({"generationConfig": {"thinkingConfig": {"thinking_budget": 24576}}}, {"reasoning_effort": "high"}),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}, {"reasoning_effort": "minimal"}),
        ({"generationConfig": {"responseMimeType": "application/json"}}, {"response_format": {"type": "json_object"}}),
        ({"generationConfig": {"responseMimeType": "text/plain", "responseModalities": ["TEXT"]}}, {}),
        (
            {"generationConfig": {"responseMimeType": "application/json", "responseSchema": SCHEMA}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": PLAIN_SCHEMA}}},
        ),
        (
            {
                "generationConfig": {
                    "responseMimeType": "application/json",
                    "responseJsonSchema": {**PLAIN_SCHEMA, "additionalProperties": False},
                }
            },
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {**PLAIN_SCHEMA, "additionalProperties": False}, "strict": True},
                }
            },
        ),
        (
            {
                "generationConfig": {
                    "responseModalities": ["AUDIO"],
                    "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
                }
            },
            {"modalities": ["text", "audio"], "audio": {"format": "pcm16", "voice": "Kore"}},
        ),
        ({"serviceTier": "standard"}, {"service_tier": "default"}),
        ({"tools": [{"googleSearch": {}}]}, {"web_search_options": {}}),
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": SCHEMA}]}]},
            {"tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": PLAIN_SCHEMA}}]},
        ),
        (
            {"tools": [{"function_declarations": [{"name": "f", "parametersJsonSchema": PLAIN_SCHEMA}]}]},
            {"tools": [function("f", PLAIN_SCHEMA)]},
        ),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
            {"tools": [function("f", EMPTY), function("g", {"type": "object"})], "tool_choice": "required"},
        ),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}},
            {
                "tools": [function("f", EMPTY), function("g", {"type": "object"})],
                "tool_choice": {"type": "function", "function": {"name": "g"}},
            },
        ),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["g"]}}},
            {"tools": [function("g", {"type": "object"})], "tool_choice": "auto"},
        ),
        ({"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}, {}),
        ({"drop_params": True}, {"drop_params": True}),
        *(
            (
                {"generationConfig": {"responseFormat": formats}},
                {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": PLAIN_SCHEMA}}},
            )
            for formats in ([{"text": TEXT_FORMAT}], {"text": TEXT_FORMAT}, [{"image": None}, {"text": TEXT_FORMAT}])
        ),
    ],
)
def test_a_request_is_a_chat(fields: JSON, expected: JSON) -> None:
    assert to_chat(asked(**fields), "m") == (chat(**expected), (), None)


def test_a_stream_asks_for_its_usage() -> None:
    assert to_chat(asked(), "m", streams=True)[0] == chat(stream=True, stream_options={"include_usage": True})


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ),
        (
            {"inline_data": {"mime_type": "image/png", "data": "-_"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,+/"}},
        ),
        (
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AA=="}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        ),
        (
            {"inlineData": {"mimeType": "video/mp4", "data": "AA=="}},
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}},
        ),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        ),
        ({"inlineData": {"mimeType": "text/csv", "data": "YTti"}}, {"type": "text", "text": "a;b"}),
        (
            {"fileData": {"fileUri": "https://a.example/b.png", "mimeType": "image/png"}},
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        ),
        (
            {"file_data": {"file_uri": "https://a.example/b.pdf", "mime_type": "application/pdf"}},
            {"type": "file", "file": {"file_data": "https://a.example/b.pdf", "format": "application/pdf"}},
        ),
    ],
)
def test_a_part_is_a_part(part: JSON, expected: JSON) -> None:
    made, *_ = to_chat({"contents": [{"parts": [{"text": "What?"}, part]}]}, "m")
    assert made["messages"] == [{"role": "user", "content": [{"type": "text", "text": "What?"}, expected]}]


def test_calls_and_their_results() -> None:
    """With ids and without: SDKs leave them out, and results then answer the first call of their name."""
    contents = [
        *CONTENTS,
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True},
                {"text": "Let me see."},
                {"functionCall": {"id": "c9", "name": "get_weather", "args": {"city": "Bern"}}},
                {"functionCall": {"name": "get_weather", "args": {}}},
                {"function_call": {"name": "get_weather", "args": {}}, "thoughtSignature": "U0lH"},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "get_weather", "response": {"output": "rain"}}},
                {"functionResponse": {"name": "get_weather", "response": {"a": 1}}},
                {
                    "functionResponse": {
                        "id": "unknown",
                        "name": "get_weather",
                        "response": {"error": "no"},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}],
                    }
                },
                {"text": "Well?"},
            ],
        },
    ]
    signed = "call_3__thought__U0lH"
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    assert to_chat({"contents": contents}, "m")[0]["messages"] == [
        *HELLO,
        {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "Hm.",
            "tool_calls": [call("c9", '{"city": "Bern"}'), call("call_2", "{}"), call(signed, "{}")],
        },
        {"role": "tool", "tool_call_id": "c9", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"a": 1}'},
        {"role": "tool", "tool_call_id": signed, "content": [{"type": "text", "text": '{"error": "no"}'}, image]},
        {"role": "user", "content": "Well?"},
    ]


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"safetySettings": [{"category": "x"}], "labels": {"a": "b"}}, ("safetySettings", "labels")),
        ({"generationConfig": {"topK": 64, "mediaResolution": "x"}}, ("generationConfig.topK", "generationConfig.mediaResolution")),
        ({"tools": [{"codeExecution": {}}, {"urlContext": {}}]}, ("tools[0].codeExecution", "tools[1].urlContext")),
    ],
)
def test_what_only_google_has_is_left_out_and_named(fields: JSON, dropped: Sequence[str]) -> None:
    assert to_chat(asked(**fields), "m") == (chat(), dropped, None)


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"contents": []}, BadRequestError, "contents"),
        ({"contents": None}, BadRequestError, "contents"),
        ({"contents": [5]}, BadRequestError, "contents[0]"),
        ({"contents": [None]}, BadRequestError, "contents"),
        ({"contents": [{"role": "robot", "parts": []}]}, BadRequestError, "contents[0].role"),
        ({"contents": [{"parts": 5}]}, BadRequestError, "contents[0].parts"),
        ({"contents": [{"parts": [{"inlineData": {"data": "AA=="}}]}]}, BadRequestError, "contents[0].parts[0].inlineData"),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}}]}]},
            NotFoundError,
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            {"contents": [{"parts": [{"file_data": {"file_uri": "HTTPS://GenerativeLanguage.googleapis.com/v1beta/files/a"}}]}]},
            NotFoundError,
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            {"systemInstruction": {"parts": [{"fileData": {"fileUri": "files/a"}}]}},
            NotFoundError,
            "systemInstruction.parts[0].fileData.fileUri",
        ),
        (
            {
                "contents": [
                    {
                        "parts": [
                            {"functionResponse": {"name": "f", "response": {}, "parts": [{"fileData": {"fileUri": "files/a"}}]}}
                        ]
                    }
                ]
            },
            NotFoundError,
            "contents[0].parts[0].functionResponse.parts[0].fileData.fileUri",
        ),
        (
            {"contents": [{"parts": [{"text": "a", "fileData": {"fileUri": "files/a"}}]}]},
            NotFoundError,
            "contents[0].parts[0].fileData.fileUri",
        ),
        ({"cached_content": "cachedContents/a"}, NotFoundError, "cachedContent"),
        ({"cachedContent": "cachedContents/a"}, NotFoundError, "cachedContent"),
        ({"tools": [{"file_search": {"fileSearchStoreNames": ["a"]}}]}, NotFoundError, "tools[0].fileSearch"),
        ({"generationConfig": 5}, BadRequestError, "generationConfig"),
        ({"generationConfig": {"responseModalities": 5}}, BadRequestError, "generationConfig.responseModalities"),
        ({"tools": [{"functionDeclarations": True}]}, BadRequestError, "tools[0].functionDeclarations"),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": 5}}},
            BadRequestError,
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": "x"}}},
            BadRequestError,
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        ({"tools": [{"fileSearch": {"fileSearchStoreNames": ["a"]}}]}, NotFoundError, "tools[0].fileSearch"),
        ({"tools": [{"functionDeclarations": [{}]}]}, BadRequestError, "tools[0].functionDeclarations[0].name"),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "X"}}},
            BadRequestError,
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["h"]}}},
            BadRequestError,
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ],
)
def test_what_can_not_be_read_is_refused(fields: JSON, error: type[APIError], param: str) -> None:
    with pytest.raises(error) as raised:
        to_chat(asked(**fields), "m")
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": [*CONTENTS, {"parts": [{"video": 1}]}]}, "contents[1].parts[0]"),
        ({"contents": [*CONTENTS, {"parts": [{"functionResponse": {"name": "f"}}]}]}, "contents[1].parts[0].functionResponse.name"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
    ],
)
def test_what_others_can_not_be_told_only_google_is(fields: JSON, param: str) -> None:
    *_, refusal = to_chat(asked(**fields), "m")
    assert refusal
    assert refusal.param == param


SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=4)
NAMES = st.sampled_from(
    ["contents", "parts", "role", "text", "functionCall", "functionResponse", "inlineData", "fileData", "tools", "name", "args"],
) | st.sampled_from(
    [
        "generationConfig",
        "thinkingConfig",
        "responseSchema",
        "functionDeclarations",
        "toolConfig",
        "systemInstruction",
        "parameters",
    ]
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=5))
def test_any_body_is_a_chat_or_refused(body: JSON) -> None:
    with suppress(BadRequestError, NotFoundError):
        assert to_chat(body, "m")[0]["messages"]


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        (SCHEMA, PLAIN_SCHEMA),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        (
            {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1"},
            {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        ),
        ({"any_of": [{"type": "NUMBER"}], "nullable": True}, {"anyOf": [{"type": "number"}, {"type": "null"}]}),
        ({"type": "TYPE_UNSPECIFIED", "example": 5, "propertyOrdering": ["a"]}, {"examples": [5]}),
        (
            {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}},
            {"type": "object", "properties": {"type": {"type": "string"}}},
        ),
    ],
)
def test_googles_schemas_are_json_schemas(schema: JSON, plain: JSON) -> None:
    assert to_json_schema(schema) == plain


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (PLAIN_SCHEMA, False),
        ({**PLAIN_SCHEMA, "additionalProperties": False}, True),
        ({**PLAIN_SCHEMA, "additionalProperties": False, "required": []}, False),
        ({"type": "array", "items": PLAIN_SCHEMA}, False),
        ({"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": False}]}, True),
    ],
)
def test_only_a_closed_schema_is_strict(schema: JSON, *, strict: bool) -> None:
    assert is_strict(schema) is strict


def test_a_whole_answer() -> None:
    message = {"role": "assistant", "content": "Rain.", "reasoning_content": "Hm.", "tool_calls": [call("t1", '{"city":"Bern"}')]}
    answer = {
        "id": "r9",
        "model": "gpt",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    }
    told = gemini_answers.from_chat(answer, "r1")
    assert told["candidates"] == [
        {
            "content": {
                "parts": [
                    {"text": "Hm.", "thought": True},
                    {"text": "Rain."},
                    {"functionCall": {"id": "t1", "name": "get_weather", "args": {"city": "Bern"}}},
                ],
                "role": "model",
            },
            "index": 0,
            "finishReason": "STOP",
        }
    ]
    assert told["usageMetadata"] == {
        "promptTokenCount": 30,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 10,
        "totalTokenCount": 39,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
        "cost": 0.25,
    }
    seen = read(told)
    assert (seen.text, seen.model_version, seen.response_id) == ("Rain.", "gpt", "r9")
    assert [(made.name, made.args) for made in seen.function_calls or ()] == [("get_weather", {"city": "Bern"})]


def test_what_else_an_answer_has() -> None:
    """Images, speech, sources with places in bytes, log probabilities."""
    cited = {"type": "url_citation", "url_citation": {"start_index": 1, "end_index": 3, "url": "https://a.example", "title": "A"}}
    message = {
        "content": "äöü",
        "annotations": [cited],
        "images": [{"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}],
        "audio": {"data": "AA==", "transcript": "oh"},
    }
    logprobs = {"content": [{"token": "ä", "logprob": -0.5, "top_logprobs": [{"token": "o", "logprob": -1}]}]}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "length"}
    told = gemini_answers.from_chat({"choices": [choice]}, "r1")
    (candidate,) = told["candidates"]
    assert candidate["content"]["parts"] == [
        {"text": "äöü"},
        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
        {"text": "oh"},
        {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AA=="}},
    ]
    assert candidate["groundingMetadata"] == {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{"segment": {"startIndex": 2, "endIndex": 6, "text": "öü"}, "groundingChunkIndices": [0]}],
    }
    assert candidate["logprobsResult"] == {
        "chosenCandidates": [{"token": "ä", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "o", "logProbability": -1}]}],
    }
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert read(told).candidates


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [call("call_1", '{"city": "Bern"}')]},
        {"content": "a", "tool_calls": [call("call_1__thought__U0lH", "{}"), call("call_2", "{}")]},
        {"content": "a", "tool_calls": [call(CARRYING, "{}")]},
        {"content": "a", "thinking_blocks": THINKING},
        {"content": "a", "extra_content": {"google": {"thought_signature": "U0lH"}}},
        {"content": "a", "reasoning_content": "b", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
    ],
)
def test_what_was_thought_comes_back(message: JSON) -> None:
    """By way of the SDK, which keeps a signature as bytes and writes it in another alphabet; a call's id is short meanwhile."""
    message = {"role": "assistant", **message}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = read(gemini_answers.from_chat({"choices": [choice]}, "r1"))
    assert told.candidates
    assert told.candidates[0].content
    content = told.candidates[0].content.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert all(len(made.id or "") < 20 for made in told.function_calls or ())
    made, *_ = to_chat({"contents": [*CONTENTS, content]}, "m")
    assert made["messages"][1] == message


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        {"reasoning_details": [None, "a", 1]},
        {"reasoning_details": [["a"], {"type": ["a"], "index": {}}]},
        {"thinking_blocks": [None, "a"]},
        {"extra_content": {"google": "a"}},
        {"extra_content": {"google": {"grounding_metadata": "a", "thought_signature": 7}}},
    ],
)
def test_what_is_no_thought_of_a_providers_is_left_out(said: JSON, streamed: bool) -> None:
    message = {"role": "assistant", "content": "a", **said}
    if streamed:
        choices = [{"index": 0, "delta": message, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": "stop"}]
        answers = list(gemini_answers.events(({"choices": [choice]} for choice in choices), "r1"))
    else:
        answers = [gemini_answers.from_chat({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}, "r1")]
    assert "".join(read(answer).text or "" for answer in answers) == "a"


def test_a_signature_that_is_cut_is_no_thought() -> None:
    whole = gemini_thoughts.pack({"thinking_blocks": THINKING})
    cut = base64.b64encode(base64.b64decode(whole)[:-14]).decode()
    assert gemini_thoughts.to_message_fields(whole) == {"thinking_blocks": THINKING}
    assert gemini_thoughts.to_message_fields(cut) == {}
    assert gemini_thoughts.to_call_id("call_1", cut) == "call_1"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
PIECES = st.one_of(
    st.builds(lambda text: {"content": text}, TEXTS),
    st.builds(lambda text: {"reasoning_content": text}, TEXTS),
    st.builds(lambda text: {"refusal": text}, TEXTS),
    st.just({"call": True}),
)


@given(st.lists(PIECES, max_size=12), st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
def test_googles_sdk_folds_any_stream(pieces: list[JSON], reason: str) -> None:
    """The text of each kind arrives whole, calls with their arguments; why it ended and what it used is told once, at the end."""
    deltas: list[JSON] = [{"role": "assistant", "content": ""}]
    calls = 0
    for piece in pieces:
        if "call" in piece:
            deltas += [
                {"tool_calls": [call(f"t{calls}", "", calls)]},
                {"tool_calls": [{"index": calls, "function": {"arguments": '{"city":'}}]},
                {"tool_calls": [{"index": calls, "function": {"arguments": '"Bern"}'}}]},
            ]
            calls += 1
        else:
            deltas.append(piece)
    head = {"id": "r9", "model": "m"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}, {**head, "choices": [], "usage": USAGE}]
    told = [read(event) for event in gemini_answers.events(chunks, "r1")]
    parts = [
        part
        for event in told
        for candidate in event.candidates or ()
        for part in (candidate.content.parts if candidate.content else None) or ()
    ]
    said = "".join(text for piece in pieces for name, text in piece.items() if name in ("content", "refusal"))
    thought = "".join(piece.get("reasoning_content", "") for piece in pieces)
    assert "".join(part.text for part in parts if part.text and not part.thought) == said
    assert "".join(part.text for part in parts if part.text and part.thought) == thought
    assert [part.function_call.args for part in parts if part.function_call] == [{"city": "Bern"}] * calls
    ends = [candidate.finish_reason for event in told for candidate in event.candidates or ()]
    assert ends[:-1] == [None] * (len(ends) - 1)
    assert ends[-1] == gemini_answers.FINISH_REASON.get(reason, "STOP")
    assert [bool(event.usage_metadata) for event in told] == [*([False] * (len(told) - 1)), True]
    assert all((event.response_id, event.model_version) == ("r9", "m") for event in told)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (402, "FAILED_PRECONDITION"),
        (405, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (529, "UNAVAILABLE"),
    ],
)
def test_an_error_has_googles_shape(status: int, kind: str) -> None:
    body = gemini_answers.error_body(APIError("No.", status=status, code="c", param="p"))
    about = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "C", "domain": "haimaker", "metadata": {"param": "p"}}
    assert body == {"error": {"code": status, "message": "No.", "status": kind, "details": [about]}}


def test_an_error_says_when_to_ask_again() -> None:
    body = gemini_answers.error_body(RateLimitError("Wait.", headers={"retry-after": "7"}))
    assert body["error"]["details"][1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
