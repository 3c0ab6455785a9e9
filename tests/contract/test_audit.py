"""Who changed what, who may see what, and keys that are rotated with a grace period."""

import json
import time
from pathlib import Path

import pytest

from haimaker.api.dispatch import SIGN_IN
from haimaker.api.paths import LOCAL_ROUTES, MODEL_OPERATIONS, ROUTES
from haimaker.credentials.own_process import ProcessCredentials
from tests.contract.money_support import Desk, error_of


def trail(desk: Desk, **query: object) -> list[dict]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return desk.ask("GET", f"/audit?{asked}").json()["data"]


def test_each_change_is_kept_with_who_made_it_and_what_it_was(desk: Desk) -> None:
    made = desk.admin("/key/generate", key_alias="audited", max_budget=5, models=["demo/*"], metadata={"secret": "hush"})
    boss = desk.admin("/key/generate", key_alias="second boss", role="admin")["key"]
    token = made["token_id"]
    assert desk.ask("POST", "/key/update", {"key": token, "max_budget": 7.5, "rpm_limit": 3}, key=boss).status_code == 200
    assert desk.ask("POST", "/key/update", {"key": token, "max_budget": 7.5}, key=boss).status_code == 200, "changes nothing"
    assert desk.ask("POST", "/key/block", {"key": token}, key=boss).status_code == 200
    assert desk.ask("POST", "/key/update", {"key": token, "max_budget": -1}, key=boss).status_code == 400, "is refused"
    assert desk.ask("POST", "/key/delete", {"keys": [token]}, key=boss).status_code == 200
    deleted, blocked, updated, created = trail(desk, object_id=token)
    assert [event["action"] for event in (created, updated, blocked, deleted)] == ["created", "updated", "updated", "deleted"]
    assert [event["changed_by"] for event in (created, updated)] == ["admin", "second boss"]
    assert (updated["before_value"], updated["updated_values"]) == (
        {"budget": 5.0, "rpm_limit": None},
        {"budget": 7.5, "rpm_limit": 3},
    )
    assert blocked["updated_values"] == {"blocked": True}
    assert (deleted["before_value"]["alias"], deleted["updated_values"]) == ("audited", {})
    assert (created["operation"], created["object_name"], created["table_name"]) == ("keys.generate", "audited", "key")
    assert created["updated_values"]["metadata"] == "changed"
    assert trail(desk, search="AUDITED", action="deleted", table_name="key") == [deleted]
    assert trail(desk, search="second b", object_id=token) == [deleted, blocked, updated]
    assert trail(desk, search=token[:20]) == [deleted, blocked, updated, created]
    assert trail(desk, search="audited", table_name="team") == []
    whole = json.dumps(trail(desk, limit=100))
    assert made["key"] not in whole
    assert "hush" not in whole


def test_teams_users_and_routers_are_audited_too(desk: Desk) -> None:
    desk.admin("/team/new", team_id="audited-team", max_budget=1)
    desk.admin("/customer/new", user_id="audited user")
    router = desk.admin("/auto-router/new", router_name="audited router", rules=[], default_model="demo/echo")["auto_router_id"]
    desk.admin(f"/auto-router/{router}/delete")
    events = trail(desk, limit=100)
    found = {(event["table_name"], event["action"]) for event in events}
    assert {("team", "created"), ("user", "created")} <= found
    assert [event["action"] for event in trail(desk, object_id=router)] == ["deleted", "created"]


RULE = {"id": "rule_1", "name": "r", "model": "demo/count", "keywords": ["x"]}
CHANGING: list[tuple[str, str, dict, str, tuple[str, str]]] = [
    ("key_generate", "/key/generate", {"key_alias": "each", "max_budget": 5, "metadata": {"note": "hush"}}, "key", ("", "each")),
    ("key_update", "/key/update", {"key": "{key}", "max_budget": 7.5}, "updated", ("5.0", "7.5")),
    ("key_block", "/key/block", {"key": "{key}"}, "updated", ("None", "True")),
    ("key_unblock", "/key/unblock", {"key": "{key}"}, "updated", ("True", "None")),
    ("key_regenerate", "/key/regenerate", {"key": "{key}", "grace_period": "1h"}, "key", ("", "each")),
    ("key_delete", "/key/delete", {"keys": ["{key}"]}, "deleted", ("each", "")),
    ("key_import", "/key/import", {"keys": [{"token": "a" * 64, "key_alias": "moved"}]}, "created", ("", "moved")),
    ("team_change", "/team/new", {"team_id": "each-team", "max_budget": 1}, "created", ("", "1.0")),
    ("team_change", "/team/update", {"team_id": "each-team", "max_budget": 2}, "updated", ("1.0", "2.0")),
    ("team_change", "/team/block", {"team_id": "each-team"}, "updated", ("None", "True")),
    ("team_change", "/team/unblock", {"team_id": "each-team"}, "updated", ("True", "None")),
    ("team_change", "/team/delete", {"team_ids": ["each-team"]}, "deleted", ("2.0", "")),
    ("end_user_change", "/customer/new", {"user_id": "each-user", "max_budget": 1}, "created", ("", "1.0")),
    ("end_user_change", "/customer/update", {"user_id": "each-user", "max_budget": 2}, "updated", ("1.0", "2.0")),
    ("end_user_change", "/end_user/block", {"user_ids": ["each-user"]}, "updated", ("None", "True")),
    ("end_user_change", "/end_user/unblock", {"user_ids": ["each-user"]}, "updated", ("True", "None")),
    ("end_user_change", "/customer/delete", {"user_ids": ["each-user"]}, "deleted", ("2.0", "")),
    ("auto_router_new", "/auto-router/new", {"router_name": "each", "default_model": "demo/echo"}, "auto_router_id", ("", "each")),
    ("auto_router_update", "/auto-router/{auto_router_id}/update", {"default_model": "demo/count"}, "updated", ("echo", "count")),
    ("auto_router_rule", "/auto-router/{auto_router_id}/rules", RULE, "updated", ("[]", "demo/count")),
    ("auto_router_reorder", "/auto-router/{auto_router_id}/rules/reorder", {"rule_ids": ["rule_1"]}, "none", ("", "")),
    ("auto_router_rule_delete", "/auto-router/{auto_router_id}/rules/delete", {"id": "rule_1"}, "updated", ("demo/count", "[]")),
    ("auto_router_delete", "/auto-router/{auto_router_id}/delete", {}, "deleted", ("each", "")),
    (
        "providers_credentials", "/providers/credentials", {"variable": "GROQ_API_KEY", "value": "gsk-a-secret"}, "created",
        ("", "changed"),
    ),
]  # fmt: skip
"""An operation that changes what administrators have, a request of it, what is then said, and a part of what was and of what is."""
CHANGES_NOTHING = {"spend_calculate", "route_simulate", "auto_router_simulate", "providers_test"}
ELSEWHERE = {"batches_overview_cancel", "sign_in", "sign_in_callback", "sign_out"}
"""In test_batch_overview.py and test_sign_in.py."""


def test_each_administrative_change_leaves_an_entry(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom, before and after, and no secret."""
    monkeypatch.setattr(desk.gateway, "credentials", ProcessCredentials({}, {}, {}, tmp_path / ".env"))
    boss = desk.admin("/key/generate", key_alias="the boss of all", role="admin")["key"]
    names, secrets = {"key": "", "auto_router_id": ""}, ["gsk-a-secret", "hush"]
    for operation, path, body, said, (before, after) in CHANGING:
        filled = json.loads(json.dumps(body).replace("{key}", names["key"]))
        seen = {event["id"] for event in trail(desk, search="the boss of all", limit=100)}
        answer = desk.ask("POST", path.replace("{auto_router_id}", names["auto_router_id"]), filled, key=boss)
        assert answer.status_code == 200, (operation, answer.text)
        if said in names:
            names[said] = answer.json()["token_id" if said == "key" else said]
            secrets += [answer.json()["key"]] if said == "key" else []
        new = [event for event in trail(desk, search="the boss of all", limit=100) if event["id"] not in seen]
        if said == "none":  # an order that it has already
            assert new == []
            continue
        assert {event["changed_by"] for event in new} == {"the boss of all"}, operation
        action = said if said in ("updated", "deleted") else "created"
        assert any(
            event["action"] == action and before in str(event["before_value"]) and after in str(event["updated_values"])
            for event in new
        ), (operation, new)
    whole = json.dumps(trail(desk, search="the boss of all", limit=100))
    assert [secret for secret in secrets if secret in whole] == []


def test_every_operation_that_administrators_change_something_by_is_tried_above() -> None:
    changing = {route.operation for route in (*ROUTES, *LOCAL_ROUTES) if route.method != "GET"}
    every_keys = {name for name in changing if name in OPEN or name.startswith(OF_EVERY_KEY)} | MODEL_OPERATIONS.keys()
    assert {row[0] for row in CHANGING} == changing - every_keys - CHANGES_NOTHING - ELSEWHERE


def test_the_trail_has_pages_and_its_readers(desk: Desk) -> None:
    viewer = desk.admin("/key/generate", key_alias="auditor", role="viewer")["key"]
    own = desk.key(key_alias="developer")
    seen, cursor = [], ""
    while cursor is not None:
        page = desk.ask("GET", f"/audit?limit=1&cursor={cursor}".replace("#", "%23"), key=viewer).json()
        seen += page["data"]
        cursor = page["next_cursor"]
    assert [event["id"] for event in seen] == sorted((event["id"] for event in seen), reverse=True)
    assert {event["object_name"] for event in seen} >= {"auditor", "developer"}
    assert error_of(desk.ask("GET", "/audit", key=own)) == (403, "admin_only")


READS = ("/key/list", "/team/list", "/customer/list", "/spend/report", "/spend/logs", "/spend/keys", "/audit", "/auto-router/list")
WRITES = ("/key/generate", "/key/block", "/team/new", "/customer/new", "/auto-router/new")


@pytest.mark.parametrize("role", ["viewer", "user", "admin"])
def test_a_viewer_sees_all_and_changes_nothing(desk: Desk, role: str) -> None:
    key = desk.admin("/key/generate", key_alias=f"a {role}", role=role)["key"]
    assert desk.info(key)["role"] == role
    ours = ("/spend/report", "/spend/logs", "/spend/keys")
    for path in READS:
        sees = role != "user" or path in ours
        assert desk.ask("GET", path, key=key).status_code == (200 if sees else 403), path
    if role != "admin":
        for path in WRITES:
            assert error_of(desk.ask("POST", path, {"team_id": "t", "user_id": "u", "key": "x"}, key=key)) == (403, "admin_only")
    other = desk.key(key_alias=f"another than {role}")
    seen = desk.ask("GET", f"/key/info?key={desk.info(other)['token_id']}", key=key)
    assert seen.status_code == (403 if role == "user" else 200)


@pytest.fixture
def team(desk: Desk) -> dict[str, str]:
    """A team's administrator, a key of the team, another administrator in it, and a key of another team; by their tokens too."""
    for name, budget in (("led", 20), ("other", None)):
        desk.ask("POST", "/team/new", {"team_id": name, "max_budget": budget})
    made = {
        "boss": desk.admin("/key/generate", role="team_admin", team_id="led"),
        "member": desk.admin("/key/generate", team_id="led"),
        "peer": desk.admin("/key/generate", role="team_admin", team_id="led"),
        "stranger": desk.admin("/key/generate", team_id="other"),
        "alone": desk.admin("/key/generate"),
    }
    return {name: key["key"] for name, key in made.items()} | {f"{name}_id": key["token_id"] for name, key in made.items()}


MAY = {
    *(
        "key_generate",
        "key_update",
        "key_block",
        "key_unblock",
        "key_delete",
        "key_regenerate",
        "key_info",
        "key_list",
        "team_show",
    ),
    *(
        "spend_logs",
        "spend_report",
        "spend_keys",
        "spend_calculate",
        "generation",
        "refusals_list",
        "route_simulate",
        "generation_content",
    ),
}
"""What a key that administers a team may ask for, besides what models serve, as far as it is about its team."""
OPEN = {
    "console",
    "health",
    "index",
    "openapi",
    "docs",
    "metrics",
    "models_hub",
    "link_read",
    "link_write",
    "audio_uploads",
    *SIGN_IN,
}
"""What needs no key, or a secret of its own, or any key."""


OF_EVERY_KEY = ("responses_", "messages_", "models_", "gemini_", "files_", "uploads_", "batches_", "sign_in", "sign_out")
"""How the names of operations begin that every key may use, each for what is its own, or that need none."""


def test_a_teams_administrator_may_use_these_routes_and_no_others(desk: Desk, team: dict[str, str]) -> None:
    body = {"team_id": "led", "key": team["member_id"], "provider": "openai"}
    for route in (*ROUTES, *LOCAL_ROUTES):
        name = route.operation
        if name in MODEL_OPERATIONS or name in MAY | OPEN or name.startswith(OF_EVERY_KEY):
            continue
        for action in ("list", "info") if route.method == "GET" else ("new", "update", "delete", "block", "unblock"):
            path = route.template.replace("{action}", action).replace("{id}", "x") + ("?user_id=x" if route.method == "GET" else "")
            answer = desk.ask(route.method, path, body if route.method == "POST" else None, key=team["boss"])
            assert error_of(answer) == (403, "admin_only"), path
    assert desk.ask("GET", "/team/list", key=team["boss"]).status_code == 403
    assert desk.ask("GET", "/team/info?team_id=other", key=team["boss"]).status_code == 403


def test_a_teams_administrator_manages_the_ordinary_keys_of_its_team(desk: Desk, team: dict[str, str]) -> None:
    boss = team["boss"]

    def post(path: str, **body: object) -> tuple[int, dict]:
        answer = desk.ask("POST", f"/key/{path}", body, key=boss)
        return answer.status_code, answer.json()

    status, made = post("generate", key_alias="new one", max_budget=20)
    assert (status, made["team_id"], made["role"]) == (200, "led", "user")
    token = made["token_id"]
    assert post("generate", team_id="led", role="user")[0] == 200
    assert post("update", key=token, max_budget=3, rpm_limit=9)[1]["max_budget"] == 3
    assert [post(path, key=token)[0] for path in ("block", "unblock")] == [200, 200]
    renewed = post("regenerate", key=token)[1]["token_id"]
    assert post("delete", keys=[renewed])[0] == 200
    roles = [{"role": role} for role in ("admin", "team_admin", "viewer")]
    for fields in ({"team_id": "other"}, *roles, {"log_content": True}, {"metadata": {"log_content": True}}):
        assert post("generate", **fields)[0] == 403, fields
        assert post("update", key=team["member_id"], **fields)[0] == 403, fields
        assert post("regenerate", key=team["member_id"], **fields)[0] == 403, fields
    assert post("update", key=team["member_id"], team_id=None)[0] == 403, "it would leave the team"
    desk.admin("/key/update", key=team["member_id"], metadata={"log_content": True})
    assert post("update", key=team["member_id"], metadata={"a": 1})[1]["metadata"] == {"a": 1, "log_content": True}
    assert [post(path, key=team["member_id"], max_budget=20.5)[0] for path in ("generate", "update")][1] == 400
    assert post("generate", max_budget=20.5)[0] == 400
    for other in ("peer_id", "stranger_id", "alone_id"):
        for path in ("update", "block", "unblock", "regenerate", "delete"):
            assert post(path, key=team[other])[0] == 403, (other, path)
    assert {post(path, key=team["boss_id"])[0] for path in ("block", "delete", "regenerate")} == {400}, "nobody ends themselves"
    assert post("update", key=team["boss_id"], max_budget=1)[0] == 403
    assert post("delete", keys=[team["member_id"], team["alone_id"]])[0] == 403
    assert desk.info(team["member"])["blocked"] is False
    assert trail(desk, object_id=token)[0]["changed_by_api_key"] == team["boss_id"]
    desk.admin("/team/block", team_id="led")
    assert post("generate")[0] == 401, "of a team that is blocked"
    desk.admin("/team/unblock", team_id="led")


def test_a_teams_administrator_sees_its_team_and_nothing_else(desk: Desk, team: dict[str, str]) -> None:
    ours = {team["boss_id"], team["member_id"], team["peer_id"]}
    sent = {name: desk.chat(team[name], "demo/echo").headers["x-request-id"] for name in ("member", "stranger", "alone")}
    for name in sent:
        desk.settled(team[name])

    def get(path: str) -> dict:
        answer = desk.ask("GET", path, key=team["boss"])
        return {"status": answer.status_code, **answer.json()}

    assert ours <= set(get("/key/list?size=100")["keys"]) <= {key["token_id"] for key in get("/team/info")["keys"]}
    assert {row["team_id"] for row in get("/spend/keys")["data"]} == {"led"}
    assert {get(f"/key/info?key={team[f'{name}_id']}")["status"] for name in ("member", "peer")} == {200}
    assert {get(f"/key/info?key={team[f'{name}_id']}")["status"] for name in ("stranger", "alone")} == {403}
    assert [get(f"/generation?id={sent[name]}")["status"] for name in sent] == [200, 404, 404]
    assert [get(f"/spend/logs?key={team[f'{name}_id']}")["status"] for name in sent] == [200, 403, 403]
    assert [row["request_id"] for row in get(f"/spend/logs?key={team['member_id']}")["data"]] == [sent["member"]]
    assert get("/spend/logs")["data"] == [], "without a name it is about the key itself"
    assert [row["key"] for row in get("/spend/report?group_by=key")["data"]] == [team["member_id"]]
    outside = f"keys={team['stranger_id']},{team['alone_id']}"
    assert get(f"/spend/report?group_by=key&{outside}")["data"] == []
    assert [row["key"] for row in get(f"/spend/report?group_by=day,key&{outside},{team['member_id']}")["data"]] == [
        team["member_id"]
    ]
    assert {row["team_id" if "team_id" in row else "team"] for row in get("/spend/report?group_by=team")["data"]} == {"led"}
    for by in ("day", "model", "provider", "user", "tag"):
        assert get(f"/spend/report?group_by={by}")["total"]["requests"] == 0, by
        assert get(f"/spend/report?group_by={by}&key={team['stranger_id']}")["status"] == 403, by
    assert {row["key"] for row in get("/refusals").get("data", [])} <= {team["boss_id"]}


def test_a_teams_administrator_sees_the_requests_of_all_its_keys(desk: Desk, team: dict[str, str]) -> None:
    for name in ("boss", "member", "stranger"):
        assert desk.chat(team[name], "demo/echo").status_code == 200
        desk.settled(team[name])
    own, member, stranger = (team[f"{name}_id"] for name in ("boss", "member", "stranger"))

    def keys_of(query: str, by: str = "boss") -> set[str]:
        return {row["key"] for row in desk.ask("GET", f"/spend/logs?{query}", key=team[by]).json()["data"]} & made

    made = {own, member, stranger}

    assert keys_of("team=led") == keys_of("team_id=led&sort_by=spend") == {own, member}
    assert keys_of("") == keys_of(f"team=led&key={own}") == {own}
    assert keys_of(f"team=led&key={member}") == {member}
    assert keys_of("team=other") == keys_of("team=led", "stranger") == set()
    assert keys_of("team=other", "stranger") == {stranger}
    desk.admin("/team/update", team_id="led", team_alias="The led")
    [row] = desk.ask("GET", "/spend/report?group_by=team", key=team["boss"]).json()["data"]
    assert (row["team"], row["team_alias"]) == ("led", "The led")
    rows = desk.ask("GET", "/spend/report?group_by=team").json()["data"]
    assert {row["team"]: row["team_alias"] for row in rows}.items() >= {"led": "The led", "other": None}.items()
    listed = desk.ask("GET", "/key/list?return_full_object=true").json()["keys"]
    assert {row["team_alias"] for row in listed if row["team_id"] == "led"} == {"The led"}
    assert {row["team_alias"] for row in listed if row["team_id"] != "led"} == {None}


def test_a_teams_administrator_needs_a_team(desk: Desk) -> None:
    assert desk.ask("POST", "/key/generate", {"role": "team_admin"}).status_code == 400


def test_nobody_changes_their_own_role(desk: Desk) -> None:
    boss = desk.admin("/key/generate", role="admin")
    answer = desk.ask("POST", "/key/update", {"key": boss["token_id"], "role": "user"}, key=boss["key"])
    assert answer.status_code == 400
    assert desk.ask("POST", "/key/generate", {"role": "owner"}).status_code == 400


def test_a_rotated_key_is_taken_until_its_grace_period_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = desk.key(key_alias="rotating", max_budget=5)
    answer = desk.admin("/key/regenerate", key=first, grace_period="1h")
    second = answer["key"]
    assert answer["former_key_valid_until"]
    assert desk.chat(first, "demo/echo").status_code == desk.chat(second, "demo/echo").status_code == 200
    desk.settled(second)
    assert len(desk.records(second)) == 2, "both are charged to the one account"
    third = desk.admin("/key/regenerate", key=second, grace_period="2h")["key"]
    assert {desk.chat(key, "demo/echo").status_code for key in (first, second, third)} == {200}
    desk.admin("/key/block", key=third)
    assert error_of(desk.chat(first, "demo/echo")) == (401, "key_blocked")
    desk.admin("/key/unblock", key=third)
    now_s = time.time()
    monkeypatch.setattr("haimaker.accounts.cache.time.time", lambda: now_s + 3_700)
    assert error_of(desk.chat(first, "demo/echo"))[0] == 401
    assert desk.chat(second, "demo/echo").status_code == 200
    monkeypatch.undo()
    fourth = desk.admin("/key/regenerate", key=third)["key"]
    assert error_of(desk.chat(second, "demo/echo"))[0] == 401, "without a grace period it ends at once, with all that stood for it"
    assert desk.chat(fourth, "demo/echo").status_code == 200
