"""What a view asks for is saved as CSV, all pages of it."""

import csv

from tests.console.conftest import Console
from tests.contract.money_support import ADMIN, Desk


def test_requests_and_keys_are_saved_as_csv(console: Console, desk: Desk) -> None:
    made = desk.admin("/key/generate", key_alias='=SUM(1), "x"', models=["demo/*"], tags=["a", "b"])
    for _ in range(103):
        assert desk.chat(made["key"], "demo/echo").status_code == 200
    page = console.sign_in(view=f"requests?key={made['token_id']}")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Export").click()
    assert saving.value.suggested_filename == "requests.csv"
    rows = list(csv.DictReader(saving.value.path().read_text("utf-8").splitlines()))
    logs = desk.ask("GET", f"/spend/logs?key={made['token_id']}&limit=100", key=ADMIN).json()["data"]
    assert len(rows) == 103
    assert [row["request_id"] for row in rows[:100]] == [row["request_id"] for row in logs]
    assert {(row["key_alias"], row["status"], row["spend"], row["tags"]) for row in rows} == {
        ("'" + '=SUM(1), "x"', "ok", "0", " ".join(logs[0]["tags"]))
    }
    page.evaluate("location.hash = '#/keys?search=SUM'")
    page.get_by_role("button", name="New key").wait_for()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Export").click()
    [key] = csv.DictReader(saving.value.path().read_text("utf-8").splitlines())
    assert (key["token_id"], key["tags"], key["models"]) == (made["token_id"], "a b", "demo/*")
    assert made["key"] not in saving.value.path().read_text("utf-8")
