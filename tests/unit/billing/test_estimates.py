import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.billing import estimates
from haimaker.billing.estimates import MIN_AFFORDABLE_TOKENS, Affordable, CostBound, bound_cost
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import (
    ANSWER_RESERVE_TOKENS,
    IMAGE_TOKENS,
    LARGEST_INPUT_TOKENS,
    MESSAGE_TOKENS,
    TOOL_TOKENS,
    ChatRequest,
    parse_chat,
)
from haimaker.operations.completions import COMPLETION_TOKENS
from haimaker.pricing import costs, usage
from tests.support.builders import attempt, chat_request, completion_request

DEFAULT = 1_000
CHEAP = ModelInfo("hosted_vllm", "cheap", rates={"input_cost_per_token": "1e-9", "output_cost_per_token": "2e-9"})
DEAR = replace(CHEAP, model="dear", rates={"input_cost_per_token": "5e-9", "output_cost_per_token": "1e-9"})
SMALL = replace(CHEAP, model="small", max_input_tokens=90, max_output_tokens=50)
UNPRICED = replace(CHEAP, model="unpriced", rates={})


def to(*model_info: ModelInfo, most: int | None = None) -> list[Attempt]:
    return [attempt("hosted_vllm/m", model_info=found, max_output_tokens=most) for found in model_info]


def amount(request: ChatRequest, *model_info: ModelInfo, most: int | None = None) -> int:
    return bound_cost(request, to(*model_info, most=most), DEFAULT).amount_nanousd


def image(url: str) -> JSON:
    return {"type": "image_url", "image_url": {"url": url}}


def user(*parts: JSON) -> list[JSON]:
    return [{"role": "user", "content": list(parts)}]


PROMPT = chat_request().size + MESSAGE_TOKENS
PICTURE = "data:image/png;base64," + "A" * 90_000


@pytest.mark.parametrize(
    ("fields", "model_info", "expected"),
    [
        ({}, CHEAP, PROMPT + 2 * DEFAULT),
        ({}, replace(CHEAP, max_output_tokens=70), PROMPT + 2 * 70),
        ({}, SMALL, 90 + 2 * 50),
        ({"max_tokens": 10}, CHEAP, PROMPT + len(', "max_tokens": 10') + 2 * 10),
        ({"max_tokens": 999}, SMALL, 90 + 2 * 50),
        ({"max_tokens": 10, "n": 3}, CHEAP, PROMPT + len(', "max_tokens": 10, "n": 3') + 2 * 30),
        ({}, UNPRICED, 0),
    ],
)
def test_the_worst_case_of_one_target(fields: dict[str, Any], model_info: ModelInfo, expected: int) -> None:
    assert amount(chat_request(**fields), model_info) == expected


@pytest.mark.parametrize(
    ("messages", "bound"),
    [
        (user({"type": "text", "text": "Hi"}), 0),
        (user(image("https://example.com/a.png")), IMAGE_TOKENS - len("https://example.com/a.png")),
        (user(image(PICTURE), image(PICTURE)), 2 * (IMAGE_TOKENS - len(PICTURE))),
        (user({"type": "image_url", "image_url": "short"}), IMAGE_TOKENS - len("short")),
        (user({"type": "image_url"}), IMAGE_TOKENS),
        (user({"type": "input_audio", "input_audio": {"data": "AAAA"}}), None),
        (user({"type": "file", "file": {"file_id": "f"}}), None),
        (user(image("x"), {"type": "video_url", "video_url": {"url": "x"}}), None),
        (user({"text": "no type"}), 0),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_parts_that_are_not_text_count_as_much_as_they_may(messages: list[JSON], bound: int | None) -> None:
    request = chat_request(messages=messages, max_tokens=1)
    expected = LARGEST_INPUT_TOKENS if bound is None else request.size + MESSAGE_TOKENS + bound
    assert amount(request, CHEAP) == expected + 2


CLAUDE = replace(CHEAP, provider="anthropic", model="claude")
FUNCTION = {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("fields", "adds"),
    [
        ({}, 0),
        ({"tools": []}, 0),
        ({"tools": [FUNCTION]}, TOOL_TOKENS + 1_024),
        ({"tools": [FUNCTION, FUNCTION]}, 2 * TOOL_TOKENS + 1_024),
        ({"functions": [FUNCTION["function"]]}, 1_024),
        ({"response_format": {"type": "json_object"}}, 1_024),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "9"}]}, 1_024),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, 11),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2}]}, 3),
        ({"tools": [FUNCTION, {"type": "memory_20250818", "name": "memory"}]}, 1),
    ],
)
def test_what_a_provider_adds_for_tools_is_bounded(fields: JSON, adds: int) -> None:
    """A small number is how often the prompt may be read, as long as a model takes it."""
    request = chat_request(**fields, max_tokens=1)
    tried = attempt("anthropic/claude-x", model_info=CLAUDE)
    prompt = adds * LARGEST_INPUT_TOKENS if 0 < adds < 12 else request.size + MESSAGE_TOKENS + adds
    assert bound_cost(request, [tried], DEFAULT).amount_nanousd == prompt + 2


def texts(value: Any) -> int:
    """UTF-8 bytes of every text, also of the names of fields: a tokenizer may make a token of each byte, never more."""
    if isinstance(value, dict):
        return sum(texts(name) + texts(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(texts, value))
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else 0


tool = st.fixed_dictionaries(
    {"type": st.just("function"), "function": st.fixed_dictionaries({"name": st.text(), "description": st.text()})}
)
message = st.fixed_dictionaries(
    {"role": st.just("user"), "content": st.text() | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}))},
    optional={"name": st.text()},
)


@given(st.lists(message, min_size=1, max_size=4), st.lists(tool, max_size=3), st.booleans())
def test_the_bound_of_a_prompt_is_never_below_its_bytes(messages: list[JSON], tools: list[JSON], escaped: bool) -> None:
    body = {"model": "m", "messages": messages, "tools": tools}
    request = parse_chat(json.dumps(body, ensure_ascii=escaped, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    free_output = replace(CHEAP, rates={"input_cost_per_token": "1e-9", "output_cost_per_token": "0"})
    least = texts(messages) + texts(tools) + MESSAGE_TOKENS * len(messages) + TOOL_TOKENS * len(tools)
    assert amount(request, free_output) >= least


rates = st.integers(0, 10**6).map(lambda number: f"{number}e-12")
model_info = st.builds(
    lambda read, write, most: replace(CHEAP, rates=dict(zip(CHEAP.rates, (read, write), strict=True)), max_output_tokens=most),
    rates, rates, st.none() | st.integers(1, 5_000),
)  # fmt: skip


@given(st.lists(model_info, min_size=1, max_size=4), st.none() | st.integers(1, 9_000), st.integers(1, 4), st.data())
def test_a_hold_covers_every_target_whatever_it_answers(
    targets: list[ModelInfo], most: int | None, n: int, data: st.DataObject
) -> None:
    request = chat_request(max_tokens=most, n=n)
    held = amount(request, *targets)
    for target in targets:
        prompt = data.draw(st.integers(0, PROMPT))
        limit = min(
            bound
            for bound in (most, target.max_output_tokens, DEFAULT if not most and not target.max_output_tokens else None)
            if bound
        )
        used = usage.Usage(input=prompt, output=n * data.draw(st.integers(0, limit)))
        cost = costs.cost_nanousd(used, target)
        assert cost is not None
        assert cost <= held


@given(model_info, st.integers(0, 10**9), st.integers(1, 4))
def test_what_a_budget_affords_fits_into_it(target: ModelInfo, remaining: int, n: int) -> None:
    request = chat_request(n=n)
    affordable = estimates.affordable_output_tokens(request, to(target), remaining)
    assert affordable == 0 or affordable >= MIN_AFFORDABLE_TOKENS
    if affordable:
        limited = estimates.with_limits(to(target), request, DEFAULT, Affordable(affordable))
        assert bound_cost(request, limited, DEFAULT).amount_nanousd <= remaining


def test_the_dearest_target_is_held_and_the_tightest_decides_what_is_affordable() -> None:
    request = chat_request(max_tokens=1)
    assert amount(request, CHEAP, DEAR, UNPRICED) == max(amount(request, CHEAP), amount(request, DEAR))
    open_ended = chat_request()
    both, cheap, dear = (
        estimates.affordable_output_tokens(open_ended, to(*found), 20_000) for found in ([CHEAP, DEAR], [CHEAP], [DEAR])
    )
    assert both == min(cheap, dear) > 0


@pytest.mark.parametrize(
    ("fields", "model_info", "affordable", "limit"),
    [
        ({}, CHEAP, None, DEFAULT),
        ({}, SMALL, None, 50),
        ({}, CHEAP, 300, 300),
        ({}, SMALL, 300, 50),
        ({"max_tokens": 9}, CHEAP, 300, None),
        ({"max_completion_tokens": 9}, CHEAP, None, None),
    ],
)
def test_a_request_without_a_limit_gets_one(
    fields: dict[str, Any], model_info: ModelInfo, affordable: int | None, limit: int | None
) -> None:
    [limited] = estimates.with_limits(to(model_info), chat_request(**fields), DEFAULT, Affordable(affordable))
    assert limited.max_output_tokens == limit


@pytest.mark.parametrize(
    ("fields", "most", "answer"),
    [({}, None, DEFAULT), ({"max_tokens": 7}, None, 7), ({"max_tokens": 50_000}, None, ANSWER_RESERVE_TOKENS), ({}, 60, 60)],
)
def test_tokens_per_minute_reserve_an_estimate(fields: dict[str, Any], most: int | None, answer: int) -> None:
    request = chat_request(**fields)
    assert bound_cost(request, to(CHEAP, most=most), DEFAULT).tokens == -(-request.size // 4) + answer


def test_data_in_a_request_is_no_text() -> None:
    request = chat_request(messages=user(image(PICTURE), {"type": "text", "text": "What is it?"}))
    assert request.estimate_prompt_tokens() < 100


NARROW = replace(CHEAP, max_input_tokens=10, max_output_tokens=50)


@pytest.mark.parametrize(
    ("fields", "model_info", "chats", "prompt", "written"),
    [
        ({"max_tokens": 9}, CHEAP, False, None, 9),
        ({"max_tokens": 0, "echo": True}, CHEAP, False, None, 0),
        ({"max_tokens": 9, "n": 3}, CHEAP, False, None, 27),
        ({"max_tokens": 9, "n": 2, "best_of": 4}, CHEAP, False, None, 36),
        ({"max_tokens": 9, "n": 2, "prompt": ["a", "b", "c"]}, CHEAP, False, None, 54),
        ({"prompt": ["a" * 50, "b" * 50]}, NARROW, False, 20, 100),
        ({"prompt": [[1] * 50, [2] * 50], "n": 2}, NARROW, False, 20, 200),
        ({"prompt": ["a" * 50, "b" * 50], "n": 2}, NARROW, True, 20, 200),
        ({"max_tokens": 9, "messages": 5, "tools": 5}, CHEAP, False, None, 9),
    ],
)
def test_the_worst_case_of_a_completion_is_that_of_all_its_prompts_and_choices(
    fields: dict[str, Any], model_info: ModelInfo, chats: bool, prompt: int | None, written: int
) -> None:
    request = completion_request(**fields)
    targets = [attempt("litellm_proxy/m", model_info=model_info)] if chats else to(model_info)
    expected = request.size + MESSAGE_TOKENS * len(request.prompts) if prompt is None else prompt
    assert bound_cost(request, targets, DEFAULT).amount_nanousd == expected + 2 * written


def test_each_prompt_is_put_aside_once_however_many_calls_there_are() -> None:
    request = completion_request(prompt=["a" * 1_000] * 20, max_tokens=1)
    together, apart = (
        bound_cost(request, [attempt(target, model_info=CHEAP)], DEFAULT) for target in ("hosted_vllm/m", "litellm_proxy/m")
    )
    assert together.amount_nanousd <= apart.amount_nanousd < together.amount_nanousd * 1.2


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [("abcdefgh", 2), ("abcde", 2), ("日本", 2), (["abcd", "efgh"], 2), ([1, 200_000, 3], 3), ([[1, 2], [3]], 3), ("", 0)],
)
def test_the_estimate_of_a_prompt(prompt: Any, tokens: int) -> None:
    """Ids are counted; whatever else is in the request is none of it."""
    assert completion_request(prompt=prompt, user="u" * 500).estimate_prompt_tokens() == tokens


@pytest.mark.parametrize(
    ("fields", "target", "limit"),
    [
        ({}, "hosted_vllm/m", COMPLETION_TOKENS),
        ({}, "litellm_proxy/m", DEFAULT),
        ({"max_tokens": 0}, "hosted_vllm/m", None),
        ({"max_tokens": 9}, "litellm_proxy/m", None),
    ],
)
def test_a_completion_without_a_limit_gets_one(fields: dict[str, Any], target: str, limit: int | None) -> None:
    [limited] = estimates.with_limits([attempt(target, model_info=CHEAP)], completion_request(**fields), DEFAULT)
    assert limited.max_output_tokens == limit


@pytest.mark.parametrize(
    ("tokens", "prompt", "limit", "reserved"),
    [(5_000, 10, None, 5_000), (5_000, 10, 4_000, 4_000), (300, 10, 4_000, 300), (5_000, 4_500, 4_000, 4_500), (5_000, 10, 0, 10)],
)
def test_an_answer_fills_a_limit_per_minute_and_is_not_refused_for_it(
    tokens: int, prompt: int, limit: int | None, reserved: int
) -> None:
    assert CostBound(0, tokens, prompt).tokens_within(limit) == reserved


READ_ONLY = ModelInfo.unknown("hosted_vllm", "emb").with_prices({"input_cost_per_token": "0.00000002"})


@pytest.mark.parametrize(
    ("endpoint", "body", "used", "cost"),
    [
        ("embeddings", {"model": "hosted_vllm/emb", "input": "Hi"}, usage.Usage(input=1_000), 20_000),
        ("rerank", {"model": "hosted_vllm/emb", "query": "Hi", "documents": ["Ho"]}, usage.Usage(input=1_000), 20_000),
        ("moderations", {"model": "hosted_vllm/emb", "input": "Hi"}, usage.Usage(input=1_000), 20_000),
    ],
)
def test_a_price_of_what_is_read_is_enough_for_what_only_reads(endpoint: str, body: JSON, used: usage.Usage, cost: int) -> None:
    request = import_module(f"haimaker.operations.{endpoint}").parse(Request("r", body=json.dumps(body).encode()))
    target = attempt("hosted_vllm/emb", model_info=READ_ONLY)
    assert request.is_priced(target)
    assert costs.cost_nanousd(used, READ_ONLY) == cost
    assert not chat_request().is_priced(target)


CLAUDE_TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
FOR_FREE = {"input_cost_per_token": "1e-9", "output_cost_per_token": "0"}


@pytest.mark.parametrize(
    ("fields", "rates", "held"),
    [
        ({"speed": "fast"}, {"fast_multiplier": "2"}, 2 * 100),
        ({}, {"fast_multiplier": "2"}, 100),
        ({}, {"us_multiplier": "1.1"}, 110),
        ({"inference_geo": "us"}, {"us_multiplier": "1.1"}, 110),
        ({"inference_geo": "global"}, {"us_multiplier": "1.1"}, 100),
        ({"web_search_options": {}}, {"search_context_cost_per_query": "0.01"}, 6 * 100 + 5 * 10**7),
        ({"tools": [CLAUDE_TOOL]}, {"search_context_cost_per_query": "0.01"}, 3 * 100 + 2 * 10**7),
        ({"web_search_options": {}}, {}, None),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, {}, 2 * 100),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, {}, 100),
    ],
)
def test_what_a_claude_may_do_on_its_own_is_held(fields: JSON, rates: dict[str, str], held: int | None) -> None:
    info = replace(CLAUDE, rates={**FOR_FREE, **rates}, max_input_tokens=100, max_output_tokens=10)
    request, target = chat_request(**fields, max_tokens=1), attempt("anthropic/claude-x", model_info=info)
    assert request.is_priced(target) == (held is not None)
    assert bound_cost(request, [target], DEFAULT).amount_nanousd == (held or 0)


SEARCHED = {"search_context_cost_per_query": "0.01"}
BUILT_IN = [{"type": "builtin_function", "function": {"name": "$web_search"}}]


@pytest.mark.parametrize(
    ("target", "fields", "rates", "held"),
    [
        ("dashscope/x", {"enable_search": True}, SEARCHED, 100 + 10 * 10**7),
        ("dashscope/x", {"enable_search": False}, SEARCHED, 100),
        ("dashscope/x", {"enable_search": True}, {}, None),
        ("moonshot/x", {"tools": BUILT_IN}, SEARCHED, 100 + 10 * 10**7),
        ("zai/x", {"tools": [{"type": "web_search", "web_search": {}}]}, SEARCHED, 100 + 10 * 10**7),
        ("bedrock/x", {"performanceConfig": {"latency": "optimized"}}, {"input_cost_per_token_optimized": "2e-9"}, 200),
        ("bedrock/x", {"performance_config": {"latency": "optimized"}}, {"input_cost_per_token_optimized": "2e-9"}, 200),
        ("bedrock/x", {"performanceConfig": {"latency": "standard"}}, {"input_cost_per_token_optimized": "2e-9"}, 100),
    ],
)
def test_what_is_asked_in_a_vendors_own_way_is_held(target: str, fields: JSON, rates: dict[str, str], held: int | None) -> None:
    info = replace(CHEAP, rates={**FOR_FREE, **rates}, max_input_tokens=100, max_output_tokens=10)
    request = chat_request(messages=[{"role": "user", "content": "Hi " * 100}], **fields, max_tokens=1)
    tried = attempt(target, model_info=info)
    assert request.is_priced(tried) == (held is not None)
    assert bound_cost(request, [tried], DEFAULT).amount_nanousd == (held or 0)
