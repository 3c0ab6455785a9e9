"""Where rerank goes, bounds of what it costs, what vendors' own models say of what is sent, and bodies of any kind."""

import json
from contextlib import suppress
from typing import Any

import botocore.session
import botocore.validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.adapters import ranking
from haimaker.credentials.access import connections_from_env
from haimaker.http.errors import APIError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import UpstreamBody
from haimaker.operations.rerank import CHUNK_TOKENS, UNIT_DOCUMENTS, RerankRequest, parse
from haimaker.pricing import costs
from haimaker.pricing.usage import Usage
from haimaker.providers.registry import definition_for, get

MODELS = ("cohere/rerank-v3.5", "azure_ai/cohere-rerank-v4.0-pro", "bedrock/amazon.rerank-v1:0", "tei/any", "deepinfra/Qwen/any")
MODELS += ("vertex_ai/semantic-ranker-default-004", "voyage/rerank-2.5", "jina_ai/jina-reranker-v2-base-multilingual")
MODELS += ("nvidia_nim/ranking/nvidia/llama-3.2-nv-rerankqa-1b-v2", "together_ai/Salesforce/Llama-Rank-V1", "openai_compatible/any")
TEXTS = st.lists(st.text(min_size=1, max_size=3_000), min_size=1, max_size=9)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
)
INDEXES = st.sampled_from([0, 1, 1.0, "1", 2, -1, None, True, "x"])
SCORES = st.none() | st.booleans() | st.integers() | st.floats() | st.floats().map(str)
RESULT = st.fixed_dictionaries({}, optional={"index": INDEXES, "id": INDEXES, "score": SCORES, "logit": SCORES, "document": ANY})
LISTS = st.lists(RESULT | ANY, max_size=4)
ANSWERS = LISTS | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys((*ranking.LISTS, "scores", "usage", "meta", "id", "error"), LISTS | ANY),
)
AZURE = "https://r.services.ai.azure.com"
ON_AZURE = f"{AZURE}/providers/cohere/v2/rerank"
ALONE = "https://d.eastus.models.ai.azure.com/v1"
AGENTS = "https://bedrock-agent-runtime.eu-central-1.amazonaws.com"
RANKING = "https://discoveryengine.googleapis.com/v1/projects/p/locations/global/rankingConfigs/default_ranking_config:rank"


def attempt_for(name: str) -> Attempt:
    provider, _, model = name.partition("/")
    known = find_model(provider, model) or ModelInfo.unknown(provider, model)
    return Attempt("r", 0, definition_for(get(provider), model, "rerank"), model, known, region="eu-central-1")


def asked(name: str, query: str = "q", documents: Any = ("a", "b"), **more: Any) -> RerankRequest:
    return parse(Request("r", body=json.dumps({"model": name, "query": query, "documents": documents, **more}).encode()))


def sent(name: str, **fields: Any) -> JSON:
    body: JSON = json.loads(
        adapters.load("rerank", attempt_for(name).provider.adapter).to_upstream(asked(name, **fields), attempt_for(name)).body
    )
    return body


@pytest.mark.parametrize(
    ("provider", "environment", "address"),
    [
        ("cohere", {"COHERE_API_KEY": "k"}, "https://api.cohere.com/v2/rerank"),
        ("jina_ai", {"JINA_API_KEY": "k"}, "https://api.jina.ai/v1/rerank"),
        ("azure_ai", {"AZURE_AI_API_KEY": "k", "AZURE_AI_ENDPOINT": AZURE}, ON_AZURE),
        ("azure_ai", {"AZURE_AI_API_KEY": "k", "AZURE_AI_BASE_URL": f"{AZURE}/openai/v1"}, ON_AZURE),
        ("azure_ai", {"AZURE_AI_API_KEY": "k", "AZURE_AI_BASE_URL": ALONE}, f"{ALONE}/rerank"),
        ("bedrock", {"AWS_REGION": "eu-central-1", "AWS_BEARER_TOKEN_BEDROCK": "k"}, f"{AGENTS}/rerank"),
        ("bedrock", {"BEDROCK_API_KEY": "k", "BEDROCK_BASE_URL": "http://localhost:1"}, "http://localhost:1/rerank"),
        ("vertex_ai", {"VERTEX_AI_PROJECT": "p", "VERTEX_AI_ACCESS_TOKEN": "t"}, RANKING),
        ("deepinfra", {"DEEPINFRA_API_KEY": "k"}, "https://api.deepinfra.com/v1/inference/m/n"),
        (
            "deepinfra",
            {"DEEPINFRA_API_KEY": "k", "DEEPINFRA_BASE_URL": "http://localhost:1/v1/openai"},
            "http://localhost:1/v1/inference/m/n",
        ),
        ("nvidia_nim", {"NVIDIA_API_KEY": "k"}, "https://ai.api.nvidia.com/v1/retrieval/m/n/reranking"),
        ("tei", {"TEI_BASE_URL": "http://localhost:1"}, "http://localhost:1/rerank"),
    ],
)
def test_where_it_goes(provider: str, environment: dict[str, str], address: str) -> None:
    access = connections_from_env(environment)[provider].for_operation("rerank")
    attempt = attempt_for(f"{provider}/m/n")
    upstream = adapters.load("rerank", attempt.provider.adapter).to_upstream(asked("m/n"), attempt)
    assert access.base_url + access.path_of(upstream.path, "m/n") == address


def test_what_only_the_first_version_of_an_api_has_goes_there() -> None:
    access = connections_from_env({"COHERE_API_KEY": "k"})["cohere"]
    attempt = attempt_for("cohere/rerank-v3.5")
    upstream = adapters.load("rerank", attempt.provider.adapter).to_upstream(
        asked("cohere/rerank-v3.5", max_chunks_per_doc=3), attempt
    )
    assert access.with_version(upstream.version).base_url == "https://api.cohere.com/v1"
    assert access.with_version("") == access


@pytest.mark.parametrize("name", MODELS)
@given(query=st.text(min_size=1, max_size=600), documents=TEXTS, token_bytes=st.integers(min_value=1, max_value=5))
def test_no_answer_costs_more_than_is_held(name: str, query: str, documents: list[str], token_bytes: int) -> None:
    """Whatever a token is: of a byte or of several. A search is counted as its vendor says."""
    attempt, request = attempt_for(name), asked(name, query, documents)
    sizes = [-(-len(text.encode("utf-8", "surrogatepass")) // token_bytes) for text in (query, *documents)]
    room = CHUNK_TOKENS - min(sizes[0], CHUNK_TOKENS // 2)
    chunks = sum(-(-size // room) for size in sizes[1:])
    used = Usage(input=sum(sizes[1:]) + sizes[0] * len(documents), queries=-(-chunks // UNIT_DOCUMENTS))
    held = costs.max_cost_nanousd(request.max_usage(attempt), attempt.model_info)
    assert (costs.cost_nanousd(used, attempt.model_info) or 0) <= (held or 0)
    assert used.prompt <= request.max_usage(attempt).prompt
    assert used.queries <= request.max_usage(attempt).queries


@pytest.mark.parametrize(
    ("documents", "units", "is_sure"),
    [(1, 1, True), (100, 1, True), (101, 2, True), (1_000, 10, True)],
)
def test_a_search_has_a_hundred_documents(documents: int, units: int, is_sure: bool) -> None:
    request = asked("m", documents=["short"] * documents)
    assert (request.units(), request.sure_units() == units) == (units, is_sure)


def test_a_long_document_counts_as_several() -> None:
    request = asked("m", documents=["x" * 4 * (CHUNK_TOKENS - 1) * 150])
    assert (request.units(), request.sure_units()) == (2, None)


@given(ANY, ANY, ANY, ANY, st.sampled_from(MODELS))
def test_whatever_is_sent_is_ranked_or_refused(query: object, documents: object, top_n: object, more: object, name: str) -> None:
    body = {"model": name, "query": query, "documents": documents, "top_n": top_n, "rank_fields": more, "instruction": more}
    with suppress(APIError):
        request = parse(Request("r", body=json.dumps(body).encode()))
        adapters.load("rerank", attempt_for(name).provider.adapter).to_upstream(request, attempt_for(name))
        request.max_usage(attempt_for(name))


@given(ANSWERS, st.sampled_from(MODELS), st.booleans() | st.none())
def test_whatever_is_answered_is_a_ranking_or_an_error(body: object, name: str, wanted: bool | None) -> None:
    """Sorted, each document once, in JSON that the standard knows."""
    attempt = attempt_for(name)
    more = {} if wanted is None else {"return_documents": wanted}
    answer = UpstreamBody({}, json.dumps(body).encode())
    with suppress(APIError):
        made = adapters.load("rerank", attempt.provider.adapter).from_upstream(answer, asked(name, **more), attempt)
        assert isinstance(made.body, dict)
        results = made.body["results"]
        scores = [result["relevance_score"] for result in results]
        assert scores == sorted(scores, reverse=True)
        assert len({result["index"] for result in results} & {0, 1}) == len(results)
        if wanted is not None:
            documents = [{"text": "ab"[result["index"]]} if wanted else None for result in results]
            assert [result.get("document") for result in results] == documents
        json.loads(dumps(made.body), parse_constant=pytest.fail)


def test_botocore_takes_what_is_sent() -> None:
    model = botocore.session.get_session().get_service_model("bedrock-agent-runtime").operation_model("Rerank")
    body = sent("bedrock/amazon.rerank-v1:0", documents=["a", {"title": "t"}], top_n=1, max_tokens_per_doc=9)
    report = botocore.validate.ParamValidator().validate(body, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    configuration = body["rerankingConfiguration"]["bedrockRerankingConfiguration"]
    arn = "arn:aws:bedrock:eu-central-1::foundation-model/amazon.rerank-v1:0"
    assert configuration["modelConfiguration"] == {"modelArn": arn, "additionalModelRequestFields": {"max_tokens_per_doc": 9}}


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("us-gov-west-1", "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/m"),
        ("cn-north-1", "arn:aws-cn:bedrock:cn-north-1::foundation-model/m"),
        ("", "arn:aws:bedrock:us-east-1::foundation-model/m"),
    ],
)
def test_a_model_of_bedrock_is_named_with_its_region(region: str, arn: str) -> None:
    attempt = attempt_for("bedrock/m")
    attempt = Attempt("r", 0, attempt.provider, "m", attempt.model_info, region=region)
    assert arn in adapters.load("rerank", attempt.provider.adapter).to_upstream(asked("m"), attempt).body.decode()


@pytest.mark.parametrize(("fields", "as_voyage"), [({"top_k": 1}, True), ({"top_n": 1}, False), ({"top_k": 9, "top_n": 1}, False)])
def test_voyages_clients_name_their_limit_and_find_the_results(fields: JSON, as_voyage: bool) -> None:
    """https://docs.voyageai.com/reference/reranker-api, at any provider."""
    request = asked("cohere/rerank-v3.5", **fields)
    body = request.build_result({}, [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.9}], None).body
    assert [result["index"] for result in body["results"]] == [1]
    assert (body.get("data"), body.get("object")) == ((body["results"], "list") if as_voyage else (None, None))
    assert request.body["top_n"] == 1
    assert sent("voyage/rerank-2.5", **fields)["top_k"] == 1
