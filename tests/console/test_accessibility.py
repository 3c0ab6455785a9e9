"""Each view by axe-core's rules, light and dark, on a desk and on a phone. https://github.com/dequelabs/axe-core"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.console.conftest import Console
from tests.console.test_pages import VIEWS, say
from tests.contract.money_support import ADMIN, Desk
from tests.support import node_packages

FOLDER = Path(__file__).parents[1] / "support" / "axe"
VISIT = """async (view) => {
  if (location.hash === `#/${view}`) return;
  const followed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
  location.hash = `#/${view}`;
  await followed;
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
"""Until a view is asked for and drawn. Until then the one before it is there, idle, and axe would meet the new one half loaded:
dimmed, with too little contrast."""
RULES = "async () => (await axe.run(document, { resultTypes: ['violations'], preload: false })).violations"


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
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale="en-GB", bypass_csp=True, reduced_motion="reduce"
    )
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
    found = {}
    for view in VIEWS:
        page.evaluate(VISIT, view)
        found[view] = violations(page)
    page.evaluate(VISIT, "keys")
    page.get_by_role("button", name="New key").click()
    found["a dialog"] = violations(page)
    page.keyboard.press("Escape")
    page.evaluate(VISIT, "requests")
    page.get_by_role("button", name="Details").first.click()
    found["details"] = violations(page)
    page.evaluate(VISIT, "playground")
    page.get_by_label("Beside it").fill("demo/echo")
    page.get_by_text("Tools and schema").click()
    say(page, "Count to 3")
    page.get_by_role("button", name="Copy the answer").last.wait_for()
    found["two answers"] = violations(page)
    page.evaluate(VISIT, "routing")
    page.get_by_role("button", name="New auto-router").click()
    found["an auto-router"] = violations(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Key").wait_for()
    found["signed out"] = violations(page)
    assert {name: told for name, told in found.items() if told} == {}
