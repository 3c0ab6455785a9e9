"""A browser, if this machine has one, and a gateway whose console it opens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Error, Page, ViewportSize, expect, sync_playwright

from tests.console.browsing import installed, launch
from tests.console.example import fill
from tests.contract.money_support import ADMIN, Desk, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai

TIMEOUT_MS = 120_000
"""A browser on a machine with fifty busy programs has drawn nothing for 40 s."""
expect.set_options(timeout=TIMEOUT_MS)
SCREEN: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except Error as error:
            if installed():
                raise
            pytest.skip(f"no Chromium here (apt-get install chromium): {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with FakeUpstream() as upstream:
        upstream.answers(plays_openai("Hello there"))
        with serving(tmp_path_factory.mktemp("console"), upstream, HAIMAKER_LOG_CONTENT="true") as desk:
            yield desk


class Console(NamedTuple):
    """One tab on the console. What the browser complains of, and every address it asked, is kept."""

    page: Page
    address: str
    complaints: list[str]
    asked: list[str]

    def sign_in(self, key: str = ADMIN, view: str = "") -> Page:
        self.page.goto(f"{self.address}#/{view}")
        self.page.get_by_label("Key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation").wait_for()
        return self.page

    def check(self) -> None:
        """That nothing was asked of anybody else, and that the browser found nothing wrong."""
        origin = self.address.removesuffix("/console")
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith(f"{origin}/") or "sk-" in url] == []

    def forgives(self, status: int) -> None:
        """What the browser says of an answer that the test wanted."""
        self.complaints[:] = [text for text in self.complaints if f"the server responded with a status of {status} " not in text]

    def forget(self) -> None:
        """What was kept in the tab, from where no program of the console's runs any more and keeps it again."""
        self.page.goto(f"{self.address.removesuffix('/console')}/health")
        self.page.evaluate("sessionStorage.clear(), localStorage.clear()")
        self.page.context.clear_cookies()
        self.page.set_viewport_size(SCREEN)


@pytest.fixture(scope="session")
def keys(desk: Desk) -> dict[str, str]:
    return fill(desk.gateway.store)


@pytest.fixture(scope="session")
def kept_tab(browser: Browser, desk: Desk, keys: dict[str, str]) -> Iterator[Console]:
    with open_console(browser, desk) as console:
        yield console


@pytest.fixture
def console(kept_tab: Console) -> Iterator[Console]:
    """A tab as good as new: a new one takes a second of a processor, for a process that draws it and for the page's code."""
    kept_tab.complaints.clear()
    kept_tab.asked.clear()
    yield kept_tab
    try:
        kept_tab.check()
    finally:
        kept_tab.forget()


@contextmanager
def open_console(browser: Browser, desk: Desk, **options: Any) -> Iterator[Console]:
    """A tab with nothing in it yet."""
    screen: dict[str, Any] = {"viewport": SCREEN, "locale": "en-GB", "timezone_id": "UTC"}
    context = browser.new_context(**(screen | options))
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    console = Console(page, f"{desk.url.removesuffix('/v1')}/console", [], [])
    page.on("console", lambda message: console.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console.complaints.append(str(error)))
    page.on("request", lambda request: console.asked.append(request.url))
    yield console
    context.close()
