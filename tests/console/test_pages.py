"""The console in a real browser: every view, as an administrator and as the holder of a key."""

import json
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from haimaker.store import Record
from scripts import console_screenshots
from tests.console.conftest import Console
from tests.contract.money_support import ADMIN, Desk, error_of
from tests.support import node_packages
from tests.support.openai_wire import error, plays_openai
from tests.support.reply import Reply

SCRIPT = "<img src=x onerror='document.title=1'>"
CLOSES_AND_DRAWS = """() => {
  document.querySelector("dialog").close();
  document.querySelector("main select").dispatchEvent(new Event("change"));
}"""
"""As Escape does; and before the page is told of it, it is drawn anew, since something was asked for."""
UNNAMED = """[...document.querySelectorAll('input, select, textarea, button')]
    .filter((found) => !(found.labels?.length || found.ariaLabel || found.innerText)).map((found) => found.outerHTML)"""
WIDER = """(() => {
  const { right } = document.querySelector(".heading").getBoundingClientRect();
  return [...document.querySelectorAll("main table, main .panel, main .filters")]
    .filter((found) => found.getBoundingClientRect().right > right + 1).map((found) => found.outerHTML.slice(0, 80));
})()"""
"""Than the view's heading."""
VIEWS = ("spend", "keys", "payers", "requests", "batches", "providers", "routing", "audit", "models", "playground")


def row(page: Page, text: str):
    return page.get_by_role("row").filter(has_text=text)


def say(page: Page, text: str, model: str = "demo/count"):
    expect(page.get_by_label("Model")).not_to_have_value("")
    page.get_by_label("Model").fill(model)
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def last_answer(page: Page):
    return page.get_by_role("article").filter(has_text="Answer").last


def test_signing_in_and_out(console: Console, desk: Desk):
    page = console.page
    page.goto(console.address)
    for key, said in (("é", "This is not a key."), ("sk-hm-junk", "Incorrect API key")):
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
    console.forgives(401)
    console.sign_in()
    expect(page.get_by_text("administrator", exact=True)).to_be_visible()
    assert page.evaluate("Object.values(sessionStorage)") == [ADMIN]
    assert page.evaluate("localStorage.length + document.cookie.length") == 0
    page.reload()
    expect(page.get_by_text("administrator", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_that_ends_signs_its_holder_out(console: Console, desk: Desk):
    key = desk.key()
    page = console.sign_in(key, "models")
    desk.admin("/key/block", key=key)
    page.get_by_role("link", name="Spend").click()
    expect(page.get_by_role("alert")).to_contain_text("blocked")
    assert page.evaluate("sessionStorage.length") == 0
    console.forgives(401)


def test_spend_by_day_and_by_everything(console: Console, keys):
    page = console.sign_in()
    expect(row(page, "anthropic/claude-sonnet-4-5")).to_contain_text("$")
    chart = page.get_by_role("group", name=re.compile("Spend, by day"))
    whole = chart.locator(".legend").inner_text()
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(chart).to_contain_text("together")
    assert chart.locator(".legend").inner_text() != whole
    assert chart.locator("svg.bars rect:not(.catch)").count() > 30
    for by, name in (("Provider", "groq"), ("Key", "support-bot"), ("Team", "product"), ("Tag", "batch")):
        page.get_by_role("button", name=by, exact=True).click()
        expect(row(page, name).last).to_be_visible()
    page.get_by_role("button", name="7 days").click()
    page.get_by_role("button", name="Requests").click()
    expect(page.get_by_role("heading", name="Requests by tag and day")).to_be_visible()
    page.get_by_role("link", name="batch", exact=True).click()
    expect(page.get_by_role("heading", name="Requests", exact=True)).to_be_visible()
    expect(row(page, "search-index").first).to_be_visible()
    expect(row(page, "ada")).to_have_count(0)


def test_a_key_is_issued_limited_rotated_blocked_and_deleted(console: Console, desk: Desk):
    page = console.sign_in(view="keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name", exact=True).fill(SCRIPT)
    page.get_by_label("Budget, USD").fill("2.5")
    page.get_by_label("Renewed every").fill("30d")
    page.get_by_label("Models").fill("demo/*, openai/gpt-4o-mini")
    page.get_by_role("button", name="Create the key").click()
    first = shown_key(page)
    info = desk.info(first)
    assert (info["key_alias"], info["max_budget"], info["budget_duration"]) == (SCRIPT, 2.5, "30d")
    assert (info["models"], info["rpm_limit"]) == (["demo/*", "openai/gpt-4o-mini"], None)
    assert desk.chat(first, "demo/echo").status_code == 200

    line = row(page, SCRIPT)
    expect(line).to_contain_text("$0.00 of $2.50")
    line.get_by_role("button", name="Edit").click()
    page.get_by_label("Budget, USD").fill("")
    expect(page.get_by_label("Requests a minute")).not_to_be_visible()
    page.get_by_text("More limits").click()
    page.get_by_label("Requests a minute").fill("-7")
    page.get_by_text("More limits").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Requests a minute")).to_be_visible()  # what is wrong is shown
    page.get_by_label("Requests a minute").fill("7")
    page.get_by_role("button", name="Save").click()
    expect(line).to_contain_text("7 requests/min")
    info = desk.info(first)
    assert (info["max_budget"], info["rpm_limit"], info["key_alias"], info["budget_duration"]) == (None, 7, SCRIPT, "30d")
    line.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Requests a minute")).to_have_value("7")
    expect(page.get_by_label("Requests a minute")).to_be_visible()
    page.evaluate(CLOSES_AND_DRAWS)
    expect(page.get_by_role("dialog")).to_have_count(0)

    line.get_by_role("button", name="Rotate").click()
    page.get_by_role("button", name="Rotate the key").click()
    second = shown_key(page)
    assert error_of(desk.chat(first, "demo/echo"))[0] == 401
    assert desk.info(second)["rpm_limit"] == 7

    line.get_by_role("button", name="Block").click()
    expect(line).to_contain_text("blocked")
    assert error_of(desk.chat(second, "demo/echo")) == (401, "key_blocked")
    line.get_by_role("button", name="Unblock").click()
    expect(line).not_to_contain_text("blocked")
    line.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the key").click()
    expect(line).to_have_count(0)
    assert error_of(desk.chat(second, "demo/echo"))[0] == 401


def test_keys_are_searched_sorted_and_paged_by_the_gateway(console: Console, desk: Desk):
    for number in range(55):
        desk.key(key_alias=f"bulk {number:03d}", tags=["bulk"], max_budget=number + 1)
    page = console.sign_in(view="keys")
    expect(page.get_by_text("1 to 50 of")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("51 to")).to_be_visible()
    page.get_by_label("Search keys").fill("bulk 01")
    expect(page.get_by_role("row").filter(has_text="bulk")).to_have_count(10)
    page.get_by_label("Order").select_option("Name")
    expect(page.get_by_role("row").nth(1)).to_contain_text("bulk 010")
    assert "search=bulk+01&sort_by=key_alias" in page.url
    page.reload()
    expect(page.get_by_role("row").filter(has_text="bulk")).to_have_count(10)
    row(page, "bulk 013").get_by_role("button", name="Block").click()
    expect(row(page, "bulk 013")).to_contain_text("blocked")
    page.get_by_label("State").select_option("blocked")
    expect(page.get_by_role("row").filter(has_text="bulk")).to_have_count(1)
    sizes = [url for url in console.asked if "/key/list" in url and "size=50" not in url]
    assert sizes == [], "never all of them"


def test_a_viewer_sees_all_and_is_offered_no_change(console: Console, desk: Desk):
    desk.admin("/key/generate", key_alias="seen by all", max_budget=1)
    page = console.sign_in(desk.admin("/key/generate", key_alias="a viewer", role="viewer")["key"], "keys")
    expect(row(page, "seen by all")).to_be_visible()
    expect(page.get_by_role("button", name="New key")).to_have_count(0)
    expect(page.get_by_role("button", name="Block")).to_have_count(0)
    page.get_by_role("link", name="Teams").click()
    expect(page.get_by_role("button", name="New team")).to_have_count(0)
    page.get_by_role("link", name="Changes").click()
    expect(row(page, "seen by all").first).to_contain_text("created")


def test_a_teams_administrator_manages_the_keys_of_its_team(console: Console, desk: Desk):
    desk.admin("/team/new", team_id="crew", max_budget=9)
    desk.chat(desk.key(key_alias="of the crew", team_id="crew"), "demo/echo")
    desk.key(key_alias="of nobody")
    page = console.sign_in(desk.admin("/key/generate", key_alias="its boss", role="team_admin", team_id="crew")["key"], "keys")
    expect(page.get_by_text("administers crew")).to_be_visible()
    expect(row(page, "its boss").get_by_role("button")).to_have_count(0)
    expect(row(page, "of nobody")).to_have_count(0)
    row(page, "of the crew").get_by_role("button", name="Block").click()
    expect(row(page, "of the crew")).to_contain_text("blocked")
    page.get_by_role("link", name="Requests").click()
    expect(row(page, "of the crew").first).to_contain_text("demo/echo")
    page.get_by_role("link", name="Spend").click()
    expect(page.get_by_role("heading", name="Spend", exact=True)).to_be_visible()
    expect(page.get_by_text("What the keys of your team spent")).to_be_visible()


def test_who_changed_what_is_told(console: Console, desk: Desk):
    key = desk.key(key_alias="watched key", max_budget=1)
    desk.admin("/key/update", key=key, max_budget=2)
    page = console.sign_in(view="audit")
    expect(row(page, "watched key").first).to_contain_text("budget 1 → 2")
    row(page, "watched key").first.get_by_role("link").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="All changes").click()
    expect(page.get_by_role("row").nth(3)).to_be_visible()


def test_a_batch_is_shown_with_its_progress_and_cost(console: Console, desk: Desk):
    def begin(*names: str) -> str:
        lines = [
            {"custom_id": str(n), "method": "POST", "url": "/v1/embeddings", "body": {"model": name, "input": "Hi"}}
            for n, name in enumerate(names)
        ]
        data = "\n".join(map(json.dumps, lines)).encode()
        headers = {"authorization": f"Bearer {ADMIN}"}
        file = desk.http.post("/files", headers=headers, data={"purpose": "batch"}, files={"file": ("a", data)}).json()["id"]
        asked = {"input_file_id": file, "endpoint": "/v1/embeddings", "completion_window": "24h"}
        return desk.http.post("/batches", headers=headers, json=asked).json()["id"]

    good, bad = begin("demo/embedding", "demo/embedding"), begin("no-such-model")
    page = console.sign_in(view="batches")
    expect(row(page, good)).to_contain_text("completed")
    expect(row(page, good)).to_contain_text("2 of 2")
    expect(row(page, good)).to_contain_text("$0.00")
    expect(row(page, bad)).to_contain_text("failed")
    expect(page.get_by_text("(model_not_found)")).to_be_visible()


def shown_key(page: Page) -> str:
    key = page.get_by_label("The key", exact=True).inner_text()
    assert key.startswith("sk-hm-")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert key not in page.content(), "it is shown once"
    return key


def test_what_the_gateway_refuses_is_said_where_it_was_asked(console: Console):
    page = console.sign_in(view="keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Budget, USD").fill("99999999")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("“Budget, USD”: it must be at most")
    expect(page.get_by_label("Budget, USD")).to_be_focused()
    page.get_by_label("Budget, USD").fill("")
    page.get_by_label("Team").fill("no-such-team")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("no such team")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    console.forgives(404)
    console.forgives(400)


@pytest.mark.parametrize(("kind", "identity", "path"), [("Teams", "team_id", "/team"), ("End users", "user_id", "/customer")])
def test_who_else_pays_has_limits(console: Console, desk: Desk, kind: str, identity: str, path: str):
    page = console.sign_in(view="payers")
    name = f"payer-{kind[0]}"
    page.get_by_role("button", name=kind).click()
    page.get_by_role("button", name=f"New {identity.removesuffix('_id')}").click()
    page.get_by_label("Id").fill(name)
    page.get_by_label("Budget, USD").fill("3")
    page.get_by_role("button", name="Create").click()
    line = row(page, name)
    expect(line).to_contain_text("of $3.00")
    line.get_by_role("button", name="Edit").click()
    page.get_by_text("More limits").click()
    page.get_by_label("Requests at once").fill("2")
    page.get_by_role("button", name="Save").click()
    expect(line).to_contain_text("2 requests at once")
    line.get_by_role("button", name="Block").click()
    expect(line).to_contain_text("blocked")
    [told] = [account for account in desk.ask("GET", f"{path}/list").json() if account[identity] == name]
    assert (told["max_budget"], told["max_parallel_requests"], told["blocked"]) == (3, 2, True)
    line.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(line).to_have_count(0)


def test_an_ordinary_key_sees_its_own_part(console: Console, desk: Desk, keys):
    page = console.sign_in(keys["ada"])
    expect(page.get_by_text("its own part")).to_be_visible()
    assert page.get_by_role("navigation").inner_text().split() == ["Spend", "Keys", "Requests", "Batches", "Models", "Playground"]
    expect(page.get_by_role("button", name="Key", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_text("of $10.00")).to_be_visible()
    expect(page.locator(".panel").filter(has_text="Its team Research")).to_contain_text("of $50.00")
    expect(page.get_by_role("button", name="Edit")).to_have_count(0)
    page.get_by_role("link", name="Requests").click()
    expect(row(page, "ada").first).to_be_visible()
    assert row(page, "support-bot").count() == 0
    page.goto(f"{console.address}#/payers")
    expect(page.get_by_role("heading", name="Spend", exact=True)).to_be_visible()


def test_the_dearest_request_is_found_with_its_attempts(console: Console, desk: Desk):
    page = console.sign_in(view="requests")
    page.get_by_role("button", name="Dearest").click()
    expect(page.get_by_text("The dearest of the last 30 days")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    costs = [float(cell.lstrip("$")) for cell in page.locator("table.requests td[data-label=Cost]").all_inner_texts()]
    assert len(costs) == 50
    assert costs == sorted(costs, reverse=True)
    page.get_by_role("button", name="Details").first.click()
    expect(page.get_by_role("columnheader", name="First byte")).to_be_visible()
    request_id = page.locator(".detail dd code").inner_text()
    assert desk.gateway.store.record(request_id).cost_nanousd == pytest.approx(costs[0] * 10**9, rel=0.01)
    page.get_by_label("Request id").fill(request_id)
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".detail dd code")).to_have_text(request_id)
    page.get_by_label("Request id").fill(desk.key())
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("A key does not belong into an address")).to_be_visible()


def test_prompt_and_answer_are_shown_where_they_are_kept(console: Console, desk: Desk):
    desk.upstream.answers(plays_openai("Hello there"))
    page = console.sign_in(view="requests")
    for key, shown in (
        (desk.key(log_content=True), "Hello there"),
        (desk.key(), "No prompt and no answer of this request is kept here."),
    ):
        page.get_by_label("Request id").fill(desk.chat(key).headers["x-request-id"])
        page.get_by_role("button", name="Find").click()
        page.get_by_role("button", name="Prompt and answer").click()
        expect(page.locator(".detail")).to_contain_text(shown)
    console.forgives(404)


def test_a_failing_provider_is_spotted(console: Console):
    page = console.sign_in(view="requests?tag=prod")
    worst = page.locator(".providers tbody tr").first
    expect(worst).to_contain_text("groq")
    expect(worst).to_contain_text("rate_limit_exceeded")
    expect(page.get_by_text("1 failed first").first).to_be_visible()
    page.get_by_label("Status").select_option("error")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("provider_overloaded").first).to_be_visible()
    expect(page.locator("table.requests").get_by_text("ok", exact=True)).to_have_count(0)


def test_providers_tell_how_they_do(console: Console, desk: Desk, tmp_path):
    """A provider that answers is told from one that a fallback made good; a key is added and tried without a restart."""
    attempts = [
        {"target": "groq/a", "status": 429, "code": "rate_limit_exceeded", "duration_ms": 90, "first_byte_ms": 80},
        {"target": "openai/b", "status": 200, "code": None, "duration_ms": 1_200, "first_byte_ms": 300},
    ]
    for number in range(20):
        record = Record(f"p{number}", "key#1", time.time(), "ok", 0, {"attempts": attempts[number % 2 :]})
        desk.gateway.observer.provider_calls.add(record, time.time() - 600 * number)
    page = console.sign_in(view="providers")
    expect(row(page, "openai").first).to_contain_text("answers")
    expect(row(page, "openai").first).to_contain_text("OPENAI_API_KEY from environment")
    failing = row(page, "groq").first
    expect(failing).to_contain_text("fails often")
    expect(failing).to_contain_text("It limits how much may be asked")
    failing.get_by_role("button", name="Models of groq").click()
    expect(page.locator(".detail")).to_contain_text("groq/a")
    expect(page.get_by_role("button", name="Add a key")).to_have_count(0)
    desk.upstream.answers(Reply.json(401, error("No")))
    page.get_by_role("button", name="Test openai").click()
    expect(row(page, "openai").first).to_contain_text("openai refuses the key (status 401).")

    desk.gateway.credentials.file = tmp_path / ".env"
    page.get_by_label("Those that are off, too").check()
    page.get_by_label("Search providers").fill("xai")
    expect(row(page, "xai")).to_contain_text("needs XAI_API_KEY")
    row(page, "xai").get_by_role("button", name="Add the key of xai").click()
    expect(page.get_by_label("Variable")).to_have_value("XAI_API_KEY")
    page.get_by_label("Key", exact=True).fill("xai-secret")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "xai")).to_contain_text("XAI_API_KEY from .env")
    assert "xai-secret" in (tmp_path / ".env").read_text()
    assert "xai-secret" not in page.content()
    page.get_by_role("button", name="7 days").click()
    assert "hours=168" in page.url
    desk.gateway.credentials.file = None
    page = Console(page, console.address, [], []).page
    page.get_by_role("link", name="Changes").click()
    expect(row(page, "XAI_API_KEY").first).to_contain_text("credential")


def test_where_a_request_would_go_and_why(console: Console, desk: Desk):
    rule = {"name": "counting", "keywords": ["count"], "model": "demo/count"}
    desk.admin("/auto-router/new", router_name="by words", rules=[rule], default_model="demo/echo")
    page = console.sign_in(view="routing")
    expect(row(page, "by words")).to_contain_text("demo/echo")
    page.get_by_label("Model or name").fill("openai/gpt-4o-mini")
    page.get_by_role("button", name="Simulate").click()
    expect(row(page, "openai/gpt-4o-mini")).to_contain_text("first")
    page.get_by_label("Model or name").fill("nobody/none")
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_role("status").filter(has_text="nobody/none")).to_be_visible()
    page.get_by_label("Auto-router").select_option("by words")
    page.get_by_role("button", name="Simulate").click()
    expect(row(page, "demo/echo").first).to_contain_text("first")


def test_an_auto_router_is_made_changed_and_deleted(console: Console, desk: Desk):
    page = console.sign_in(view="routing")
    page.get_by_role("button", name="New auto-router").click()
    page.get_by_label("Name", exact=True).fill("by hand")
    rules = page.get_by_label("Rules, as JSON")
    for text, said in (("{", "not JSON"), ("{}", "a list"), ('[{"name": "a", "model": 5}]', "rules[0].model")):
        rules.fill(text)
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
    console.forgives(400)
    rules.fill('[{"name": "counting", "keywords": ["count"], "model": "demo/count"}]')
    page.get_by_label("Model if none fits").fill("demo/echo")
    page.get_by_role("button", name="Create").click()
    expect(row(page, "by hand")).to_contain_text("counting → demo/count")
    page.get_by_role("button", name="Change by hand").click()
    page.get_by_label("Model if none fits").fill("demo/agent")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "by hand")).to_contain_text("demo/agent")
    [kept] = [each for each in desk.ask("GET", "/auto-router/list").json()["routers"] if each["router_name"] == "by hand"]
    assert (kept["default_model"], kept["rules"][0]["keywords"]) == ("demo/agent", ["count"])
    page.get_by_role("button", name="Delete by hand").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(row(page, "by hand")).to_have_count(0)


def test_models_are_found(console: Console):
    page = console.sign_in(view="models")
    page.get_by_label("Search models").fill("gpt-4o-mini")
    page.get_by_label("Provider").select_option("openai")
    page.reload()  # what is looked for is in the address
    found = page.get_by_role("row").filter(has_text=re.compile(r"openai/gpt-4o-mini(?!-)")).first
    expect(page.get_by_label("Provider")).to_have_value("openai")
    expect(found).to_contain_text("$0.15")
    found.get_by_role("link", name="Try").click()
    expect(page.get_by_label("Model")).to_have_value("openai/gpt-4o-mini")
    page.get_by_role("link", name="Models").click()
    page.get_by_label("Search models").fill("no such model")
    expect(page.get_by_text("No model fits.")).to_be_visible()


def test_a_conversation_streams_and_tells_its_cost(console: Console, desk: Desk):
    page = console.sign_in(view="playground")
    desk.upstream.answers(plays_openai("Hello!"))
    say(page, SCRIPT, "openai/gpt-4o-mini")
    answer = last_answer(page)
    expect(answer).to_contain_text("Hello!")
    expect(answer).to_contain_text("from openai")
    expect(answer).to_contain_text("$0.0000045")
    say(page, "Count to 3")
    expect(last_answer(page)).to_contain_text("1 2 3")
    page.get_by_label("Stream the answer").uncheck()
    say(page, "Count to 4")
    expect(last_answer(page)).to_contain_text("1 2 3 4")
    last_answer(page).get_by_role("link", name="Record").click()
    expect(page.get_by_role("columnheader", name="First byte")).to_be_visible()


READS_MARKDOWN = """async () => {
  const { blocks, parts } = await import(document.querySelector("script[type=module]").src.replace("app.js", "markdown.js"));
  const pieces = ["[", "# #", "#", "``` ", "`", "`a", "**", "*a ", "~", "[a](http://", "```\\n", "1", " ", "- \\n"];
  const texts = pieces.map((piece) => piece.repeat(400_000 / piece.length)).flatMap((text) => [text, `# ${text}x`]);
  const began = performance.now();
  return texts.filter((text) => {
    if (performance.now() - began > 60_000) return true;
    for (const block of blocks(text)) (block.items ?? [block.text]).forEach(parts);
    return false;
  });
}"""
"""Those of the texts that are made to take long that were not come to: all take a second, where each is read once, else minutes."""


def test_an_answer_in_markdown_is_shown_as_such_and_makes_nothing_else(console: Console, desk: Desk):
    text = "# Title\n\n- one **bold**\n- `two`\n\n```python\nprint(1)\n```\n"
    text += f"{SCRIPT} [link](https://x.example) [bad](javascript:alert(1))"
    page = console.sign_in(view="playground")
    say(page, text, "demo/echo")
    answer = last_answer(page)
    expect(answer.get_by_role("heading", name="Title")).to_be_visible()
    expect(answer.get_by_role("listitem")).to_have_count(2)
    expect(answer.locator("pre")).to_have_text("print(1)")
    expect(answer).to_contain_text(SCRIPT)
    assert answer.locator("img").count() == 0
    assert answer.get_by_role("link", name="link").get_attribute("href") == "https://x.example"
    assert answer.get_by_role("link", name="bad").count() == 0
    expect(answer.get_by_role("button", name="Copy the answer")).to_be_visible()
    assert page.evaluate(READS_MARKDOWN) == [], "no answer keeps the page busy"


def test_a_stream_can_be_stopped(console: Console, desk: Desk):
    gate = desk.upstream.gate()
    chunk = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "So far"}}],
    }
    desk.upstream.answers(Reply.sse([chunk, gate]))
    page = console.sign_in(view="playground")
    say(page, "Go on", "openai/gpt-4o-mini")
    expect(last_answer(page)).to_contain_text("So far")
    page.get_by_role("button", name="Stop").click()
    expect(last_answer(page)).to_contain_text("stopped")
    gate.open()


def test_a_refused_message_can_be_sent_again(console: Console):
    page = console.sign_in(view="playground")
    say(page, "Hi", "nobody/none")
    expect(page.get_by_role("alert")).to_contain_text("nobody/none")
    expect(page.get_by_label("Message")).to_have_value("Hi")
    console.forgives(404)


FORMATS = {
    "Chat Completions": ("node_sdk", "openai"),
    "Responses": ("node_sdk", "openai"),
    "Messages": ("node_vendors", "@anthropic-ai/sdk"),
    "Gemini": ("node_vendors", "@google/genai"),
}
"""And the folder that has the vendor's SDK for Node."""
NODE_SDKS = Path(__file__).parents[1] / "support"


@pytest.mark.parametrize("format", FORMATS)
def test_the_request_is_shown_as_code_that_runs(console: Console, desk: Desk, format: str):
    """In each format that the gateway takes, with the vendor's own SDK."""
    page = console.sign_in(view="playground")
    page.get_by_label("System").fill('It\'s "quoted"\n\\ and é 👋')
    page.get_by_label("Model").fill("demo/echo")
    page.get_by_label("Most tokens").fill("500")
    asked = '\'; echo "$HOME" \\'
    page.get_by_label("Message").fill(asked)
    page.get_by_role("button", name=format, exact=True).click()
    key = desk.key()
    environment = os.environ | {"HAIMAKER_KEY": key, "NO_PROXY": "*", "no_proxy": "*"}
    programs = {"curl": ["bash", "-ec"], "Python": [sys.executable, "-c"], **_node(FORMATS[format])}
    running = []
    for stream in (True, False):
        page.get_by_label("Stream the answer").set_checked(stream)
        for language, program in programs.items():
            page.get_by_role("button", name=language, exact=True).click()
            text = page.get_by_label("The request as code").inner_text()
            assert "sk-" not in text
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            folder = NODE_SDKS / FORMATS[format][0]
            running.append((language, stream, subprocess.Popen([*program, text], env=environment, cwd=folder, **pipes)))
    for language, stream, process in running:
        printed, wrong = process.communicate(timeout=60)
        assert process.returncode == 0, wrong
        if language != "curl":
            assert printed == f"{asked}\n"
        elif stream:
            assert printed.startswith(("data: ", "event: "))
            assert len(re.findall("^data: ", printed, re.MULTILINE)) > 2
        else:
            assert json.dumps(asked)[1:-1] in printed
    records = desk.records(key)
    assert [record.detail["stream"] for record in records].count(True) == len(programs)
    assert len(records) == 2 * len(programs)


def _node(sdk: tuple[str, str]) -> dict[str, list[str]]:
    """What runs a program that has the SDK, in its folder; nothing without Node."""
    folder, package = sdk
    try:
        return {"Node": [node_packages.installed(NODE_SDKS / folder, package), "--input-type=module", "-e"]}
    except node_packages.Unavailable:
        return {}


def test_screenshots_are_made_as_the_readme_shows_them(console: Console, tmp_path):
    for name, (_, screen) in console_screenshots.SHOTS.items():
        console_screenshots.take(console.page.context.browser, console.address, name, tmp_path)
        sizes = [png_size(folder / name) for folder in (tmp_path, console_screenshots.DOCS)]
        assert sizes == [tuple(screen["viewport"].values())] * 2
        assert f"](docs/{name})" in (console_screenshots.DOCS.parent / "README.md").read_text("utf-8")


def png_size(path):
    """https://www.w3.org/TR/png-3/#11IHDR"""
    return struct.unpack(">II", path.read_bytes()[16:24])


@pytest.mark.parametrize("width", [390, 1200])
def test_no_view_is_wider_than_the_screen_and_every_control_has_a_name(console: Console, desk: Desk, keys, width: int):
    """Nor with names that no browser would break."""
    long = "a" * 90
    models = [f"openai/{long}", "demo/echo"]
    made = desk.admin("/key/generate", key_alias=f"{long}{width}", metadata={long: long}, models=models)
    assert desk.chat(made["key"], models[1], user=long, metadata={"tags": [long]}).status_code == 200
    desk.chat(made["key"], models[0])  # whatever is answered: it has a row
    page = console.sign_in()
    page.set_viewport_size({"width": width, "height": 844})
    for view in VIEWS:
        page.goto(f"{console.address}#/{view}")
        page.locator(f"nav a[aria-current=page][href='#/{view}']").wait_for()
        expect(page.locator(".loading, [aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        assert page.evaluate(WIDER) == [], view
        assert page.evaluate(UNNAMED) == [], view
    desk.admin("/key/delete", keys=[made["key"]])


def test_with_a_stage_or_a_slash_in_its_address_it_finds_its_files(console: Console):
    for address in (console.address.replace("/console", "/v1/console"), f"{console.address}/"):
        page = Console(console.page, address, [], []).sign_in(view="playground")
        expect(page.get_by_label("The request as code")).to_contain_text(
            console.address.replace("/console", "/v1/chat/completions")
        )
        page.get_by_role("button", name="Sign out").click()
