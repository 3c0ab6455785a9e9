"""The table of providers as a whole: where each call goes and with what, and what rows may say of parameters and answers."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.adapters.openai import chat
from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.credentials.headers import auth_headers
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.values import JSON, Event, UpstreamRequest
from haimaker.models.matching import OTHERS
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import AnswerRules, Provider
from haimaker.providers.registry import all_providers, get
from haimaker.routing.config import Config
from haimaker.routing.context import RoutingContext
from haimaker.routing.router import Router
from tests.support.builders import MESSAGES, attempt, chat_request, in_dialect, result_of

OPENAI_FORMAT = [row for row in all_providers() if row.adapter in ("openai", "mistral") and not row.offline]
PARTS = {"AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/", "AZURE_AI_ENDPOINT": "https://me.services.ai.azure.com"}
PARTS |= {
    "INFERENCE_URL": "https://us.inference.heroku.com",
    "AWS_REGION": "eu-west-1",
    "CLOUDFLARE_ACCOUNT_ID": "acc",
    "DATABRICKS_HOST": "https://me.cloud.databricks.com/",
}
PARTS |= {"CONTENT_SAFETY_ENDPOINT": "https://me.cognitiveservices.azure.com/"}
PARTS |= {"OCI_REGION": "eu-frankfurt-1", "SNOWFLAKE_ACCOUNT": "me-us"}
NAMES = [row.name for row in OPENAI_FORMAT]


def environment(row: Provider) -> dict[str, str]:
    """The least that turns a row on."""
    prefix = row.name.upper()
    address = {} if row.endpoint.base_url else {f"{prefix}_BASE_URL": f"https://{row.name}.example/v1"}
    return {**PARTS, **address, f"{prefix}_API_KEY": "sk-1"}


def called(row: Provider, access: ProviderConnection, model: str = "m", **fields: Any) -> tuple[str, dict[str, str], JSON]:
    """The address, the headers and the body of a call."""
    tried = attempt(f"{row.name}/{model}", provider=row)
    made: UpstreamRequest = adapters.load("chat_completions", row.adapter).to_upstream(chat_request(**fields), tried)
    headers = {**made.headers, **auth_headers(row, access, made, 0)}
    return access.base_url + access.path_of(made.path, model), headers, json.loads(made.body)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_turns_a_row_on_and_goes_where_it_belongs(name: str) -> None:
    row = get(name)
    access = connections_from_env(environment(row))
    url, headers, body = called(row, access[name], top_k=3)
    address = urlsplit(url)
    assert (address.scheme, "{" in url, "//" in address.path) == ("https", False, False)
    assert address.path.endswith("/chat/completions")
    assert headers[row.auth.key_header] == ("Bearer sk-1" if row.auth.key_header == "authorization" else "sk-1")
    assert body == {**row.dialect.add, "model": "m", "messages": MESSAGES, row.dialect.rename.get("top_k", "top_k"): 3}


@pytest.mark.parametrize(
    ("name", "variable"), [(row.name, variable) for row in all_providers() for variable in row.auth.key_variables]
)
def test_the_vendors_own_variables_are_accepted(name: str, variable: str) -> None:
    env = {key: value for key, value in environment(get(name)).items() if not key.endswith("_API_KEY")}
    assert connections_from_env({**env, "VERTEX_AI_PROJECT": "p", variable: "sk-2"})[name].api_key == "sk-2"


def test_addresses_are_distinct_but_for_the_same_provider_by_another_name() -> None:
    seen = [row.endpoint.base_url for row in all_providers() if row.endpoint.base_url and not row.catalog.priced_as]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("env", "url", "header"),
    [
        ({}, "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21", "api-key"),
        (
            {"AZURE_API_VERSION": "2025-01-01-preview"},
            "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01-preview",
            "api-key",
        ),
        ({"AZURE_API_VERSION": "v1"}, "https://me.openai.azure.com/openai/v1/chat/completions", "api-key"),
        (
            {"OPENAI_API_VERSION": "preview"},
            "https://me.openai.azure.com/openai/v1/chat/completions?api-version=preview",
            "api-key",
        ),
        (
            {"AZURE_API_VERSION": "a&b"},
            "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=a%26b",
            "api-key",
        ),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/openai/v1/"},
            "https://me.openai.azure.com/openai/v1/chat/completions",
            "api-key",
        ),
        (
            {"AZURE_BASE_URL": "http://127.0.0.1:9"},
            "http://127.0.0.1:9/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
            "api-key",
        ),
        ({"AZURE_API_BASE": "http://127.0.0.1:9/openai/v1"}, "http://127.0.0.1:9/openai/v1/chat/completions", "api-key"),
        (
            {"AZURE_API_KEY": "", "AZURE_AD_TOKEN": "sk-1"},
            "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
            "authorization",
        ),
    ],
)
def test_a_deployment_is_reached_by_either_surface(env: dict[str, str], url: str, header: str) -> None:
    """https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle"""
    row = get("azure")
    set_to = {name: value for name, value in {**environment(row), **env}.items() if value}
    made, headers, body = called(row, connections_from_env(set_to)["azure"], "my gpt")
    assert (made, headers[header].removeprefix("Bearer ")) == (url, "sk-1")
    assert (body["model"], len({"api-key", "authorization"} & set(headers))) == ("my gpt", 1)


def test_no_key_and_no_token_is_off() -> None:
    assert connections_from_env(PARTS) == {}
    assert "sk-1" not in repr(connections_from_env({**PARTS, "AZURE_AD_TOKEN": "sk-1"}))


def test_a_deployment_is_priced_and_ruled_as_the_model_that_it_is() -> None:
    names = {"azure/mine": "gpt-5-mini", "azure/theirs": "openai/gpt-4o", "azure/nothing": "never-heard-of"}
    router = Router(Config(base_models=names), [get("azure")])
    (tried,) = router.plan("azure/mine", RoutingContext("r", 0)).attempts
    made = chat.to_upstream(chat_request(max_tokens=5), tried)
    assert json.loads(made.body) == {"model": "mine", "messages": MESSAGES, "max_completion_tokens": 5}
    assert (tried.model_info.priced, tried.model) == (True, "mine")
    assert (router.model_info_for("azure/theirs").model, router.model_info_for("azure/nothing").priced) == ("gpt-4o", False)


SEARCHES = [{"type": "browser_search"}]
ROW = in_dialect(drop=("seed", "tool_choice"), refuse=("tools", "logprobs"))
RULED = in_dialect(
    rename={"max_completion_tokens": "max_tokens"},
    family_rules={
        "o-series": FamilyRule(drop=("seed",)),
        "llama": FamilyRule(),
        OTHERS: FamilyRule(refuse=("stop",)),
    },
)


NONE, LOW = {"reasoning_effort": "none"}, {"reasoning_effort": "low"}
GPT_5_AND_LATER: list[tuple[str, JSON, Any, list[str]]] = [
    *((model, {"max_tokens": 4}, {"max_completion_tokens": 4}, []) for model in ("gpt-5.6", "gpt-6-astra", "gpt-6.1-sol", "gpt-7")),
    ("gpt-6-sol", {"max_completion_tokens": 4}, {"max_completion_tokens": 4}, []),
    *((model, {"temperature": 0.1, "top_p": 0.5}, {}, ["temperature", "top_p"]) for model in ("gpt-5.5", "gpt-6-astra", "gpt-7")),
    *((model, {"stop": "x"}, "stop", []) for model in ("gpt-5.5", "gpt-5.6-sol", "gpt-6-luna", "gpt-10")),
    ("gpt-6-astra", {"logprobs": True}, "logprobs", []),
    *(
        (model, {"temperature": 0.1, "stop": "x", **NONE}, {"temperature": 0.1, "stop": "x", **NONE}, [])
        for model in ("gpt-5.4", "gpt-6-sol")
    ),
    ("gpt-5.4", {"temperature": 0.1, "stop": "x"}, {"temperature": 0.1, "stop": "x"}, []),
    ("gpt-5.4-mini", {"temperature": 0.1, **LOW}, LOW, ["temperature"]),
    ("gpt-5.2", {"stop": "x", **LOW}, "stop", []),
    ("gpt-5.2-chat-latest", {"temperature": 0.1, "stop": "x"}, {"temperature": 0.1, "stop": "x"}, []),
    ("gpt-35-turbo", {"temperature": 0.1}, {"temperature": 0.1}, []),
]
"""They think by default since GPT-5.5, and where an effort says so since GPT-5.1; https://platform.openai.com/docs/guides/latest-model"""


@pytest.mark.parametrize(
    ("row", "model", "fields", "body", "dropped"),
    [
        (ROW, "m", {"seed": 1}, {}, ["seed"]),
        (ROW, "m", {"tool_choice": "auto"}, {}, []),
        (ROW, "m", {"tool_choice": "none"}, {}, ["tool_choice"]),
        (ROW, "m", {"tools": [], "logprobs": False}, {}, []),
        (ROW, "m", {"tools": None}, {}, []),
        (ROW, "m", {"tools": [{}]}, "tools", []),
        (ROW, "m", {"logprobs": True, "drop_params": True}, {}, ["logprobs"]),
        (ROW, "m", {"logprobs": True, "drop_params": False}, "logprobs", []),
        (RULED, "m", {"max_completion_tokens": 3, "seed": 1}, {"max_tokens": 3, "seed": 1}, []),
        (RULED, "m", {"stop": "x"}, "stop", []),
        (RULED, "meta/llama-5", {"stop": "x"}, {"stop": "x"}, []),
        (RULED, "o1", {"max_completion_tokens": 3, "seed": 1}, {"max_completion_tokens": 3}, ["seed"]),
        (RULED, "o1", {"max_tokens": 3, "stop": "x"}, {"max_completion_tokens": 3, "stop": "x"}, []),
        (
            get("openai"),
            "gpt-4o",
            {"temperature": 0.1, "logprobs": True, "max_tokens": 4},
            {"temperature": 0.1, "logprobs": True, "max_tokens": 4},
            [],
        ),
        (get("openai"), "gpt-5", {"temperature": 1, "top_p": 0.9}, {}, ["top_p"]),
        (get("openai"), "gpt-5-chat-latest", {"temperature": 0.1}, {"temperature": 0.1}, []),
        (get("openai"), "gpt-5.2", {"temperature": 0.1, "max_tokens": 4}, {"temperature": 0.1, "max_completion_tokens": 4}, []),
        (get("openai"), "o3", {"logprobs": True}, "logprobs", []),
        (get("openai"), "o3-2025-04-16", {"stop": "x"}, "stop", []),
        (get("openai"), "o3-mini", {"stop": "x"}, {"stop": "x"}, []),
        (get("azure"), "gpt-5-mini", {"stop": "x"}, "stop", []),
        (get("azure"), "gpt-5-mini", {"stop": None}, {}, []),
        (get("openai"), "gpt-5-chat-latest", {"stop": "x"}, {"stop": "x"}, []),
        (get("openai"), "gpt-5.2", {"stop": "x"}, {"stop": "x"}, []),
        *(
            (get(name), f"{prefix}{model}", fields, body, dropped)
            for name, prefix in (("openai", ""), ("azure", ""), ("azure_ai", ""), ("github", "openai/"))
            for model, fields, body, dropped in GPT_5_AND_LATER
        ),
        (get("groq"), "openai/gpt-oss-20b", {"web_search_options": {}}, {"tools": SEARCHES}, []),
        (get("groq"), "openai/gpt-oss-20b", {"web_search_options": {}, "tools": SEARCHES}, {"tools": SEARCHES}, []),
        (get("groq"), "openai/gpt-oss-20b", {"web_search_options": None}, {}, []),
        (get("groq"), "qwen/qwen3.8-27b", {"web_search_options": {}}, "web_search_options", []),
        (get("groq"), "qwen/qwen3.8-27b", {"web_search_options": None}, {}, []),
        (get("xai"), "grok-4", {"stop": "x"}, "stop", []),
        (
            get("xai"),
            "grok-4-fast-non-reasoning",
            {"stop": "x", "presence_penalty": 1},
            {"stop": "x", "presence_penalty": 1},
            [],
        ),
        (get("xai"), "grok-3-mini", {"stop": "x"}, "stop", []),
        (get("perplexity"), "sonar", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", []),
        (get("ollama"), "qwen3", {"tool_choice": "required"}, "tool_choice", []),
        (get("ollama"), "qwen3", {"tool_choice": "auto"}, {}, []),
        (
            get("deepseek"),
            "m",
            {"reasoning_effort": "low", "thinking": {"type": "x"}},
            {"thinking": {"type": "x"}, "reasoning_effort": "low"},
            [],
        ),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_taken_dropped_and_refused(row: Provider, model: str, fields: JSON, body: Any, dropped: list[str]) -> None:
    tried = attempt(f"acme/{model}", provider=row)
    if isinstance(body, str):
        with pytest.raises(BadRequestError) as caught:
            chat.to_upstream(chat_request(**fields), tried)
        assert (caught.value.param, caught.value.code) == (body, "unsupported_parameter")
    else:
        made = chat.to_upstream(chat_request(**fields), tried)
        assert json.loads(made.body) == {"model": model, "messages": MESSAGES, **body}
        assert list(made.dropped) == dropped


@pytest.mark.parametrize("name", NAMES)
def test_what_is_for_the_gateway_alone_is_never_sent(name: str) -> None:
    body = called(get(name), connections_from_env(environment(get(name)))[name], drop_params=True, tools=[], stop="x")[2]
    assert "drop_params" not in body


HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
CALLS = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("row", "message", "expected"),
    [
        ({}, {"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
        ({"keeps_developer": True}, {"role": "developer", "content": "x"}, {"role": "developer", "content": "x"}),
        ({}, {"role": "user", "content": "x", "cache_control": {}}, {"role": "user", "content": "x"}),
        (
            {"cache_control": "keep"},
            {"role": "user", "content": "x", "cache_control": {}},
            {"role": "user", "content": "x", "cache_control": {}},
        ),
        (
            {"cache_control": "parts"},
            {"role": "user", "content": "x", "cache_control": {"a": 1}},
            {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"a": 1}}]},
        ),
        (
            {"cache_control": "parts"},
            {"role": "assistant", "content": None, "cache_control": {"a": 1}},
            {"role": "assistant", "content": None},
        ),
        ({}, {"role": "assistant", "content": "x", "thinking_blocks": []}, {"role": "assistant", "content": "x"}),
        ({"strips_fields": ("a",)}, {"role": "user", "content": "x", "a": 1}, {"role": "user", "content": "x"}),
        (
            {"flattens_assistant_content": True},
            {"role": "assistant", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": "x"},
        ),
        (
            {"wants_reasoning_back": True},
            {"role": "assistant", "tool_calls": CALLS},
            {"role": "assistant", "tool_calls": CALLS, "reasoning_content": " "},
        ),
        ({}, {"role": "assistant", "tool_calls": CALLS}, {"role": "assistant", "tool_calls": CALLS}),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_messages_in_the_dialect_of_a_row(row: JSON, message: JSON, expected: JSON) -> None:
    made = chat.to_upstream(chat_request(messages=[message]), attempt("acme/kimi-k3", provider=in_dialect(**row)))
    assert json.loads(made.body)["messages"][0] == expected


def test_a_keyword_is_stripped_from_schemas_but_not_a_property_of_its_name() -> None:
    schema = {
        "type": "object",
        "properties": {"additionalProperties": {"type": "string"}, "a": {"anyOf": [{"additionalProperties": False}]}},
    }
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {**schema, "additionalProperties": False}}}
    made = chat.to_upstream(chat_request(tools=[tool]), attempt("acme/m", provider=get("xai")))
    (sent,) = json.loads(made.body)["tools"]
    kept = {**schema, "properties": {"additionalProperties": {"type": "string"}, "a": {"anyOf": [{}]}}}
    assert sent == {"type": "function", "function": {"name": "f", "parameters": kept}}


@pytest.mark.parametrize(
    ("reason", "calls", "whole", "streamed"),
    [
        ("stop", True, "stop", ["stop"]),
        ("end_turn", False, "stop", ["stop"]),
        ("max_length", False, "length", ["length"]),
        ("SAFETY", False, "content_filter", ["content_filter"]),
        ("OUT_OF_LUCK", False, "length", ["length"]),
        ("a-new-one", False, "stop", ["stop"]),
        (7, False, "stop", [None, "stop"]),
        ("", False, "stop", [None, "stop"]),
        ("", True, "tool_calls", [None, "tool_calls"]),
        (None, True, "tool_calls", [None, "tool_calls"]),
    ],
)
def test_finish_reasons(reason: Any, calls: bool, whole: str, streamed: list[str | None]) -> None:
    """A stream that ends without one gets it in a chunk of its own."""
    tried = attempt("acme/m", provider=in_dialect(answers=AnswerRules(finish_reasons={"out_of_luck": "length"})))
    message = {
        "role": "assistant",
        "content": "",
        **({"tool_calls": [{**CALLS[0], "type": "function", "index": 0}]} if calls else {}),
    }
    made = result_of(chat, {"choices": [{"message": message, "finish_reason": reason}]}, tried)
    assert made["choices"][0]["finish_reason"] == whole
    body = {**HEAD, "choices": [{"index": 0, "delta": message, "finish_reason": reason}]}
    first, *rest = chat.from_stream([Event(json.dumps(body).encode()), Event(b"[DONE]")], chat_request(), tried)
    assert [chunk.body["choices"][0]["finish_reason"] for chunk in (first, *rest)] == streamed
    assert (first.raw is None) == (streamed[0] != reason)


def piece(index: int | None, identifier: str | None, name: str | None = None, arguments: str = "") -> JSON:
    at = {} if index is None else {"index": index}
    return {**at, "id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("pieces", "positions"),
    [
        ([piece(0, "a", "f"), piece(0, None), piece(1, "b", "g"), piece(1, None)], [0, 0, 1, 1]),
        ([piece(1, "a", "f"), piece(1, None), piece(3, "b", "g"), piece(3, None)], [0, 0, 1, 1]),
        ([piece(0, "a", "f"), piece(0, "b", "f"), piece(0, None)], [0, 1, 1]),
        ([piece(None, "a", "f"), piece(None, "b", "f")], [0, 1]),
        ([piece(0, "a", "f"), piece(0, "a", "f"), piece(0, "x", None), piece(0, "")], [0, 0, 0, 0]),
    ],
)
def test_calls_are_numbered_from_zero_without_gaps(pieces: list[JSON], positions: list[int]) -> None:
    bodies = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in pieces]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    stream = [Event(json.dumps(body).encode()) for body in [*bodies, end]]
    made = [
        chunk.body["choices"][0]["delta"]["tool_calls"][0]
        for chunk in list(chat.from_stream(stream, chat_request(), attempt("openai/m")))[:-1]
    ]
    assert [call["index"] for call in made] == positions
    assert [call["function"]["arguments"] for call in made] == [call["function"]["arguments"] for call in pieces]


WORDS = (
    "choices delta message content type text thinking summary tool_calls function arguments name index finish_reason usage "
    "reasoning object error errors cache_control total_tokens prompt_tokens completion_tokens completion_tokens_details "
    "reasoning_tokens file"
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from(["text", "thinking", "function", "assistant"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=5),
    max_leaves=15,
)


@given(st.sampled_from(OPENAI_FORMAT), anything)
def test_any_answer_is_one_or_an_error_of_ours(row: Provider, body: Any) -> None:
    tried = attempt(f"{row.name}/m", provider=row)
    adapter = adapters.load("chat_completions", row.adapter)
    for found in (body, {"choices": [body]}, {"choices": [{"delta": body, "message": body}]}):
        try:
            list(adapter.from_stream([Event(json.dumps(found).encode()), Event(b"[DONE]")], chat_request(), tried))
            result_of(adapter, found if isinstance(found, dict) else {}, tried)
        except APIError:
            pass


@given(
    st.sampled_from(OPENAI_FORMAT),
    st.dictionaries(
        st.sampled_from(["tools", "functions", "function_call", "thinking", "response_format", "reasoning_effort"]), anything
    ),
    anything,
)
def test_any_request_is_translated_or_refused(row: Provider, fields: JSON, message: Any) -> None:
    messages = [
        {**(message if isinstance(message, dict) else {}), "role": "assistant"},
        {"role": "user", "content": [{"file": message}]},
    ]
    try:
        request = chat_request(messages=messages, **fields)
        adapters.load("chat_completions", row.adapter).to_upstream(request, attempt(f"{row.name}/m", provider=row))
    except APIError:
        pass
