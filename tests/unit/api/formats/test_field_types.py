"""Fields of a wrong type, of every format that clients speak: each is a 400 that names it, before any provider is asked."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from haimaker import adapters
from haimaker.api import formats
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.operations.operation import OperationRequest
from haimaker.validation import field_types
from tests.support.builders import attempt

FUNCTION: JSON = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
PNG = "iVBORw0KGgo="
BODIES: Mapping[str, JSON] = {
    "chat_completions": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "5"},
        ],
        "tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}},
        "functions": [FUNCTION],
        "function_call": {"name": "f"},
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"city": "Bern"}},
        },
        "audio": {"format": "mp3", "voice": "alloy"},
        "prediction": {"type": "content", "content": "x"},
        "modalities": ["text"],
        "logprobs": True,
        "top_logprobs": 1,
        "stream_options": {"include_obfuscation": True},
        "drop_params": True,
    },
    "responses": {
        "model": "m",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "5"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "g"},
        ],
        "tools": [{"type": "function", "strict": True, **FUNCTION}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "stream_options": {"include_obfuscation": True},
        "drop_params": True,
    },
    "messages": {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "5"}], "is_error": False}
                ],
            },
        ],
        "tools": [{"type": "custom", "name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2_000},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "metadata": {"user_id": "u"},
        "stop_sequences": ["x"],
        "drop_params": True,
    },
    "gemini_generate": {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 5}}}]},
        ],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [FUNCTION], "googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "stopSequences": ["x"],
            "responseMimeType": "application/json",
            "responseSchema": {"type": "object"},
            "responseLogprobs": True,
            "logprobs": 1,
            "responseModalities": ["TEXT"],
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5, "thinkingLevel": "LOW"},
        },
        "drop_params": True,
    },
}
TABLES = {
    "chat_completions": field_types.CHAT,
    "responses": field_types.RESPONSES,
    "messages": field_types.MESSAGES,
    "gemini_generate": field_types.GEMINI,
}
EVERY: tuple[Any, ...] = (True, 1, 1.5, "1", {"x": 1}, [1])
KINDS: Mapping[type, tuple[type, ...]] = {float: (int, float)}


def parse(name: str, body: JSON) -> OperationRequest:
    return formats.find(name).parse(Request("r1", {}, dumps(body), path={"id": "m"}))


def typed_places(value: Any, shape: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Of a body: where a table says a type, with the shapes that may stand there. Of fields that it lacks, at the top alone."""
    shapes = shape if isinstance(shape, tuple) else (shape,)
    if path:
        yield path, shapes
    for each in shapes:
        if isinstance(each, dict) and isinstance(value, dict):
            for name, inner in each.items():
                if name in value or len(path) == 0:
                    yield from typed_places(value.get(name), inner, (*path, name))
        elif isinstance(each, list) and isinstance(value, list):
            for index, item in enumerate(value):
                yield from typed_places(item, each[0], (*path, index))


def types_of(shapes: tuple[Any, ...]) -> tuple[type, ...]:
    named = [each if isinstance(each, type) else type(each) for each in shapes]
    return tuple(kind for each in named for kind in KINDS.get(each, (each,)))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    first, *rest = path
    inner = replaced(body[first], tuple(rest), value) if rest else value
    if isinstance(body, list):
        return [*body[:first], inner, *body[first + 1 :]]
    return {**body, first: inner}


def spelled(path: tuple[Any, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


PLACES = [
    pytest.param(name, path, types_of(shapes), id=f"{name}:{spelled(path)}")
    for name, body in BODIES.items()
    for path, shapes in typed_places(body, TABLES[name])
]


@pytest.mark.parametrize("name", BODIES)
def test_the_bodies_themselves_are_right(name: str) -> None:
    assert parse(name, BODIES[name]).body


@pytest.mark.parametrize(("name", "path", "taken"), PLACES)
def test_a_field_of_another_type_is_refused_by_its_name(name: str, path: tuple[Any, ...], taken: tuple[type, ...]) -> None:
    for wrong in EVERY:
        if type(wrong) in taken:
            continue
        with pytest.raises(BadRequestError) as raised:
            parse(name, replaced(BODIES[name], path, wrong))
        holder = path[:-1] if isinstance(path[-1], int) else path  # of a union's lists a schema names the list
        assert raised.value.param in (spelled(path), spelled(holder)), wrong
        told = formats.find(name).render_error(raised.value, "r1")
        assert isinstance(told["error"], dict)


@pytest.mark.parametrize(("name", "path", "taken"), [each for each in PLACES if len(each.values[1]) == 1])  # type: ignore[arg-type]
def test_null_is_as_if_a_field_were_absent(name: str, path: tuple[Any, ...], taken: tuple[type, ...]) -> None:
    if path[0] in ("messages", "contents", "input"):
        return
    assert parse(name, replaced(BODIES[name], path, None)).body


@pytest.mark.parametrize(
    ("name", "change", "param"),
    [
        ("chat_completions", {"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ("chat_completions", {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ("messages", {"thinking": {"type": "nonsense"}}, "thinking.type"),
        ("messages", {"output_config": {"format": {"type": "nonsense"}}}, "output_config.format"),
        ("messages", {"output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
        ("gemini_generate", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "NONSENSE"}}}, "thinkingLevel"),
        ("gemini_generate", {"generation_config": {"thinking_config": {"thinking_level": 5}}}, "thinking_level"),
        ("gemini_generate", {"generation_config": {"stop_sequences": "x"}}, "stop_sequences"),
    ],
)
def test_a_value_that_would_be_taken_for_something_else_is_refused(name: str, change: JSON, param: str) -> None:
    """Where it has to be translated; who speaks the format may know it tomorrow."""

    def send() -> None:
        request, target = parse(name, {**BODIES[name], **change}), attempt("openai/gpt-4o")
        adapters.find(request, target).to_upstream(request, target)

    with pytest.raises(APIError) as raised:
        send()
    assert raised.value.status == 400
    assert str(raised.value.param).endswith(param)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"truncation": "nonsense"}, "truncation"),
        ({"tool_choice": {"type": "nonsense"}}, "tool_choice"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
    ],
)
def test_what_a_translation_does_not_do_is_named(change: JSON, named: str) -> None:
    request = parse("responses", {**BODIES["responses"], **change})
    assert request.original
    assert named in request.original.dropped
