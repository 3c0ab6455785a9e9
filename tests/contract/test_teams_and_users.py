"""Budgets beyond the key over HTTP: a team's, that its keys share, and an end user's, whichever key asks; on each store."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from haimaker.accounts.kinds import END_USER
from tests.contract.money_support import ADMIN, MODEL, Desk, chat_body, error_of, nanousd, serving, store_of, usage_of
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON

COST = 10 * 150 + 5 * 600
HOLD = Decimal("0.0001")
"""More than one request holds, less than two do."""
LARGE = {"max_tokens": 100}


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        upstream.answers(openai_wire.plays_openai())
        yield upstream


@pytest.fixture(scope="module", params=["sqlite", "dynalite"])
def desk(request, tmp_path_factory, upstream):
    with store_of(request.param) as store, serving(tmp_path_factory.mktemp("home"), upstream, **store) as desk:
        yield desk


@pytest.fixture
def name(request) -> str:
    """Of a team or user that only this test has."""
    return f"t{abs(hash(request.node.name))}"


def get(desk: Desk, path: str, key: str = ADMIN, **query: str) -> JSON:
    response = desk.http.get(path, params=query, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    return json.loads(response.text, parse_float=Decimal)


def message_of(response) -> str:
    return response.json()["error"]["message"]


def test_a_team_is_made_changed_shown_and_deleted(desk: Desk, name):
    made = desk.admin(
        "/team/new", team_id=name, team_alias="Growth", max_budget=2.5, budget_duration="1d", models=["openai/*"], rpm_limit=60
    )
    assert {field: made[field] for field in ("team_id", "team_alias", "max_budget", "models", "rpm_limit", "blocked", "spend")} == {
        "team_id": name, "team_alias": "Growth", "max_budget": Decimal("2.5"), "models": ["openai/*"], "rpm_limit": 60,
        "blocked": False, "spend": 0,
    }  # fmt: skip
    assert error_of(desk.ask("POST", "/team/new", {"team_id": name})) == (409, None)
    assert desk.admin("/team/update", team_id=name, max_budget=None, soft_budget=1)["data"]["soft_budget"] == 1
    key = desk.key(team_id=name, key_alias="member")
    shown = get(desk, "/team/info", team_id=name)
    assert shown["team_info"] == get(desk, "/team/info", key)["team_info"]
    assert [member["key_alias"] for member in shown["keys"]] == ["member"]
    assert name in [team["team_id"] for team in get(desk, "/team/list")]
    assert error_of(desk.ask("POST", "/team/delete", {"team_ids": [name, "unknown"]})) == (404, "team_not_found")
    assert len(desk.admin("/team/delete", team_ids=[name])["deleted_keys"]) == 1
    assert desk.chat(key).status_code == 401
    assert error_of(desk.ask("GET", f"/team/info?team_id={name}")) == (404, "team_not_found")
    assert len(desk.admin("/team/new")["team_id"]) == 36


def test_keys_share_the_budget_of_their_team(desk: Desk, name):
    desk.admin("/team/new", team_id=name, max_budget=float(HOLD))
    keys = [desk.key(team_id=name), desk.key(team_id=name, max_budget=5)]
    assert [desk.chat(key, **LARGE).status_code for key in keys] == [200, 200]
    team = get(desk, "/team/info", team_id=name)["team_info"]
    assert (nanousd(team["spend"]), team["reserved"]) == (2 * COST, 0)
    refused = desk.chat(keys[1], max_tokens=1_000)
    assert (error_of(refused), refused.headers["x-should-retry"]) == ((402, "budget_exceeded"), "false")
    assert f"The budget of the team {name} does not cover" in message_of(refused)
    assert desk.money(keys[1]) == (COST, 0, COST)
    clamped = desk.chat(keys[0])
    assert clamped.status_code == 402 or int(clamped.headers["x-haimaker-max-tokens"]) < 16_384
    assert desk.records(keys[1])[0].detail["team_id"] == name
    assert get(desk, "/spend/report", group_by="team", key=keys[1])["data"][0]["team"] == name


def test_sixty_requests_of_two_keys_spend_a_teams_budget_and_no_more(desk: Desk, name):
    desk.admin("/team/new", team_id=name, max_budget=float(6 * HOLD))
    keys = [desk.key(team_id=name), desk.key(team_id=name)]
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda number: desk.chat(keys[number % 2], **LARGE), range(60)))
    assert {error_of(refused) for refused in responses if refused.status_code != 200} <= {(402, "budget_exceeded")}
    costs = [nanousd(usage_of(answered)["cost"]) for answered in responses if answered.status_code == 200]
    team = get(desk, "/team/info", team_id=name)["team_info"]
    assert (nanousd(team["spend"]), team["reserved"], team["parallel_requests"]) == (sum(costs), 0, 0)
    assert team["spend"] <= 6 * HOLD
    assert sum(desk.money(key)[0] for key in keys) == sum(costs)


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"rpm_limit": 1}, (429, "rate_limit_exceeded")),
        ({"tpm_limit": 1}, (429, "rate_limit_exceeded")),
        ({"max_parallel_requests": 0}, (429, "rate_limit_exceeded")),
        ({"blocked": True}, (401, "team_blocked")),
    ],
)
def test_limits_of_a_team_hold_for_each_of_its_keys(desk: Desk, name, limits, error):
    desk.admin("/team/new", team_id=name, **limits)
    keys = [desk.key(team_id=name), desk.key(team_id=name)]
    found = Counter(response.status_code for response in (desk.chat(keys[number % 2]) for number in range(3)))
    assert found[error[0]] >= (2 if "rpm_limit" in limits else 3)
    refused = desk.chat(keys[0])
    assert error_of(refused) == error or "rpm_limit" in limits
    assert f"team {name}" in message_of(desk.chat(keys[1]))


def test_a_key_may_use_what_its_team_may(desk: Desk, name):
    desk.admin("/team/new", team_id=name, models=["openai/*", "demo/echo"])
    refused = desk.ask("POST", "/key/generate", {"team_id": name, "models": ["groq/*"]})
    assert error_of(refused) == (400, "model_not_allowed_in_team")
    free, limited = desk.key(team_id=name), desk.key(team_id=name, models=["demo/echo", MODEL])
    expected = {"demo/echo": (200, 200), MODEL: (200, 200), "openai/gpt-4o": (200, 403), "demo/count": (403, 403)}
    for model, statuses in expected.items():
        assert (desk.chat(free, model).status_code, desk.chat(limited, model).status_code) == statuses, model
    assert {model["id"] for model in get(desk, "/models", limited)["data"]} == {"demo/echo", MODEL, "haimaker/auto"}
    desk.admin("/team/update", team_id=name, models=["demo/*"])
    assert [desk.chat(limited, model).status_code for model in ("demo/echo", MODEL)] == [200, 403]
    desk.admin("/team/update", team_id=name, models=["groq/*"])
    assert desk.chat(limited, "demo/echo").status_code == 403
    refused = desk.ask("POST", "/key/update", {"key": free, "team_id": "unknown"})
    assert (*error_of(refused), refused.json()["error"]["param"]) == (404, "team_not_found", "team_id")


def test_a_change_of_a_team_holds_from_the_next_request_on(desk: Desk, name):
    desk.admin("/team/new", team_id=name)
    key = desk.key(team_id=name)
    assert desk.chat(key).status_code == 200
    desk.admin("/team/block", team_id=name)
    assert error_of(desk.chat(key)) == (401, "team_blocked")
    desk.admin("/team/unblock", team_id=name)
    assert desk.chat(key).status_code == 200
    desk.admin("/team/update", team_id=name, max_budget=0)
    assert error_of(desk.chat(key)) == (402, "budget_exceeded")


def test_a_user_has_a_budget_whichever_key_asks(desk: Desk, name):
    made = desk.admin("/customer/new", user_id=name, alias="Zoë", max_budget=float(HOLD), budget_duration="30d")
    assert (made["user_id"], made["alias"], made["max_budget"]) == (name, "Zoë", HOLD)
    keys = [desk.key(), desk.key(max_budget=1)]
    assert [desk.chat(key, user=name, **LARGE).status_code for key in keys] == [200, 200]
    refused = desk.chat(keys[0], user=name, max_tokens=1_000)
    assert error_of(refused) == (402, "budget_exceeded")
    assert f"The budget of the user {name} does not cover" in message_of(refused)
    assert refused.headers["x-budget-renews-in-s"]
    assert desk.chat(keys[0], user=name + "x", max_tokens=1_000).status_code == 200
    info = get(desk, "/end_user/info", end_user_id=name)
    assert (nanousd(info["spend"]), info["reserved"]) == (2 * COST, 0)
    assert name in [user["user_id"] for user in get(desk, "/customer/list")]
    desk.admin("/customer/update", user_id=name, max_budget=5)
    assert desk.chat(keys[0], user=name, max_tokens=1_000).status_code == 200
    desk.admin("/end_user/block", user_ids=[name])
    assert error_of(desk.chat(keys[0], user=name)) == (401, "user_blocked")
    desk.admin("/customer/unblock", user_ids=[name])
    assert desk.chat(keys[0], user=name).status_code == 200
    assert desk.admin("/customer/delete", user_ids=[name])["deleted_customers"] == 1
    assert desk.chat(keys[0], user=name).status_code == 200
    assert error_of(desk.ask("GET", f"/customer/info?end_user_id={name}")) == (404, "user_not_found")


@pytest.mark.parametrize("blocks", ["key", "team", "user"])
def test_the_refusal_names_what_blocked_and_the_others_keep_nothing(desk: Desk, name, blocks):
    budgets = {kind: {"max_budget": 0.00001 if kind == blocks else 5} for kind in ("key", "team", "user")}
    desk.admin("/team/new", team_id=name, **budgets["team"])
    desk.admin("/customer/new", user_id=name, **budgets["user"])
    key = desk.key(team_id=name, **budgets["key"])
    refused = desk.chat(key, user=name, **LARGE)
    assert error_of(refused) == (402, "budget_exceeded")
    assert f"The budget of the {blocks} " in message_of(refused)
    assert desk.money(key) == (0, 0, 0)
    assert get(desk, "/team/info", team_id=name)["team_info"]["reserved"] == 0
    assert get(desk, "/customer/info", end_user_id=name)["reserved"] == 0
    assert desk.records(key) == []


@pytest.mark.parametrize(("path", "field", "found"), [("/team", "team_id", "teams"), ("/customer", "user_id", "customers")])
def test_teams_and_users_are_searched_sorted_and_paged(desk: Desk, name, path, field, found):
    for number in (2, 1, 3):
        desk.admin(f"{path}/new", **{field: f"{name}-{number}"}, max_budget=number)
    desk.admin(f"{path}/block", **{field: f"{name}-3"})
    page = get(desk, f"{path}/list", search=name.upper(), sort_by="key_alias", page=2, size=2)
    assert [account[field] for account in page.pop(found)] == [f"{name}-3"]
    assert page == {"total_count": 3, "current_page": 2, "total_pages": 2}
    assert [account[field] for account in get(desk, f"{path}/list", search=name, status="blocked")] == [f"{name}-3"]
    assert error_of(desk.ask("GET", f"{path}/list?organization_id=x")) == (400, "unknown_parameter")
    assert error_of(desk.ask("GET", f"{path}/list?page=0"))[0] == 400


def test_users_get_an_account_only_where_the_deployer_gives_them_a_budget(tmp_path, upstream):
    odd = "\ud800 \x00 \U0001f600"
    with serving(tmp_path, upstream) as desk:
        key = desk.key()
        assert desk.chat(key, user="ada").status_code == 200
        assert get(desk, "/customer/list") == []
    with serving(tmp_path, upstream, HAIMAKER_USER_BUDGET=str(HOLD), HAIMAKER_USER_BUDGET_DURATION="1d") as desk:
        desk.admin("/customer/new", user_id="bob", max_budget=5)
        for user in ("ada", "bob"):
            assert desk.chat(key, user=user, **LARGE).status_code == 200
        body = json.dumps(chat_body(user=odd, **LARGE)).encode()
        answer = desk.http.post("/chat/completions", content=body, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
        assert error_of(desk.chat(key, user="ada", max_tokens=1_000)) == (402, "budget_exceeded")
        assert desk.chat(key, user="bob", max_tokens=1_000).status_code == 200
        ada = get(desk, "/customer/info", end_user_id="ada")
        assert (ada["max_budget"], ada["budget_duration"], nanousd(ada["spend"])) == (HOLD, "1d", COST)
        balance = desk.gateway.store.get(END_USER.account_id(odd))
        assert balance is not None
        assert balance.reservations == 0


def test_a_soft_budget_blocks_nothing(desk: Desk, name):
    desk.admin("/team/new", team_id=name, soft_budget=0.000001)
    assert [desk.chat(desk.key(team_id=name)).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/team/new", {"team_id": "a b"}, (400, "invalid_value")),
        ("/team/new", {"team_id": "x", "team_ids": ["x"]}, (400, "unsupported_parameter")),
        ("/team/new", {"max_budget": -1}, (400, "invalid_value")),
        ("/team/new", {"members": []}, (400, "unknown_parameter")),
        ("/team/update", {"max_budget": 1}, (400, "missing_required_parameter")),
        ("/team/update", {"team_id": "unknown"}, (404, "team_not_found")),
        ("/team/delete", {}, (400, "missing_required_parameter")),
        ("/team/block", {"team_id": "unknown"}, (404, "team_not_found")),
        ("/team/join", {}, (404, "unknown_url")),
        ("/team/list", {}, (405, "method_not_allowed")),
        ("/customer/info", {}, (405, "method_not_allowed")),
        ("/team/update", {"team_id": "x", "team_ids": ["x"]}, (400, "unsupported_parameter")),
        ("/customer/new", {}, (400, "missing_required_parameter")),
        ("/customer/new", {"user_id": 7}, (400, "invalid_value")),
        ("/customer/update", {"user_id": "unknown"}, (404, "user_not_found")),
        ("/customer/delete", {"user_ids": []}, (400, "invalid_value")),
        ("/customer/unblock", {"user_ids": ["unknown"]}, (404, "user_not_found")),
        ("/end_user/delete", {}, (400, "missing_required_parameter")),
        ("/key/generate", {"team_id": "unknown"}, (404, "team_not_found")),
    ],
)
def test_what_is_wrong_is_named(desk: Desk, path, body, error):
    assert error_of(desk.ask("POST", path, body)) == error


def test_of_the_other_method_it_is_named(desk: Desk) -> None:
    answer = desk.ask("GET", "/team/new")
    assert (error_of(answer), answer.headers["allow"]) == ((405, "method_not_allowed"), "POST")


@pytest.mark.parametrize(
    "path", ["/team/list", "/customer/list", "/customer/info?end_user_id=x", "/team/info?team_id=x", "/team/info"]
)
def test_only_an_administrator_sees_and_changes_them(desk: Desk, path):
    key = desk.key()
    assert error_of(desk.ask("GET", path, key=key)) == (403, "admin_only")
    for operation in ("/team/new", "/customer/block"):
        assert error_of(desk.ask("POST", operation, {}, key=key)) == (403, "admin_only")
    assert desk.ask("GET", "/team/info?team_id=%ED%A0%80%20").status_code == 404
