"""Embeddings through the official SDK: whole, in both encodings, failing, and within a budget."""

import base64
import struct
from typing import Any

import openai
import pytest

from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record, sdk
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import JSON, Reply

MODEL = "hosted_vllm/embedder"
"""Priced in ROUTES: 1,000 nano-dollars a token."""
VECTOR = [0.5, -1.0, 0.25]


def answer(vectors: list[Any], tokens: Any = 7) -> Reply:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Reply.json(200, {"object": "list", "data": data, "model": "embedder", "usage": usage})


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_the_vectors_arrive_in_the_encoding_asked_for(desk: Desk, upstream: FakeUpstream, key: str, encoding: str | None) -> None:
    """The SDK asks for base64 where its user does not say, and decodes it; the upstream gives numbers whatever it is asked."""
    upstream.answers(answer([VECTOR, VECTOR]))
    options = {"encoding_format": encoding} if encoding else {}
    found = sdk(desk, key).embeddings.create(model=MODEL, input=["a", "b"], **options)
    expected = base64.b64encode(struct.pack("<3f", *VECTOR)).decode() if encoding == "base64" else VECTOR
    assert [item.embedding for item in found.data] == [expected, expected]
    assert found.usage.prompt_tokens == 7
    assert only_record(desk, key).cost_nanousd == 7_000
    assert found.usage.model_dump()["cost"] == 7e-6


@pytest.mark.parametrize("said", [-5, 10**30, "7", 1.5, [7]])
def test_a_count_that_cannot_be_is_estimated_instead(desk: Desk, upstream: FakeUpstream, key: str, said: Any) -> None:
    upstream.answers(answer([VECTOR], tokens=said))
    found = sdk(desk, key).embeddings.create(model=MODEL, input="twelve bytes", encoding_format="float")
    record = only_record(desk, key)
    assert (record.cost_nanousd, record.detail["cost_estimated"]) == (3_000, True)
    assert (found.usage.prompt_tokens, found.usage.model_dump()["cost_estimated"]) == (3, True)


@pytest.mark.parametrize(
    ("vector", "encoding"),
    [("AAA", "float"), (["x"], "base64"), ([None], "base64"), ([10**400], "base64")],
)
def test_vectors_that_are_none_are_the_providers_failure(
    desk: Desk, upstream: FakeUpstream, key: str, vector: Any, encoding: Any
) -> None:
    upstream.answers(answer([vector]))
    with pytest.raises(openai.InternalServerError) as raised:
        sdk(desk, key).embeddings.create(model=MODEL, input="a", encoding_format=encoding, extra_body={"num_retries": 0})
    assert (raised.value.status_code, raised.value.code) == (502, "invalid_provider_response")
    assert only_record(desk, key).cost_nanousd == 7_000


@pytest.mark.parametrize(("budget_usd", "calls"), [(0.000010, 1), (0.000020, 2), (0.000030, 3)])
@pytest.mark.parametrize(
    "names", [{}, {"num_retries": 0, "fallbacks": ["hosted_vllm/b", "hosted_vllm/c"]}], ids=["again", "others"]
)
def test_what_failed_at_a_cost_is_tried_on_while_the_budget_lasts(
    desk: Desk, upstream: FakeUpstream, budget_usd: float, calls: int, names: JSON
) -> None:
    """One text of one byte: 9,000 nano-dollars are held for each try, of which each costs 7,000 and is of no use."""
    upstream.answers(answer([["x"]]))
    seen = len(upstream.calls)
    key, budget = desk.key(max_budget=budget_usd), round(budget_usd * 10**9)
    with pytest.raises(openai.InternalServerError):
        sdk(desk, key).embeddings.create(model=MODEL, input="a", encoding_format="base64", extra_body=names)
    assert len(upstream.calls) - seen == calls
    assert desk.money(key) == (7_000 * calls, 0, 7_000 * calls)
    assert 7_000 * calls <= budget
    assert desk.info(key)["parallel_requests"] == 0


def test_the_providers_error_keeps_its_class(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}))
    with pytest.raises(openai.BadRequestError) as raised:
        sdk(desk, key).embeddings.create(model=MODEL, input="a")
    assert raised.value.code == "context_length_exceeded"
    assert only_record(desk, key).cost_nanousd == 0


def test_the_demo_puts_similar_texts_near_each_other(desk: Desk, key: str) -> None:
    texts = ["the cat sat on the mat", "a cat sits on a mat", "quarterly revenue grew"]
    one, near, far = (item.embedding for item in sdk(desk, key).embeddings.create(model="demo/embedding", input=texts).data)
    assert sum(a * b for a, b in zip(one, near, strict=True)) > 2 * sum(a * b for a, b in zip(one, far, strict=True))


def test_a_provider_that_takes_one_text_is_asked_for_each_in_order(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    def titan(call: Call) -> Reply:
        number = int(call.json["inputText"])
        return Reply.json(200, {"embedding": [float(number)], "inputTextTokenCount": number + 1})

    upstream.answers(titan)
    seen = len(upstream.calls)
    found = sdk(desk, key).embeddings.create(
        model="bedrock/amazon.titan-embed-text-v2:0", input=[str(number) for number in range(20)], encoding_format="float"
    )
    assert [(item.index, item.embedding) for item in found.data] == [(number, [float(number)]) for number in range(20)]
    assert found.usage.total_tokens == sum(range(21))
    assert len(upstream.calls) == seen + 20
    assert only_record(desk, key).cost_nanousd == sum(range(21)) * 20


def test_of_calls_that_belong_together_those_that_were_answered_are_paid(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    def titan(call: Call) -> Reply:
        if call.json["inputText"] == "bad":
            return Reply.json(400, {"message": "Malformed input request"})
        return Reply.json(200, {"embedding": [1.0], "inputTextTokenCount": 100})

    upstream.answers(titan)
    with pytest.raises(openai.BadRequestError):
        sdk(desk, key).embeddings.create(model="bedrock/amazon.titan-embed-text-v2:0", input=["a", "b", "bad"])
    assert only_record(desk, key).cost_nanousd in (0, 2_000, 4_000)


@pytest.mark.parametrize("budget", [{}, {"max_budget": 0.00000054}], ids=["without", "budget"])
def test_another_try_asks_only_for_what_is_missing(desk: Desk, upstream: FakeUpstream, budget: JSON) -> None:
    """Of three texts each costs the 180 nano-dollars that are held for it, so that a budget has nothing to spare."""
    failed: list[str] = []

    def titan(call: Call) -> Reply:
        if call.json["inputText"] == "b" and not failed:
            failed.append("b")
            return Reply.json(500, {"message": "It broke."})
        return Reply.json(200, {"embedding": [float(ord(call.json["inputText"]))], "inputTextTokenCount": 9})

    upstream.answers(titan)
    seen, key = len(upstream.calls), desk.key(**budget)
    found = sdk(desk, key).embeddings.create(
        model="bedrock/amazon.titan-embed-text-v2:0", input=["a", "b", "c"], encoding_format="float"
    )
    assert [item.embedding for item in found.data] == [[97.0], [98.0], [99.0]]
    assert sorted(call.json["inputText"] for call in upstream.calls[seen:]) == ["a", "b", "b", "c"]
    record = only_record(desk, key)
    assert (record.cost_nanousd, found.usage.total_tokens, found.usage.model_dump()["cost"]) == (540, 27, 5.4e-7)
    assert desk.money(key) == (540, 0, 540)
    assert [attempt["status"] for attempt in record.detail["attempts"]] == [500, 200]


def test_two_thousand_long_vectors_arrive(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    """17 MB of JSON, more than a function could answer without streaming it."""
    vector = [0.123456789] * 700
    upstream.answers(answer([vector] * 2_048))
    found = sdk(desk, key).embeddings.create(model=MODEL, input=["x"] * 2_048, encoding_format="float")
    assert len(found.data) == 2_048
    assert found.data[-1].embedding == vector


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["a"] * 2_049}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [{"type": "text"}], "model": "cohere/embed-v4.0"}, "input[0]"),
        ({"input": [[1, 2]], "model": "cohere/embed-v4.0"}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": "7"}, "dimensions"),
        ({"input": "a", "dimensions": 7, "model": "bedrock/amazon.titan-embed-text-v1"}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "model": "anthropic/claude-sonnet-4-5"}, "model"),
    ],
)
def test_bad_input_names_what_is_wrong_and_costs_nothing(
    desk: Desk, upstream: FakeUpstream, key: str, fields: JSON, param: str
) -> None:
    seen = len(upstream.calls)
    response = desk.ask("POST", "/embeddings", {"model": MODEL, **fields}, key=key)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"].startswith(param)
    assert len(upstream.calls) == seen
    assert all(record.cost_nanousd == 0 for record in desk.records(key))
