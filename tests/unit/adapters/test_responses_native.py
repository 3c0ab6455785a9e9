"""OpenAI's Responses at a provider that speaks them: whatever a client sends and whatever comes back passes, at any depth."""

import json
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.api import formats
from haimaker.api.formats import responses_compaction
from haimaker.http.sse import decode, dumps
from haimaker.http.values import JSON, Event, Request
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import UpstreamBody
from haimaker.providers.registry import all_providers, get
from haimaker.routing.config import Config
from haimaker.routing.context import RoutingContext
from haimaker.routing.router import Router
from tests.support.builders import attempt
from tests.unit.adapters.test_gemini_native import STRANGE

STATELESS = ("openrouter", "groq", "fireworks_ai")
WITH_SERVERS_OF_TOOLS = ("together_ai", "huggingface")
"""Asked for a chat, but for these."""
TARGETS = {
    f"{name}/m": attempt(f"{name}/m", provider=get(name).operations["responses"])
    for name in ("openai", "xai", *STATELESS, *WITH_SERVERS_OF_TOOLS)
}
USED = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def asked(body: JSON) -> ChatRequest:
    sent = Request("r1", {}, dumps({"model": "m", "store": False, **body}), allowed_ids=("pmpt_1",))
    parsed = formats.find("responses").parse(sent)
    assert isinstance(parsed, ChatRequest)
    return parsed


@settings(max_examples=60)
@given(STRANGE, STRANGE, STRANGE, STRANGE, st.sampled_from(sorted(TARGETS)))
def test_a_request_passes_as_it_is(top: JSON, item: JSON, part: JSON, tool: JSON, target: str) -> None:
    body = {
        **top,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi", **part}], **item},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", **item},
            {"type": "item_of_tomorrow", **item},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": tool, **tool}, {"type": "mcp", **tool}],
        "reasoning": {"effort": "low", **item},
        "text": {"verbosity": "low", **part},
    }
    at, request = TARGETS[target], asked(body)
    assert json.loads(adapters.find(request, at).to_upstream(request, at).body) == {"model": "m", "store": False, **body}


@pytest.mark.parametrize("stream", [False, True])
@settings(max_examples=40)
@given(top=STRANGE, item=STRANGE, part=STRANGE, event=STRANGE)
def test_an_answer_passes_as_it_is(stream: bool, top: JSON, item: JSON, part: JSON, event: JSON) -> None:
    said = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi", **part}],
        **item,
    }
    output = [said, {"type": "item_of_tomorrow", "id": "x_1", **item}, {"type": "web_search_call", "id": "ws_1", **item}]
    whole = {"id": "resp_1", "status": "completed", "output": output, "usage": {**USED, **part}, **top}
    at, request = TARGETS["openai/m"], asked({"input": "Hi", "stream": stream})
    adapter, form = adapters.find(request, at), formats.find("responses")
    if not stream:
        result = adapter.from_upstream(UpstreamBody({}, dumps(whole)), request, at)
        assert json.loads(form.render(request, result, "r1")[1]) == whole
        return
    told: list[JSON] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}, **event},
        {"type": "response.output_item.added", "output_index": 0, "item": {**said, "content": []}, **event},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi", **event},
        {"type": "response.event_of_tomorrow", **event},
        *({"type": "response.output_item.done", "output_index": place, "item": each, **event} for place, each in enumerate(output)),
        {"type": "response.completed", "response": whole, **event},
    ]
    chunks = adapter.from_stream((Event(dumps(each), each["type"]) for each in told), request, at)
    written = list(chain.from_iterable(decode([data]) for data in form.events(request, chunks, "r1")))
    assert [json.loads(each.data) for each in written] == told
    assert [each.name for each in written] == [each["type"] for each in told]


FUNCTION: JSON = {"type": "function", "name": "f", "parameters": {"type": "object"}}
SERVER: JSON = {"type": "mcp", "server_label": "a", "server_url": "https://a.example"}
TURNS: list[JSON] = [
    {
        "role": "user",
        "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": "https://a.example/a.png"}],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": None},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "5"},
]
FILE: JSON = {"role": "user", "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}]}
ENCRYPTED: JSON = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
OURS: JSON = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "haimaker:AAAA"}


def serving(provider: str, request: ChatRequest) -> Attempt:
    router = Router(Config(), all_providers())
    found = router.serving(f"{provider}/m", RoutingContext("r", 0, request.client_operation, request.original))
    assert found is not None
    return attempt(f"{provider}/m", provider=found)


@pytest.mark.parametrize(
    ("body", "native"),
    [
        ({}, (*STATELESS, "xai")),
        ({"store": None}, (*STATELESS, "xai")),
        ({"store": True}, ("xai",)),
        ({"previous_response_id": "resp_1"}, ("xai",)),
        ({"tools": [FUNCTION], "tool_choice": "required", "reasoning": {"effort": "low"}}, (*STATELESS, "xai")),
        ({"tools": [FUNCTION, SERVER]}, ("groq", "fireworks_ai", "xai", *WITH_SERVERS_OF_TOOLS)),
        ({"tools": [SERVER], "store": True}, ("xai",)),
        ({"tools": [FUNCTION, {"type": "web_search"}]}, ("xai",)),
        ({"tools": [{"type": "custom", "name": "apply_patch"}]}, ()),
        ({"input": TURNS}, (*STATELESS, "xai")),
        ({"input": [*TURNS, OURS]}, (*STATELESS, "xai")),
        ({"input": [*TURNS, ENCRYPTED]}, ("openrouter", "xai")),
        ({"input": [FILE]}, ("openrouter", "xai")),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": FILE["content"]}]}, ("openrouter", "xai")),
        ({"input": [{"type": "item_of_tomorrow"}]}, ("xai",)),
        ({"top_logprobs": 2, "include": ["message.output_text.logprobs"]}, ("openrouter", "xai")),
        ({"text": {"format": {"type": "json_object"}}}, ("openrouter", "xai")),
        ({"text": {"format": None, "verbosity": "low"}}, (*STATELESS, "xai")),
        ({"store": None, "background": True}, ("xai",)),
        ({"prompt": {"id": "pmpt_1"}}, ("xai",)),
    ],
    ids=str,
)
def test_which_requests_pass_as_they_are(body: JSON, native: tuple[str, ...]) -> None:
    """The others are translated: they have what a provider lacks, or their answers are to be kept."""
    request = asked({"input": "Hi", **body})
    names = ("xai", *STATELESS, *WITH_SERVERS_OF_TOOLS, "deepseek")
    assert {name for name in names if adapters.is_native(request, serving(name, request))} == set(native)


def test_answers_that_the_gateway_keeps_are_translated() -> None:
    request = asked({"input": "Hi"})
    assert request.original
    kept = replace(request, original=request.original._replace(keep=lambda response: True))
    assert {name for name in ("xai", *STATELESS) if adapters.is_native(kept, serving(name, kept))} == {"xai"}


@pytest.mark.parametrize("name", ["openai", "azure", "xai", "perplexity", *STATELESS])
def test_a_conversation_is_made_shorter_where_that_is_to_be_had(name: str) -> None:
    """Elsewhere the model writes a summary."""
    body = {"model": "m", "input": [{"role": "user", "content": "Hi"}]}
    parsed = responses_compaction.FORMAT.parse(Request("r1", {}, dumps(body)))
    assert isinstance(parsed, ChatRequest)
    at = serving(name, parsed) if name != "perplexity" else attempt("perplexity/a/m", provider=get(name).families["/"])
    call = adapters.find(parsed, at).to_upstream(parsed, at)
    assert call.path.endswith("/compact") == (name in ("openai", "azure"))
    assert (b"Summarize" in call.body) == (name not in ("openai", "azure"))


@pytest.mark.parametrize("name", [*STATELESS, *WITH_SERVERS_OF_TOOLS])
@pytest.mark.parametrize("stored", [{}, {"store": None}, {"store": False}], ids=str)
def test_who_keeps_nothing_is_told_so(name: str, stored: JSON) -> None:
    body = {"model": "m", "input": "Hi", **stored}
    request = formats.find("responses").parse(Request("r1", {}, dumps(body)))
    assert isinstance(request, ChatRequest)
    at = TARGETS[f"{name}/m"]
    adapter = adapters.find(request, at)
    call = adapter.to_upstream(request, at)
    assert (json.loads(call.body), call.dropped) == ({**body, "store": False}, ())
    whole = {"id": "resp_1", "status": "completed", "output": [], "usage": USED}
    assert "stored" not in adapter.from_upstream(UpstreamBody({}, dumps(whole)), request, at).body


@pytest.mark.parametrize(
    ("name", "effort", "sent"),
    [("groq", "minimal", "low"), ("groq", "max", "high"), ("fireworks_ai", "minimal", "low"), ("openrouter", "minimal", "minimal")],
)
def test_efforts_are_those_that_a_provider_has(name: str, effort: str, sent: str) -> None:
    request, at = asked({"input": "Hi", "reasoning": {"effort": effort, "summary": "auto"}}), TARGETS[f"{name}/m"]
    assert json.loads(adapters.find(request, at).to_upstream(request, at).body)["reasoning"] == {"effort": sent, "summary": "auto"}


@pytest.mark.parametrize("name", [*STATELESS, *WITH_SERVERS_OF_TOOLS, "deepseek"])
@pytest.mark.parametrize("has_tools", [False, True])
def test_chats_go_over_responses_at_openai_and_its_hosts_alone(name: str, has_tools: bool) -> None:
    """Others serve all of their models as chats, those too that have nothing else at OpenAI."""
    for model in ("gpt-5-pro", "openai/gpt-5.4", "openai/o1-pro"):
        context = RoutingContext("r", 0, effort="high", has_tools=has_tools)
        found = Router(Config(), all_providers()).serving(f"{name}/{model}", context)
        assert found is not None
        assert found.adapter == "openai", model
