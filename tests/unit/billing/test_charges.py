"""What whole answers and streams are charged, from the provider's bytes to the nano-dollar, by the vendors' own pages."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from haimaker import adapters
from haimaker.api.calculate import calculate_cost
from haimaker.billing.settlement import AttemptLog
from haimaker.credentials.access import ProviderConnection
from haimaker.http.values import JSON, Event
from haimaker.lean_dataclasses import replace
from haimaker.models.catalog import Place
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import UpstreamBody
from haimaker.pricing import usage
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.costs import cost_nanousd
from haimaker.pricing.usage import MAIN_COUNTS
from haimaker.providers.registry import all_providers, definition_for, get
from haimaker.routing.config import Config
from haimaker.routing.router import Router
from tests.support.builders import NOW_S, chat_request
from tests.support.builders import request as client_request

US_CENTRAL = ProviderConnection(
    "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers"
).place
EVERYWHERE = ProviderConnection("https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers").place
IRELAND = ProviderConnection("https://bedrock-runtime.eu-west-1.amazonaws.com").place
VIRGINIA = ProviderConnection("https://bedrock-runtime.us-east-1.amazonaws.com").place
EUROPE = ProviderConnection("https://eu.api.openai.com/v1").place
ANYWHERE = Place()
TOKENS = ("inputTokens", "outputTokens")


def tried(target: str, place: Place = ANYWHERE, prices: JSON | None = None) -> Attempt:
    name, _, model = target.partition("/")
    router = Router(Config(prices={target: prices} if prices else {}), all_providers(), {name: place} if place != ANYWHERE else {})
    return Attempt("req-1", NOW_S, definition_for(get(name), model), model, router.model_info_for(target))


def ant(input: int, output: int, *, content: Any = "Hi", stop: str = "end_turn", **more: Any) -> JSON:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": content}] if content else [],
        "stop_reason": stop,
        "usage": {"input_tokens": input, "output_tokens": output, **more},
    }


def gem(*, queries: list[str] | None = None, maps: bool = False, **counts: Any) -> JSON:
    grounding: JSON = {"webSearchQueries": queries} if queries else {}
    if maps:
        grounding["groundingChunks"] = [{"maps": {"uri": "https://maps.google.com/?cid=1", "title": "A place"}}]
    candidate = {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "groundingMetadata": grounding}
    return {"candidates": [candidate], "usageMetadata": counts}


def oai(message: JSON | None = None, **counts: Any) -> JSON:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi", **(message or {})}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": counts}


def converse(input: int, output: int, **more: Any) -> JSON:
    counts = {"inputTokens": input, "outputTokens": output, "totalTokens": input + output}
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": counts,
        **more,
    }


def named_events_of(body: JSON) -> Iterator[tuple[str, JSON]]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html: only its events have names."""
    if "output" not in body:
        yield from (("", each) for each in events_of(body))
        return
    yield "messageStart", {"role": "assistant"}
    yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": body["stopReason"]}
    yield "metadata", {name: body[name] for name in ("usage", "performanceConfig", "trace") if name in body}


def guarded(asked: JSON, *answered: JSON) -> JSON:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailTraceAssessment.html"""

    def assessment(units: JSON) -> JSON:
        return {"invocationMetrics": {"guardrailProcessingLatency": 300, "usage": {"wordPolicyUnits": 1, **units}}}

    outputs = {"outputAssessments": {"abc123": [assessment(units) for units in answered]}} if answered else {}
    return {"trace": {"guardrail": {"inputAssessment": {"abc123": assessment(asked)}, **outputs}}}


def events_of(body: JSON) -> Iterator[JSON]:
    """The same answer as its provider streams it."""
    if "candidates" in body:
        yield body
    elif body.get("type") == "message":
        yield from anthropic_events(body)
    else:
        [choice] = body["choices"]
        head = {**body, "object": "chat.completion.chunk"}
        yield {**head, "choices": [{"index": 0, "delta": choice["message"], "finish_reason": None}], "usage": None}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}
        yield {**head, "choices": []}


def anthropic_events(body: JSON) -> Iterator[JSON]:
    """https://platform.claude.com/docs/en/build-with-claude/streaming: the counts at the end are of the whole answer."""
    yield {
        "type": "message_start",
        "message": {**body, "content": [], "stop_reason": None, "usage": {**body["usage"], "output_tokens": 0}},
    }
    for index, block in enumerate(body["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": {**block, "text": ""}}
        yield {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": block["text"]}}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": body["stop_reason"]}, "usage": body["usage"]}
    yield {"type": "message_stop"}


def told(attempt: Attempt, body: JSON, *, streamed: bool) -> JSON:
    """The answer that a client gets, or the event of its stream that has the usage."""
    request = chat_request(model=attempt.target, stream=streamed)
    adapter = adapters.find(request, attempt)
    if streamed:
        events = (Event(json.dumps(each).encode(), name) for name, each in named_events_of(body))
        chunks = [event.body for event in adapter.from_stream(events, request, attempt)]
        return next(chunk for chunk in reversed(chunks) if chunk.get("usage"))
    answer: JSON = adapter.from_upstream(UpstreamBody({}, json.dumps(body).encode()), request, attempt).body
    return answer


def charged(attempt: Attempt, body: JSON, *, streamed: bool) -> int | None:
    made = told(attempt, body, streamed=streamed)
    tokens = usage.from_openai(made["usage"], made.get("service_tier"))
    assert usage.from_openai(usage.to_openai(tokens)).passes[0].prompt == tokens.prompt
    return cost_nanousd(tokens, attempt.model_info, now_s=NOW_S)


COMPACTED = {
    "iterations": [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
}
COMPACTED_FROM_CACHE = {
    "iterations": [
        {
            "type": "compaction",
            "input_tokens": 1_000,
            "cache_read_input_tokens": 100_000,
            "cache_creation_input_tokens": 20_000,
            "cache_creation": {"ephemeral_1h_input_tokens": 20_000, "ephemeral_5m_input_tokens": 0},
            "output_tokens": 1_000,
        },
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
}
ADVISED = {
    "iterations": [
        {"type": "message", "input_tokens": 600, "output_tokens": 60},
        {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 800, "output_tokens": 400},
        {"type": "message", "input_tokens": 400, "output_tokens": 40},
    ]
}
FELL_BACK = {
    "iterations": [
        {"type": "message", "input_tokens": 1_000, "output_tokens": 0},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1_000, "output_tokens": 100},
    ]
}
IMAGES = {"cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 2_503}, {"modality": "IMAGE", "tokenCount": 22_000}]}
GROUNDED = ["a price", "b price", "a price"]
BROWSED = {"executed_tools": [{"index": at, "type": "browser_search", "arguments": "{}"} for at in range(2)]}
OPENED = [
    *({"index": at, "type": "browser_search", "name": name} for at, name in enumerate(("browser.search", "browser.open"))),
    *({"index": 2 + at, "type": name} for at, name in enumerate(("browser.find", "visit_website", "python"))),
]

SEARCHED = {"index": 0, "id": "call_1", "type": "builtin_function", "function": {"name": "$web_search", "arguments": "{}"}}
FOUND = [{"title": "A page", "link": "https://example.org", "refer": "ref_1"}]

CASES: dict[str, tuple[str, Place, JSON, int | None]] = {
    "standard speed": ("anthropic/claude-opus-5", ANYWHERE, ant(1_000, 100, speed="standard"), 7_500_000),
    "fast": ("anthropic/claude-opus-5", ANYWHERE, ant(1_000, 100, speed="fast"), 15_000_000),
    "in the US": ("anthropic/claude-opus-5", ANYWHERE, ant(1_000, 100, inference_geo="us"), 8_250_000),
    "anywhere": ("anthropic/claude-opus-5", ANYWHERE, ant(1_000, 100, inference_geo="global"), 7_500_000),
    "fast, in the US": ("anthropic/claude-opus-5", ANYWHERE, ant(1_000, 100, inference_geo="us", speed="fast"), 16_500_000),
    "fast where there is no such thing": ("anthropic/claude-haiku-4-5", ANYWHERE, ant(1_000, 100, speed="fast"), 1_500_000),
    "at the default location": ("vertex_ai/claude-sonnet-4-5", ANYWHERE, ant(1_000, 100), 4_950_000),
    "at a location": ("vertex_ai/claude-sonnet-4-5", US_CENTRAL, ant(1_000, 100), 4_950_000),
    "at all locations": ("vertex_ai/claude-sonnet-4-5", EVERYWHERE, ant(1_000, 100), 4_500_000),
    "at a host": ("openai/gpt-5.4", EUROPE, oai(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100), 4_400_000),
    "at the usual host": ("openai/gpt-5.4", ANYWHERE, oai(prompt_tokens=1_000, completion_tokens=100), 4_000_000),
    "searched": (
        "anthropic/claude-haiku-4-5",
        ANYWHERE,
        ant(1_000, 100, server_tool_use={"web_search_requests": 3}),
        31_500_000,
    ),
    "fetched": ("anthropic/claude-haiku-4-5", ANYWHERE, ant(1_000, 100, server_tool_use={"web_fetch_requests": 3}), 1_500_000),
    "did what nobody knows": ("anthropic/claude-haiku-4-5", ANYWHERE, ant(1_000, 100, server_tool_use={"dream_requests": 1}), None),
    "always searches": (
        "openai/gpt-5-search-api",
        ANYWHERE,
        oai({"annotations": [{"type": "url_citation"}]}, prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100),
        12_250_000,
    ),
    "browsed": (
        "groq/openai/gpt-oss-120b",
        ANYWHERE,
        oai(BROWSED, prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100),
        10_210_000,
    ),
    "opened three pages": (
        "groq/openai/gpt-oss-120b",
        ANYWHERE,
        oai({"executed_tools": OPENED}, prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100),
        8_210_000,
    ),
    "did not browse": (
        "groq/openai/gpt-oss-120b",
        ANYWHERE,
        oai(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100),
        210_000,
    ),
    "searched at Z.ai": (
        "zai/glm-4.6",
        ANYWHERE,
        {**oai(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100), "web_search": FOUND},
        10_820_000,
    ),
    "searched at Moonshot": (
        "moonshot/kimi-k2.5",
        ANYWHERE,
        oai({"content": None, "tool_calls": [SEARCHED]}, prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100),
        5_900_000,
    ),
    "searched at Alibaba": (
        "dashscope/qwen3-max",
        ANYWHERE,
        oai(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100, plugins={"search": {"count": 2, "strategy": "turbo"}}),
        21_800_000,
    ),
    "in a hurry": (
        "bedrock/us.amazon.nova-pro-v1:0",
        VIRGINIA,
        converse(10**6, 10**6, performanceConfig={"latency": "optimized"}),
        5_000_000_000,
    ),
    "no longer in a hurry": (
        "bedrock/us.amazon.nova-pro-v1:0",
        VIRGINIA,
        converse(10**6, 10**6, performanceConfig={"latency": "standard"}),
        4_000_000_000,
    ),
    "guarded": (
        "bedrock/us.amazon.nova-pro-v1:0",
        VIRGINIA,
        converse(1_000, 1_000, **guarded({"contentPolicyUnits": 4, "topicPolicyUnits": 2}, {"sensitiveInformationPolicyUnits": 3})),
        4_000_000 + 4 * 150_000 + 2 * 150_000 + 3 * 100_000,
    ),
    "guarded with images and proofs": (
        "bedrock/us.amazon.nova-pro-v1:0",
        VIRGINIA,
        converse(
            1_000,
            1_000,
            **guarded({"contentPolicyImageUnits": 1}, {"contextualGroundingPolicyUnits": 1}, {"automatedReasoningPolicyUnits": 2}),
        ),
        4_000_000 + 750_000 + 100_000 + 2 * 170_000,
    ),
    "guarded by words alone, which are free": (
        "bedrock/us.amazon.nova-pro-v1:0",
        VIRGINIA,
        converse(1_000, 1_000, **guarded({"sensitiveInformationPolicyFreeUnits": 1})),
        4_000_000,
    ),
    "stopped by a guardrail before the model": (
        "bedrock/us.amazon.nova-pro-v1:0",
        VIRGINIA,
        converse(0, 0, **guarded({"topicPolicyUnits": 1})),
        150_000,
    ),
    "asked the same again": (
        "gemini/gemini-3-flash-preview",
        ANYWHERE,
        gem(queries=GROUNDED, promptTokenCount=10, candidatesTokenCount=10, totalTokenCount=20),
        28_035_000,
    ),
    "asked Maps": (
        "gemini/gemini-2.5-flash",
        ANYWHERE,
        gem(maps=True, promptTokenCount=10, candidatesTokenCount=10, totalTokenCount=20),
        25_028_000,
    ),
    "asked Maps of one without a price for it": (
        "gemini/gemini-2.5-flash-image",
        ANYWHERE,
        gem(maps=True, promptTokenCount=10, candidatesTokenCount=10, totalTokenCount=20),
        None,
    ),
    "images from a cache": (
        "gemini/gemini-2.5-flash",
        ANYWHERE,
        gem(
            promptTokenCount=24_643,
            cachedContentTokenCount=24_503,
            candidatesTokenCount=3_110,
            totalTokenCount=27_753,
            **IMAGES,
        ),
        8_552_090,
    ),
    "compacted": ("anthropic/claude-opus-4-6", ANYWHERE, ant(23_000, 1_000, **COMPACTED), 1_127_500_000),
    "compacted from a cache": (
        "anthropic/claude-opus-4-6",
        ANYWHERE,
        ant(23_000, 1_000, **COMPACTED_FROM_CACHE),
        140_000_000 + 5_000_000 + 50_000_000 + 200_000_000 + 25_000_000,
    ),
    "advised": ("anthropic/claude-haiku-4-5", ANYWHERE, ant(1_000, 100, **ADVISED), 1_500_000 + 4_000_000 + 10_000_000),
    "fell back": ("anthropic/claude-fable-5", ANYWHERE, ant(1_000, 100, **FELL_BACK), 7_500_000),
    "refused at once": ("anthropic/claude-fable-5", ANYWHERE, ant(20_000, 0, content=None, stop="refusal"), 0),
    "refused on the way": ("anthropic/claude-fable-5", ANYWHERE, ant(20_000, 10, stop="refusal"), 200_500_000),
    "nothing to say": ("anthropic/claude-fable-5", ANYWHERE, ant(20_000, 0, content=None), 200_000_000),
    "an estimate of the reasoning": (
        "deepinfra/openai/gpt-oss-120b",
        ANYWHERE,
        oai(prompt_tokens=4_865, completion_tokens=16, total_tokens=4_881, completion_tokens_details={"reasoning_tokens": 19}),
        182_725,
    ),
    "heard": (
        "mistral/voxtral-small-latest",
        ANYWHERE,
        oai(prompt_tokens=11, completion_tokens=15, total_tokens=401),
        44_600,
    ),
    "in Ireland": (
        "bedrock/qwen.qwen3-next-80b-a3b",
        IRELAND,
        converse(10**6, 10**6),
        1_590_000_000,
    ),
    "in a region": ("bedrock/anthropic.claude-sonnet-4-6", VIRGINIA, converse(10**6, 10**6), 19_800_000_000),
    "in any region": ("bedrock/global.anthropic.claude-sonnet-4-6", VIRGINIA, converse(10**6, 10**6), 18_000_000_000),
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("target", "place", "body", "cost"), CASES.values(), ids=CASES)
def test_an_answer_is_charged_as_its_vendor_bills_it(
    target: str, place: Place, body: JSON, cost: int | None, streamed: bool
) -> None:
    assert charged(tried(target, place), body, streamed=streamed) == cost


@pytest.mark.parametrize(
    ("target", "tool", "estimated"),
    [
        ("anthropic/claude-opus-5", {"type": "code_execution_20250825", "name": "code_execution"}, True),
        ("anthropic/claude-opus-5", {"type": "web_fetch_20250910", "name": "web_fetch"}, False),
        ("anthropic/claude-opus-5", {"type": "mcp_toolset", "mcp_server_name": "a"}, False),
        ("anthropic/claude-opus-5", {"type": "bash_20250124", "name": "bash"}, False),
        ("anthropic/claude-opus-5", {"type": "web_search_20250305", "name": "web_search"}, False),
        ("anthropic/claude-opus-5", {"type": "function", "function": {"name": "code_execution_1"}}, False),
        ("bedrock/us.amazon.nova-pro-v1:0", {"systemTool": {"name": "nova_grounding"}}, True),
        ("vertex_ai/gemini-2.5-flash", {"retrieval": {"vertexAiSearch": {"datastore": "a"}}}, True),
        *(("vertex_ai/gemini-2.5-flash", {name: {}}, False) for name in ("codeExecution", "code_execution", "urlContext")),
        ("gemini/gemini-3-flash-preview", {"fileSearch": {"fileSearchStoreNames": ["a"]}}, False),
        *(("groq/openai/gpt-oss-120b", {"type": name}, name != "mcp") for name in ("code_interpreter", "mcp")),
        ("mistral/mistral-large-latest", {"type": "connector", "connector_id": "a"}, True),
        ("xai/grok-4", {"type": "code_interpreter"}, False),
        *((target, {"type": "web_search"}, True) for target in ("minimax/MiniMax-M2.5", "mistral/mistral-large-latest")),
        ("mistral/mistral-large-latest", {"type": "image_generation"}, True),
        ("mistral/mistral-large-latest", {"type": "function", "function": {"name": "web_search"}}, False),
        ("zai/glm-4.6", {"type": "web_search", "web_search": {"enable": True}}, False),
    ],
)
def test_what_a_tool_may_cost_that_no_answer_counts_is_an_estimate(target: str, tool: JSON, estimated: bool) -> None:
    """Where the provider says itself what it charged, that is all."""
    at, request = tried(target), chat_request(model=target, tools=[tool])
    body = oai(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100, cost_in_usd_ticks=10**7)
    used = request.read_usage(body, at)
    log = AttemptLog(at, NOW_S)
    log.set_usage(used or usage.Usage(), estimated=used is None)
    assert log.estimated == estimated


@pytest.mark.parametrize(("target", "place", "body", "cost"), CASES.values(), ids=CASES)
def test_what_an_answer_cost_is_calculated_as_it_was_charged(target: str, place: Place, body: JSON, cost: int | None) -> None:
    places = {target.partition("/")[0]: place} if place != ANYWHERE else {}
    router = Router(Config(), all_providers(), places)
    answer = told(tried(target, place), body, streamed=False)
    found = calculate_cost(router, (), client_request({"model": target, "completion_response": answer}), 4_096)
    assert found["cost"] == to_usd(cost)


def responded(input: int, output: int) -> JSON:
    said = [{"type": "output_text", "text": "Hi", "annotations": []}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": said}
    used = {"input_tokens": input, "output_tokens": output, "total_tokens": input + output}
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [message], "usage": used}


def cohered(input: int, output: int) -> JSON:
    used = {"billed_units": {"input_tokens": input, "output_tokens": output}}
    return {"id": "c", "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}, "usage": used}


@pytest.mark.parametrize("counts", [(-5, 5), (5, 10**14), (2.5, 5), ("5", [])], ids=["negative", "10^14", "fraction", "text"])
@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("anthropic/claude-haiku-4-5", ant),
        ("bedrock/amazon.nova-pro-v1:0", lambda *counts: {**converse(1, 1), "usage": dict(zip(TOKENS, counts, strict=True))}),
        ("gemini/gemini-2.5-flash", lambda read, wrote: gem(promptTokenCount=read, candidatesTokenCount=wrote, totalTokenCount=7)),
        ("openai/gpt-5-codex", lambda *counts: {**responded(1, 1), "usage": dict(zip(MAIN_COUNTS[2:], counts, strict=True))}),
        ("cohere/command-a-03-2025", cohered),
        ("mistral/mistral-large-latest", lambda read, wrote: oai(prompt_tokens=read, completion_tokens=wrote)),
    ],
    ids=["Anthropic's", "Bedrock's", "Google's", "Responses", "Cohere's", "OpenAI's"],
)
def test_counts_that_can_not_be_are_none_in_any_format(target: str, answer: Any, counts: tuple[Any, Any]) -> None:
    """They are estimated then, and not free."""
    tried_at, request = tried(target), chat_request(model=target)
    if answer(1, 1).get("object") == "response":
        tried_at = replace(tried_at, provider=definition_for(get("openai"), tried_at.model, "responses"))
    read = adapters.find(request, tried_at).from_upstream
    good, bad = (read(UpstreamBody({}, json.dumps(answer(*each)).encode()), request, tried_at).body for each in ((7, 5), counts))
    assert usage.is_plausible(good.get("usage"))
    assert request.read_usage(good, tried_at)
    assert not request.read_usage(bad, tried_at)
