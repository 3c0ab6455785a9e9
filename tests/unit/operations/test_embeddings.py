"""Bounds of what embeddings cost, and bodies of any kind."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from cohere.types.embed_input import EmbedInput
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from haimaker import adapters
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import parse
from haimaker.pricing import costs, usage
from haimaker.providers.registry import definition_for, get

MODELS = ("cohere/embed-v4.0", "gemini/gemini-embedding-2", "vertex_ai/multimodalembedding@001", "bedrock/cohere.embed-v4:0")
MODELS += (
    "openai/text-embedding-3-small",
    "bedrock/amazon.titan-embed-image-v1",
    "vertex_ai/text-embedding-005",
    "voyage/voyage-4",
)
TEXTS = st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=5)
LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
ANY = (
    LEAF
    | st.lists(LEAF, max_size=3)
    | st.lists(st.lists(LEAF, max_size=2) | st.dictionaries(st.text(max_size=5), LEAF), max_size=3)
)


def attempt_for(name: str) -> Attempt:
    provider, _, model = name.partition("/")
    known = find_model(provider, model)
    assert known is not None
    return Attempt("r", 0, definition_for(get(provider), model, "embeddings"), model, known)


def request(body: JSON) -> Request:
    return Request("r", body=json.dumps(body).encode())


@pytest.mark.parametrize("name", MODELS)
@given(texts=TEXTS)
def test_a_token_has_at_least_a_byte_and_no_answer_costs_more_than_is_held(name: str, texts: list[str]) -> None:
    attempt = attempt_for(name)
    asked = parse(request({"model": name, "input": texts}))
    held = costs.max_cost_nanousd(asked.max_usage(attempt), attempt.model_info)
    assert held is not None
    tokens = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    for used in (usage.Usage(input=tokens), usage.Usage(characters=sum(map(len, texts)))):
        cost = costs.cost_nanousd(used, attempt.model_info)
        assert cost is None or cost <= held


@pytest.mark.parametrize(
    "given_input",
    [
        {"content": [{"type": "text", "text": "x" * 500}]},
        {"text": {"nested": ["x" * 500]}},
        {"image": "https://example.com/a.png", "text": "x" * 500},
        {"image_url": {"url": "data:image/png;base64,AAAA"}, "caption": ["x" * 500]},
    ],
)
def test_a_text_is_held_for_wherever_it_stands(given_input: JSON) -> None:
    asked = parse(request({"model": MODELS[0], "input": [given_input]}))
    assert asked.max_usage(attempt_for(MODELS[0])).input >= 500


@given(ANY, LEAF, LEAF, st.sampled_from(MODELS))
def test_whatever_is_sent_is_embedded_or_refused(given_input: object, dimensions: object, encoding: object, name: str) -> None:
    body = {"model": name, "input": given_input, "dimensions": dimensions, "encoding_format": encoding}
    with suppress(BadRequestError):
        asked = parse(request(body))
        adapters.load("embeddings", attempt_for(name).provider.adapter).to_upstream(
            asked.split(attempt_for(name), 1)[0], attempt_for(name)
        )


def test_a_field_of_chat_that_a_row_spells_differently_is_no_defect() -> None:
    name = "groq/embedder"
    provider, _, model = name.partition("/")
    row = definition_for(get(provider), model, "embeddings")
    row = replace(row, dialect=replace(row.dialect, values={"tool_choice": {"required": "any"}}))
    asked = parse(request({"model": name, "input": "a", "tool_choice": {"type": "function"}}))
    attempt = Attempt("r", 0, row, model, ModelInfo.unknown(provider, model))
    assert json.loads(adapters.load("embeddings", attempt.provider.adapter).to_upstream(asked, attempt).body)["tool_choice"] == {
        "type": "function"
    }


def test_googles_types_take_what_is_sent() -> None:
    asked = parse(request({"model": "gemini/gemini-embedding-2", "input": ["a", "data:image/png;base64,AAAA"], "dimensions": 8}))
    sent = adapters.load("embeddings", attempt_for("gemini/gemini-embedding-2").provider.adapter).to_upstream(
        asked, attempt_for("gemini/gemini-embedding-2")
    )
    for each in json.loads(sent.body)["requests"]:
        types.Content.model_validate(each.pop("content"))
        types.EmbedContentConfig.model_validate({name: value for name, value in each.items() if name != "model"})


def test_coheres_types_take_what_is_sent() -> None:
    asked = parse(request({"model": "cohere/embed-v4.0", "input": ["a", "data:image/png;base64,AAAA"]}))
    sent = adapters.load("embeddings", attempt_for("cohere/embed-v4.0").provider.adapter).to_upstream(
        asked, attempt_for("cohere/embed-v4.0")
    )
    for each in json.loads(sent.body)["inputs"]:
        TypeAdapter(EmbedInput).validate_python(each)


@pytest.mark.parametrize("fields", [{"output_dimension": 8}, {"dimensions": 8}, {"dimensions": 8, "output_dimension": 9}])
def test_dimensions_have_the_name_that_other_vendors_clients_use(fields: JSON) -> None:
    """https://docs.voyageai.com/reference/embeddings-api, https://docs.cohere.com/reference/embed"""
    asked = parse(request({"model": "openai/text-embedding-3-small", "input": "a", **fields}))
    assert (asked.fields.dimensions, asked.body["dimensions"]) == (8, 8)
