"""Lines of a batch go to their providers as batches of these, at half of the price: each wire format at a stand-in as strict as its
vendor's page, through kills, refusals, expiry and cancelling, and what is charged is what the records say."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import openai
import pytest

from haimaker.api.provider_batches import ProviderBatches
from haimaker.lean_dataclasses import replace
from haimaker.models.catalog import find_model
from haimaker.pricing import costs
from haimaker.pricing.usage import Usage
from haimaker.routing.config import BatchSettings
from tests.contract.money_support import Desk, serving, wait_until
from tests.contract.sdk_support import environment, sdk
from tests.contract.test_batches import begin, ended, line, nothing_is_left, rows, until
from tests.contract.test_messages import sdk as messages_sdk
from tests.support.batch_vendors import (
    AnthropicVendor,
    AzureVendor,
    GeminiVendor,
    GroqVendor,
    MistralVendor,
    OpenAIVendor,
    TogetherVendor,
    Vendor,
)
from tests.support.bucket_vendors import KEYS, REGION, BedrockVendor, FireworksVendor, VertexVendor
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import JSON, Reply

PROMPT_TOKENS, COMPLETION_TOKENS = 1_000, 500


def text_of(body: JSON) -> str:
    content = body["contents"][0]["parts"] if "contents" in body else body["messages"][0]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


def to_openai(text: str) -> JSON:
    usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": 1_500}
    return completion(f"answer {text}", usage=usage, service_tier="default")


def to_anthropic(text: str) -> JSON:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": f"answer {text}"}],
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS, "service_tier": "batch"},
    }


def to_gemini(text: str) -> JSON:
    counts = {"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": COMPLETION_TOKENS, "totalTokenCount": 1_500}
    content = {"role": "model", "parts": [{"text": f"answer {text}"}]}
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": counts}


def to_converse(text: str) -> JSON:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": f"answer {text}"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": PROMPT_TOKENS, "outputTokens": COMPLETION_TOKENS, "totalTokens": 1_500},
        "metrics": {"latencyMs": 1},
    }


REFUSAL = {"error": {"message": "no", "code": None, "type": "invalid_request_error"}}
VENDORS: dict[str, tuple[type[Vendor], Callable[[str], JSON], JSON]] = {
    "openai/gpt-4o-mini": (OpenAIVendor, to_openai, REFUSAL),
    "azure/gpt-4o": (AzureVendor, to_openai, REFUSAL),
    "groq/openai/gpt-oss-20b": (GroqVendor, to_openai, REFUSAL),
    "together_ai/priced": (TogetherVendor, to_openai, REFUSAL),
    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo": (TogetherVendor, to_openai, REFUSAL),
    "anthropic/claude-sonnet-4-5": (AnthropicVendor, to_anthropic, {"type": "error", **REFUSAL}),
    "gemini/gemini-2.5-flash": (GeminiVendor, to_gemini, REFUSAL),
    "mistral/mistral-small-latest": (MistralVendor, to_openai, REFUSAL),
    "fireworks_ai/accounts/fireworks/models/deepseek-v3p1": (FireworksVendor, to_openai, REFUSAL),
    "vertex_ai/gemini-2.5-flash": (VertexVendor, to_gemini, REFUSAL),
    "vertex_ai/claude-sonnet-4-5": (VertexVendor, to_anthropic, REFUSAL),
    "bedrock/amazon.nova-lite-v1:0": (BedrockVendor, to_converse, REFUSAL),
    "bedrock_invoke/anthropic.claude-sonnet-4-5-20250929-v1:0": (BedrockVendor, to_anthropic, REFUSAL),
}
SETTINGS = """
[batches]
least_lines = 3
[batches.deployments]
"azure/gpt-4o" = "gpt-4o-batch"
[prices."together_ai/priced"]
input_cost_per_token = "0.000002"
output_cost_per_token = "0.000004"
input_cost_per_token_batches = "0.000001"
output_cost_per_token_batches = "0.000002"
[batches.accounts]
fireworks_ai = { account = "my-account" }
vertex_ai = { bucket = "my-bucket/some/folder" }
bedrock = { bucket = "my-bucket", role = "arn:aws:iam::123456789012:role/batches" }
bedrock_invoke = { bucket = "my-bucket/haimaker", role = "arn:aws:iam::123456789012:role/batches" }
"""
SIGNING = {"AWS_ACCESS_KEY_ID": KEYS.access_key, "AWS_SECRET_ACCESS_KEY": KEYS.secret_key, "AWS_REGION": REGION}


@pytest.fixture(scope="module")
def desk(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("native_batches")
    settings = environment(upstream, folder)
    settings = {name: value for name, value in settings.items() if name not in ("BEDROCK_API_KEY", "BEDROCK_INVOKE_API_KEY")}
    settings |= SIGNING
    with (folder / "gateway.toml").open("a") as file:
        file.write(SETTINGS)
    with serving(folder, upstream, **settings) as desk:
        yield desk


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haimaker.batches.native.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("haimaker.batches.native.LONGEST_PAUSE_S", 0.03)
    monkeypatch.setattr("haimaker.batches.runner.POLLS_EVERY_S", 0.01)
    monkeypatch.setattr("haimaker.batches.runner.LOOKS_EVERY_S", 0.05)


def answers(make: Callable[[str], JSON], refusal: JSON) -> Callable[[JSON], tuple[int, JSON] | None]:
    """`bad` is refused, `busy` meets a failure, `late` is not made in time."""

    def answer(body: JSON) -> tuple[int, JSON] | None:
        text = text_of(body)
        if text in ("late", "busy") and text not in seen:
            seen.add(text)
            return None if text == "late" else (500, {**refusal, "error": {**refusal["error"], "type": "overloaded_error"}})
        return (400, refusal) if text == "bad" else (200, make(text))

    seen = set[str]()
    return answer


def vendor_of(model: str, upstream: FakeUpstream, **options: Any) -> Vendor:
    kind, make, refusal = VENDORS[model]
    vendor = kind(answers(make, refusal), **options)
    upstream.answers(vendor)
    return vendor


def asked(model: str, text: str) -> JSON:
    return line(text, model, messages=[{"role": "user", "content": text}], max_tokens=600)


def all_of(model: str, texts: Sequence[str]) -> list[str]:
    """With as many more as its provider's batches have to have."""
    least = 100 if model.startswith("bedrock") else 0
    return [*texts, *(f"more {number}" for number in range(least - len(texts)))]


def run(client: openai.OpenAI, model: str, *texts: str, **options: Any) -> Any:
    return ended(client, begin(client, [asked(model, text) for text in all_of(model, texts)], **options))


def runs_natively(batch: Any) -> bool:
    return [each["status"] for each in batch.model_extra["provider_batches"]] == ["running"]


def batch_price(model: str, percent: int = 0) -> int:
    """Of one answer, at the rates of batches."""
    provider, _, name = model.partition("/")
    found = find_model(provider.removesuffix("_invoke"), name)
    assert found
    used = Usage(input=PROMPT_TOKENS, output=COMPLETION_TOKENS)
    cost, whole = (costs.cost_nanousd(each, found.with_batch_rates(percent)) for each in (used.at_tier("batch"), used))
    assert 0 < (cost or 0) < (whole or 0)
    return cost or 0


PRICED = "together_ai/priced"
PERCENT = {"together_ai": 50, "groq": 50, "anthropic": 50, "mistral": 50, "fireworks_ai": 50}
PRICES = {model: batch_price(model, PERCENT.get(model.split("/")[0], 0)) for model in VENDORS if model != PRICED}
PRICES[PRICED] = PROMPT_TOKENS * 1_000 + COMPLETION_TOKENS * 2_000


@pytest.mark.parametrize("model", VENDORS)
def test_lines_are_answered_by_a_batch_of_their_provider(
    model: str, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(model, upstream)
    batch = run(client, model, "one", "bad", "two", "busy", "late", "three")
    more = all_of(model, ["one", "bad", "two", "busy", "late", "three"])[6:]
    counts = batch.request_counts
    assert (batch.status, counts.completed, counts.failed) == ("completed", 5 + len(more), 1), batch
    [sent] = vendor.batches.values()
    assert [text_of(body) for body in sent.requests.values()] == ["one", "bad", "two", "busy", "late", "three", *more]
    assert {text_of(body) for body in vendor.ordinary} == {"busy", "late"}, "what the provider left over is asked otherwise"
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert [row["custom_id"] for row in output] == ["one", "two", "busy", "late", "three", *more]
    for row in output:
        assert row["response"]["body"]["choices"][0]["message"]["content"] == f"answer {row['custom_id']}"
    assert [(row["custom_id"], row["response"]["status_code"]) for row in errors] == [("bad", 400)]
    records = {record.detail["custom_id"]: record for record in desk.records(key)}
    natively = {name for name, record in records.items() if record.detail.get("provider_batch", "").endswith(sent.id)}
    assert natively == {"one", "bad", "two", "three", *more}
    assert {records[name].cost_nanousd for name in ("one", "two", "three")} == {PRICES[model]}
    assert records["bad"].cost_nanousd == 0
    assert records["busy"].cost_nanousd > PRICES[model]
    [told] = batch.model_extra["provider_batches"]
    assert (told["provider"], told["id"], told["status"], told["lines"]) == (model.split("/")[0], told["id"], "done", 6 + len(more))
    assert told["id"].endswith(sent.id)
    nothing_is_left(desk, key, batch)


OPENAI = "openai/gpt-4o-mini"
CLAUDE = "anthropic/claude-sonnet-4-5"


FIREWORKS, VERTEX, BEDROCK = (name for name in VENDORS if name.startswith(("fireworks", "vertex_ai/gemini", "bedrock/")))
KINDS = [OPENAI, CLAUDE, "gemini/gemini-2.5-flash", "mistral/mistral-small-latest", FIREWORKS, VERTEX, BEDROCK]
"""One of each wire format."""


@pytest.mark.parametrize("lost_of", [*KINDS, PRICED])
def test_a_batch_whose_begin_was_not_answered_is_found_and_not_sent_twice(
    lost_of: str, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(lost_of, upstream)
    vendor.swallows = 1
    batch = run(client, lost_of, "one", "two", "three")
    assert (len(vendor.batches), batch.request_counts.completed, vendor.ordinary) == (1, len(all_of(lost_of, "123")), [])
    assert {record.cost_nanousd for record in desk.records(key)} == {PRICES[lost_of]}
    nothing_is_left(desk, key, batch)


def test_a_batch_that_a_provider_does_not_take_is_answered_by_ordinary_requests(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(OPENAI, upstream)
    vendor.refusals = [Reply.json(400, {"error": {"message": "No batches for you.", "code": None}})]
    batch = run(client, OPENAI, "one", "two", "three")
    assert (batch.status, len(vendor.ordinary), vendor.batches) == ("completed", 3, {})
    assert "No batches for you." in batch.model_extra["provider_batches"][0]["error"]
    assert all(record.cost_nanousd > PRICES[OPENAI] for record in desk.records(key))
    nothing_is_left(desk, key, batch)


def test_a_batch_that_a_provider_is_too_busy_for_is_sent_again(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    vendor = vendor_of(OPENAI, upstream)
    vendor.refusals = [Reply.json(429, {"error": {"message": "later", "code": None}})]
    batch = run(client, OPENAI, "one", "two", "three")
    assert (batch.request_counts.completed, len(vendor.batches), vendor.ordinary) == (3, 1, [])


AZURE = "azure/gpt-4o"


@pytest.mark.parametrize("becomes", [("pending", "error"), ("pending",)])
def test_what_was_uploaded_and_can_not_be_used_is_answered_by_ordinary_requests(
    becomes: tuple[str, ...], client: openai.OpenAI, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(AZURE, upstream)
    assert isinstance(vendor, AzureVendor)
    vendor.becomes = becomes
    batch = run(client, AZURE, "one", "two", "three")
    assert (batch.request_counts.completed, len(vendor.ordinary), vendor.batches) == (3, 3, {})
    assert "uploaded" in batch.model_extra["provider_batches"][0]["error"]


@pytest.mark.parametrize("model", [*(kind for kind in KINDS if kind != CLAUDE), AZURE])
def test_a_batch_that_fails_as_a_whole_is_answered_by_ordinary_requests(
    model: str, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(model, upstream)
    vendor.fails = "The enqueued tokens are too many."
    batch = run(client, model, "one", "two", "three")
    count = len(all_of(model, "123"))
    assert (batch.status, batch.request_counts.completed, len(vendor.ordinary)) == ("completed", count, count)
    assert batch.model_extra["provider_batches"][0]["error"] == vendor.fails
    nothing_is_left(desk, key, batch)


@pytest.mark.parametrize(
    ("texts", "options", "natively"),
    [
        (["one", "two"], {}, 0),
        (["one", "two"], {"metadata": {"haimaker_mode": "native"}}, 1),
        (["one", "two", "three"], {"metadata": {"haimaker_mode": "now"}}, 0),
    ],
)
def test_few_lines_and_those_whose_client_will_not_wait_are_asked_now(
    texts: list[str], options: JSON, natively: int, client: openai.OpenAI, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(OPENAI, upstream)
    batch = run(client, OPENAI, *texts, **options)
    assert (batch.request_counts.completed, len(vendor.batches)) == (len(texts), natively)


@pytest.mark.parametrize("model", [FIREWORKS, VERTEX, BEDROCK])
def test_batches_that_need_an_account_a_bucket_or_a_role_are_used_where_they_are_named(
    model: str, client: openai.OpenAI, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProviderBatches, "settings", BatchSettings(least_lines=3))
    vendor = vendor_of(model, upstream)
    batch = run(client, model, "one", "two", "three")
    assert (batch.request_counts.failed, vendor.batches, len(vendor.ordinary)) == (0, {}, len(all_of(model, "123")))


def test_lines_that_become_one_table_have_one_schema(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    vendor, lines = vendor_of(VERTEX, upstream), [asked(VERTEX, str(number)) for number in range(6)]
    for number, each in enumerate(lines):
        schema = {"type": "object", "properties": {"ab"[number % 2]: {"type": "string"}}}
        each["body"]["response_format"] = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    batch = ended(client, begin(client, lines))
    assert (batch.request_counts.completed, vendor.ordinary) == (6, [])
    assert [[text_of(body) for body in each.requests.values()] for each in vendor.batches.values()] == [list("024"), list("135")]
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == list("012345")


def test_providers_are_asked_how_far_they_are_while_other_lines_are_asked(desk: Desk, upstream: FakeUpstream) -> None:
    client, vendor = sdk(desk, desk.key(max_parallel_requests=2, max_budget=1)), vendor_of(OPENAI, upstream)

    def answer(call: Call) -> Reply:
        """The ordinary lines take until the batch has ended."""
        if call.json["model"] == "deepseek-chat":
            wait_until(lambda: any(each.looks >= vendor.ends_at for each in vendor.batches.values()))
            return Reply.json(200, to_openai("now"))
        return vendor(call)

    upstream.answers(lambda call: answer(call) if call.path.endswith("/chat/completions") else vendor(call))
    texts = ("one", "two", "three")
    lines = [*(asked(OPENAI, text) for text in texts), *(asked("deepseek/deepseek-chat", text) for text in texts[:2])]
    for number, each in enumerate(lines):
        each["custom_id"] = str(number)
    batch = ended(client, begin(client, lines))
    assert (batch.request_counts.completed, len(vendor.batches), vendor.ordinary) == (5, 1, [])


@pytest.mark.parametrize("model", [OPENAI, FIREWORKS])
def test_what_a_provider_has_not_answered_is_asked_before_the_time_is_over(
    model: str, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = vendor_of(model, upstream, ends_at=10**6)
    batch = begin(client, [asked(model, text) for text in ("one", "two", "three")])
    until(client, batch, runs_natively)
    monkeypatch.setattr("haimaker.batches.native.LAST_S", 86_400)
    batch = ended(client, batch)
    assert (batch.status, batch.request_counts.completed, len(vendor.ordinary)) == ("completed", 3, 3)
    assert [each.is_cancelled for each in vendor.batches.values()] == [True]
    nothing_is_left(desk, key, batch)


def test_a_mode_that_is_none_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        begin(client, [asked(OPENAI, "one")], metadata={"haimaker_mode": "later"})
    assert raised.value.param == "metadata.haimaker_mode"


def test_lines_of_several_models_become_a_batch_each_and_their_order_stays(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendors = {model: VENDORS[model][0](answers(*VENDORS[model][1:])) for model in (OPENAI, CLAUDE)}
    upstream.answers(lambda call: vendors[CLAUDE if "anthropic-version" in call.headers else OPENAI](call))
    models = [OPENAI, CLAUDE, "openai/gpt-4o", "demo/echo", "openai/gpt-4o-search-preview"]
    lines = [asked(models[number % 5], str(number)) for number in range(15)]
    lines[1]["body"]["service_tier"] = "auto"  # a batch has no tiers: two are too few of Claude's
    batch = ended(client, begin(client, lines))
    assert batch.request_counts.completed == 15
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == [str(number) for number in range(15)]
    told = {each["model"]: each["lines"] for each in batch.model_extra["provider_batches"]}
    assert told == {"gpt-4o-mini": 3, "gpt-4o": 3, "gpt-4o-search-preview": 3}
    assert vendors[CLAUDE].batches == {}
    nothing_is_left(desk, key, batch)


@pytest.mark.parametrize("model", KINDS)
def test_a_batch_that_is_cancelled_is_cancelled_at_its_provider(
    model: str, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(model, upstream, ends_at=10**6)
    texts = all_of(model, ["one", "two", "three"])
    batch = begin(client, [*(asked(model, text) for text in texts), line("four", "demo/echo")])
    until(client, batch, lambda now: bool(vendor.batches) and now.request_counts.completed == 1)
    until(client, batch, lambda now: now.model_extra["provider_batches"][0]["status"] == "running")
    assert desk.money(key)[1] > 0
    client.batches.cancel(batch.id)
    batch = ended(client, batch)
    assert (batch.status, [each.is_cancelled for each in vendor.batches.values()]) == ("cancelled", [True])
    errors = rows(client, batch.error_file_id)
    assert [(row["custom_id"], row["error"]["code"]) for row in errors] == [(n, "batch_cancelled") for n in texts]
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == ["four"]
    nothing_is_left(desk, key, batch)


def test_a_key_that_is_blocked_is_charged_for_what_its_provider_answered(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(OPENAI, upstream, ends_at=10**6)
    batch = begin(client, [asked(OPENAI, text) for text in ("one", "two", "three")])
    until(client, batch, lambda now: bool(vendor.batches) and now.model_extra["provider_batches"][0]["status"] == "running")
    desk.admin("/key/block", key=key)
    for each in vendor.batches.values():
        each.answers, each.looks = {custom_id: vendor.answer(body) for custom_id, body in each.requests.items()}, 10**6
    wait_until(lambda: desk.money(key)[0] == 3 * PRICES[OPENAI])
    desk.admin("/key/unblock", key=key)
    batch = ended(client, batch)
    assert batch.request_counts.completed == 3
    nothing_is_left(desk, key, batch)


@pytest.mark.parametrize("grace", [{}, {"grace_period": "1h"}], ids=["at once", "with grace"])
def test_a_batch_goes_on_under_the_key_that_replaced_its_own(desk: Desk, upstream: FakeUpstream, grace: JSON) -> None:
    """What is put aside moves with it, and what is charged is what the answers cost."""
    key, vendor = desk.key(max_budget=1), vendor_of(OPENAI, upstream, ends_at=10**6)
    batch = begin(sdk(desk, key), [asked(OPENAI, text) for text in ("one", "two", "three")])
    until(sdk(desk, key), batch, runs_natively)
    spent, held, _ = desk.money(key)
    renewed = desk.admin("/key/regenerate", key=key, **grace)["key"]
    assert (spent, desk.money(renewed)[:2]) == (0, (0, held)), "nothing counts as spent"
    for each in vendor.batches.values():
        each.answers, each.looks = {custom_id: vendor.answer(body) for custom_id, body in each.requests.items()}, 10**6
    batch = ended(sdk(desk, renewed), batch)
    assert (batch.status, batch.request_counts.completed) == ("completed", 3)
    assert desk.money(renewed)[0] == 3 * PRICES[OPENAI]
    nothing_is_left(desk, renewed, batch)
    assert bool(grace) == (desk.chat(key, "demo/echo").status_code == 200)


def test_a_batch_that_its_provider_forgot_is_charged_by_estimate(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = vendor_of(OPENAI, upstream, ends_at=10**6)
    batch = begin(client, [asked(OPENAI, text) for text in ("one", "two", "three")])
    until(client, batch, lambda now: bool(vendor.batches))
    vendor.batches.clear()
    batch = ended(client, batch)
    assert (batch.status, batch.request_counts.failed) == ("completed", 3)
    assert {row["response"]["status_code"] for row in rows(client, batch.error_file_id)} == {504}
    assert all(record.detail["cost_estimated"] and record.cost_nanousd for record in desk.records(key))
    nothing_is_left(desk, key, batch)


def test_answers_that_can_not_be_read_at_once_are_read_later(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    vendor, failures = vendor_of(OPENAI, upstream), [500, 503, 404]
    upstream.answers(lambda call: Reply.json(failures.pop(), {}) if "/content" in call.path and failures else vendor(call))
    batch = run(client, OPENAI, "one", "two", "three")
    assert (batch.request_counts.completed, vendor.ordinary, failures) == (3, [], [])


def test_gemini_that_tells_no_keys_answers_in_the_order_of_the_requests(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    vendor = vendor_of("gemini/gemini-2.5-flash", upstream)
    assert isinstance(vendor, GeminiVendor)
    vendor.tells_keys = False
    batch = run(client, "gemini/gemini-2.5-flash", "one", "bad", "three")
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == ["one", "three"]


def test_a_batch_takes_nothing_of_a_keys_requests_and_tokens_a_minute(desk: Desk, upstream: FakeUpstream) -> None:
    key = desk.key(rpm_limit=2, tpm_limit=1_000, max_parallel_requests=1, max_budget=1)
    vendor_of(OPENAI, upstream)
    batch = run(sdk(desk, key), OPENAI, "one", "two", "three", "four")
    assert batch.request_counts.completed == 4
    assert desk.money(key)[0] == 4 * PRICES[OPENAI]
    assert desk.chat(key, "demo/echo").status_code == 200
    nothing_is_left(desk, key, batch)


@pytest.mark.parametrize(
    ("model", "endpoint", "body", "answer"),
    [
        (CLAUDE, "/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 600}, to_anthropic("Hi")),
        (OPENAI, "/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 600}, to_openai("Hi")),
        (CLAUDE, "/v1/responses", {"input": "Hi", "max_output_tokens": 600}, to_anthropic("Hi")),
        (
            *("openai/text-embedding-3-small", "/v1/embeddings", {"input": "Hi"}),
            {
                "object": "list",
                "model": "text-embedding-3-small",
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
            },
        ),
    ],
)
def test_every_endpoint_may_be_answered_by_a_batch_of_a_provider(
    model: str, endpoint: str, body: JSON, answer: JSON, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    vendor = VENDORS[CLAUDE if model == CLAUDE else OPENAI][0](lambda asked: (200, answer))
    upstream.answers(vendor)
    batch = ended(client, begin(client, [line(str(number), model, endpoint, **body) for number in range(3)], endpoint))
    assert (batch.request_counts.completed, len(vendor.batches), vendor.ordinary) == (3, 1, [])
    assert {record.detail["provider_batch"] for record in desk.records(key)} == vendor.batches.keys()
    nothing_is_left(desk, key, batch)


def test_embeddings_are_in_batches_of_as_many_texts_as_their_provider_takes(
    client: openai.OpenAI, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rules = "openai/text-embedding-3-small", ProviderBatches.rules
    monkeypatch.setattr(ProviderBatches, "rules", lambda self, provider: replace(rules(self, provider), most_inputs=4))
    monkeypatch.setattr(OpenAIVendor, "most_inputs", 4)

    def embedded(body: JSON) -> tuple[int, JSON]:
        data = [{"object": "embedding", "index": number, "embedding": [0.5]} for number in range(len(body["input"]))]
        return 200, {"object": "list", "model": model, "usage": {"prompt_tokens": 1, "total_tokens": 1}, "data": data}

    vendor = OpenAIVendor(embedded)
    upstream.answers(vendor)
    texts: list[Any] = [["a", "b"], ["a", "b", "c"], ["a"], [7, 8, 9]]
    lines = [line(str(number), model, "/v1/embeddings", input=each) for number, each in enumerate(texts)]
    batch = ended(client, begin(client, lines, "/v1/embeddings", metadata={"haimaker_mode": "native"}))
    assert (batch.request_counts.completed, vendor.ordinary) == (4, [])
    assert [len(each.requests) for each in vendor.batches.values()] == [1, 2, 1]


def test_betas_of_a_batch_are_those_of_its_providers(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    vendor, seen = vendor_of(CLAUDE, upstream), len(upstream.calls)
    claude = messages_sdk(desk, key)
    params: Any = {"model": CLAUDE, "max_tokens": 600, "messages": [{"role": "user", "content": "busy"}]}
    batch = claude.messages.batches.create(
        requests=[{"custom_id": str(number), "params": params} for number in range(3)], extra_headers={"anthropic-beta": "new-1"}
    )
    wait_until(lambda: claude.messages.batches.retrieve(batch.id).processing_status == "ended")
    assert (len(vendor.batches), len(vendor.ordinary)) == (1, 1), "the busy one is asked otherwise"
    assert {call.headers.get("anthropic-beta") for call in upstream.calls[seen:] if call.method == "POST"} == {"new-1"}
