"""Keys of another gateway: taken over by their hash, with budgets and spend; and what a made-up key costs meanwhile."""

import csv
import io
import json
from decimal import Decimal
from hashlib import sha256

import pytest

from haimaker.accounts import cache as account_cache
from haimaker.accounts.cache import AccountCache
from haimaker.http.errors import AuthenticationError
from haimaker.store import StoreUnavailable
from local.command_line.__main__ import main
from local.command_line.litellm_accounts import KEYS, TEAMS, convert
from tests.contract.money_support import ADMIN, Desk, serving
from tests.support.fake_upstream import FakeUpstream

SECRET = "sk-1f2e3d4c5b6a"
LATER = "2099-01-01 00:00:00"


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


@pytest.fixture
def fresh(tmp_path, upstream: FakeUpstream):
    """A gateway that has imported nothing yet."""
    with serving(tmp_path, upstream) as desk:
        yield desk


def test_an_imported_key_works_with_what_is_left_of_its_budget(fresh: Desk) -> None:
    team = {"team_id": "t-1", "team_alias": "Research", "max_budget": 50.0, "spend": 7.5}
    key = {
        "token": digest(SECRET), "key_name": "sk-...5b6a", "key_alias": "app", "team_id": "t-1", "models": ["demo/*"],
        "max_budget": 2.0, "spend": 1.25, "budget_duration": "30d", "budget_reset_at": LATER, "rpm_limit": 100,
    }  # fmt: skip
    told = fresh.admin("/key/import", teams=[team], keys=[key])
    assert told == {"imported": {"teams": ["t-1"], "keys": [digest(SECRET)]}, "left_out": [], "renamed": []}
    info = fresh.info(SECRET)
    assert (info["key_alias"], info["spend"], info["total_spend"], info["max_budget"]) == (
        "app",
        Decimal("1.25"),
        Decimal("1.25"),
        2,
    )
    assert (info["budget_reset_at"], info["team_id"], info["key_name"]) == ("2099-01-01T00:00:00+00:00", "t-1", "sk-...5b6a")
    assert fresh.ask("GET", "/team/info?team_id=t-1").json()["team_info"]["spend"] == 7.5
    assert fresh.chat(SECRET, "demo/echo").status_code == 200
    assert fresh.chat(SECRET, "openai/gpt-4o-mini").json()["error"]["code"] == "model_not_allowed"
    fresh.admin("/key/update", key=SECRET, models=[], max_budget=1.25)
    assert fresh.chat(SECRET, "openai/gpt-4o-mini").status_code == 402, "what was spent there counts here"
    events = fresh.ask("GET", "/audit").json()["data"]
    assert {event["operation"] for event in events} == {"imports.import_accounts", "keys.update"}
    assert SECRET not in json.dumps(events)


LEFT_OUT = [
    ({"token": SECRET}, "token", "SHA-256"),
    ({"token": digest("a"), "team_id": "nobody"}, "team_id", "no such team"),
    ({"token": digest("a"), "role": "admin"}, "key", "field that no imported key has"),
    ({"token": digest("a"), "spend": -1}, "spend", "no amount"),
    ({"token": digest("a"), "spend": "1"}, "spend", "no amount"),
    ({"token": digest("a"), "expires": "soon"}, "expires", "no moment"),
    ({"token": digest("a"), "colour": "red"}, "colour", "Unknown parameter"),
    ({"token": digest(ADMIN)}, None, "here already"),
    ("nonsense", None, "no object"),
]


@pytest.mark.parametrize(("row", "param", "why"), LEFT_OUT, ids=lambda value: str(value)[:30])
def test_what_can_not_be_taken_is_told_and_the_rest_is_taken(fresh: Desk, row: object, param: str | None, why: str) -> None:
    told = fresh.admin("/key/import", keys=[row, {"token": digest("good")}])
    assert told["imported"]["keys"] == [digest("good")]
    [left_out] = told["left_out"]
    assert (left_out["param"], why in left_out["why"]) == (param, True), left_out


def test_a_name_that_another_has_gets_the_beginning_of_the_id_behind_it(fresh: Desk) -> None:
    """A key that is left out would be of no use to its people."""
    fresh.admin("/team/new", team_id="here", team_alias="Research")
    teams = [{"team_id": "abc", "team_alias": "Research"}, {"team_id": "def", "team_alias": "Support"}]
    keys = [{"token": digest(name), "key_alias": "app", "team_id": "abc"} for name in ("one", "two", "one")]
    told = fresh.admin("/key/import", teams=teams, keys=keys)
    assert told["imported"] == {"teams": ["abc", "def"], "keys": [digest("one"), digest("two")]}
    assert [row["id"] for row in told["left_out"]] == [digest("one")]
    expected = [("teams", "abc", "Research", "Research (abc)"), ("keys", digest("two"), "app", f"app ({digest('two')[:8]})")]
    assert [tuple(row.values()) for row in told["renamed"]] == expected
    shown = fresh.ask("GET", f"/key/info?key={digest('two')}").json()["info"]
    assert (shown["key_alias"], shown["spend"]) == (expected[1][3], 0)


def test_who_may_import_and_how_much(fresh: Desk) -> None:
    assert fresh.ask("POST", "/key/import", {"keys": [{}]}, key=fresh.key()).status_code == 403
    for body in ({}, {"keys": []}, {"keys": "x"}, {"keys": [{}] * 501}):
        assert fresh.ask("POST", "/key/import", body).status_code == 400


class CountedStore:
    """A store whose reads are counted, and that fails if it is told to."""

    def __init__(self, store) -> None:
        self.store, self.reads, self.fails = store, [], False

    @property
    def documents(self):
        return self

    def get(self, *what):
        self.reads.append(what)
        if self.fails:
            raise StoreUnavailable("It is away.")
        return (self.store.documents if len(what) == 2 else self.store).get(*what)


def test_a_made_up_key_is_looked_up_only_where_keys_were_imported(fresh: Desk, monkeypatch) -> None:
    store = CountedStore(fresh.gateway.store)
    accounts = AccountCache(store)
    now_s = [1_000.0]
    monkeypatch.setattr(account_cache.time, "monotonic", lambda: now_s[0])

    def refused(key: str) -> None:
        with pytest.raises(AuthenticationError):
            accounts.authenticate({"authorization": f"Bearer {key}"})

    store.fails = True
    refused("sk-junk")
    assert len(store.reads) == 1, "a store that fails has no say in what is junk"
    store.fails = False
    for number in range(50):
        refused(f"sk-junk-{number}")
    assert len(store.reads) == 1
    fresh.admin("/key/import", keys=[{"token": digest(SECRET)}])
    now_s[0] += account_cache.NO_IMPORTS_S
    assert accounts.authenticate({"authorization": f"Bearer {SECRET}"}).id == f"key#{digest(SECRET)}"
    reads = len(store.reads)
    for _ in range(50):
        refused("sk-junk")
    assert len(store.reads) == reads + 1
    now_s[0] += account_cache.REFUSED_S
    refused("sk-junk")
    assert len(store.reads) == reads + 2


ROWS = [
    ({"token": "t", "models": "{gpt-4o,\"azure/my model\"}"}, KEYS, {"token": "t", "models": ["gpt-4o", "azure/my model"]}, []),
    ({"token": "t", "models": "{}", "spend": "0.000123", "blocked": "f", "metadata": "{}"}, KEYS,
     {"token": "t", "spend": 0.000123, "blocked": False}, []),
    ({"token": "t", "models": "{all-team-models}", "tpm_limit": "1000", "expires": LATER}, KEYS,
     {"token": "t", "tpm_limit": 1000, "expires": LATER}, []),
    ({"token": "t", "models": "{no-default-models}"}, KEYS, {"token": "t", "blocked": True}, ["it may use none"]),
    ({"token": "t", "model_max_budget": '{"a": {"budget_limit": 1}}', "permissions": '{"x": 1}'}, KEYS,
     {"token": "t", "model_max_budget": {"a": {"budget_limit": 1}}}, ["permissions of a key"]),
    ({"token": "t", "metadata": '{"model_rpm_limit": {"a": 5}, "b": 1}'}, KEYS,
     {"token": "t", "model_rpm_limit": {"a": 5}, "metadata": {"b": 1}}, []),
    ({"token": "t", "rpm_limit": "many"}, KEYS, {"token": "t"}, ["rpm_limit is not of its type"]),
    ({"team_id": "x", "team_alias": "X", "budget_duration": "30d", "members_with_roles": '[{"role": "admin"}]'}, TEAMS,
     {"team_id": "x", "team_alias": "X", "budget_duration": "30d"}, ["members of a team are its keys"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "table", "fields", "differences"), ROWS)
def test_rows_as_postgresql_writes_them(row, table, fields, differences) -> None:
    told: list[str] = []
    assert convert(row, table, told) == fields
    assert len(told) == len(differences)
    assert all(part in said for part, said in zip(differences, told, strict=True))


def test_the_command_imports_tables_and_can_be_run_again(fresh: Desk, tmp_path, monkeypatch, capsys) -> None:
    def table(name: str, *rows: dict) -> str:
        written = io.StringIO()
        writer = csv.DictWriter(written, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        (tmp_path / name).write_text(written.getvalue())
        return str(tmp_path / name)

    teams = table("teams.csv", {"team_id": "t-1", "team_alias": "R", "spend": "1", "guardrails": "{x}"})
    key = {"token": digest(SECRET), "team_id": "t-1", "max_budget": "5", "spend": "0.5", "models": "{demo/echo}"}
    keys = table("keys.csv", key, key | {"token": digest("other"), "team_id": "gone"})
    monkeypatch.setenv("HAIMAKER_URL", fresh.url)
    monkeypatch.setenv("HAIMAKER_KEY", ADMIN)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["haimaker", "import", "litellm", "--teams", teams, "--keys", keys, *words])
        status = main()
        return status, "".join(capsys.readouterr())

    assert run("--check")[0] == 0
    assert fresh.chat(SECRET, "demo/echo").status_code == 401
    fresh.gateway.accounts._ask_again_s = 0.0  # a minute later
    status, told = run()
    assert status == 1
    assert "guardrails: there are no guardrails here" in told
    assert f"left out keys {digest('other')[:12]}: There is no such team." in told
    assert fresh.chat(SECRET, "demo/echo").status_code == 200
    assert "It is here already." in run()[1]
