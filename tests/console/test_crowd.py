"""Each view of a gateway with 10 keys and with 5,000: what it shows first, its search, filters, order and pages. The gateway does
all of that; a view asks for a page of it, never for all."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect

from haimaker.accounts.keys import account_id_of
from haimaker.api import console as console_package
from tests.console import crowd
from tests.console.conftest import Console, open_console
from tests.console.crowd import Crowd
from tests.console.test_pages import VIEWS
from tests.contract.money_support import ADMIN, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai

PAGE = Path(console_package.__file__).parent / "page"
MOST_ROWS, MOST_BYTES = 130, 250_000
"""Of a view, and of an answer that it is given."""


class Tab(NamedTuple):
    """A tab in which an administrator has signed in."""

    page: Page
    crowd: Crowd
    console: Console
    large: list[str]
    """Answers that have too much in them."""

    def open(self, view: str) -> Page:
        self.page.evaluate("(view) => { location.hash = `#/${view}`; }", view)
        return self.page

    @property
    def is_large(self) -> bool:
        return self.crowd.size > 50

    def row(self, of: str, number: int) -> Locator:
        return self.page.get_by_role("row").filter(has_text=self.crowd.name(of, number))

    def shows(self, of: str, numbers: range) -> None:
        """As the first rows, in this order."""
        for place, number in enumerate(numbers):
            row = self.page.locator("main table").first.locator("tbody > tr").nth(place)
            expect(row).to_contain_text(self.crowd.name(of, number))


@pytest.fixture(scope="session", params=[10, 5_000], ids=lambda size: f"{size} keys")
def tab(request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with FakeUpstream() as upstream, serving(tmp_path_factory.mktemp("crowd"), upstream) as desk:
        upstream.answers(plays_openai("Hello there"))
        many = crowd.fill(desk.gateway, account_id_of(ADMIN), request.param)
        with open_console(browser, desk) as console:
            tab = Tab(console.sign_in(view="playground"), many, console, [])

            def weigh(response: Response) -> None:
                if int(response.headers.get("content-length", 0)) > MOST_BYTES:
                    tab.large.append(response.url)

            tab.page.on("response", weigh)
            yield tab


def spend(tab: Tab) -> None:
    page = tab.open("spend?by=model&days=30")
    expect(tab.page.get_by_role("row").filter(has_text="openai/gpt-4o-mini")).to_contain_text("$")
    page.get_by_role("button", name="Key", exact=True).click()
    tab.shows("key", range(0, 10, crowd.EACH_THAT_ASKED))
    expect(page.get_by_role("row").filter(has_text="others")).to_have_count(int(tab.is_large))
    if tab.is_large:
        expect(page.get_by_role("row").filter(has_text="1,225 others")).to_contain_text("%")
        expect(page.locator(".legend")).to_contain_text("1,244 others")
    page.get_by_role("button", name="Requests", exact=True).click()
    expect(page.get_by_role("heading", name="Requests by key and day")).to_be_visible()
    page.get_by_role("button", name="90 days").click()
    assert page.url.endswith("#/spend?by=key&days=90&measure=requests")
    page.get_by_role("button", name="Spend", exact=True).click()


def keys(tab: Tab) -> None:
    page, size = tab.open("keys"), tab.crowd.size
    shown = page.get_by_role("row").filter(has_text="key-")
    expect(shown.first).to_contain_text(tab.crowd.name("key", size - 1))
    expect(page.get_by_role("button", name="Next page")).to_have_count(int(tab.is_large))
    if tab.is_large:
        expect(page.get_by_text("1 to 50 of 5,001 keys")).to_be_visible()
        page.get_by_role("button", name="Next page").click()
        expect(page.get_by_text("51 to 100 of 5,001 keys")).to_be_visible()
        page.get_by_role("button", name="Earlier page").click()
        expect(page.get_by_text("1 to 50 of")).to_be_visible()
    page.get_by_label("State").select_option("blocked")
    expect(shown).to_have_count(50 if tab.is_large else 1)
    page.get_by_label("State").select_option("")
    page.get_by_label("Search keys").fill("KEY-0000")
    expect(shown).to_have_count(10)
    page.get_by_label("Order").select_option("Name")
    tab.shows("key", range(10))
    page.get_by_label("Order").select_option("Spend")
    tab.shows("key", range(0, 10, crowd.EACH_THAT_ASKED))
    page.get_by_label("Search keys").fill("nobody's")
    expect(page.get_by_text("No key fits.")).to_be_visible()


def payers_of(kind: str, name: str, words: str, count: int) -> Callable[[Tab], None]:
    def look(tab: Tab) -> None:
        page, last = tab.open("payers"), max(2, tab.crowd.size // count) - 1
        page.get_by_role("button", name=kind).click()
        shown = page.get_by_role("row").filter(has_text=f"{name}-")
        expect(tab.row(name, last)).to_contain_text("of $")
        expect(page.get_by_role("button", name="Next page")).to_have_count(int(last > 50))
        if last > 50:
            expect(page.get_by_text(f"1 to 50 of {last + 1:,} {words}")).to_be_visible()
            page.get_by_role("button", name="Next page").click()
            expect(page.get_by_text("51 to 100 of")).to_be_visible()
        page.get_by_label("Order").select_option("Name")
        expect(shown.first).to_contain_text(f"{name}-00000")
        page.get_by_label(f"Search {words}").fill(f"{name}-00001")
        expect(shown).to_have_count(1)
        page.get_by_label("State").select_option("blocked")
        expect(page.get_by_text("fits.")).to_be_visible()

    look.__name__ = words
    return look


def requests(tab: Tab) -> None:
    page = tab.open("requests")
    shown = page.locator("table.requests tbody tr")
    expect(shown.first).to_contain_text("900 →")
    expect(shown).to_have_count(50 if tab.is_large else 3)
    if tab.is_large:
        page.get_by_role("button", name="Load more").click()
        expect(shown).to_have_count(100)
        expect(page.get_by_text("the latest 20 of 1,000")).to_be_visible()
        page.get_by_role("button", name="More refusals").click()
        expect(page.get_by_text("the latest 100 of 1,000")).to_be_visible()
    page.get_by_label("Key", exact=True).fill("key-00004")
    page.get_by_role("button", name="Find").click()
    expect(shown).to_have_count(1)
    expect(page.get_by_label("Key", exact=True)).to_have_value("key-00004")
    page.get_by_role("button", name="Details").click()
    expect(page.get_by_role("columnheader", name="First byte")).to_be_visible()
    assert "opened=" in page.url
    page.get_by_role("button", name="Dearest").click()
    expect(shown).to_have_count(1)
    page.get_by_label("Key", exact=True).fill("key-0")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("status").filter(has_text="Several keys")).to_be_visible()
    page.get_by_label("Key", exact=True).fill("")
    page.get_by_label("Status").select_option("error")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("overloaded").first if tab.is_large else page.get_by_text("No request fits.")).to_be_visible()


def batches(tab: Tab) -> None:
    page = tab.open("batches")
    shown = page.locator("main table tbody tr")
    expect(shown).to_have_count(min(50, tab.crowd.size))
    expect(shown.first).to_contain_text("failed")
    expect(shown.first).to_contain_text("90 of 100")
    expect(page.get_by_role("button", name="Load more")).to_have_count(int(tab.is_large))
    if tab.is_large:
        page.get_by_role("button", name="Load more").click()
        expect(shown).to_have_count(100)


def providers(tab: Tab) -> None:
    page = tab.open("providers")
    expect(page.get_by_role("row").filter(has_text="OPENAI_API_KEY")).to_contain_text("not asked")
    page.get_by_label("Those that are off, too").check()
    expect(page.get_by_role("row").filter(has_text="XAI_API_KEY")).to_contain_text("off")
    page.get_by_label("Search providers").fill("xai")
    expect(page.locator("main table tbody tr")).to_have_count(1)
    page.get_by_label("Search providers").fill("")


def routing(tab: Tab) -> None:
    page = tab.open("routing")
    expect(tab.row("router", 0)).to_contain_text("counting → demo/count")
    if tab.is_large:
        expect(page.get_by_text("25 of 100")).to_be_visible()
        page.get_by_role("button", name="Show more").click()
        expect(tab.row("router", 49)).to_be_visible()
        page.get_by_label("Search auto-routers").fill("00099")
        expect(page.get_by_role("row").filter(has_text="router-")).to_have_count(1)
        page.get_by_label("Search auto-routers").fill("")
    page.get_by_label("Auto-router", exact=True).select_option("router-00001")
    page.get_by_label("Message").fill("count to three")
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_role("row").filter(has_text="demo/count").first).to_contain_text("first")


def changes(tab: Tab) -> None:
    page = tab.open("audit")
    shown = page.locator("main table tbody tr")
    expect(shown.first).to_contain_text(tab.crowd.name("key", tab.crowd.size - 1))
    expect(shown).to_have_count(min(50, tab.crowd.size))
    if tab.is_large:
        page.get_by_role("button", name="Load more").click()
        expect(shown).to_have_count(100)
    page.get_by_label("Search changes").fill("key-00003")
    expect(shown).to_have_count(1)
    page.get_by_label("Action").select_option("deleted")
    expect(page.get_by_text("No change of the last 30 days fits.")).to_be_visible()


def models(tab: Tab) -> None:
    page = tab.open("models")
    expect(page.get_by_text(re.compile(r"\d+ of \d+ models"))).to_be_visible()
    page.get_by_label("Order").select_option("Context")
    page.get_by_label("Search models").fill("gpt-4o-mini")
    expect(page.get_by_role("row").filter(has_text="openai/gpt-4o-mini").first).to_contain_text("$0.15")
    page.get_by_label("Search models").fill("")
    expect(page.get_by_role("button", name="Show more")).to_be_visible()


def playground(tab: Tab) -> None:
    page = tab.open("playground?model=demo/count")
    page.get_by_label("Message").fill("Count to 3")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article").filter(has_text="Answer")).to_contain_text("1 2 3")
    page.get_by_role("button", name="Start again").click()


TEAMS, END_USERS = payers_of("Teams", "team", "teams", 10), payers_of("End users", "user", "end users", 1)


LOOKS = (
    ("spend", spend), ("keys", keys), ("payers", TEAMS), ("payers", END_USERS), ("requests", requests), ("batches", batches),
    ("providers", providers), ("routing", routing), ("audit", changes), ("models", models), ("playground", playground),
)  # fmt: skip
"""By the view's name in the address."""


def test_each_view_is_looked_at() -> None:
    """Here with few keys and with many, and by axe-core: a new view has to be put into both."""
    [listed] = re.findall(r"^const VIEWS = \{\n(.*?)^\};", (PAGE / "app.js").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names = re.findall(r"^  (\w+): \[", listed, re.MULTILINE)
    assert list(dict.fromkeys(view for view, _ in LOOKS)) == names
    assert list(VIEWS) == names


@pytest.mark.parametrize(("view", "look"), LOOKS, ids=[look.__name__.replace(" ", "-") for _, look in LOOKS])
def test_a_view_shows_searches_and_pages(tab: Tab, view: str, look: Callable[[Tab], None]) -> None:
    tab.large.clear()
    look(tab)
    assert re.search(rf"#/{view}(\?|$)", tab.page.url)
    expect(tab.page.locator(".loading, [aria-busy=true]")).to_have_count(0)
    assert tab.page.locator("main table").first.locator("tbody > tr").count() <= MOST_ROWS
    assert tab.large == []
    tab.console.check()
