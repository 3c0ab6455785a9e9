"""Signing in to the console by an identity provider, in a real browser: the cookie, the page, the playground's key."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import TIMEOUT_MS
from tests.contract.money_support import Desk, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.identity_server import CONFIG, IdentityServer, User


@pytest.fixture
def desk(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    people = User(sub="ada", claims={"groups": ["platform"]}), User(sub="bob", claims={})
    with IdentityServer(*people) as identity, FakeUpstream() as upstream:
        config = tmp_path / "gateway.toml"
        config.write_text(CONFIG.format(issuer=identity.issuer, url="http://127.0.0.1"))
        with serving(tmp_path, upstream, HAIMAKER_CONFIG=str(config)) as desk:
            known = desk.gateway.settings.config
            assert known.sign_in
            url = desk.url.removesuffix("/v1")
            object.__setattr__(known, "sign_in", known.sign_in._replace(url=url))
            yield desk


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    context.close()


def test_a_person_signs_in_works_and_signs_out(page: Page, desk: Desk):
    page.goto(f"{desk.url.removesuffix('/v1')}/console")
    page.get_by_role("link", name="Sign in with Example").click()
    page.get_by_role("button", name="bob").click()
    expect(page.get_by_text("no rule of this gateway lets you in")).to_be_visible()
    page.get_by_role("link", name="Back to the console").click()
    page.get_by_role("link", name="Sign in with Example").click()
    page.get_by_role("button", name="ada").click()
    expect(page.get_by_text("administrator", exact=True)).to_be_visible()
    [cookie] = [each for each in page.context.cookies() if each["name"] == "__Host-haimaker"]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert page.evaluate("document.cookie + Object.keys(sessionStorage)") == ""
    page.reload()
    page.get_by_role("link", name="Keys").click()
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("of ada")
    page.get_by_role("button", name="Create").click()
    key = page.locator("dialog .code code").first.inner_text()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("link", name="Playground").click()
    page.get_by_role("heading", name="Playground").wait_for()  # until then "Key" is a part of "Search keys"
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Use it").click()
    page.get_by_label("Model").fill("demo/count")
    page.get_by_label("Message").fill("Count to 3")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article").filter(has_text="Answer")).to_contain_text("3")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in with Example")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.get_by_role("link", name="Sign in with Example")).to_be_visible()
