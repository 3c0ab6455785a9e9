"""What becomes of every parameter, tool and item of the Responses, as OpenAI's SDK lists them: one of tomorrow fails here."""

from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses import ResponseIncludable, response_create_params, response_input_item_param, tool_param

from haimaker.adapters.responses import native
from haimaker.api.formats import responses
from haimaker.http.errors import BadRequestError, NotFoundError
from haimaker.http.json import read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.operations.chat import ChatRequest
from haimaker.providers.registry import get
from tests.support.builders import attempt

GPT = attempt("openai/gpt-5.4", provider=get("openai").operations["responses"])
REFUSED, NAMED, NOTHING, PASSES = "refused", "named", "nothing", "passes"
"""Outcomes: an error; left out and named; without effect, since the gateway does it itself; as it is."""
FUNCTION: JSON = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
PARAMETERS: dict[str, tuple[Any, str, Any]] = {
    "access_programs": ({"cyber": "standard"}, PASSES, NAMED),
    "background": (True, PASSES, NOTHING),
    "background_options": ({"completion_window": "2h"}, PASSES, NAMED),
    "context_management": ([{"type": "compaction"}], PASSES, NAMED),
    "conversation": ("conv_1", REFUSED, REFUSED),
    "image": ({"context_compression": "auto"}, PASSES, NAMED),
    "include": (["message.output_text.logprobs"], PASSES, {"logprobs": True}),
    "input": ("Ho", PASSES, {"messages": [{"role": "user", "content": "Ho"}]}),
    "instructions": ("Be brief.", PASSES, {"messages": [{"role": "developer", "content": "Be brief."}]}),
    "max_output_tokens": (9, PASSES, {"max_completion_tokens": 9}),
    "max_tool_calls": (2, PASSES, NAMED),
    "metadata": ({"a": "b"}, PASSES, PASSES),
    "model": ("m", PASSES, PASSES),
    "moderation": ({"model": "omni-moderation-latest"}, PASSES, PASSES),
    "parallel_tool_calls": (False, PASSES, PASSES),
    "previous_response_id": ("resp_1", PASSES, REFUSED),
    "prompt": ({"id": "pmpt_1"}, REFUSED, REFUSED),
    "prompt_cache_key": ("k", PASSES, PASSES),
    "prompt_cache_options": ({"mode": "explicit"}, PASSES, PASSES),
    "prompt_cache_retention": ("24h", PASSES, PASSES),
    "reasoning": ({"effort": "low", "summary": "auto"}, PASSES, {"reasoning_effort": "low"}),
    "reasoning.context": ("auto", PASSES, NAMED),
    "reasoning.mode": ("pro", PASSES, NAMED),
    "safety_identifier": ("s", PASSES, PASSES),
    "service_tier": ("flex", PASSES, PASSES),
    "store": (True, PASSES, NOTHING),
    "stream": (True, PASSES, {"stream": True, "stream_options": {"include_usage": True}}),
    "stream_options": ({"include_obfuscation": False}, PASSES, NAMED),
    "temperature": (0, PASSES, PASSES),
    "text": ({"verbosity": "low"}, PASSES, {"verbosity": "low"}),
    "text.of_tomorrow": (1, PASSES, NAMED),
    "tool_choice": ("none", PASSES, NOTHING),
    "tools": ([FUNCTION], PASSES, {"tools": [{"type": "function", "function": {k: FUNCTION[k] for k in FUNCTION if k != "type"}}]}),
    "top_logprobs": (2, PASSES, NAMED),
    "top_p": (0.5, PASSES, PASSES),
    "truncation": ("auto", PASSES, NAMED),
    "user": ("u", PASSES, PASSES),
    "of_tomorrow": ({"a": [1]}, PASSES, NAMED),
    "drop_params": (True, NOTHING, NOTHING),
    "num_retries": (1, PASSES, NOTHING),  # the plan takes it out
}
"""A value of each, and what becomes of it at a provider that speaks the format and at another."""
LISTED = {name: of_sdk for name, of_sdk in PARAMETERS.items() if "." not in name and "tomorrow" not in name}
TOOLS = {
    **dict.fromkeys(("function", "custom", "namespace", "web_search", "web_search_2025_08_26"), PASSES),
    **dict.fromkeys(("web_search_preview", "web_search_preview_2025_03_11"), PASSES),
    **dict.fromkeys(("computer", "computer_use_preview", "local_shell", "shell", "apply_patch", "tool_search"), NAMED),
    **dict.fromkeys(("image_generation", "mcp", "code_interpreter", "file_search", "programmatic_tool_calling"), NAMED),
    "tool_of_tomorrow": NAMED,
}
"""What becomes of a tool, where it has to be translated. Natively all pass, but for what names others' files."""
ITEMS = {
    **dict.fromkeys(("message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"), PASSES),
    "reasoning": PASSES,
    **dict.fromkeys(("compaction", "item_reference"), REFUSED),
    **dict.fromkeys(("file_search_call", "web_search_call", "code_interpreter_call", "image_generation_call"), NAMED),
    **dict.fromkeys(("computer_call", "computer_call_output", "local_shell_call", "local_shell_call_output"), NAMED),
    **dict.fromkeys(("shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output"), NAMED),
    **dict.fromkeys(("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call"), NAMED),
    **dict.fromkeys(("tool_search_call", "tool_search_output", "additional_tools", "configuration_update"), NAMED),
    **dict.fromkeys(("compaction_trigger", "program", "program_output", "item_of_tomorrow"), NAMED),
}


def types_of(union: Any) -> set[str]:
    """The types that a union of the SDK's has."""
    found: set[str] = set()
    for member in get_args(union):
        literals = [get_type_hints(member)["type"]]
        while literals:
            literal = literals.pop()
            inner = get_args(literal)
            found |= {one for one in inner if isinstance(one, str)}
            literals += [one for one in inner if not isinstance(one, str | type(None)) and one is not type(None)]
    return found


def test_all_that_the_sdk_knows_has_an_answer() -> None:
    of_sdk = {*get_type_hints(response_create_params.ResponseCreateParamsBase), "stream"}
    assert LISTED.keys() - {"drop_params", "num_retries"} == of_sdk
    assert TOOLS.keys() - {"tool_of_tomorrow"} == types_of(tool_param.ToolParam)
    assert ITEMS.keys() - {"item_of_tomorrow"} == types_of(response_input_item_param.ResponseInputItemParam)


def parsed(**fields: Any) -> ChatRequest:
    request = responses.parse(Request("r1", {}, dumps({"model": "m", "input": "Hi", **fields})))
    assert isinstance(request, ChatRequest)
    return request


def left_out(request: ChatRequest) -> tuple[str, ...]:
    assert request.original
    return request.original.dropped


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter(name: str) -> None:
    value, where_spoken, elsewhere = PARAMETERS[name]
    outer, _, inner = name.partition(".")
    fields = {outer: {inner: value}} if inner else {outer: value}
    if where_spoken == REFUSED:
        with pytest.raises(BadRequestError) as raised:
            parsed(**fields)
        assert raised.value.param == name
        return
    request = parsed(**fields)
    assert request.original
    sent = read_or_none(native.to_upstream(request, GPT).body)
    expected = {} if where_spoken == NOTHING else fields
    assert sent == {"input": "Hi", **expected, "model": GPT.model}
    assert (request.original.refusal is not None) == (elsewhere == REFUSED)
    assert request.original.dropped == ((name,) if elsewhere == NAMED else ())
    plain = parsed().body
    if elsewhere == PASSES:
        assert request.body == {**plain, **fields}
    elif isinstance(elsewhere, dict):
        assert {key: request.body[key] for key in elsewhere} == {
            **elsewhere,
            **({"messages": [*elsewhere["messages"], *plain["messages"]]} if name == "instructions" else {}),
        }
    elif name != "drop_params":  # what an adapter is told
        assert request.body == plain


def test_no_input_at_all() -> None:
    """A provider may go on from what it stores, or from a prompt; a chat has to begin with something."""
    request = parsed(input=None, previous_response_id="resp_1")
    assert request.original
    assert request.original.refusal
    assert read_or_none(native.to_upstream(request, GPT).body) == {
        "model": GPT.model,
        "input": None,
        "previous_response_id": "resp_1",
    }
    with pytest.raises(BadRequestError) as caught:
        parsed(input=None)
    assert (caught.value.param, caught.value.code) == ("input", "missing_required_parameter")


def test_a_mark_for_the_cache_stays_on_its_part() -> None:
    mark = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    parts = [{"type": "input_text", "text": "Ho", **mark}, {"type": "input_image", "image_url": "https://a.example/b", **mark}]
    shown = parsed(input=[{"role": "user", "content": parts}]).body["messages"][0]["content"]
    assert [{name: part[name] for name in mark} for part in shown] == [mark, mark]


@pytest.mark.parametrize("wanted", [*get_args(ResponseIncludable), "of.tomorrow"])
def test_an_extra(wanted: Any) -> None:
    known = ("reasoning.encrypted_content", "message.output_text.logprobs")
    assert left_out(parsed(include=[wanted])) == (() if wanted in known else ("include[0]",))


@pytest.mark.parametrize("kind", TOOLS)
def test_a_tool(kind: str) -> None:
    tool = {**FUNCTION, "type": kind, **({"tools": [FUNCTION]} if kind == "namespace" else {})}
    request = parsed(tools=[tool])
    assert ("tools[0]" in left_out(request)) == (TOOLS[kind] != PASSES)
    assert (request.body.keys() & {"tools", "web_search_options"} != set()) == (TOOLS[kind] == PASSES)
    body = read_or_none(native.to_upstream(request, GPT).body)
    assert isinstance(body, dict)
    assert body["tools"] == [tool]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "image_generation", "input_image_mask": {"file_id": "file-1"}},
    ],
)
def test_a_tool_that_names_what_others_may_have(tool: JSON) -> None:
    with pytest.raises(NotFoundError):
        parsed(tools=[tool])


@pytest.mark.parametrize("kind", ITEMS)
def test_an_item(kind: str) -> None:
    fields = {"role": "user", "content": "Ho", "call_id": "c1", "name": "f", "arguments": "{}", "input": "x", "output": "y"}
    item = {"type": kind, "id": "i_1", **fields, "summary": [{"type": "summary_text", "text": "Hm."}]}
    request = parsed(input=[{"role": "user", "content": "Hi"}, item, item])
    assert request.original
    assert (request.original.refusal is not None) == (ITEMS[kind] == REFUSED)
    assert (f"input.{kind}" in request.original.dropped) == (ITEMS[kind] == NAMED)
    assert (len(request.body["messages"]) > 1) == (ITEMS[kind] == PASSES)
    body = read_or_none(native.to_upstream(request, GPT).body)
    assert isinstance(body, dict)
    assert body["input"][1:] == [item, item]
