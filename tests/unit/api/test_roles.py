"""Who may ask for what: each operation of the gateway, by keys of every kind."""

import json
import time

import pytest

from haimaker.api.dispatch import CHANGING, HANDLERS, KEYLESS
from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.gateway import Gateway
from haimaker.http.values import JSON, Request
from haimaker.settings.settings import Settings

ADMIN = "sk-the-key-of-the-settings"
ACTIONS = {"team_change": "new", "team_show": "info", "end_user_change": "new", "end_user_show": "info"}
FOR_ADMINISTRATORS = CHANGING | {"auto_router_simulate", "providers_test", "providers_credentials", "batches_overview_cancel"}
FOR_READERS = {
    "audit_list",
    "auto_router_info",
    "batches_overview",
    "auto_router_list",
    "end_user_show",
    "key_list",
    "providers_list",
    "team_show",
}
OF_KEYS = {*HANDLERS, *MODEL_OPERATIONS} - KEYLESS


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    home = tmp_path_factory.mktemp("roles")
    return Gateway.local(Settings.from_environment({"HAIMAKER_HOME": str(home), "HAIMAKER_ADMIN_KEY": ADMIN}))


@pytest.fixture(scope="module")
def keys(gateway: Gateway) -> dict[str, str]:
    def change(operation: str, action: str = "", **body: object) -> JSON:
        answer = gateway.handle(operation, Request("r1", authorization(ADMIN), json.dumps(body).encode(), {"action": action}))
        assert answer.status == 200
        assert isinstance(answer.body, bytes)
        return json.loads(answer.body)

    for team in ("t", "blocked"):
        change("team_change", "new", team_id=team)
    limits: dict[str, JSON] = {"user": {}, "of a team": {"team_id": "t"}, "viewer": {"role": "viewer"}, "blocked": {}}
    limits |= {"of a blocked team": {"team_id": "blocked"}, "expired": {"duration": "1s"}, "deleted": {}}
    made = {name: change("key_generate", **fields)["key"] for name, fields in limits.items()}
    change("team_change", "block", team_id="blocked")
    change("key_block", key=made["blocked"])
    change("key_delete", keys=[made["deleted"]])
    return {**made, "nobody": "", "unknown": "sk-hm-nobody", "admin": ADMIN}


def authorization(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def status(gateway: Gateway, operation: str, key: str) -> int:
    path = {"id": "x", "action": ACTIONS.get(operation, "")}
    return gateway.handle(operation, Request("r1", authorization(key), b"{}", path)).status


@pytest.mark.parametrize("whose", ["nobody", "unknown", "blocked", "of a blocked team", "deleted", "expired"])
def test_who_may_do_nothing_may_do_nothing(
    gateway: Gateway, keys: dict[str, str], whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if whose == "expired":
        later_s = time.time() + 5
        monkeypatch.setattr(time, "time", lambda: later_s)
    assert {operation: found for operation in OF_KEYS if (found := status(gateway, operation, keys[whose])) != 401} == {}


@pytest.mark.parametrize(
    ("whose", "forbidden"),
    [
        ("user", FOR_ADMINISTRATORS | FOR_READERS),
        ("of a team", FOR_ADMINISTRATORS | FOR_READERS - {"team_show"}),
        ("viewer", FOR_ADMINISTRATORS),
        ("admin", frozenset()),
    ],
)
def test_a_role_may_do_what_it_may(gateway: Gateway, keys: dict[str, str], whose: str, forbidden: frozenset[str]) -> None:
    found = {operation: status(gateway, operation, keys[whose]) for operation in OF_KEYS}
    assert {operation for operation, told in found.items() if told == 403} == forbidden
    assert {operation: told for operation, told in found.items() if told in (401, 500)} == {}
