"""What people do in the console, without a mouse: the focus is seen wherever it goes, and comes back when a dialog ends."""

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Console
from tests.console.test_pages import last_answer, row
from tests.contract.money_support import ADMIN, Desk
from tests.support.openai_wire import plays_openai
from tests.support.reply import Reply

FOCUS = """() => {
  const at = document.activeElement;
  const seen = at.classList.contains("sr") ? at.parentElement : at;
  const { outlineStyle, outlineWidth } = getComputedStyle(seen);
  const box = seen.getBoundingClientRect();
  const above = document.elementFromPoint(box.x + box.width / 2, Math.min(box.y + box.height / 2, innerHeight - 1));
  const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.innerText ?? at.innerText ?? "";
  const isSeen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 && (seen.contains(above) || above?.contains(seen));
  return { name: name.trim(), isSeen: at === document.body || Boolean(isSeen), html: at.outerHTML.slice(0, 200) };
}"""
MOST_STEPS = 120


class Keyboard:
    def __init__(self, page: Page) -> None:
        self.page = page

    def name(self) -> str:
        """Of what has the focus, which can be seen."""
        found = self.page.evaluate(FOCUS)
        assert found["isSeen"], f"the focus is not seen on {found['html']}"
        return str(found["name"])

    def go(self, name: str, key: str = "Tab") -> None:
        """Until what is named so has the focus."""
        met = [self.name()]
        while met[-1] != name:
            assert len(met) < MOST_STEPS, f"{name} is not met, only {met}"
            self.page.keyboard.press(key)
            met.append(self.name())

    def press(self, name: str, key: str = "Enter") -> None:
        self.go(name)
        self.page.keyboard.press(key)

    def fill(self, name: str, text: str) -> None:
        self.go(name)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)


@pytest.fixture
def keyboard(console: Console) -> Keyboard:
    """Signed in by it."""
    page = console.page
    page.goto(console.address)
    page.get_by_label("Key").wait_for()
    keyboard = Keyboard(page)
    keyboard.fill("Key", ADMIN)
    page.keyboard.press("Enter")
    page.get_by_role("navigation").wait_for()
    assert page.evaluate("[...document.querySelectorAll('[tabindex]')].filter((each) => each.tabIndex > 0).length") == 0
    return keyboard


def test_keys_are_made_changed_blocked_and_deleted(keyboard: Keyboard, desk: Desk):
    page = keyboard.page
    keyboard.press("Skip to the content")
    page.keyboard.press("Shift+Tab")
    keyboard.go("Keys", "Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="New key").wait_for()
    keyboard.press("New key")
    expect(page.get_by_role("dialog", name="New key")).to_be_visible()
    keyboard.fill("Name", "by hand")
    keyboard.press("Create the key")
    expect(page.get_by_role("dialog", name="The key was created")).to_be_visible()
    page.keyboard.press("Escape")
    keyboard.press("Done")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert keyboard.name() == "New key"
    expect(row(page, "by hand")).to_be_visible()
    keyboard.press("Edit by hand")
    keyboard.press("More limits")
    keyboard.fill("Requests a minute", "7")
    page.keyboard.press("Enter")
    expect(row(page, "by hand")).to_contain_text("7 requests/min")
    assert keyboard.name() == "Edit by hand"
    keyboard.press("Block by hand", "Space")
    expect(row(page, "by hand")).to_contain_text("blocked")
    assert keyboard.name() == "Unblock by hand"
    keyboard.press("Delete by hand")
    expect(page.get_by_role("dialog", name="Delete by hand?")).to_be_visible()
    page.keyboard.press("Escape")
    assert keyboard.name() == "Delete by hand"
    page.keyboard.press("Enter")
    keyboard.press("Delete the key")
    expect(row(page, "by hand")).to_have_count(0)
    assert page.evaluate("document.activeElement !== document.body")


def test_lists_are_searched_filtered_paged_and_opened(keyboard: Keyboard, desk: Desk):
    page = keyboard.page
    for number in range(52):
        desk.key(key_alias=f"typed {number:02d}")
    keyboard.press("Keys")
    page.get_by_label("Search keys").wait_for()
    keyboard.fill("Search keys", "typed ")
    expect(page.get_by_text("1 to 50 of 52 keys")).to_be_visible()
    keyboard.go("Order")
    page.keyboard.type("Name")
    expect(page.get_by_role("row").nth(1)).to_contain_text("typed 00")
    keyboard.go("Next page", "Shift+Tab")  # past the end, or from there
    page.keyboard.press("Enter")
    expect(page.get_by_text("51 to 52 of 52 keys")).to_be_visible()
    keyboard.go("Requests", "Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("table.requests").wait_for()
    keyboard.go("Status")
    page.keyboard.type("error")
    page.keyboard.press("Enter")
    keyboard.press("Find")
    expect(page.get_by_text("provider_overloaded").first).to_be_visible()
    details = page.locator("table.requests button").first.get_attribute("aria-label") or ""
    keyboard.press(details)
    expect(page.get_by_role("columnheader", name="First byte")).to_be_visible()
    assert keyboard.name() == details.replace("Details", "Close")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="First byte")).to_have_count(0)


def test_a_message_is_sent_and_its_answer_stopped(keyboard: Keyboard, desk: Desk):
    page = keyboard.page
    keyboard.press("Playground")
    expect(page.get_by_label("Model")).not_to_have_value("")
    keyboard.fill("Model", "demo/count")
    keyboard.fill("Message", "Count to 3")
    page.keyboard.press("Enter")
    expect(last_answer(page)).to_contain_text("1 2 3")
    assert keyboard.name() == "Message"
    gate = desk.upstream.gate()
    delta = {"choices": [{"index": 0, "delta": {"content": "So far"}}]}
    desk.upstream.answers(Reply.sse([{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **delta}, gate]))
    keyboard.go("Model", "Shift+Tab")
    keyboard.fill("Model", "openai/gpt-4o-mini")
    keyboard.fill("Message", "Go on")
    keyboard.press("Send")
    expect(last_answer(page)).to_contain_text("So far")
    assert keyboard.name() == "Stop"
    page.keyboard.press("Enter")
    expect(last_answer(page)).to_contain_text("stopped")
    assert keyboard.name() == "Message"
    gate.open()
    desk.upstream.answers(plays_openai("Hello there"))


@pytest.mark.parametrize("view", ["keys", "requests", "playground"])
def test_on_a_phone_the_focus_is_covered_by_nothing(keyboard: Keyboard, view: str):
    page = keyboard.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("(view) => { location.hash = `#/${view}`; }", view)
    page.get_by_role("main").get_by_role("button").first.wait_for()
    expect(page.locator(".loading, [aria-busy=true]")).to_have_count(0)
    met = []
    for _ in range(40):
        page.keyboard.press("Tab")
        met.append(keyboard.name())
    assert "Sign out" in met
