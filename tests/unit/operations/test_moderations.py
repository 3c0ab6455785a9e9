"""Where moderation goes, bounds of what it costs, verdicts of any kind of answer, and bodies of any kind."""

import json
from contextlib import suppress
from typing import Any

import botocore.session
import botocore.validate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistralai.client.models.classificationrequest import ClassificationRequest
from openai.types import ModerationCreateResponse

from haimaker import adapters
from haimaker.credentials.access import connections_from_env
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.moderation_results import CATEGORIES, complete_result, merge_moderations
from haimaker.operations.moderations import UNIT_CHARACTERS, ModerationRequest, parse
from haimaker.operations.operation import UpstreamBody
from haimaker.pricing import costs
from haimaker.pricing.usage import Usage
from haimaker.providers.registry import definition_for, get

GUARDRAIL = "bedrock/guardrail/gr0123456789:1"
MODELS = ("openai/omni-moderation-latest", "mistral/mistral-moderation-2411", "azure_ai/content-safety", GUARDRAIL)
FIELDS = ("results", "categories", "category_scores", "categoriesAnalysis", "assessments", "usage", "action", "error", "message")
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), inner, max_size=4),
)
NAMED = st.dictionaries(st.sampled_from([*CATEGORIES, "self_harm", "hate_threatening", "pii", "selfharm"]), ANY, max_size=5)
RESULT = st.fixed_dictionaries({}, optional={"categories": NAMED, "category_scores": NAMED, "flagged": ANY})
FILTER = st.fixed_dictionaries({}, optional={"type": ANY, "confidence": ANY, "action": ANY, "detected": ANY})
ASSESSMENT = st.dictionaries(
    st.just("contentPolicy"), st.dictionaries(st.just("filters"), st.lists(FILTER | ANY, max_size=3)) | ANY
)
SEVERITY = st.fixed_dictionaries({}, optional={"category": ANY, "severity": ANY})
ANSWERS = ANY | st.fixed_dictionaries(
    {},
    optional={
        "results": st.lists(RESULT | ANY, max_size=3),
        "categoriesAnalysis": st.lists(SEVERITY | ANY, max_size=3),
        "assessments": st.lists(ASSESSMENT | ANY, max_size=3),
        **dict.fromkeys(("id", "model", "usage", "action", "blocklistsMatch"), ANY),
    },
)


def attempt_for(name: str) -> Attempt:
    provider, _, model = name.partition("/")
    row = definition_for(get(provider), model, "moderations")
    known = find_model(provider, "guardrail" if model.startswith("guardrail/") else model)
    return Attempt("r", 0, row, model, known or ModelInfo.unknown(provider, model))


def asked(name: str, given: Any = "a", **more: Any) -> ModerationRequest:
    return parse(Request("r", body=json.dumps({"model": name, "input": given, **more}).encode()))


def sent(name: str, given: Any = "a", **more: Any) -> JSON:
    upstream = adapters.load("moderations", attempt_for(name).provider.adapter).to_upstream(
        asked(name, given, **more), attempt_for(name)
    )
    body: JSON = json.loads(upstream.body)
    return body


JUDGED = "https://r.x/contentsafety/text:analyze?api-version=2024-09-01"
APPLIED = "https://bedrock-runtime.eu-west-1.amazonaws.com/guardrail/m/version/DRAFT/apply"


@pytest.mark.parametrize(
    ("provider", "environment", "address"),
    [
        ("openai", {"OPENAI_API_KEY": "k"}, "https://api.openai.com/v1/moderations"),
        ("mistral", {"MISTRAL_API_KEY": "k"}, "https://api.mistral.ai/v1/moderations"),
        ("azure_ai", {"AZURE_AI_API_KEY": "k", "AZURE_AI_ENDPOINT": "https://r.x"}, JUDGED),
        ("azure_ai", {"AZURE_AI_API_KEY": "k", "AZURE_AI_BASE_URL": "https://r.x/openai/v1"}, JUDGED),
        ("azure_content_safety", {"CONTENT_SAFETY_KEY": "k", "CONTENT_SAFETY_ENDPOINT": "https://r.x/"}, JUDGED),
        ("bedrock", {"AWS_REGION": "eu-west-1", "BEDROCK_API_KEY": "k"}, APPLIED),
    ],
)
def test_where_it_goes(provider: str, environment: dict[str, str], address: str) -> None:
    access = connections_from_env(environment)[provider].for_operation("moderations")
    attempt = attempt_for(f"{provider}/m")
    upstream = adapters.load("moderations", attempt.provider.adapter).to_upstream(asked("m"), attempt)
    assert access.base_url + access.path_of(upstream.path, "m") == address


@pytest.mark.parametrize("name", MODELS)
@given(texts=st.lists(st.text(min_size=1, max_size=3_000), min_size=1, max_size=6), images=st.integers(0, 3))
def test_no_answer_costs_more_than_is_held(name: str, texts: list[str], images: int) -> None:
    """Also of a guardrail that has every policy."""
    attempt = attempt_for(name)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked_for = asked(name, [*({"type": "text", "text": text} for text in texts), *[image] * images])
    held = costs.max_cost_nanousd(asked_for.max_usage(attempt), attempt.model_info)
    assert held is not None
    tokens = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    units = -(-(sum(map(len, texts)) + len(texts) - 1) // UNIT_CHARACTERS)
    for used in (Usage(input=tokens), Usage(queries=units, input_images=images)):
        assert (costs.cost_nanousd(used, attempt.model_info) or 0) <= held
    if name == GUARDRAIL:
        policies = ("topicPolicy", "contentPolicy", "sensitiveInformationPolicy", "contextualGroundingPolicy")
        counts = {f"{policy}Units": units for policy in policies} | {"contentPolicyImageUnits": images}
        answer = {"action": "NONE", "assessments": [], "usage": {**counts, "automatedReasoningPolicyUnits": 2 * units}}
        made = adapters.load("moderations", attempt.provider.adapter).from_upstream(
            UpstreamBody({}, json.dumps(answer).encode()), asked_for, attempt
        )
        assert made.usage
        assert (costs.cost_nanousd(made.usage, attempt.model_info) or 0) <= held


@given(ANY | st.lists(ANY, max_size=4), ANY, st.sampled_from(MODELS))
def test_whatever_is_sent_is_judged_or_refused(given_input: object, more: object, name: str) -> None:
    with suppress(APIError):
        request = asked(name, given_input, metadata=more)
        request.max_usage(attempt_for(name))
        for part in request.split(attempt_for(GUARDRAIL), 1):
            adapters.load("moderations", attempt_for(name).provider.adapter).to_upstream(part, attempt_for(name))


@given(ANSWERS, st.sampled_from(MODELS))
def test_whatever_is_answered_is_a_verdict_or_an_error(body: object, name: str) -> None:
    attempt = attempt_for(name)
    with suppress(APIError):
        made = adapters.load("moderations", attempt.provider.adapter).from_upstream(
            UpstreamBody({}, json.dumps(body).encode()), asked(name), attempt
        )
        ModerationCreateResponse.model_validate(made.body)
        assert isinstance(made.body, dict)
        for result in made.body["results"]:
            assert result["categories"].keys() == result["category_scores"].keys() == result["category_applied_input_types"].keys()
            assert list(result["categories"])[: len(CATEGORIES)] == list(CATEGORIES)
            assert result["flagged"] >= any(result["categories"].values())


@given(RESULT, RESULT)
def test_the_worse_of_two_has_all_that_either_has(one: JSON, other: JSON) -> None:
    found = [complete_result({"categories": {}, **each}, {}, ["text"]) for each in (one, other)]
    assert found[0]
    assert found[1]
    both = merge_moderations(found[0], found[1])
    for field in ("categories", "category_scores"):
        for each in found:
            assert each
            assert all(both[field][name] >= value for name, value in each[field].items() if value is not None)
    assert both["flagged"] == (found[0]["flagged"] or found[1]["flagged"])
    assert merge_moderations(found[1], found[0]) == {**both, "categories": both["categories"]}


def test_two_thousand_inputs_are_parted_at_once() -> None:
    request = asked(GUARDRAIL, ["x" * 5] * 2_048)
    parts = request.split(attempt_for(GUARDRAIL), 1)
    assert [piece.result for part in parts for piece in part.pieces] == list(range(2_048))


def test_botocore_and_mistral_take_what_is_sent() -> None:
    model = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("ApplyGuardrail")
    body = {"guardrailIdentifier": "gr", "guardrailVersion": "1", **sent(GUARDRAIL)}
    report = botocore.validate.ParamValidator().validate(body, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    ClassificationRequest.model_validate(sent("mistral/mistral-moderation-2411", ["a", "b"], metadata={"a": "b"}))
