"""What Gemini gets: one table for each thing that is said differently there."""

from typing import Any

import pytest

from haimaker.adapters.gemini.schemas import to_schema
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from tests.unit.adapters.gemini_support import NEWEST, OLDER, contents, sent, translated

USER = {"role": "user", "content": "Hello"}
HELLO = {"role": "user", "parts": [{"text": "Hello"}]}
BLANK = {"role": "user", "parts": [{"text": " "}]}


def calling(*names: str) -> JSON:
    calls = [{"id": f"id-{name}", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in names]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(name: str, content: Any = "ok") -> JSON:
    return {"role": "tool", "tool_call_id": f"id-{name}", "content": content}


def call_part(name: str) -> JSON:
    return {"functionCall": {"name": name, "args": {}}}


def result_part(name: str, response: Any) -> JSON:
    return {"functionResponse": {"name": name, "response": response}}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"role": "system", "content": "Be brief."}], [BLANK]),
        ([{"role": "assistant", "content": "Hi"}], [BLANK, {"role": "model", "parts": [{"text": "Hi"}]}]),
        ([USER, {"role": "assistant", "content": ""}, USER], [{"role": "user", "parts": [{"text": "Hello"}] * 2}]),
        ([{"role": "user", "content": ""}], [BLANK]),
        ([USER, {"role": "assistant", "content": None, "refusal": "No."}], [HELLO, {"role": "model", "parts": [{"text": "No."}]}]),
        (
            [USER, calling("a", "b"), {"role": "system", "content": "Now."}, result("b", "[1]"), result("a", '{"n": 1}')],
            [
                HELLO,
                {"role": "model", "parts": [call_part("a"), call_part("b")]},
                {"role": "user", "parts": [result_part("a", {"n": 1}), result_part("b", {"output": "[1]"}), {"text": "Now."}]},
            ],
        ),
        (
            [USER, calling("a"), result("a", '{"n": NaN}'), calling("a"), result("a", [{"type": "text", "text": "{}"}])],
            [
                HELLO,
                {"role": "model", "parts": [call_part("a")]},
                {"role": "user", "parts": [result_part("a", {"output": '{"n": NaN}'})]},
                {"role": "model", "parts": [call_part("a")]},
                {"role": "user", "parts": [result_part("a", {"output": "{}"})]},
            ],
        ),
    ],
)
def test_messages_are_turns_of_two_roles(messages: list[JSON], expected: list[JSON]) -> None:
    assert contents(*messages) == expected


def test_ids_that_are_used_again_mean_the_later_calls() -> None:
    turn = [calling("a", "b"), result("b"), result("a")]
    names = [part["functionResponse"]["name"] for part in contents(USER, *turn, *turn)[-1]["parts"]]
    assert names == ["a", "b"]


def test_a_result_is_found_also_without_the_signature_in_its_id() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "x__thought__U0lH", "function": {"name": "a"}}]}
    answered = contents(USER, call, {"role": "tool", "tool_call_id": "x", "content": "1"}, model=NEWEST)[-1]
    assert answered["parts"] == [{"functionResponse": {"id": "x", "name": "a", "response": {"output": "1"}}}]


def test_images_in_results_are_inside_them_where_the_model_knows_that() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    inline = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    for model, parts in (
        (NEWEST, [{"functionResponse": {"id": "id-a", "name": "a", "response": {"output": ""}, "parts": [inline]}}]),
        (OLDER, [result_part("a", {"output": ""}), inline]),
    ):
        assert contents(USER, calling("a"), result("a", [image]), model=model)[-1]["parts"] == parts


def test_models_without_a_system_instruction_are_told_as_by_the_user() -> None:
    body = sent({"messages": [{"role": "system", "content": "Be brief."}, USER]}, model="gemma-3-27b-it")
    assert "systemInstruction" not in body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Be brief."}, {"text": "Hello"}]}]


@pytest.mark.parametrize(
    ("call", "signature"),
    [
        ({"id": "x__thought__U0lH"}, "U0lH"),
        ({"id": "x", "extra_content": {"google": {"thought_signature": "U0lH"}}}, "U0lH"),
        ({"id": "x__thought__T1RI", "extra_content": {"google": {"thought_signature": "U0lH"}}}, "U0lH"),
        ({"id": "x"}, "skip_thought_signature_validator"),
        ({"id": "x__thought__not base64!"}, "skip_thought_signature_validator"),
        ({"id": "x", "extra_content": "?"}, "skip_thought_signature_validator"),
        ({}, "skip_thought_signature_validator"),
    ],
)
def test_a_signature_comes_back_from_where_the_client_kept_it(call: JSON, signature: str) -> None:
    message = {"role": "assistant", "tool_calls": [{**call, "function": {"name": "a"}}, {"id": "y", "function": {"name": "b"}}]}
    first, second = contents(USER, message, model=NEWEST)[1]["parts"]
    assert first["thoughtSignature"] == signature
    assert first["functionCall"].get("id") == ("x" if call else None)
    assert "thoughtSignature" not in second


def test_a_signature_of_text_comes_back_from_the_extra_field() -> None:
    message = {"role": "assistant", "content": "Hi", "extra_content": {"google": {"thought_signature": "U0lH"}}}
    assert contents(USER, message, model=NEWEST)[1]["parts"] == [{"text": "Hi", "thoughtSignature": "U0lH"}]


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", "high", {"thinkingBudget": 24_576, "includeThoughts": True}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.5-pro", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-3-pro-preview", "minimal", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "medium", "includeThoughts": True}),
        ("gemini-3-flash-preview", "none", {"thinkingLevel": "minimal"}),
        ("gemini-3.1-flash-lite", "minimal", {"thinkingLevel": "minimal", "includeThoughts": True}),
        ("gemini-3.8-flash", "none", {"thinkingLevel": "low"}),
        ("gemini-4-argon", "xhigh", {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-flash-latest", "low", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-2.0-flash", "low", None),
        ("gemma-3-27b-it", "low", None),
    ],
)
def test_an_effort_is_a_level_or_a_budget(model: str, effort: str, expected: JSON | None) -> None:
    made = translated({"reasoning_effort": effort}, model=model)
    assert sent({"reasoning_effort": effort}, model=model).get("generationConfig", {}).get("thinkingConfig") == expected
    assert made.dropped == (() if expected else ("reasoning_effort",))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"max_tokens": 5}, {"maxOutputTokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, {"maxOutputTokens": 7}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"stop": []}, None),
        ({"n": 3, "seed": 1, "temperature": 0}, {"candidateCount": 3, "seed": 1, "temperature": 0}),
        ({"logprobs": False, "top_logprobs": 0}, None),
        ({"top_k": 4}, {"topK": 4}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 99}},
            {"thinkingConfig": {"thinkingBudget": 99, "includeThoughts": True}},
        ),
        ({"thinking": {"type": "disabled"}}, {"thinkingConfig": {"thinkingBudget": 0}}),
        ({"generationConfig": {"temperature": 1, "mediaResolution": "X"}}, {"temperature": 1, "mediaResolution": "X"}),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        ({"modalities": ["text"]}, {"responseModalities": ["TEXT"]}),
    ],
)
def test_parameters_have_googles_names(asked: JSON, expected: JSON | None) -> None:
    assert sent(asked).get("generationConfig") == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [(["low"], "LOW"), (["high", "high"], "HIGH"), (["low", "high"], None), (["auto"], None), ([None], None)],
)
def test_a_detail_of_all_images_is_a_media_resolution(details: list[Any], expected: str | None) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": detail}} for detail in details]
    config = sent({"messages": [{"role": "user", "content": parts}]}).get("generationConfig")
    assert config == ({"mediaResolution": f"MEDIA_RESOLUTION_{expected}"} if expected else None)


def test_a_limit_of_ours_is_sent() -> None:
    assert sent({}, max_output_tokens=9)["generationConfig"] == {"maxOutputTokens": 9}


TOOLS = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
ALLOWED = {"type": "function", "function": {"name": "b"}}


@pytest.mark.parametrize(
    ("choice", "config", "declared"),
    [
        ("none", {"mode": "NONE"}, "ab"),
        ("auto", {"mode": "AUTO"}, "ab"),
        ("required", {"mode": "ANY"}, "ab"),
        (ALLOWED, {"mode": "ANY", "allowedFunctionNames": ["b"]}, "ab"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [ALLOWED]}}, None, "b"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [ALLOWED]}},
            {"mode": "ANY", "allowedFunctionNames": ["b"]},
            "ab",
        ),
    ],
)
def test_a_tool_choice_is_a_calling_mode(choice: Any, config: JSON | None, declared: str) -> None:
    body = sent({"tools": TOOLS, "tool_choice": choice})
    assert body.get("toolConfig", {}).get("functionCallingConfig") == config
    assert "".join(function["name"] for function in body["tools"][0]["functionDeclarations"]) == declared


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"type": "web_search"}, {"googleSearch": {}}),
        ({"google_search": {}}, {"googleSearch": {}}),
        ({"type": "url_context"}, {"urlContext": {}}),
        ({"googleMaps": {"enableWidget": True}}, {"googleMaps": {"enableWidget": True}}),
        ({"type": "code_interpreter", "container": {}}, {"codeExecution": {}}),
    ],
)
def test_the_providers_own_tools_pass(tool: JSON, expected: JSON) -> None:
    assert sent({"tools": [tool]})["tools"] == [expected]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "string", "const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"type": ["number", "null"]}, {"type": "number", "nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "title": "T"}, {"type": "string", "nullable": True, "title": "T"}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"type": "array", "items": {"type": "boolean"}}, {"type": "array", "items": {"type": "boolean"}}),
        ({"type": "string", "format": "email"}, None),
        ({"type": "integer", "enum": [1, 2]}, None),
        ({"type": "integer", "exclusiveMinimum": 0}, None),
        ({"type": ["string", "integer"]}, None),
        ({"type": "object"}, None),
        ({"type": "object", "properties": {"a": {}}}, None),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}, None),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, None),
        ({"type": "array", "items": [{"type": "string"}]}, None),
        ({"type": "object", "additionalProperties": {"type": "string"}, "properties": {"a": {"type": "string"}}}, None),
        ({"type": {"not": "a name"}}, None),
    ],
)
def test_a_schema_is_said_in_googles_words_or_not_at_all(schema: JSON, expected: JSON | None) -> None:
    assert to_schema(schema) == expected


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"tools": TOOLS, "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "tools[0].type"),
        ({"audio": {"voice": "Kore", "format": "mp3"}}, "audio.format"),
    ],
)
def test_what_would_change_the_meaning_is_refused(body: JSON, param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        sent(body, model=NEWEST)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"user": "u", "metadata": {"a": "b"}, "store": True, "verbosity": "low"}, {"user", "metadata", "store", "verbosity"}),
        ({"logit_bias": {"1": 2}, "drop_params": True}, {"logit_bias"}),
        ({"presence_penalty": 1}, {"presence_penalty"}),
        ({"tools": TOOLS[:1], "parallel_tool_calls": False}, {"parallel_tool_calls"}),
        ({"frequency_penalty": 0, "stream_options": {"include_usage": True}, "service_tier": "auto"}, set()),
        ({"repetition_penalty": 2, "service_tier": "scale"}, {"repetition_penalty", "service_tier"}),
    ],
)
def test_what_is_harmless_is_dropped_and_named(body: JSON, dropped: set[str]) -> None:
    assert set(translated(body, model=NEWEST).dropped) == dropped


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [USER, {"role": "tool", "content": "ok"}]}, "messages[1].tool_call_id"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:x"}]}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        ({"tools": TOOLS, "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"tools": [{"functionDeclarations": 5}]}, "tools[0].functionDeclarations"),
        ({"tools": [{"function_declarations": ["a"]}]}, "tools[0].functionDeclarations[0]"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"modalities": ["smell"]}, "modalities"),
    ],
)
def test_a_wrong_shape_is_named(body: JSON, param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        sent(body)
    assert refused.value.param == param


def test_the_path_holds_the_model_and_nothing_else_that_it_says() -> None:
    assert translated({}, model="a/../b?c").path == "/models/a%2F..%2Fb%3Fc:generateContent"
    assert translated({"stream": True}).path == f"/models/{OLDER}:streamGenerateContent?alt=sse"
