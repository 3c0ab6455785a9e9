"""The console's screenshots in docs/, of a gateway with made-up use: `make screenshots`. Needs Chromium."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.console.browsing import launch
from tests.console.example import fill
from tests.contract.money_support import ADMIN, serving
from tests.support.fake_upstream import FakeUpstream

DOCS = Path(__file__).parents[1] / "docs"
DESK = {"viewport": {"width": 1200, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 800}, "is_mobile": True}
SHOTS = {
    "console-spend.png": ("spend", DESK),
    "console-keys.png": ("keys", DESK | {"color_scheme": "dark"}),
    "console-phone.png": ("requests", PHONE),
}
"""By the file's name, the view and the screen."""


def main(folder: Path = DOCS) -> int:
    with tempfile.TemporaryDirectory() as home, FakeUpstream() as upstream, serving(Path(home), upstream) as desk:
        fill(desk.gateway.store)
        with sync_playwright() as playwright, launch(playwright) as browser:
            for name in SHOTS:
                take(browser, f"{desk.url.removesuffix('/v1')}/console", name, folder)
    return 0


def take(browser: Browser, address: str, name: str, folder: Path) -> None:
    view, screen = SHOTS[name]
    with browser.new_context(locale="en-GB", timezone_id="UTC", reduced_motion="reduce", **screen) as context:
        page = context.new_page()
        page.goto(f"{address}#/{view}")
        page.get_by_label("Key").fill(ADMIN)
        page.get_by_role("button", name="Sign in").click()
        page.locator("table").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=folder / name)


if __name__ == "__main__":
    sys.exit(main())
