"""No honest answer costs more than what was put aside for its request, in any provider's format: by the vendors' documentation
of what a request can lead to, whatever the answer then says that it used."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker.adapters.responses import native
from haimaker.adapters.responses.chat import read_whole
from haimaker.api.calculate import calculate_cost
from haimaker.api.formats import responses
from haimaker.billing import estimates
from haimaker.billing.estimates import Affordable
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.models.catalog import Place
from haimaker.operations.server_tools import MAX_SEARCHES, MAX_TURNS
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.costs import cost_nanousd
from haimaker.pricing.guardrails import TEXT_MICROUSD
from haimaker.pricing.usage import Usage
from haimaker.providers.registry import all_providers, definition_for
from haimaker.routing.config import Config
from haimaker.routing.router import Router
from tests.support.builders import chat_request
from tests.support.builders import request as client_request
from tests.unit.billing.test_charges import (
    ANYWHERE,
    EUROPE,
    EVERYWHERE,
    IRELAND,
    US_CENTRAL,
    ant,
    charged,
    gem,
    guarded,
    oai,
    tried,
)

DEFAULT = 4_096
MESSAGES = [{"role": "user", "content": "x" * 2_000}]
PROMPT = 2_000
"""Tokens that such a prompt may have at most, a byte each."""


def shares(total: int, parts: int) -> st.SearchStrategy[list[int]]:
    """Counts that add up to at most `total`."""
    return st.lists(st.integers(0, total), min_size=parts, max_size=parts).map(
        lambda drawn: [each * total // max(total, sum(drawn), 1) for each in drawn]
    )


def held(target: Any, fields: JSON) -> int:
    request = chat_request(model=target.target, messages=MESSAGES, **fields)
    assert request.is_priced(target)
    return estimates.bound_cost(request, [target], DEFAULT).amount_nanousd


CLAUDES = ("claude-opus-5", "claude-opus-4-8", "claude-haiku-4-5", "claude-haiku-5-5", "claude-sonnet-4-5")
SEARCHES: dict[str, tuple[JSON, int]] = {
    "none": ({}, 0),
    "low": ({"web_search_options": {"search_context_size": "low"}}, 1),
    "medium": ({"web_search_options": {}}, 5),
    "high": ({"web_search_options": {"search_context_size": "high"}}, 10),
    "tool": ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}, 3),
    "open": ({"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, MAX_SEARCHES),
    "advisor": ({"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-6", "max_uses": 2}]}, 0),
}
COMPACTS: JSON = {"context_management": {"edits": [{"type": "compact_20260112"}]}}


def a_pass(draw: Any, window: int, answer: int, **more: Any) -> JSON:
    read, cached, hour, five = draw(shares(window, 4))
    return {
        "input_tokens": read,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": hour + five,
        "cache_creation": {"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": five},
        "output_tokens": draw(st.integers(0, answer)),
        **more,
    }


def total_of(passes: list[JSON]) -> JSON:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    hours = [sum(each["cache_creation"][f"ephemeral_{time}_input_tokens"] for each in passes) for time in ("1h", "5m")]
    caches = {"ephemeral_1h_input_tokens": hours[0], "ephemeral_5m_input_tokens": hours[1]}
    return {**{name: sum(each[name] for each in passes) for name in names}, "cache_creation": caches}


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_claude(data: st.DataObject) -> None:
    provider, model = data.draw(st.sampled_from([("anthropic", each) for each in CLAUDES] + [("vertex_ai", "claude-sonnet-4-5")]))
    place = data.draw(st.sampled_from([ANYWHERE, US_CENTRAL, EVERYWHERE])) if provider == "vertex_ai" else ANYWHERE
    target = tried(f"{provider}/{model}", place)
    name, fast, compacts = data.draw(st.sampled_from([*SEARCHES])), data.draw(st.booleans()), data.draw(st.booleans())
    fields, searches = SEARCHES[name]
    fields = {**fields, **(COMPACTS if compacts else {}), **({"speed": "fast"} if fast else {}), "max_tokens": 1_000}
    most = target.model_info.max_input_tokens or 0
    uses = 2 if name == "advisor" else min(searches, MAX_TURNS)
    count = data.draw(st.integers(1, uses + 1))
    window = most if uses or compacts else PROMPT
    own = [a_pass(data.draw, window, 1_000 // count, type="message") for _ in range(count)]
    others = [
        a_pass(data.draw, most, target.model_info.max_output_tokens or 0, type="compaction")
        for _ in range(data.draw(st.integers(0, count)) if compacts else 0)
    ]
    if name == "advisor":
        others += [a_pass(data.draw, 200_000, 32_000, type="advisor_message", model="claude-opus-4-6")] * data.draw(
            st.integers(0, 2)
        )
    used = {
        **total_of(own),
        **({"iterations": own + others} if others or count > 1 or data.draw(st.booleans()) else {}),
        "server_tool_use": {"web_search_requests": data.draw(st.integers(0, searches))},
        "speed": data.draw(st.sampled_from(["standard", "fast" if fast else "standard"])),
        "inference_geo": data.draw(st.sampled_from(["global", "us", None])),
    }
    answer = ant(0, 0, **used)
    cost = charged(target, answer, streamed=data.draw(st.booleans()))
    assert cost is not None
    assert cost <= held(target, fields)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_gemini(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash-preview", "gemini-3.1-pro-preview"]))
    target = tried(f"gemini/{model}")
    fields: JSON = data.draw(
        st.sampled_from([{}, {"web_search_options": {"search_context_size": "high"}}, {"tools": [{"googleMaps": {}}]}])
    )
    tier = data.draw(st.sampled_from([None, "flex", "priority"]))
    maps = "tools" in fields and data.draw(st.booleans())
    queries = [f"q{n}" for n in range(data.draw(st.integers(0, MAX_SEARCHES)))] if "web_search_options" in fields else []
    prompt, tool_prompt = data.draw(shares(PROMPT if "tools" not in fields else target.model_info.max_input_tokens or 0, 2))
    cached = data.draw(st.integers(0, prompt))
    prompt = max(1, prompt)
    written, thought = data.draw(shares(1_000, 2))
    served = data.draw(st.sampled_from(["standard", tier or "standard"]))
    kinds = [
        {"modality": kind, "tokenCount": n}
        for kind, n in zip(("AUDIO", "IMAGE", "VIDEO"), data.draw(shares(prompt, 3)), strict=True)
    ]
    metadata = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": written,
        "thoughtsTokenCount": thought,
        "totalTokenCount": prompt + written + thought,
        "promptTokensDetails": kinds,
        "serviceTier": served,
        **({"toolUsePromptTokenCount": tool_prompt} if "tools" in fields else {}),
    }
    asked = {**fields, "max_tokens": 1_000, **({"service_tier": tier} if tier else {})}
    cost = charged(target, gem(queries=queries, maps=maps, **metadata), streamed=data.draw(st.booleans()))
    assert cost is not None
    assert cost <= held(target, asked)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_openai(data: st.DataObject) -> None:
    target, place = data.draw(
        st.sampled_from(
            [
                ("openai/gpt-4o-mini", ANYWHERE),
                ("openai/gpt-5.4", EUROPE),
                ("openai/gpt-5.6", ANYWHERE),
                ("openai/gpt-5-search-api", ANYWHERE),
                ("groq/openai/gpt-oss-120b", ANYWHERE),
                ("xai/grok-4.3", ANYWHERE),
                ("mistral/voxtral-small-latest", ANYWHERE),
                ("deepinfra/google/gemini-2.5-flash", ANYWHERE),
                ("dashscope/qwen3.7-max", ANYWHERE),
            ]
        )
    )
    at = tried(target, place)
    searching = target.startswith(("groq", "openai/gpt-5-search"))
    fields: JSON = {"web_search_options": {"search_context_size": "high"}} if searching else {}
    tier = data.draw(st.sampled_from([None, "flex", "priority", "auto"]))
    window = at.model_info.max_input_tokens if searching else None  # what was found stands in the prompt
    prompt, written = data.draw(st.integers(0, window or PROMPT)), data.draw(st.integers(0, 1_000))
    cached, wrote, audio, image = data.draw(shares(prompt, 4))
    thought = data.draw(st.integers(0, written))
    browsed, opened = (data.draw(st.integers(0, MAX_SEARCHES)) if target.startswith("groq") else 0 for _ in range(2))
    executed = ["browser_search"] * browsed + ["browser.open"] * opened
    tools = {"executed_tools": [{"index": n, "type": name} for n, name in enumerate(executed)]}
    body = oai(
        tools,
        prompt_tokens=prompt,
        completion_tokens=written,
        total_tokens=prompt + written,
        prompt_tokens_details={
            "cached_tokens": cached,
            "cache_write_tokens": wrote,
            "audio_tokens": audio,
            "image_tokens": image,
            **data.draw(st.sampled_from([{}, {"cache_type": "ephemeral"}])),
        },
        completion_tokens_details={"reasoning_tokens": thought},
    )
    served = data.draw(st.sampled_from(["default", {"auto": "priority", None: "default"}.get(tier, tier)]))
    cost = charged(at, {**body, "service_tier": served}, streamed=data.draw(st.booleans()))
    assert cost is not None
    assert cost <= held(at, {**fields, "max_tokens": 1_000, **({"service_tier": tier} if tier else {})})


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_responses(data: st.DataObject) -> None:
    """https://platform.openai.com/docs/pricing#built-in-tools: searches, files, containers by their memory. After each of at most
    `max_tool_calls` the model reads its prompt again: 128,000 tokens, where it is the web that is searched."""
    target, size = tried("openai/gpt-5.4", data.draw(st.sampled_from([ANYWHERE, EUROPE]))), data.draw(st.sampled_from([1, 4, 16]))
    target = replace(target, provider=definition_for(target.provider, target.model, "responses"))
    container: JSON = {"type": "auto", "memory_limit": f"{size}g"}
    kinds: dict[str, JSON] = {
        "web_search": {"type": "web_search"},
        "file_search": {"type": "file_search"},
        "code_interpreter": {"type": "code_interpreter", "container": container},
    }
    names = data.draw(st.lists(st.sampled_from([*kinds]), unique=True))
    most = data.draw(st.sampled_from([None, 1, 3]))
    body = {"model": target.target, "input": "x" * 2_000, "max_output_tokens": 1_000, "tools": [kinds[name] for name in names]}
    request = responses.parse(client_request({**body, **({"max_tool_calls": most} if most else {})}))
    [target] = estimates.with_limits([target], request, DEFAULT, Affordable(None, data.draw(st.sampled_from([None, 1, 2]))))
    sent = json.loads(native.to_upstream(request, target).body)
    most = sent.get("max_tool_calls")
    assert most is not None or not names, "no more calls than are reckoned with"
    used = [data.draw(st.integers(0, most)) for _ in names]
    calls: list[JSON] = [
        {"id": f"{name}-{number}", "type": f"{name}_call", "container_id": f"c-{number}", "action": {"type": "search"}}
        for name, times in zip(names, used, strict=True)
        for number in range(times)
    ][:most]
    window = 128_000 if names == ["web_search"] else (target.model_info.max_input_tokens or 0) if names else PROMPT
    read, cached = data.draw(shares(window * (len(calls) + 1), 2))
    counts = {
        "input_tokens": read + cached,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": data.draw(st.integers(0, 1_000)),
    }
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    answer = {"id": "resp_1", "status": "completed", "output": [*calls, said], "tools": body["tools"], "usage": counts}
    cost = cost_nanousd(request.read_usage(read_whole(answer, target).body, target) or Usage(), target.model_info)
    assert cost is not None
    assert cost <= estimates.bound_cost(request, [target], DEFAULT).amount_nanousd


@pytest.mark.parametrize(("fields", "answer"), [({}, 256), ({"max_output_tokens": 1_000}, 1_000)], ids=["ours", "the client's"])
@pytest.mark.parametrize("calls", [0, 1, 3, MAX_SEARCHES])
def test_a_budget_affords_as_many_calls_of_tools_as_fit_into_it(calls: int, fields: JSON, answer: int) -> None:
    found = tried("openai/gpt-5.4", ANYWHERE)
    target = replace(found, provider=definition_for(found.provider, found.model, "responses"))
    body = {"model": target.target, "input": "Hi", "tools": [{"type": "web_search"}], **fields}
    request = responses.parse(client_request(body))
    least = replace(target, max_tool_calls=max(calls, 1), max_output_tokens=answer)
    needed = estimates.bound_cost(request, [least], DEFAULT).amount_nanousd
    affordable = estimates.find_affordable(request, [target], needed - (0 if calls else 1), DEFAULT)
    assert affordable == (Affordable(None if fields else answer, calls) if calls else None)


@pytest.mark.parametrize(
    "tool", [{"type": "web_search", "external_web_access": False}, {"type": "file_search"}, {"type": "code_interpreter"}]
)
def test_a_tool_that_the_translation_leaves_out_costs_nothing(tool: JSON) -> None:
    """Codex always sends its search, also to a model whose price has no fee of one."""
    prices = {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.000002"}
    found = tried("hosted_vllm/qwen4", ANYWHERE)
    target = replace(found, model_info=found.model_info.with_prices(prices))
    body = {"model": target.target, "input": "Hi", "max_output_tokens": 10}
    plain, with_tool = (responses.parse(client_request({**body, **more})) for more in ({}, {"tools": [tool]}))
    assert with_tool.is_priced(target)
    more_bytes = len(dumps([tool])) + 100
    bounds = [estimates.bound_cost(request, [target], DEFAULT).amount_nanousd for request in (plain, with_tool)]
    assert bounds[1] <= bounds[0] + more_bytes * 1_000


@given(st.sampled_from(["qwen.qwen3-next-80b-a3b", "anthropic.claude-sonnet-4-6"]), st.sampled_from([IRELAND, ANYWHERE]), st.data())
@settings(deadline=None, max_examples=50)
def test_converse(model: str, place: Any, data: st.DataObject) -> None:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html"""
    target = tried(f"bedrock/{model}", place)
    read, cached, written = data.draw(shares(PROMPT, 3))
    output = data.draw(st.integers(0, 1_000))
    counts = {"inputTokens": read, "cacheReadInputTokens": cached, "cacheWriteInputTokens": written, "outputTokens": output}
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {**counts, "totalTokens": sum(counts.values())},
    }
    fields: JSON = {"max_tokens": 1_000}
    if data.draw(st.booleans()):
        fields["guardrailConfig"] = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
        prompt_units, answer_units = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 8))
        answer |= guarded(*(dict.fromkeys(TEXT_MICROUSD, units) for units in (prompt_units, answer_units)))
    cost = charged(target, answer, streamed=False)
    assert cost is not None
    assert cost <= held(target, fields)


@pytest.mark.parametrize(
    "fields", [fields for fields, _ in SEARCHES.values()] + [COMPACTS, {"speed": "fast"}, {"inference_geo": "us"}]
)
@pytest.mark.parametrize(
    ("target", "place"),
    [
        *(("anthropic/claude-opus-5", ANYWHERE), ("vertex_ai/claude-sonnet-4-5", US_CENTRAL)),
        *(("vertex_ai/claude-sonnet-4-5", EVERYWHERE), ("openai/gpt-5.4", EUROPE), ("groq/openai/gpt-oss-120b", ANYWHERE)),
    ],
)
def test_what_is_put_aside_is_calculated_in_advance(target: str, place: Place, fields: JSON) -> None:
    provider = target.partition("/")[0]
    router = Router(Config(), all_providers(), {provider: place} if place != ANYWHERE else {})
    body = {"model": target, "messages": MESSAGES, "max_tokens": 1_000, **fields}
    asked, at = chat_request(**body), tried(target, place)
    expected = estimates.bound_cost(asked, [at], DEFAULT).amount_nanousd
    assert calculate_cost(router, (), client_request(body), DEFAULT)["max_cost"] == to_usd(expected)
