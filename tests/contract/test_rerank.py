"""Rerank through Cohere's official SDK, in both of its versions: ranked, cut, failing, at providers that bill in all the ways."""

from collections.abc import Sequence
from typing import Any

import cohere
import pytest
from cohere.core import ApiError

from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON, Reply

COHERE = "cohere/rerank-v3.5"
JINA = "jina_ai/jina-reranker-v2-base-multilingual"
DOCUMENTS = ["one", "two", "three"]
RANKED = [{"index": 1, "relevance_score": 0.2}, {"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.9}]


def client(desk: Desk, key: str, version: type[Any] = cohere.ClientV2) -> Any:
    return version(api_key=key, base_url=desk.url)


def answer(results: Sequence[JSON] = RANKED, **meta: Any) -> Reply:
    return Reply.json(200, {"id": "r-1", "results": results, "meta": {"api_version": {"version": "2"}, **meta}})


def test_the_best_come_first_and_searches_are_paid(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answer(billed_units={"search_units": 3}))
    found = client(desk, key).rerank(model=COHERE, query="which?", documents=DOCUMENTS, top_n=2)
    assert [(result.index, result.relevance_score) for result in found.results] == [(2, 0.9), (1, 0.2)]
    assert found.meta.billed_units.search_units == 3
    assert only_record(desk, key).cost_nanousd == 6_000_000
    assert found.usage["cost"] == 0.006


@pytest.mark.parametrize("base", ["", "/v1"])
def test_the_first_version_of_the_sdk_gets_its_documents_back(desk: Desk, upstream: FakeUpstream, key: str, base: str) -> None:
    documents = [{"title": "A", "text": "one"}, {"title": "B", "text": "two"}, "three"]
    upstream.answers(answer())
    asked = cohere.Client(api_key=key, base_url=desk.url.removesuffix("/v1") + base)
    found = asked.rerank(model=COHERE, query="q", documents=documents, rank_fields=["title", "text"], return_documents=True)
    assert [(result.index, result.document.text) for result in found.results] == [(2, "three"), (1, "two"), (0, "one")]
    assert found.results[1].document.title == "B"
    assert upstream.calls[-1].json["documents"] == ["title: A\ntext: one", "title: B\ntext: two", "three"]


def test_tokens_are_paid_where_these_are_billed(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(200, {"model": "m", "results": RANKED, "usage": {"total_tokens": 815}}))
    found = client(desk, key).rerank(model=JINA, query="q", documents=DOCUMENTS)
    assert found.meta.billed_units.input_tokens == 815
    assert only_record(desk, key).cost_nanousd == 40_750


def test_more_documents_than_a_provider_takes_are_ranked_together(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    def ranks(call: Any) -> Reply:
        records = [{"id": each["id"], "score": int(each["content"]) / 1000} for each in call.json["records"]]
        return Reply.json(200, {"records": records})

    upstream.answers(ranks)
    seen = len(upstream.calls)
    documents = [str(number) for number in range(450)]
    found = client(desk, key).rerank(model="vertex_ai/semantic-ranker-default-004", query="q", documents=documents, top_n=3)
    assert [(result.index, result.relevance_score) for result in found.results] == [(449, 0.449), (448, 0.448), (447, 0.447)]
    assert len(upstream.calls) == seen + 3
    assert found.meta.billed_units.search_units == 5
    assert only_record(desk, key).cost_nanousd == 5_000_000


def test_the_demo_ranks(desk: Desk, key: str) -> None:
    documents = ["quarterly revenue", "the cat sat on the mat", "dogs bark"]
    found = client(desk, key).rerank(model="demo/rerank", query="a cat on a mat", documents=documents)
    assert found.results[0].index == 1
    assert only_record(desk, key).cost_nanousd == 0


def test_the_providers_error_keeps_its_status(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(422, {"message": "invalid type: parameter top_n is of type string"}))
    with pytest.raises(ApiError) as raised:
        client(desk, key).rerank(model=COHERE, query="q", documents=DOCUMENTS)
    assert raised.value.status_code == 422
    assert "parameter top_n" in raised.value.body["error"]["message"]
    assert only_record(desk, key).cost_nanousd == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": None}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "one"}, "documents"),
        ({"documents": ["a", ""]}, "documents[1]"),
        ({"documents": ["a", {}]}, "documents[1]"),
        ({"documents": [{"text": ""}]}, "documents[0]"),
        ({"documents": [{"title": "a"}], "rank_fields": ["text"]}, "documents[0]"),
        ({"documents": ["a", 1]}, "documents[1]"),
        ({"documents": ["a"] * 10_000}, "documents"),
        ({"max_chunks_per_doc": 5_000}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": "2"}, "top_n"),
        ({"return_documents": 1}, "return_documents"),
        ({"rank_fields": "text"}, "rank_fields"),
        ({"max_tokens_per_doc": 0}, "max_tokens_per_doc"),
        ({"model": "anthropic/claude-sonnet-4-5"}, "model"),
        ({"model": None}, "model"),
    ],
)
def test_bad_input_names_what_is_wrong_and_costs_nothing(
    desk: Desk, upstream: FakeUpstream, key: str, fields: JSON, param: str
) -> None:
    seen = len(upstream.calls)
    response = desk.ask("POST", "/rerank", {"model": COHERE, "query": "q", "documents": ["a", "b"], **fields}, key=key)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"].startswith(param)
    assert len(upstream.calls) == seen
    assert desk.records(key) == []
