"""Each view by axe-core's rules, light and dark, on a desk and on a phone. https://github.com/dequelabs/axe-core"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.console.conftest import Console
from tests.console.test_pages import VIEWS, say
from tests.contract.money_support import ADMIN, Desk
from tests.support import node_packages

FOLDER = Path(__file__).parents[1] / "support" / "axe"
RULES = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"


@pytest.fixture(scope="session")
def axe() -> str:
    """Its source, which needs no Node to run."""
    try:
        node_packages.installed(FOLDER, "axe-core")
    except node_packages.Unavailable as reason:
        pytest.skip(str(reason))
    return (FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=lambda each: f"{each[0]} {each[1]}")
def page(request: pytest.FixtureRequest, browser: Browser, console: Console, desk: Desk, axe: str):
    scheme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, locale="en-GB", bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.add_init_script(axe)
    Console(page, console.address, [], []).sign_in(ADMIN)
    yield page
    context.close()


def violations(page: Page) -> list[str]:
    page.wait_for_function("document.querySelectorAll('[aria-busy=true], .loading').length === 0")
    found = page.evaluate(RULES)
    return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]


def test_every_view_and_what_it_opens(page: Page):
    address = page.url.partition("#")[0]
    found = {}
    for view in VIEWS:
        page.goto(f"{address}#/{view}")
        page.get_by_role("heading", level=1).wait_for()
        found[view] = violations(page)
    page.goto(f"{address}#/keys")
    page.get_by_role("button", name="New key").click()
    found["a dialog"] = violations(page)
    page.keyboard.press("Escape")
    page.goto(f"{address}#/requests")
    page.get_by_role("button", name="Details").first.click()
    found["details"] = violations(page)
    page.goto(f"{address}#/playground")
    say(page, "Count to 3")
    page.get_by_role("button", name="Copy the answer").wait_for()
    found["an answer"] = violations(page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Key").wait_for()
    found["signed out"] = violations(page)
    assert {name: told for name, told in found.items() if told} == {}
