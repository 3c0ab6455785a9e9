"""Every field that a vendor's SDK has for a request is translated, or named as left out: at any depth, by the SDK's own types.

A field of tomorrow's SDK that nothing reads fails here, unless its table names what is left out by itself.
"""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import pytest
import typing_extensions as typed
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_params
from google.genai import types as google
from openai.types.responses import response_create_params

from haimaker.api.formats import gemini_requests, messages_requests, responses_requests
from haimaker.api.formats.gemini_contents import to_camel
from haimaker.http.errors import APIError
from haimaker.http.values import JSON

DEPTH = 6
UNIONS, LISTS = (Union, types.UnionType), (list, Iterable, Sequence)
PLAIN: Mapping[Any, Any] = {str: "x", bool: True, int: 5, float: 0.5, object: {"a": 1}, Any: {"a": 1}}
SAMPLES: Mapping[str, JSON] = {
    "ContentDict": {"parts": [{"text": "Ho"}]},
    "FunctionDeclarationDict": {"name": "f"},
    "FunctionCallDict": {"name": "f"},
    "FunctionResponseDict": {"name": "f", "response": {"a": 1}},
    "BlobDict": {"mime_type": "application/pdf", "data": "aGk="},
    "FunctionResponseBlobDict": {"mime_type": "application/pdf", "data": "aGk="},
    "FileDataDict": {"file_uri": "https://a.example/b.png", "mime_type": "image/png"},
    "FunctionResponseFileDataDict": {"file_uri": "https://a.example/b.png", "mime_type": "image/png"},
    "GenerationConfigDict": {"response_mime_type": "application/json", "response_logprobs": True},
    "TextResponseFormatDict": {"mime_type": "application/json"},
    "SchemaDict": {"type": "STRING"},
}
"""What Google's types, in which all is optional, say nothing without."""


class Case(NamedTuple):
    path: tuple[str, ...]
    """The names and types that lead to a field."""
    without: JSON
    body: JSON


def bare(kind: Any) -> Any:
    wrappers = (typed.Required, typed.NotRequired, typed.Annotated)
    while get_origin(kind) in wrappers:
        kind = get_args(kind)[0]
    return kind


def fields_of(kind: Any) -> tuple[dict[str, Any], set[str]]:
    """Of a TypedDict: all of its fields, and which it can't do without."""
    hints = typed.get_type_hints(kind, include_extras=True)
    return hints, {name for name, hint in hints.items() if get_origin(hint) is typed.Required}


def members(kind: Any) -> Iterator[Any]:
    """Of a union, each; of a literal, each value as a literal of its own."""
    kind = bare(kind)
    if get_origin(kind) in UNIONS:
        for member in get_args(kind):
            yield from members(member)
    elif kind is not type(None):
        yield kind


def least(kind: Any) -> Any:
    """A value with nothing but what is required."""
    kind = next(members(kind))
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) in LISTS:
        return [least(get_args(kind)[0])]
    if typed.is_typeddict(kind):
        hints, required = fields_of(kind)
        return {**{name: least(hints[name]) for name in hints if name in required}, **SAMPLES.get(kind.__name__, {})}
    return PLAIN.get(kind, {"a": "x"} if get_origin(kind) in (dict, Mapping) else "x")


def cases(kind: Any, put: Callable[[Any], JSON], path: tuple[str, ...] = (), seen: tuple[Any, ...] = ()) -> Iterator[Case]:
    """Each field of a type, and of the types in it. `put` puts a value where it belongs in a request."""
    for member in members(kind):
        if get_origin(member) in LISTS:
            yield from cases(get_args(member)[0], lambda value: put([value]), path, seen)
        elif typed.is_typeddict(member) and member not in seen and len(seen) < DEPTH:
            hints, required = fields_of(member)
            base = least(member)
            place = (*path, str(base["type"])) if "type" in base else path
            for name, hint in hints.items():
                if name not in required:
                    without = {other: value for other, value in base.items() if other != name}
                    for value in filter(None, map(least, members(hint))):
                        yield Case((*place, name), put(without), put({**base, name: value}))

                def inside(value: Any, base: JSON = base, name: str = name) -> JSON:
                    return put({**base, name: value})

                yield from cases(hint, inside, (*place, name), (*seen, member))


def camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(name): camel(inner) for name, inner in value.items()}
    return [camel(each) for each in value] if isinstance(value, list) else value


class GeminiParams(typed.TypedDict, total=False):
    contents: typed.Required[list[google.ContentDict]]
    system_instruction: google.ContentDict
    tools: list[google.ToolDict]
    tool_config: google.ToolConfigDict
    generation_config: google.GenerationConfigDict
    safety_settings: list[google.SafetySettingDict]
    service_tier: str
    labels: dict[str, str]


Outcome = tuple[JSON, Sequence[str], str]


def of_messages(body: JSON) -> Outcome:
    chat, dropped = messages_requests.to_chat(body)
    return chat, dropped, str(messages_requests.find_refusal(body))


def of_responses(body: JSON) -> Outcome:
    chat, dropped = responses_requests.to_chat(body)
    return chat, dropped, str(responses_requests.find_refusal(body))


def of_gemini(body: JSON) -> Outcome:
    called = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
    chat, dropped, refusal = gemini_requests.to_chat({**camel(body), "contents": [called, *camel(body["contents"])]}, "m")
    return chat, dropped, str(refusal)


TURN = {"role": "user", "content": "Hi"}
MESSAGES: JSON = {"model": "m", "max_tokens": 9, "messages": [TURN], "metadata": {"user_id": "u"}}
MESSAGES |= {"tools": [{"name": "f", "input_schema": {}}], "thinking": {"type": "enabled", "budget_tokens": 2_000}}
RESPONSES: JSON = {"model": "m", "input": [TURN]}
GEMINI: JSON = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "tools": [{"function_declarations": [{"name": "f"}]}]}
SDKS: Mapping[str, tuple[Any, JSON, Callable[[JSON], Outcome]]] = {
    "messages": (message_create_params.MessageCreateParamsNonStreaming, MESSAGES, of_messages),
    "beta messages": (beta_params.MessageCreateParamsNonStreaming, MESSAGES, of_messages),
    "responses": (response_create_params.ResponseCreateParamsNonStreaming, RESPONSES, of_responses),
    "gemini": (GeminiParams, GEMINI, of_gemini),
}
OF_MESSAGES = {"text.citations", "tool_use.caller", "tools.type", "thinking"}
OF_ITEMS = {"message.phase", "input.phase", "input.status", "input.type", "output_text.logprobs"}
OF_ITEMS |= {
    f"{item}.{name}" for item in ("function_call", "custom_tool_call", "custom_tool_call_output") for name in ("caller", "id")
}
OF_ITEMS |= {"function_call.status", "reasoning.status", "reasoning.content"}
OF_PARTS = {"code_execution_result.id", "code_execution_result.outcome", "executable_code.id", "function_response.id"}
NOTHING: Mapping[str, set[str]] = {
    "messages": OF_MESSAGES,
    "beta messages": OF_MESSAGES | {"fallbacks"},
    "responses": OF_ITEMS
    | {"background", "store", "tool_choice", "text.format", "custom.format", "reasoning.summary", "reasoning.generate_summary"}
    | {"user_location.type", "web_search.external_web_access"},
    "gemini": OF_PARTS
    | {"STRING.property_ordering", "system_instruction.role", "thinking_config.include_thoughts", "tools"}
    | {"generation_config.response_format", "response_format.text"},
}
"""What says nothing to another vendor, or what the gateway does either way: by the last two names."""


def is_named(path: Sequence[str], dropped: Iterable[str]) -> bool:
    """Whether something that it stands in is named as a whole."""
    for name in dropped:
        parts = [part.partition("[")[0] for part in name.split(".")]
        rest = iter(path)
        if parts[0] in (path[0], to_camel(path[0])) and all(any(part in (one, to_camel(one)) for one in rest) for part in parts):
            return True
    return False


@pytest.mark.parametrize("sdk", SDKS)
def test_no_field_is_lost_silently(sdk: str) -> None:
    kind, request, translate = SDKS[sdk]
    lost: set[str] = set()
    for case in cases(kind, dict):
        top = next(iter(case.path))
        bodies = [{**body, **{name: value for name, value in request.items() if name != top}} for body in (case.without, case.body)]
        try:
            without, outcome = (translate(body) for body in bodies)
        except APIError:
            continue
        if without == outcome and outcome[2] == str(None) and not is_named(case.path, outcome[1]):
            lost.add(".".join(case.path[-2:]))
    assert lost == NOTHING[sdk]
