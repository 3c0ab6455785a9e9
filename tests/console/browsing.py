"""Starting a browser: the system's own Chromium, or Playwright's. https://playwright.dev/python/docs/browsers"""

import os
import shutil

from playwright.sync_api import Browser, Playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def launch(playwright: Playwright) -> Browser:
    """Raises playwright.sync_api.Error where there is none."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # which Chromium can't have as root
    return playwright.chromium.launch(executable_path=installed(), args=sandbox)


def installed() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
