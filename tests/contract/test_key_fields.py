"""What the key operations accept in a field, and what they refuse, naming the field."""

import pytest

from haimaker.accounts.keys import new_key
from tests.contract.money_support import Desk, error_of, serving
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream

ADMINISTRATION = ("generate", "update", "block", "unblock", "delete", "regenerate")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with FakeUpstream() as upstream, serving(tmp_path_factory.mktemp("home"), upstream) as desk:
        upstream.answers(openai_wire.plays_openai())
        yield desk


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration", "1x"), ("duration", "-2"), ("duration", "0s"), ("duration", "1.5h"), ("duration", 60), ("duration", "1h1m"),
        ("duration", "9999999999s"), ("duration", "99999999w"), ("duration", "١d"),
        ("budget_duration", "-1"), ("budget_duration", "monthly"), ("budget_duration", "1٣s"), ("budget_duration", "99999999w"),
        ("max_budget", -1), ("max_budget", "1"), ("max_budget", True), ("max_budget", 1e8), ("max_budget", 10**30),
        ("rpm_limit", -1), ("rpm_limit", 1.5), ("tpm_limit", 10**13), ("max_parallel_requests", "4"),
        ("models", "openai/*"), ("models", [1]), ("models", [""]), ("tags", {}), ("metadata", []), ("key_alias", ""),
        ("model_max_budget", 5), ("model_max_budget", {"m": -1}), ("model_max_budget", {"m": "1"}), ("model_max_budget", {"": 1}),
        ("model_max_budget", {"m": {"time_period": "1d"}}), ("model_max_budget", {"m": {"budget_limit": 1, "time_period": "day"}}),
        ("model_max_budget", {"m": {"budget_limit": "1e3"}}), ("model_max_budget", {"m": {"budget_limit": 1, "rpm_limit": 1}}),
        ("model_rpm_limit", {"m": 1.5}), ("model_tpm_limit", {"m": -1}), ("model_rpm_limit", {str(at): 1 for at in range(51)}),
        ("key_alias", "x" * 513), ("key_alias", "\ud800"), ("team_id", 7),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_value_is_refused_and_named(desk: Desk, field, value):
    key = desk.key(rpm_limit=5)
    before = desk.info(key)
    for path, body in (("/key/generate", {}), ("/key/update", {"key": key})):
        response = desk.ask("POST", path, {**body, field: value})
        assert response.status_code == 400, response.text
        assert response.json()["error"]["param"].partition("[")[0].partition(".")[0] == field
        assert "pattern" not in response.json()["error"]["message"]
    assert desk.info(key) == before


@pytest.mark.parametrize("operation", ADMINISTRATION)
@pytest.mark.parametrize("field", ["max_budgets", "model_max_budgets", "roles", "spend", "blocked", "version"])
def test_an_unknown_field_is_refused(desk: Desk, operation, field):
    key = desk.key()
    response = desk.ask("POST", f"/key/{operation}", {**({} if operation == "generate" else {"key": key}), field: 1})
    assert (error_of(response), response.json()["error"]["param"]) == ((400, "unknown_parameter"), field)
    assert desk.chat(key).status_code == 200


@pytest.mark.parametrize("operation", ["update", "block", "unblock", "delete", "regenerate"])
def test_a_key_has_to_be_named_and_known(desk: Desk, operation):
    assert error_of(desk.ask("POST", f"/key/{operation}", {})) == (400, "missing_required_parameter")
    assert error_of(desk.ask("POST", f"/key/{operation}", {"key": new_key()})) == (404, "key_not_found")
    assert error_of(desk.ask("POST", f"/key/{operation}", {"key": "f" * 64})) == (404, "key_not_found")


def test_a_key_cannot_be_chosen(desk: Desk):
    assert desk.ask("POST", "/key/generate", {"key": "sk-mine"}).status_code == 400


def test_metadata_of_any_text_comes_back(desk: Desk):
    odd = {"half of a pair": "\ud800", "nul": "\x00", "\u2028": "\U0001f600"}
    assert desk.info(desk.key(metadata=odd))["metadata"] == odd


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (["gpt-4o-mini", "openai/gpt-4o", "openai/*", "*", "demo/echo", "haimaker/auto", "hosted_vllm/mine"], []),
        (["gpt-4o-minni"], ["did you mean 'gpt-4o-mini'?"]),
        (["opnai/gpt-4o", "gpt-4o"], ["'opnai/gpt-4o' is no route"]),
        (["zzz"], ["nothing can be asked by it"]),
        (["zzz"] * 1_000, ["nothing can be asked by it"]),
        ([f"zzz-{number}" for number in range(1_000)], [*(f"'zzz-{number}'" for number in range(10)), "More of its models"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_model_that_leads_nowhere_is_told_and_taken(desk: Desk, models: list[str], told: list[str]):
    made = desk.admin("/key/generate", models=models)
    changed = desk.admin("/key/update", key=made["token_id"], models=models)
    for answer in (made, changed):
        assert answer["models"] == models
        found = answer.get("warnings", [])
        assert len(found) == len(told)
        assert all(words in warning for words, warning in zip(told, found, strict=True)), found
    assert "warnings" not in desk.admin("/key/update", key=made["token_id"], max_budget=1) or told


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"key_type": "llm_api", "permissions": {}, "guardrails": [], "user_role": None, "send_invite_email": False}, []),
        ({"key_type": "default", "guardrails": ["pii"], "permissions": {"a": True}}, ["guardrails", "permissions"]),
        ({"user_role": "internal_user", "config": {"a": 1}}, ["config", "user_role"]),
        ({"key_type": "management"}, None),
        ({"allowed_routes": ["/chat/completions"]}, None),
    ],
)
def test_what_litellms_scripts_send_along_is_taken_and_named(desk: Desk, fields: dict, warned: list[str] | None) -> None:
    """But not what would be thought to keep a key from something."""
    answer = desk.ask("POST", "/key/generate", fields)
    if warned is None:
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, next(iter(fields)))
        return
    assert answer.status_code == 200, answer.text
    assert sorted(warning.split("'")[1] for warning in answer.json().get("warnings", [])) == warned
    assert not {*fields} & answer.json().keys() - {"permissions"}
    changed = desk.ask("POST", "/key/update", {"key": answer.json()["token_id"], **fields})
    assert sorted(warning.split("'")[1] for warning in changed.json().get("warnings", [])) == warned
