"""Each view and each state of it by axe-core's rules, light and dark, on a desk and on a phone. https://github.com/dequelabs/axe-core"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.console.conftest import Console, open_console
from tests.console.test_pages import VIEWS, row, say
from tests.contract.money_support import ADMIN, Desk
from tests.support import node_packages
from tests.support.openai_wire import plays_openai
from tests.support.reply import Reply

FOLDER = Path(__file__).parents[1] / "support" / "axe"
SCREENS = [(scheme, width) for width in (1280, 390) for scheme in ("light", "dark")]
VISIT = """async (view) => {
  if (location.hash === `#/${view}`) return;
  const followed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
  location.hash = `#/${view}`;
  await followed;
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
"""Until a view is asked for and drawn. Until then the one before it is there, idle, and axe would meet the new one half loaded:
dimmed, with too little contrast."""
RULES = """async (only) => {
  const options = { resultTypes: ['violations'], preload: false, ...(only.length ? { runOnly: only } : {}) };
  const { violations } = await axe.run({ exclude: ["tbody > tr:nth-child(n+9)", "datalist"] }, options);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}"""
"""The later rows of a table are as the first ones, and hundreds of them take seconds."""
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""All that may be otherwise in the dark."""
SHOWN = "document.querySelectorAll('[aria-busy=true], .loading').length === 0"
LONG = "a-name-that-nobody-would-break-" * 4


@pytest.fixture(scope="session")
def axe() -> str:
    """Its source, which needs no Node to run."""
    try:
        node_packages.installed(FOLDER, "axe-core")
    except node_packages.Unavailable as reason:
        pytest.skip(str(reason))
    return (FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def tab(browser: Browser, desk: Desk, keys: dict[str, str], axe: str) -> Iterator[Console]:
    with open_console(browser, desk, bypass_csp=True, reduced_motion="reduce") as console:
        console.page.add_init_script(axe)
        console.sign_in(ADMIN)
        yield console


class State:
    """A state of the page, looked at on each screen without loading it anew."""

    def __init__(self, tab: Console, desk: Desk) -> None:
        self.tab, self.page, self.desk = tab, tab.page, desk
        self.found: dict[str, list[str]] = {}

    def open(self, view: str) -> Page:
        self.page.evaluate(VISIT, view)
        self.page.wait_for_function(SHOWN)
        return self.page

    def look(self, name: str, *, shown: str = SHOWN) -> None:
        for scheme, width in SCREENS:
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": width, "height": 844})
            self.page.wait_for_function(shown)
            if told := self.page.evaluate(RULES, OF_COLOURS if scheme == "dark" else []):
                self.found[f"{name}, {scheme}, {width}"] = told
        self.page.set_viewport_size({"width": 1280, "height": 844})


def views(state: State) -> None:
    for view in VIEWS:
        state.open(view)
        state.look(view)


def dialogs(state: State) -> None:
    page = state.open("keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_text("More limits").click()
    page.get_by_label("Team").fill("no-such-team")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    state.look("a dialog with an error")
    page.get_by_label("Team").fill("")
    page.get_by_label("Models").fill("gpt-4o-minni")
    page.get_by_label("Name", exact=True).fill(LONG)
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    state.look("the key, once, with a warning")
    page.get_by_role("button", name="Done").click()
    state.look("a long name, and what a menu did")
    for button in ("Edit", "Rotate", "Delete"):
        row(page, LONG).get_by_role("button", name=button).click()
        state.look(f"{button} in a dialog")
        page.keyboard.press("Escape")
    row(page, LONG).get_by_role("button", name="Block").click()
    expect(page.get_by_role("status").filter(has_text="Blocked")).to_be_visible()
    state.look("what a button did is told")
    state.open("payers")
    page.get_by_role("button", name="New team").click()
    state.look("a team in a dialog")
    page.keyboard.press("Escape")
    state.open("routing")
    page.get_by_role("button", name="New auto-router").click()
    state.look("an auto-router in a dialog")
    page.keyboard.press("Escape")


def rows(state: State) -> None:
    page = state.open("requests?tag=prod")
    page.get_by_role("button", name="Details").first.click()
    state.look("a request's attempts, and more conditions")
    state.open("providers?all=true")
    page.get_by_role("button", name="Test openai").click()
    expect(row(page, "openai").get_by_role("status").first).to_be_visible()
    state.look("providers that are off, and a test of one")
    state.open("routing?model=openai/gpt-4o-mini")
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_text("leads to these")).to_be_visible()
    state.look("a route")
    state.open("spend?by=key")
    page.get_by_role("group", name="by day").focus()
    page.keyboard.press("ArrowLeft")
    state.look("a day of a chart")


def talk(state: State) -> None:
    desk, page = state.desk, state.open("playground")
    gate = desk.upstream.gate()
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}]
    delta = {
        "role": "assistant",
        "content": "# Title\n\n- one\n\n```py\nprint(1)\n```\n[link](https://x.example)",
        "tool_calls": calls,
    }
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta}]}
    desk.upstream.answers(Reply.sse([chunk, gate]))
    page.get_by_label("Beside it").fill("demo/echo")
    page.get_by_text("Tools and schema").click()
    say(page, "Count to 3", "openai/gpt-4o-mini")
    expect(page.get_by_role("heading", name="Title")).to_be_visible()
    state.look("two answers that stream")
    page.get_by_role("button", name="Stop").click()
    page.get_by_label("Result of weather").wait_for()
    state.look("tools wait for their results")
    page.get_by_label("Tools", exact=True).fill("{")
    state.look("a mistake in the tools")
    page.get_by_label("Tools", exact=True).fill("")
    say(page, "Hi", "nobody/none")
    expect(page.get_by_role("alert")).to_be_visible()
    state.look("an error")
    page.get_by_role("button", name="Start again").click()
    gate.open()
    desk.upstream.answers(plays_openai("Hello there"))


def empty(state: State) -> None:
    """A search that finds nothing, and an answer that fails."""
    for view in (
        "keys?search=none",
        "payers?search=none",
        "audit?search=none",
        "requests?tag=none",
        "payers?kind=user&search=none",
    ):
        state.open(view)
        expect(state.page.locator(".empty")).to_be_visible()
        state.look(f"empty {view}")
    state.page.route("**/providers?*", lambda route: route.abort())
    state.open("providers?hours=168")
    expect(state.page.get_by_role("alert")).to_be_visible()
    state.look("the gateway is gone")
    state.page.unroute_all()


def signed_out(state: State) -> None:
    page = state.open("spend")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Key").fill("sk-hm-junk")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    state.look("a key that is none")
    waiting: list[Route] = []
    page.route("**/spend/report?*", lambda route: waiting.append(route))
    page.get_by_label("Key").fill(state.desk.key(key_alias="ordinary"))
    page.get_by_role("button", name="Sign in").click()
    page.locator(".loading").wait_for()
    state.look("loading", shown="document.querySelectorAll('.loading').length > 0")
    for route in waiting:
        route.continue_()
    page.unroute_all()
    page.wait_for_function(SHOWN)
    state.look("nothing spent yet, as an ordinary key sees it")
    state.open("keys")
    state.look("one's own key")
    page.get_by_role("button", name="Sign out").click()
    state.tab.sign_in(ADMIN)


@pytest.mark.parametrize("states", [views, dialogs, rows, talk, empty, signed_out])
def test_no_rule_is_violated(tab: Console, desk: Desk, states: Callable[[State], None]) -> None:
    tab.page.reload()  # whatever became of the states before
    tab.page.get_by_role("navigation").wait_for()
    state = State(tab, desk)
    states(state)
    assert state.found == {}
