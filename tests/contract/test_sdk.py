"""The official SDK's calls, unchanged but for their base URL, at every provider of the table."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion

from haimaker.providers.registry import all_providers, get
from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL, PROMPT, UPSTREAM_KEY, ask, ask_all, price, sdk, text_of
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
UNREACHABLE = {"ollama", "llamafile"}
SPOKEN = [row.name for row in all_providers() if row.adapter == "openai" and not row.offline and row.name not in UNREACHABLE]
MODELS = {"mistral": "mistral-small-latest", "openrouter": "openai/gpt-4o-mini", "hosted_vllm": "org/name:tag@1"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {}}}}}


@STREAM
@pytest.mark.parametrize("name", SPOKEN)
def test_every_provider_of_this_format_chats(upstream: FakeUpstream, client: openai.OpenAI, name: str, stream: bool):
    upstream.answers(openai_wire.plays_openai("Grüezi from afar"))
    model, seen = MODELS.get(name, "gpt-4o-mini"), len(upstream.calls)
    answer = ask_all(client, f"{name}/{model}", stream=stream)
    assert text_of(answer) == "Grüezi from afar"
    (call,) = upstream.calls[seen:]
    assert call.method == "POST"
    assert call.path == "/v1/chat/completions" or get(name).endpoint.paths
    header = get(name).auth.key_header
    assert call.headers[header] == (f"Bearer {UPSTREAM_KEY}" if header == "authorization" else UPSTREAM_KEY)
    assert call.json["model"] == model
    assert call.json["messages"] == [{"role": "user", "content": PROMPT}]
    asked = call.json.get("stream_options", {}).get("include_usage", False)
    assert asked == (stream and get(name).dialect.asks_stream_usage)


def test_what_the_client_is_told(desk: Desk, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai(usage=openai_wire.usage(10, 5)))
    client = sdk(desk, desk.key(rpm_limit=7, tpm_limit=10**6))
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    told = {name: value for name, value in raw.headers.items() if name.startswith("x-haimaker-")}
    assert told == {
        "x-haimaker-provider": "hosted_vllm",
        "x-haimaker-model": "any",
        "x-haimaker-attempts": "1",
        "x-haimaker-cost": f"{price(10, 5) / 10**9:.9f}",
    }
    assert raw.headers["x-ratelimit-limit-requests"] == "7"
    assert raw.headers["x-ratelimit-remaining-requests"] == "6"
    assert raw.headers["x-ratelimit-limit-tokens"] == "1000000"
    assert 0 < int(raw.headers["x-ratelimit-remaining-tokens"]) < 10**6
    assert raw.headers["x-ratelimit-reset-requests"].endswith("s")
    completion = raw.parse()
    assert isinstance(completion, ChatCompletion)
    assert completion._request_id == raw.headers["x-request-id"] != openai_wire.HEADERS["x-request-id"]
    assert completion.usage.cost == price(10, 5) / 10**9


def test_what_a_stream_tells_before_it_begins(client: openai.OpenAI, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai())
    raw = client.chat.completions.with_raw_response.create(
        model="mistral/mistral-small-latest", messages=[{"role": "user", "content": "Hi"}], stream=True, user="someone"
    )
    expected = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-haimaker-provider": "mistral",
        "x-haimaker-dropped-params": "user",
    }
    assert {name: raw.headers.get(name) for name in expected} == expected
    assert raw.headers["x-request-id"]
    assert list(raw.parse())


def test_the_asynchronous_client(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai("Hello there"))

    async def talk() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=desk.url, api_key=key, max_retries=0) as client:
            whole = await ask(client)
            stream = await ask(client, stream=True)
            return text_of(whole), text_of([chunk async for chunk in stream])

    with ThreadPoolExecutor(1) as pool:  # where no browser's test has left a loop running
        assert pool.submit(asyncio.run, talk()).result() == ("Hello there", "Hello there")


@STREAM
def test_the_azure_client(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    """Its deployment is our model, in the path; its key comes as `api-key`."""
    upstream.answers(openai_wire.plays_openai("From a deployment"))
    endpoint = desk.url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=endpoint, api_key=key, api_version="2024-10-21", max_retries=0)
    assert text_of(ask_all(client, "gpt-4o-mini", stream=stream)) == "From a deployment"
    assert upstream.calls[-1].json["model"] == "gpt-4o-mini"
    whole_name = openai.AzureOpenAI(
        azure_endpoint=endpoint,
        azure_deployment="mistral/mistral-small-latest",
        api_key=key,
        api_version="2024-10-21",
        max_retries=0,
    )
    assert text_of(ask_all(whole_name, "any", stream=stream)) == "From a deployment"
    assert upstream.calls[-1].json["model"] == "mistral-small-latest"


def test_what_the_azure_client_asks_of_no_deployment(desk: Desk, key: str):
    endpoint = desk.url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=endpoint, api_key=key, api_version="2024-10-21", max_retries=0)
    assert "demo/echo" in {model.id for model in client.models.list()}
    assert client.models.retrieve("demo/echo").id == "demo/echo"
    assert client.moderations.create(model="demo/moderation", input="Hi").results[0].flagged is False


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/v1/chat/completions", "authorization"),
        ("/chat/completions", "authorization"),
        ("/v1/chat/completions", "api-key"),
        ("/v1/chat/completions", "x-api-key"),
        ("/openai/deployments/hosted_vllm%2Fany/chat/completions?api-version=2024-10-21", "api-key"),
        ("/v1/chat/completions/", "Authorization"),
    ],
)
def test_where_a_key_may_be(desk: Desk, key: str, upstream: FakeUpstream, path: str, header: str):
    upstream.answers(openai_wire.plays_openai())
    value = f"Bearer {key}" if header.lower() == "authorization" else key
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    response = httpx.post(desk.url.removesuffix("/v1") + path, json=body, headers={header: value}, trust_env=False)
    assert response.status_code == 200, response.text
    assert key not in json.dumps(upstream.calls[-1].headers)


def test_models(client: openai.OpenAI):
    models = {model.id: model for model in client.models.list()}
    assert {"demo/echo", "openai/gpt-4o-mini", "retried"} <= models.keys()
    found = client.models.retrieve("openai/gpt-4o-mini")
    assert found == models["openai/gpt-4o-mini"]
    assert (found.owned_by, found.context_length, found.input_cost_per_token) == ("openai", 128_000, 1.5e-7)
    assert client.models.retrieve("gpt-4o-mini").owned_by == "openai"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("openai/no-such-model")
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


PASSING_THROUGH = [
    {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}, "parallel_tool_calls": False},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": {"type": "object"}}}},
    {"n": 2, "logprobs": True, "top_logprobs": 3, "logit_bias": {"50256": -100}},
    {"temperature": 0.5, "top_p": 1, "seed": 7, "stop": ["\n", "END"], "presence_penalty": 0.0, "user": "someone"},
    {"extra_body": {"top_k": 40, "guided_json": {"a": [1, {"b": None}]}}},
]


@STREAM
@pytest.mark.parametrize("parameters", PASSING_THROUGH, ids=lambda parameters: next(iter(parameters)))
def test_parameters_reach_the_provider_as_they_are(client: openai.OpenAI, upstream: FakeUpstream, parameters, stream: bool):
    upstream.answers(openai_wire.plays_openai())
    ask_all(client, stream=stream, **parameters)
    sent = upstream.calls[-1].json
    expected = {**parameters, **parameters.get("extra_body", {})}
    expected.pop("extra_body", None)
    assert {name: sent[name] for name in expected} == expected
    assert sent.keys() - expected.keys() <= {"model", "messages", "stream", "stream_options"}


def test_images_pass_through(client: openai.OpenAI, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai())
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 1_000, "detail": "low"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    ask(client, text=content)
    assert upstream.calls[-1].json["messages"] == [{"role": "user", "content": content}]


@STREAM
def test_tool_calls_come_back(client: openai.OpenAI, upstream: FakeUpstream, stream: bool):
    calls = [openai_wire.tool_call(id="call_1"), openai_wire.tool_call("get_time", "{}", id="call_2")]
    whole, chunks = openai_wire.completion(tool_calls=calls), openai_wire.chunks(tool_calls=calls, usage=openai_wire.usage())
    upstream.answers(Reply.sse(chunks) if stream else Reply.json(200, whole))
    answer = ask_all(client, stream=stream, tools=[TOOL])
    assert folded(answer) == calls if stream else [call.model_dump() for call in answer.choices[0].message.tool_calls] == calls


def folded(chunks) -> list[dict]:
    """The tool calls that the deltas of a stream add up to."""
    calls: dict[int, dict] = {}
    for delta in (delta for chunk in chunks for choice in chunk.choices for delta in choice.delta.tool_calls or ()):
        call = calls.setdefault(delta.index, {"id": delta.id, "type": delta.type, "function": {"name": "", "arguments": ""}})
        call["function"]["name"] += delta.function.name or ""
        call["function"]["arguments"] += delta.function.arguments or ""
    return list(calls.values())


@STREAM
@pytest.mark.parametrize(("model", "text"), [("echo", "Echo this, please"), ("count", "Count to 4"), ("tool", "No tools here")])
def test_demo_models_need_no_provider(client: openai.OpenAI, upstream: FakeUpstream, model: str, text: str, stream: bool):
    seen = len(upstream.calls)
    options = {"stream_options": {"include_usage": True}} if stream else {}
    answer = ask_all(client, f"demo/{model}", stream=stream, text=text, **options)
    assert text_of(answer) == {"count": "1 2 3 4"}.get(model, text)
    usage = answer[-1].usage if stream else answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost) == (3, 4 if model == "count" else 3, 0)
    assert len(upstream.calls) == seen


@pytest.mark.parametrize(
    ("allowed", "model", "passes"),
    [
        (["hosted_vllm/any"], "hosted_vllm/any", True),
        (["hosted_vllm/any"], "hosted_vllm/other", False),
        (["hosted_vllm/*"], "hosted_vllm/other", True),
        (["hosted_vllm/*"], "openai/gpt-4o-mini", False),
        (["openai/gpt-4o-mini"], "gpt-4o-mini", True),
        (["retried"], "retried", False),
        (["retried", "hosted_vllm/any"], "retried", True),
        (["hosted_vllm/any"], "retried", False),
        ([], "openai/gpt-4o-mini", True),
    ],
)
def test_a_key_may_use_what_its_list_names(desk: Desk, upstream: FakeUpstream, allowed, model: str, passes: bool):
    """A route needs its own name on the list and those of its targets."""
    upstream.answers(openai_wire.plays_openai())
    client, seen = sdk(desk, desk.key(models=allowed)), len(upstream.calls)
    if passes:
        assert text_of(ask(client, model)) == "Hello!"
    else:
        with pytest.raises(openai.PermissionDeniedError, match=r"This key may (not use the model|use the name)") as raised:
            ask(client, model)
        assert (raised.value.code, raised.value.param) == ("model_not_allowed", "model")
        assert len(upstream.calls) == seen
    assert ("demo/echo" in {found.id for found in client.models.list()}) == (not allowed)
