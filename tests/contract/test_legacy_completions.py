"""Legacy completions through the official SDK: from models that complete a text, and from those that only chat."""

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from openai.types import Completion

from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL, PROMPT, UPSTREAM_KEY, only_record, price, sdk
from tests.support import openai_wire
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
NATIVE, CHATS, CHATS_ONE = MODEL, "litellm_proxy/any", "anthropic/claude-haiku-4-5"
"""The first completes a text itself; the last gives one choice to a call."""
INSTRUCT = "openai/gpt-3.5-turbo-instruct-0914"
ASKS_USAGE = {"stream_options": {"include_usage": True}}


def complete(client: openai.OpenAI, model: str = NATIVE, prompt: Any = PROMPT, *, stream: bool = False, **fields: Any) -> Any:
    """The completion, or all chunks of the stream."""
    if not stream:
        return client.completions.create(model=model, prompt=prompt, **fields)
    with client.completions.create(model=model, prompt=prompt, stream=True, **fields) as chunks:
        return list(chunks)


def texts(answer: Completion | list[Completion]) -> list[str]:
    """What was written, in the order of its choices."""
    found: defaultdict[int, str] = defaultdict(str)
    for choice in (choice for part in (answer if isinstance(answer, list) else [answer]) for choice in part.choices):
        found[choice.index] += choice.text
    assert sorted(found) == list(range(len(found)))
    return [found[index] for index in sorted(found)]


def usage_of(answer: Completion | list[Completion]) -> Any:
    return answer[-1].usage if isinstance(answer, list) else answer.usage


def prompts_in(call: Call) -> list[str]:
    if "prompt" in call.json:
        prompt = call.json["prompt"]
        return prompt if isinstance(prompt, list) else [prompt]
    content = call.json["messages"][-1]["content"]
    return [content if isinstance(content, str) else "".join(part["text"] for part in content)]


def plays(call: Call) -> Reply:
    """Says each prompt back, in the format that is asked, with a number where there are several choices of one."""
    said = [f"{prompt}!{number or ''}" for prompt in prompts_in(call) for number in range(call.json.get("n") or 1)]
    counts = openai_wire.usage(10 * len(prompts_in(call)), 5 * len(said))
    if call.path.endswith("/messages"):
        return in_anthropics_words(call, said[0], counts)
    legacy = call.path.endswith("/v1/completions")
    head = {"id": "cmpl-1" if legacy else "chatcmpl-1", "created": 1, "model": "upstream's", "object": "text_completion"}

    def choices(holder: str) -> list[JSON]:
        return [
            {
                "index": index,
                "logprobs": None,
                "finish_reason": "stop",
                **({"text": text} if legacy else {holder: {"content": text}}),
            }
            for index, text in enumerate(said)
        ]

    if not call.json.get("stream"):
        return Reply.json(200, {**head, "choices": choices("message"), "usage": counts})
    events = [{**head, "choices": [choice]} for choice in choices("delta")]
    asked = (call.json.get("stream_options") or {}).get("include_usage")
    return Reply.sse([*events, {**head, "choices": [], "usage": counts}] if asked else events)


def in_anthropics_words(call: Call, text: str, counts: JSON) -> Reply:
    """https://platform.claude.com/docs/en/api/messages-streaming"""
    used = {"input_tokens": counts["prompt_tokens"], "output_tokens": counts["completion_tokens"]}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": None}
    if not call.json.get("stream"):
        content = [{"type": "text", "text": text}]
        return Reply.json(200, {**head, "content": content, "stop_reason": "end_turn", "usage": used})
    return Reply.sse(
        [
            {"type": "message_start", "message": {**head, "usage": {**used, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": used},
            {"type": "message_stop"},
        ],
        done=False,
    )


def test_calls_for_a_whole_answer_run_beside_each_other(desk: Desk, key: str, client: openai.OpenAI, upstream: FakeUpstream):
    all_there = threading.Barrier(4)

    def waits(call: Call) -> Reply:
        all_there.wait(10)
        return plays(call)

    upstream.answers(waits)
    assert texts(complete(client, CHATS, list("abcd"))) == ["a!", "b!", "c!", "d!"]
    assert only_record(desk, key).detail["input_tokens"] == 40


@STREAM
@pytest.mark.parametrize(
    ("model", "path", "calls"),
    [(NATIVE, "/v1/completions", 1), (CHATS, "/v1/chat/completions", 2), (CHATS_ONE, "/v1/messages", 4)],
)
def test_prompts_and_choices_come_in_order_and_all_are_counted(
    desk: Desk, key: str, client: openai.OpenAI, upstream: FakeUpstream, model: str, path: str, calls: int, stream: bool
):
    upstream.answers(plays)
    seen = len(upstream.calls)
    answer = complete(client, model, ["eins", "zwei"], stream=stream, n=2, **(ASKS_USAGE if stream else {}))
    expected = ["eins!", "eins!1", "zwei!", "zwei!1"] if calls < 4 else ["eins!", "eins!", "zwei!", "zwei!"]
    assert texts(answer) == expected
    assert [call.path for call in upstream.calls[seen:]] == [path] * calls
    prompts = 10 * max(2, calls)
    assert (usage_of(answer).prompt_tokens, usage_of(answer).completion_tokens) == (prompts, 20)
    record = only_record(desk, key)
    assert (record.detail["operation"], record.detail["stream"], record.status) == ("text_completion", stream, "ok")
    assert (record.detail["input_tokens"], record.detail["output_tokens"]) == (prompts, 20)
    if calls == 1:
        assert record.cost_nanousd == price(20, 20)
        assert usage_of(answer).cost == price(20, 20) / 10**9
    for part in answer if stream else [answer]:
        assert part.object == "text_completion"
        assert part.id.startswith("cmpl-")


@STREAM
def test_usage_is_told_only_where_it_is_asked(client: openai.OpenAI, upstream: FakeUpstream, stream: bool):
    upstream.answers(plays)
    for model in (NATIVE, CHATS, CHATS_ONE):
        answer = complete(client, model, ["a", "b"], stream=stream)
        assert bool(usage_of(answer)) is not stream
        if stream:
            assert all(part.choices for part in answer)


PASSED = {"echo": True, "suffix": "!", "logprobs": 2, "best_of": 3, "logit_bias": {"50256": -100}, "max_tokens": 7, "seed": 1}


@STREAM
def test_parameters_reach_a_model_that_completes_as_they_are(client: openai.OpenAI, upstream: FakeUpstream, stream: bool):
    upstream.answers(plays)
    complete(client, prompt=[[1, 2], [3]] if not stream else "Hi", stream=stream, **PASSED, extra_body={"top_k": 5})
    sent = upstream.calls[-1].json
    assert {**PASSED, "top_k": 5}.items() <= sent.items()
    assert sent.keys() - PASSED.keys() <= {"model", "prompt", "stream", "stream_options", "top_k"}
    assert upstream.calls[-1].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


@STREAM
@pytest.mark.parametrize(
    ("fields", "param"),
    [({"echo": True}, "echo"), ({"suffix": "!"}, "suffix"), ({"logprobs": 2}, "logprobs"), ({"best_of": 3}, "best_of")],
)
def test_what_chat_can_not_have_is_refused_or_dropped(client: openai.OpenAI, upstream: FakeUpstream, fields, param, stream: bool):
    upstream.answers(plays)
    seen = len(upstream.calls)
    with pytest.raises(openai.BadRequestError) as raised:
        complete(client, CHATS, stream=stream, **fields)
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", param)
    assert len(upstream.calls) == seen
    raw = client.completions.with_raw_response.create(
        model=CHATS, prompt=["a", "b"], stream=stream, **fields, extra_body={"drop_params": True}
    )
    assert raw.headers["x-haimaker-dropped-params"] == param
    parsed = raw.parse()
    assert texts(list(parsed) if stream else parsed) == ["a!", "b!"]
    assert upstream.calls[-1].json.keys().isdisjoint({param, "drop_params"})


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "prompt", "missing_required_parameter"),
        ({"prompt": []}, "prompt", "invalid_value"),
        ({"prompt": [[]]}, "prompt", "invalid_value"),
        ({"prompt": {"a": 1}}, "prompt", "invalid_value"),
        ({"prompt": "a", "max_tokens": -1}, "max_tokens", "invalid_value"),
        ({"prompt": "a", "n": 0}, "n", "invalid_value"),
        ({"prompt": ["a"] * 2_000, "n": 2}, "n", "invalid_value"),
        ({"prompt": [1, 2], "model": CHATS}, "prompt", "unsupported_parameter"),
        ({"prompt": "a", "max_tokens": 0, "model": CHATS}, "max_tokens", "unsupported_parameter"),
        ({"prompt": "a", "tools": 5, "model": CHATS}, "tools", "invalid_value"),
    ],
)
def test_a_bad_request_costs_nothing(desk: Desk, key: str, upstream: FakeUpstream, body: JSON, param: str, code: str):
    seen = len(upstream.calls)
    response = desk.ask("POST", "/completions", {"model": NATIVE, **body}, key=key)
    assert response.status_code == 400, response.text
    assert (response.json()["error"]["param"], response.json()["error"]["code"]) == (param, code)
    assert len(upstream.calls) == seen


@pytest.mark.parametrize("fields", [{"messages": 5}, {"tools": 5}, {"web_search_options": 5}])
def test_fields_of_other_operations_mean_nothing(desk: Desk, key: str, upstream: FakeUpstream, fields: JSON):
    upstream.answers(plays)
    assert desk.ask("POST", "/completions", {"model": NATIVE, "prompt": "a", **fields}, key=key).status_code == 200
    assert fields.items() <= upstream.calls[-1].json.items()


def test_a_long_prompt_of_token_ids_is_one_prompt(client: openai.OpenAI, upstream: FakeUpstream):
    upstream.answers(lambda call: Reply.json(200, {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}))
    answer = complete(client, prompt=list(range(5_000)), max_tokens=1)
    assert answer.usage.prompt_tokens == 5_000
    assert answer.usage.cost_estimated is True


@STREAM
@pytest.mark.parametrize("model", ["demo/echo", "demo/count"])
def test_demo_models_complete(client: openai.OpenAI, model: str, stream: bool):
    answer = complete(client, model, ["up to 3", "up to 2"], n=2, stream=stream)
    said = ["up to 3", "up to 2"] if model == "demo/echo" else ["1 2 3", "1 2"]
    assert texts(answer) == [text for text in said for _ in range(2)]


@STREAM
def test_the_azure_client(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    upstream.answers(plays)
    endpoint = desk.url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=endpoint, api_key=key, api_version="2024-10-21", max_retries=0)
    assert texts(complete(client, "gpt-3.5-turbo-instruct", "From a deployment", stream=stream)) == ["From a deployment!"]
    assert upstream.calls[-1].json["model"] == "gpt-3.5-turbo-instruct"
    assert upstream.calls[-1].path == "/v1/completions"


@pytest.mark.parametrize("path", ["/v1/completions", "/completions", "/v1/openai/deployments/hosted_vllm%2Fany/completions"])
def test_with_and_without_the_prefix(desk: Desk, key: str, upstream: FakeUpstream, path: str):
    upstream.answers(plays)
    url = desk.url.removesuffix("/v1") + path
    answer = httpx.post(url, json={"model": MODEL, "prompt": "a"}, headers={"authorization": f"Bearer {key}"}, trust_env=False)
    assert answer.json()["choices"][0]["text"] == "a!"


@STREAM
@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (
            400,
            openai_wire.error("This model's maximum context length is 4097 tokens."),
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        (404, openai_wire.error("No such model.", code="model_not_found"), openai.NotFoundError, "model_not_found"),
        (401, openai_wire.error("Bad key."), openai.InternalServerError, "provider_auth_failed"),
    ],
)
def test_the_providers_errors(client: openai.OpenAI, upstream: FakeUpstream, status, body, error, code, stream: bool):
    upstream.answers(Reply.json(status, body))
    for model in (NATIVE, CHATS):
        with pytest.raises(error) as raised:
            complete(client, model, ["a", "b"], stream=stream)
        assert raised.value.code == code


def second_is(reply: Reply) -> list[Reply | Callable[[Call], Reply]]:
    return [plays, reply]


@STREAM
def test_a_failure_in_the_middle_charges_what_was_served(desk: Desk, upstream: FakeUpstream, stream: bool):
    """The first prompt's answer came, the second's never did."""
    key = desk.key()
    upstream.answers(*second_is(Reply.json(400, openai_wire.error("Not this."))))
    with pytest.raises(openai.APIError, match="Not this"):
        complete(sdk(desk, key), CHATS, ["a", "b"], stream=stream)
    desk.settled(key)
    record = only_record(desk, key)
    assert (record.detail["input_tokens"], record.detail["output_tokens"]) == (10, 5)
    assert record.status == ("cut" if stream else "error")


@pytest.mark.parametrize(
    ("model", "fields", "answers"),
    [
        (INSTRUCT, {"max_tokens": 100}, 1),
        (INSTRUCT, {"max_tokens": 100, "n": 4}, 4),
        (INSTRUCT, {"max_tokens": 100, "n": 2, "best_of": 5}, 5),
        (INSTRUCT, {"max_tokens": 100, "prompt": ["a", "b", "c"], "n": 2}, 6),
        (INSTRUCT, {"max_tokens": 0, "echo": True}, 0),
        ("openai/gpt-4o-mini", {"max_tokens": 100, "prompt": ["a", "b", "c"], "n": 2}, 6),
        (CHATS_ONE, {"max_tokens": 100, "prompt": ["a", "b", "c"], "n": 2}, 6),
    ],
)
def test_the_hold_covers_every_choice_of_every_prompt(desk: Desk, upstream: FakeUpstream, model, fields, answers: int):
    upstream.answers(plays)
    key = desk.key(max_budget=1)
    asked = {"model": model, "prompt": "a", **fields}
    assert desk.ask("POST", "/completions", asked, key=key).status_code == 200
    held_usd = only_record(desk, key).detail["held_usd"]
    rates = {model["id"]: model for model in desk.ask("GET", "/models").json()["data"]}[model]
    written = answers * 100 * rates["output_cost_per_token"]
    assert written <= held_usd <= written + 2_000 * rates["input_cost_per_token"]


@pytest.mark.parametrize(("model", "most"), [(INSTRUCT, 16), ("openai/gpt-4o-mini", 16_384)])
def test_a_budget_makes_no_completion_longer_than_it_would_be(desk: Desk, upstream: FakeUpstream, model: str, most: int):
    """OpenAI's default is 16 tokens; a model that chats would write until it is done."""
    upstream.answers(plays)
    complete(sdk(desk, desk.key(max_budget=5)), model)
    assert upstream.calls[-1].json["max_tokens"] == most
    complete(sdk(desk, desk.key()), model)
    assert "max_tokens" not in upstream.calls[-1].json
    with pytest.raises(openai.APIStatusError) as raised:
        complete(sdk(desk, desk.key(max_budget=0.000001)), model)
    assert (raised.value.status_code, raised.value.code) == (402, "budget_exceeded")
