"""The console in a real browser: every view, as an administrator and as the holder of a key."""

import re

from playwright.sync_api import expect

from tests.console.conftest import Console
from tests.contract.money_support import ADMIN, Desk


def test_signing_in_and_out(console: Console, desk: Desk):
    page = console.page
    page.goto(console.address)
    for key, said in (("é", "This is not a key."), ("sk-hm-junk", "Incorrect API key")):
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
    console.complaints.clear()  # the 401 was wanted
    console.sign_in()
    expect(page.get_by_text("administrator")).to_be_visible()
    assert page.evaluate("Object.values(sessionStorage)") == [ADMIN]
    assert page.evaluate("localStorage.length + document.cookie.length") == 0
    page.reload()
    expect(page.get_by_text("administrator")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_models_are_found(console: Console):
    page = console.sign_in(view="models")
    page.get_by_label("Search models").fill("gpt-4o-mini")
    page.get_by_label("Provider").select_option("openai")
    row = page.get_by_role("row").filter(has_text=re.compile(r"openai/gpt-4o-mini(?!-)"))
    expect(row.first).to_contain_text("$0.15")
    page.get_by_label("Search models").fill("no such model")
    expect(page.get_by_text("No model fits.")).to_be_visible()
