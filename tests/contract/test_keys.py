"""Keys as an administrator issues and manages them over HTTP, in LiteLLM's names, and as their owners meet the result."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from haimaker.accounts.keys import account_id_of, new_key
from haimaker.observability.observer import Observer
from tests.contract.money_support import ADMIN, MODEL, Desk, error_of, nanousd, serving, wait_until
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply

COST = 10 * 150 + 5 * 600
"""Of each answer that `upstream` gives, in nano-dollars."""
EVERY_FIELD = {
    "key_alias": "Zoë's key",
    "models": ["openai/gpt-4o-mini", "demo/*"],
    "max_budget": 0.25,
    "soft_budget": 0.2,
    "budget_duration": "30d",
    "duration": "4w",
    "rpm_limit": 60,
    "tpm_limit": 100_000,
    "max_parallel_requests": 4,
    "team_id": "blue",
    "user_id": "zoe",
    "tags": ["test", "paid"],
    "metadata": {"nested": {"list": [1, None, "ü"]}},
}
GONE = (401, "invalid_api_key")


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        upstream.answers(openai_wire.plays_openai())
        yield upstream


@pytest.fixture
def desk(tmp_path, upstream):
    with serving(tmp_path, upstream) as desk:
        for team in ("blue", "t"):
            desk.admin("/team/new", team_id=team)
        yield desk


def seconds_until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)) / timedelta(seconds=1)


def test_a_key_has_what_it_was_given(desk: Desk):
    made = desk.admin("/key/generate", **EVERY_FIELD)
    info = desk.info(made["key"])
    assert made == {"key": made["key"], **info}
    kept = {
        name: value
        for name, value in EVERY_FIELD.items()
        if name not in ("budget_duration", "duration", "max_budget", "soft_budget")
    }
    assert kept.items() <= info.items()
    assert (info["max_budget"], info["soft_budget"], info["budget_duration"]) == (Decimal("0.25"), Decimal("0.2"), "30d")
    assert (info["blocked"], info["role"]) == (False, "user")
    assert seconds_until(info["expires"]) == pytest.approx(28 * 86_400, abs=10)
    assert seconds_until(info["budget_reset_at"]) == pytest.approx(30 * 86_400, abs=10)
    assert made["key"] not in info["key_name"]
    assert info["token_id"] == digest(made["key"])


def test_a_key_without_fields_has_no_limits(desk: Desk):
    info = desk.info(desk.key())
    unlimited = ("max_budget", "budget_duration", "budget_reset_at", "expires", "rpm_limit", "tpm_limit", "max_parallel_requests")
    assert {name: info[name] for name in unlimited} == dict.fromkeys(unlimited)
    assert (info["models"], info["tags"], info["metadata"], info["spend"]) == ([], [], {}, 0)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({}, {"max_budget": 5}, {"max_budget": 5}),
        ({"max_budget": 1}, {"max_budget": 0.5}, {"max_budget": Decimal("0.5")}),
        ({"max_budget": 1}, {"max_budget": None}, {"max_budget": None}),
        ({"max_budget": 1}, {"key_alias": "b"}, {"max_budget": 1, "key_alias": "b"}),
        ({"max_budget": 1, "budget_duration": "1d"}, {"budget_duration": None}, {"budget_duration": None, "budget_reset_at": None}),
        ({"max_budget": 1, "budget_duration": "1d"}, {"budget_duration": "60m"}, {"budget_duration": "1h"}),
        ({"duration": "1h"}, {"duration": "-1"}, {"expires": None}),
        ({"duration": "1h"}, {"duration": None}, {"expires": None}),
        ({"rpm_limit": 5}, {"rpm_limit": None, "tpm_limit": 7}, {"rpm_limit": None, "tpm_limit": 7}),
        ({"max_parallel_requests": 5}, {"max_parallel_requests": 6}, {"max_parallel_requests": 6}),
        ({"models": ["openai/*"]}, {"models": []}, {"models": []}),
        ({"models": ["openai/*"]}, {"models": None}, {"models": []}),
        ({"models": ["openai/*"]}, {"models": ["demo/echo"]}, {"models": ["demo/echo"]}),
        ({"tags": ["a"], "metadata": {"a": 1}}, {"tags": None, "metadata": None}, {"tags": [], "metadata": {}}),
        ({"key_alias": "a", "team_id": "t"}, {"key_alias": None, "team_id": None}, {"key_alias": None, "team_id": None}),
    ],
    ids=lambda fields: ",".join(fields) or "none",
)
def test_an_update_changes_what_it_names_and_keeps_the_spend(desk: Desk, before, change, after):
    key = desk.key(**before)
    assert desk.chat(key).status_code == 200
    old = desk.info(key)
    told = desk.admin("/key/update", key=key, **change)
    new = desk.info(key)
    assert told == {"key": key, **new}
    assert after.items() <= new.items()
    moved = {*after, "budget_reset_at"}
    restarts = change.get("budget_duration") is not None  # another window begins, in which nothing is spent
    moved |= {"spend"} if restarts else set()
    assert {name: new[name] for name in new if name not in moved} == {name: old[name] for name in old if name not in moved}
    assert desk.money(key) == (0 if restarts else COST, 0, COST)


@pytest.mark.parametrize(
    ("change", "fields", "refused", "undo", "undoing"),
    [
        ("block", {}, (401, "key_blocked"), "unblock", {}),
        ("update", {"duration": "1s"}, (401, "key_expired"), "update", {"duration": "-1"}),
        ("update", {"models": ["demo/*"]}, (403, "model_not_allowed"), "update", {"models": None}),
        ("update", {"models": ["demo/*"]}, (403, "model_not_allowed"), "update", {"models": ["demo/*", MODEL]}),
        ("update", {"rpm_limit": 0}, (429, "rate_limit_exceeded"), "update", {"rpm_limit": 100}),
        ("update", {"max_budget": 0}, (402, "budget_exceeded"), "update", {"max_budget": 1}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_a_change_holds_for_the_very_next_request(desk: Desk, change, fields, refused, undo, undoing):
    key = desk.key()
    assert desk.chat(key).status_code == 200
    desk.admin(f"/key/{change}", key=key, **fields)
    if "duration" in fields:
        wait_until(lambda: desk.chat(key).status_code != 200)
    assert [error_of(desk.chat(key)) for _ in range(2)] == [refused] * 2
    desk.admin(f"/key/{undo}", key=key, **undoing)
    assert desk.chat(key).status_code == 200


def test_a_deleted_key_is_gone_and_its_usage_stays(desk: Desk):
    key, other, kept = desk.key(), desk.key(), desk.key()
    assert desk.chat(key).status_code == 200
    assert error_of(desk.ask("POST", "/key/delete", {"keys": [key, new_key()]})) == (404, "key_not_found")
    assert desk.chat(key).status_code == 200, "nothing is deleted if one is unknown"
    assert desk.admin("/key/delete", keys=[key, other])["deleted_keys"] == [key, other]
    assert [error_of(desk.chat(gone)) for gone in (key, other)] == [GONE] * 2
    assert error_of(desk.ask("GET", f"/key/info?key={key}")) == (404, "key_not_found")
    assert [record.cost_nanousd for record in desk.records(key)] == [COST] * 2
    assert desk.chat(kept).status_code == 200


def test_a_regenerated_key_goes_on_where_the_old_one_was(desk: Desk):
    old = desk.key(**EVERY_FIELD)
    assert desk.chat(old).status_code == 200
    before = desk.info(old)
    made = desk.admin("/key/regenerate", key=old)
    new = made["key"]
    assert error_of(desk.chat(old)) == GONE
    identity = ("token_id", "key_name")
    assert {**desk.info(new), **{name: before[name] for name in identity}} == before
    assert desk.chat(new).status_code == 200
    assert desk.money(new) == (2 * COST, 0, 2 * COST)
    newer = desk.admin("/key/regenerate", key=new, max_budget=None, rpm_limit=9)["key"]
    assert {"max_budget": None, "rpm_limit": 9, "key_alias": "Zoë's key"}.items() <= desk.info(newer).items()


def test_two_keys_are_not_called_the_same(desk: Desk):
    """Nor two teams; several end users may be."""
    taken = (400, "alias_taken")
    key, other = desk.key(key_alias="ada's"), desk.key(key_alias="bob's")
    answer = desk.ask("POST", "/key/generate", {"key_alias": "ada's"})
    assert (error_of(answer), answer.json()["error"]["param"]) == (taken, "key_alias")
    for path in ("update", "regenerate"):
        assert error_of(desk.ask("POST", f"/key/{path}", {"key": other, "key_alias": "ada's"})) == taken
    assert desk.admin("/key/update", key=key, key_alias="ada's", max_budget=3)["max_budget"] == 3, "it is its own"
    assert desk.chat(other).status_code == 200, "a name that is refused changes nothing"
    renewed = desk.admin("/key/regenerate", key=key, grace_period="1h")["key"]
    assert desk.info(renewed)["key_alias"] == "ada's"
    assert error_of(desk.ask("POST", "/key/generate", {"key_alias": "ada's"})) == taken
    desk.admin("/key/update", key=renewed, key_alias="carol")
    desk.admin("/key/update", key=other, key_alias="ada's")
    desk.admin("/key/delete", keys=[renewed])
    assert desk.key(key_alias="carol") != renewed
    desk.admin("/team/new", team_id="a", team_alias="carol")
    for path, team_id, expected in (
        ("new", "a", (409, "conflict")),
        ("new", "b", taken),
        ("new", "c", None),
        ("update", "c", taken),
    ):
        alias = {} if expected is None else {"team_alias": "carol"}
        answer = desk.ask("POST", f"/team/{path}", {"team_id": team_id, **alias})
        assert answer.status_code == 200 if expected is None else error_of(answer)[0] == expected[0], (path, answer.text)
    desk.admin("/team/delete", team_ids=["a"])
    desk.admin("/team/update", team_id="c", team_alias="carol")
    for name in ("1", "2"):
        desk.admin("/customer/new", user_id=name, alias="carol")
    events = desk.ask("GET", "/audit?limit=100").json()["data"]
    assert {event["table_name"] for event in events} == {"key", "team", "user"}


def test_of_many_who_want_a_name_one_gets_it(desk: Desk):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: desk.ask("POST", "/key/generate", {"key_alias": "one"}), range(8)))
    assert sorted(answer.status_code for answer in made) == [200] + [400] * 7


def test_what_a_regenerated_key_holds_counts_as_spent(desk: Desk, upstream: FakeUpstream):
    gate = upstream.gate()
    upstream.answers(Reply.json(200, openai_wire.completion()).after(gate))
    old = desk.key(max_budget=1, budget_duration="1h")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(desk.chat, old, max_tokens=64)
        upstream.wait_for_calls(1)
        held, resets = desk.money(old)[1], desk.info(old)["budget_reset_at"]
        new = desk.admin("/key/regenerate", key=old)["key"]
        gate.open()
        assert answer.result().status_code == 200
    assert held > COST
    assert desk.money(new) == (held, 0, held)
    assert desk.info(new)["budget_reset_at"] == resets


def test_a_key_is_regenerated_once_by_many(desk: Desk):
    """Two successors with what is left of one budget would have it twice."""
    old = desk.key(max_budget=1)
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: desk.ask("POST", "/key/regenerate", {"key": old}), range(8)))
    made = [response.json()["key"] for response in responses if response.status_code == 200]
    assert len(made) == 1
    assert {response.status_code for response in responses} <= {200, 404, 409}
    listed = desk.ask("GET", "/key/list").json()["keys"]
    assert sorted(listed) == sorted([digest(ADMIN), digest(made[0])])


def test_info_is_for_the_owner_and_the_administrator(desk: Desk):
    key, other = desk.key(key_alias="mine"), desk.key()
    token = digest(key)
    own = desk.ask("GET", "/key/info", key=key).json()
    assert (own["key"], own["info"]["key_alias"]) == (token, "mine")
    for named in (key, token):
        for asker in (key, ADMIN):
            told = desk.ask("GET", f"/key/info?key={named}", key=asker).json()
            assert told == {"key": named, "info": own["info"]}
        assert error_of(desk.ask("GET", f"/key/info?key={named}", key=other)) == (403, "admin_only")
    assert desk.ask("GET", "/key/info").json()["info"]["role"] == "admin"
    assert error_of(desk.ask("GET", f"/key/info?key={new_key()}")) == (404, "key_not_found")
    desk.admin("/key/block", key=token)
    assert error_of(desk.ask("GET", "/key/info", key=key)) == (401, "key_blocked")


def test_the_list_comes_in_pages_and_shows_no_key(desk: Desk):
    tokens = [account_id_of(desk.key(key_alias=f"number {number}")).removeprefix("key#") for number in range(5)]
    listed = [desk.ask("GET", f"/key/list?page={page}&size=4").json() for page in (1, 2, 3)]
    assert {token for page in listed for token in page["keys"]} >= set(tokens)
    assert [len(page["keys"]) for page in listed] == [4, 2, 0]
    assert [(page["total_count"], page["current_page"], page["total_pages"]) for page in listed] == [(6, n, 2) for n in (1, 2, 3)]
    full = desk.ask("GET", "/key/list?return_full_object=true").json()["keys"]
    assert [told["key_alias"] for told in full if told["role"] == "user"] == [
        f"number {tokens.index(told['token_id'])}" for told in full if told["role"] == "user"
    ]
    for query in ("page=0", "page=x", "size=-1", "size=", "page=1e3"):
        assert desk.ask("GET", f"/key/list?{query}").status_code == 400, query


ADMINISTRATION = ["generate", "update", "block", "unblock", "delete", "regenerate"]


@pytest.mark.parametrize("operation", [*ADMINISTRATION, "list"])
def test_an_ordinary_key_administrates_nothing(desk: Desk, operation):
    key = desk.key()
    before = desk.info(key)
    method, body = ("GET", None) if operation == "list" else ("POST", {"key": key})
    assert error_of(desk.ask(method, f"/key/{operation}", body, key=key)) == (403, "admin_only")
    assert error_of(desk.ask(method, f"/key/{operation}", body, key=None)) == (401, "missing_api_key")
    assert error_of(desk.ask(method, f"/key/{operation}", body, key="sk-hm-junk")) == GONE
    assert error_of(desk.ask(method, f"/key/{operation}", body, key=new_key())) == GONE
    assert desk.info(key) == before


END = {"block": {}, "delete": {}, "regenerate": {}, "update": {"duration": "1s"}}


@pytest.mark.parametrize("operation", END)
def test_an_administrator_cannot_end_its_own_key(desk: Desk, operation):
    for named in (ADMIN, digest(ADMIN)):
        assert desk.ask("POST", f"/key/{operation}", {"key": named, **END[operation]}).status_code == 400
    assert desk.key()


def test_a_key_that_expired_tells_nothing(desk: Desk):
    key = desk.key(duration="1s", max_budget=1, budget_duration="1s")
    wait_until(lambda: desk.chat(key, "demo/echo").status_code != 200)
    assert error_of(desk.ask("GET", "/key/info", key=key)) == (401, "key_expired")
    assert error_of(desk.ask("GET", "/models", key=key)) == (401, "key_expired")


def test_a_key_is_shown_once_and_kept_nowhere(desk: Desk, tmp_path: Path, caplog, capsys):
    desk.gateway.observer = Observer()  # which writes to what is standard error now
    keys = [desk.key(key_alias="a"), desk.key()]
    keys.append(desk.admin("/key/regenerate", key=keys[1])["key"])
    assert [desk.chat(key).status_code for key in keys] == [200, 401, 200]
    told = [
        desk.ask("GET", path).text
        for path in ("/key/list?return_full_object=true", "/key/list", f"/key/info?key={digest(keys[0])}")
    ]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(digest(keys[0]).encode() in content for content in kept)
    logged = "".join(str(vars(line)) for line in caplog.records) + capsys.readouterr().err
    assert "gen_ai.request.model" in logged
    for key in (*keys, "sk-upstream"):
        assert not any(key.encode() in content for content in kept)
        assert not any(key in text for text in (*told, logged))


def digest(key: str) -> str:
    return account_id_of(key).removeprefix("key#")


def test_a_restart_keeps_keys_and_usage(tmp_path, upstream):
    with serving(tmp_path, upstream) as desk:
        desk.admin("/team/new", team_id=EVERY_FIELD["team_id"])
        key = desk.key(**EVERY_FIELD)
        assert desk.chat(key).status_code == 200
        before, records = desk.info(key), desk.records(key)
    with serving(tmp_path, upstream) as desk:
        assert (desk.info(key), desk.records(key)) == (before, records)
        assert desk.chat(key).status_code == 200
        assert desk.money(key) == (2 * COST, 0, 2 * COST)
        assert desk.info(key)["spend"] == 2 * before["spend"]
        assert nanousd(before["spend"]) == COST


def test_gateways_on_one_store_have_admin_keys_of_their_own(tmp_path, upstream):
    with serving(tmp_path, upstream) as first, serving(tmp_path, upstream, HAIMAKER_ADMIN_KEY="another one") as second:
        for _ in range(2):
            for desk, own, other in ((first, ADMIN, "another one"), (second, "another one", ADMIN)):
                assert desk.ask("GET", "/key/list", key=own).status_code == 200
                assert desk.chat(own).status_code == 200
                assert error_of(desk.ask("GET", "/key/list", key=other)) == GONE
                assert error_of(desk.chat(other)) == GONE


def test_only_the_admin_key_of_the_settings_counts(tmp_path, upstream):
    with serving(tmp_path, upstream) as desk:
        key = desk.key()
    with serving(tmp_path, upstream, HAIMAKER_ADMIN_KEY="another one") as desk:
        assert error_of(desk.ask("GET", "/key/list")) == GONE
        assert error_of(desk.chat(ADMIN)) == GONE
        assert desk.ask("GET", "/key/list", key="another one").status_code == 200
        assert desk.chat(key).status_code == 200
    with serving(tmp_path, upstream, HOST="0.0.0.0") as desk:
        for asker in (ADMIN, "another one"):
            assert error_of(desk.ask("GET", "/key/list", key=asker)) == GONE
            assert desk.chat(asker).status_code == 401
        assert desk.chat(key).status_code == 200
    with serving(tmp_path, upstream) as desk:
        assert desk.ask("GET", "/key/list").status_code == 200
        assert desk.ask("GET", "/key/list", key="another one").status_code == 401
