"""Who changed what, who may see what, and keys that are rotated with a grace period."""

import json
import time

import pytest

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
    other = desk.key(key_alias="other")
    seen = desk.ask("GET", f"/key/info?key={desk.info(other)['token_id']}", key=key)
    assert seen.status_code == (403 if role == "user" else 200)


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
