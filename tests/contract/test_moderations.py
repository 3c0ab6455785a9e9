"""Moderation through the official SDK: every category once whoever judges, images, parts, failures, and what it costs."""

import base64
from typing import Any

import openai
import pytest
from openai.types import ModerationCreateResponse

from haimaker.operations.moderation_results import CATEGORIES
from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record, sdk
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import JSON, Reply

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 24).decode()
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
TEXT = {"type": "text", "text": "Look at this"}
GUARDRAIL = "bedrock/guardrail/gr0123456789:1"
SAFETY = "azure_ai/content-safety"


def openais(call: Call) -> Reply:
    given = call.json["input"]
    count = len(given) if isinstance(given, list) and isinstance(given[0], str) else 1
    scores = {name: 0.9 if name == "violence" else 0.01 for name in CATEGORIES}
    flags = {name: name == "violence" for name in CATEGORIES}
    result = {"flagged": True, "categories": flags, "category_scores": scores, "category_applied_input_types": dict(CATEGORIES)}
    return Reply.json(200, {"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": [result] * count})


def mistrals(call: Call) -> Reply:
    flags = {"sexual": False, "violence_and_threats": True, "pii": True, "criminal": False, "dangerous": True}
    scores = {"sexual": 0.1, "violence_and_threats": 0.8, "pii": 0.7, "criminal": 0.2, "dangerous": 0.6}
    results = [{"categories": flags, "category_scores": scores} for _ in call.json["input"]]
    return Reply.json(200, {"id": "m", "model": "mistral-moderation-2411", "results": results, "usage": {"prompt_tokens": 100}})


def azures(call: Call) -> Reply:
    severity = 6 if "image" in call.json else 2
    return Reply.json(200, {"blocklistsMatch": [], "categoriesAnalysis": [{"category": "Violence", "severity": severity}]})


def guardrails(call: Call) -> Reply:
    filters = [{"type": "INSULTS", "confidence": "HIGH", "filterStrength": "HIGH", "action": "BLOCKED", "detected": True}]
    usage = {"topicPolicyUnits": 1, "contentPolicyUnits": 1, "wordPolicyUnits": 1, "sensitiveInformationPolicyUnits": 1}
    assessment = {"contentPolicy": {"filters": filters}, "sensitiveInformationPolicy": {"piiEntities": [{"action": "ANONYMIZED"}]}}
    return Reply.json(200, {"action": "GUARDRAIL_INTERVENED", "outputs": [], "assessments": [assessment], "usage": usage})


def judged(desk: Desk, key: str, given: Any, **options: Any) -> ModerationCreateResponse:
    found = sdk(desk, key).moderations.create(input=given, **options)
    for result in found.results:
        told = result.to_dict()
        for field in ("categories", "category_scores", "category_applied_input_types"):
            assert list(told[field])[: len(CATEGORIES)] == list(CATEGORIES)
    return found


def test_without_a_model_openais_is_asked_and_free(desk: Desk, upstream: FakeUpstream) -> None:
    """Also for a key whose budget has nothing left to spend."""
    key = desk.key(max_budget=0)
    upstream.answers(openais)
    found = judged(desk, key, ["a", "b"])
    assert len(found.results) == 2
    assert upstream.calls[-1].json == {"input": ["a", "b"], "model": "omni-moderation-latest"}
    assert (found.results[0].flagged, found.results[0].categories.violence) == (True, True)
    record = only_record(desk, key)
    assert (record.cost_nanousd, record.detail["cost_estimated"]) == (0, False)


def test_parts_of_a_message_go_to_openai_as_they_are(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(openais)
    parts = [TEXT, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    assert len(judged(desk, key, parts, model="omni-moderation-latest").results) == 1
    assert upstream.calls[-1].json["input"] == parts


def test_mistrals_categories_have_openais_names_and_its_own_stay(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(mistrals)
    [result] = judged(desk, key, "x", model="mistral/mistral-moderation-2411").results
    told = result.to_dict()
    assert [name for name in told["categories"] if name not in CATEGORIES] == ["pii"]
    assert {name for name, flagged in told["categories"].items() if flagged} == {"violence", "pii", "illicit"}
    assert told["category_scores"]["illicit"] == 0.6
    assert told["category_applied_input_types"]["hate"] == []
    assert only_record(desk, key).cost_nanousd == 10_000


def test_a_message_is_judged_by_its_worst_part(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    """Azure takes a text of up to 10,000 characters or an image a call."""
    upstream.answers(azures)
    seen = len(upstream.calls)
    parts = [TEXT, {"type": "text", "text": "x" * 10_500}, IMAGE]
    [result] = judged(desk, key, parts, model=SAFETY).results
    assert (result.flagged, result.category_scores.violence) == (True, round(6 / 7, 6))
    assert result.category_applied_input_types.violence == ["text", "image"]
    calls = upstream.calls[seen:]
    assert sorted(len(call.json["text"]) for call in calls if "text" in call.json) == [513, 10_000]
    assert [call.json["image"] for call in calls if "image" in call.json] == [{"content": PNG}]
    assert only_record(desk, key).cost_nanousd == 11 * 380_000 + 750_000


def test_a_guardrail_bills_the_policies_that_it_has(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(guardrails)
    found = judged(desk, key, ["You fool", "x" * 1_001], model=GUARDRAIL)
    assert [result.categories.harassment for result in found.results] == [True, True]
    assert found.results[0].to_dict()["categories"]["pii"] is True
    assert upstream.calls[-1].path.endswith("/guardrail/gr0123456789/version/1/apply")
    assert only_record(desk, key).cost_nanousd == 2 * 400_000


def test_a_budget_can_pay_for_all_of_them(desk: Desk, upstream: FakeUpstream) -> None:
    for model, answers in ((SAFETY, azures), (GUARDRAIL, guardrails), ("mistral/mistral-moderation-latest", mistrals)):
        upstream.answers(answers)
        key = desk.key(max_budget=0.01)
        judged(desk, key, "x", model=model)
        assert desk.money(key)[1] == 0
        with pytest.raises(openai.APIStatusError) as raised:
            judged(desk, key, "x" * 200_000, model=model)
        assert raised.value.status_code == 402


def test_the_demo_finds_its_words(desk: Desk, key: str) -> None:
    good, bad = judged(desk, key, ["Good morning", "I hate you"], model="demo/moderation").results
    assert (good.flagged, bad.flagged, bad.categories.hate, bad.categories.sexual) == (False, True, True, False)


def test_the_providers_error_keeps_its_class(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(400, {"error": {"code": "InvalidRequestBody", "message": "The text is too long."}}))
    with pytest.raises(openai.BadRequestError, match="too long"):
        judged(desk, key, "x", model=SAFETY)
    assert only_record(desk, key).cost_nanousd == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["a", TEXT]}, "input"),
        ({"input": [{"type": "text"}]}, "input[0]"),
        ({"input": [TEXT, {"type": "image_url", "image_url": {}}]}, "input[1]"),
        ({"input": [{"type": "input_audio"}]}, "input[0]"),
        ({"input": ["a"] * 2_049}, "input"),
        ({"input": [IMAGE], "model": "mistral/mistral-moderation-latest"}, "input"),
        ({"input": [{"type": "image_url", "image_url": {"url": "data:,no"}}], "model": SAFETY}, "input"),
        ({"input": [{"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}}], "model": GUARDRAIL}, "input"),
        ({"input": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}], "model": GUARDRAIL}, "input[0]"),
        ({"input": "a", "model": 3}, "model"),
        ({"input": "a", "model": "anthropic/claude-sonnet-4-5"}, "model"),
    ],
)
def test_bad_input_names_what_is_wrong_and_costs_nothing(
    desk: Desk, upstream: FakeUpstream, key: str, fields: JSON, param: str
) -> None:
    seen = len(upstream.calls)
    response = desk.ask("POST", "/moderations", fields, key=key)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"].startswith(param)
    assert len(upstream.calls) == seen
    assert all(record.cost_nanousd == 0 for record in desk.records(key))
