"""Files of earlier releases, served by this one: nothing is lost, sums are equal, keys go on working.

Each file of `upgrades/` is what a gateway of that time had in its SQLite file, as text: made by its own code over HTTP, with keys,
a team, an end user, limits of a model, an auto-router, changes by an administrator, a batch, requests that went well and that
failed, as far as it had them, and killed while one more was under way. Its keys are replaced by those below.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from haimaker.store.sqlite_schema import SCHEMA_VERSION
from tests.contract.money_support import Desk, error_of, exact_json, nanousd, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai

FILES = sorted((Path(__file__).parent / "upgrades").glob("*.sql"))
ADA = "sk-hm-adaadaadaadaadaadaadaadaadaadaadaadaadaadaa2WviVK"
EVE = "sk-hm-eveeveeveeveeveeveeveeveeveeveeveeveeveevee4f3vGz"
SPAN = "start_date=2026-11-28&end_date=2026-12-01"


def test_there_is_a_file_of_each_version() -> None:
    assert {int(file.stem.split("-")[1]) for file in FILES} == {*range(1, SCHEMA_VERSION + 1)}


def rows(desk: Desk, path: str) -> list[dict[str, object]]:
    """All pages."""
    found, cursor = [], ""
    while True:
        answer = desk.ask("GET", f"{path}?{SPAN}&limit=4{cursor}")
        assert answer.status_code == 200, answer.text
        page = exact_json(answer)
        found += page["data"]
        if not page["has_more"]:
            return found
        cursor = f"&cursor={quote(page['next_cursor'])}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_an_earlier_release_has_all_that_it_had(tmp_path: Path, upstream: FakeUpstream, file: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "haimaker.sqlite")) as old:
        old.executescript(file.read_text("utf-8"))
        assert old.execute("PRAGMA user_version").fetchone() == (int(file.stem.split("-")[1]),)
        spent = dict(old.execute("SELECT id, total_spend FROM accounts"))
        kept = {row[0]: row[1:] for row in old.execute("SELECT id, account_id, status, cost_nanousd FROM records")}
        [(payer, lost, hold)] = old.execute("SELECT account_id, request_id, hold FROM holds")
        has_documents = old.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'documents'").fetchone()[0]
        kinds = Counter(kind for (kind,) in old.execute("SELECT kind FROM documents")) if has_documents else Counter()
    held = int(hold.split()[1]) if hold[0] != "[" else 0
    assert held > 0, hold
    with serving(tmp_path, upstream) as desk:
        logs = rows(desk, "/spend/logs")
        assert {row["request_id"]: (f"key#{row['key']}", row["status"], nanousd(row["spend"])) for row in logs} == {
            **kept,
            lost: (payer, "lost", held),
        }
        after = {account: spent[account] + (held if account == payer else 0) for account in spent}
        for account, total in after.items():
            balance = desk.gateway.store.get(account)
            assert balance, account
            assert (balance.total_spend_nanousd, balance.held_nanousd) == (total, 0), account
        keys = exact_json(desk.ask("GET", "/key/list?size=100&return_full_object=true"))["keys"]
        assert {(f"key#{key['token_id']}", nanousd(key["total_spend"])) for key in keys} == {
            (account, total) for account, total in after.items() if account.startswith("key#")
        }
        report = exact_json(desk.ask("GET", f"/spend/report?group_by=key&{SPAN}"))
        assert nanousd(report["total"]["spend"]) == sum(total for account, total in after.items() if account.startswith("key#"))
        audit = [kind for kind in kinds.elements() if kind.startswith("audit ")]
        assert len(rows(desk, "/audit")) == len(audit)
        routers = exact_json(desk.ask("GET", "/auto-router/list"))["routers"]
        assert len(routers) == kinds["router"]
        upstream.answers(plays_openai("hi"))
        before = desk.info(ADA)["total_spend"]
        assert desk.chat(ADA, "openai/gpt-4o-mini", max_tokens=20).status_code == 200
        assert desk.info(ADA)["total_spend"] > before
        batches = exact_json(desk.ask("GET", "/batches", key=ADA))["data"]
        assert [batch["status"] for batch in batches] == ["completed"] * len(batches)
        assert len(batches) == sum(count for kind, count in kinds.items() if kind.startswith("batches#"))
        if any(key["key_alias"] == "eve" for key in keys):
            assert error_of(desk.chat(EVE, "demo/echo")) == (401, "key_blocked")
