"""What an administrator's lists and reports are asked for: a number or a choice that is wrong, and a parameter that is not known,
is 400 and named, whichever operation it is of."""

import json
from pathlib import Path

import pytest

from haimaker.api.openapi_fields import ACTIONS, QUERIES
from haimaker.gateway import Gateway
from haimaker.http.values import JSON, Request
from haimaker.settings.settings import Settings

NOT_NUMBERS = ("0", "-1", "1.5", "1e2", "x", "", "9" * 30, "٣")
NOT_DATES = ("x", "2026-13-01")
WRONG = {
    **dict.fromkeys(("limit", "page", "size", "top", "hours"), NOT_NUMBERS),
    **dict.fromkeys(("start_date", "end_date"), NOT_DATES),
    **dict.fromkeys(
        ("order", "sort_order", "sort_by", "status", "group_by", "return_full_object", "all", "cursor", "action"), ("x",)
    ),
    "after": ("ü",),
}
"""By a parameter, values that no operation takes."""
ANY_TEXT = {
    "search", "key_alias", "team_id", "user_id", "key_hash", "key", "api_key", "keys", "id", "request_id", "model", "provider",
    "operation", "user", "team", "tag", "end_user", "object_id", "changed_by_api_key", "table_name", "end_user_id",
}  # fmt: skip
"""Parameters of which any text may be the value: it may find nothing."""
LISTS = {
    (operation, action)
    for operation in QUERIES
    for action in ACTIONS.get(operation, ("",))
    if operation.endswith(("_list", "_show", "_overview", "_info")) or operation.startswith(("spend_", "generation"))
} - {("models_list", ""), ("gemini_models_list", ""), ("files_list", ""), ("batches_list", ""), ("messages_batches_list", "")}
"""Operations of administrators, and the last segments of their paths."""
OF_INFO = {"team_show": {"team_id"}, "end_user_show": {"end_user_id", "user_id"}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    home: Path = tmp_path_factory.mktemp("parameters")
    return Gateway.local(Settings.from_environment({"HAIMAKER_HOME": str(home)}))


def ask(gateway: Gateway, operation: str, action: str, query: dict[str, str]) -> tuple[int, JSON]:
    headers = {"authorization": "Bearer sk-local"}
    answer = gateway.handle(operation, Request("r1", headers, b"", {"action": action}, query))
    assert isinstance(answer.body, bytes)
    body = json.loads(answer.body)
    return answer.status, body.get("error", {}) if isinstance(body, dict) else {}


@pytest.mark.parametrize(("operation", "action"), sorted(LISTS))
def test_what_no_parameter_takes_is_refused_and_named(gateway: Gateway, operation: str, action: str) -> None:
    known = set(QUERIES[operation])
    if operation in OF_INFO:
        known = OF_INFO[operation] if action == "info" else known - OF_INFO[operation]
    assert known - set(WRONG) <= ANY_TEXT, "a parameter of which nobody said what is wrong"
    for name in known & set(WRONG):
        for value in WRONG[name]:
            status, error = ask(gateway, operation, action, {name: value})
            assert (status, error.get("param"), error.get("code")) == (400, name, "invalid_value"), (name, value)
    for query in ({"no_such_parameter": "1"}, {"limitt": "1"}):
        status, error = ask(gateway, operation, action, query)
        assert (status, error.get("param"), error.get("code")) == (400, *query, "unknown_parameter")
