"""A real browser for the tests of the screens: Debian's Chromium, driven by Playwright.

Rule: a page may not log an error, throw one, break its Content-Security-Policy or ask another host
for anything: each visitor's pages are watched for that until they are closed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe  # pyright: ignore[reportMissingTypeStubs]
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ["--no-sandbox"] if os.geteuid() == 0 else []
"""Chromium's sandbox does not start as root."""
TIMEOUT = 20_000.0
"""Milliseconds after which a wait for anything fails the test: machines can be busy."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = {360: 740, 768: 1024, 1920: 1080}
"""The pixels of a phone, a tablet and a board."""
EXPECTED = ("Failed to load resource",)
"""What Chromium logs of a refusal, which a page shows, and of a shop that is away."""

expect.set_options(timeout=TIMEOUT)


def why_not() -> str | None:
    """Return why there is no browser; None if there is one. In CI there has to be one."""
    if shutil.which(CHROMIUM) is not None:
        return None
    reason = "Chromium is not installed (on Debian: apt install chromium)"
    if os.environ.get("CI"):
        raise AssertionError(reason)
    return reason


def launch(playwright: Playwright) -> Browser:
    """Start the browser."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)


@dataclass(eq=False)
class Visitor:
    """A person with a browser of their own: nothing in it is shared with another visitor's."""

    context: BrowserContext
    errors: list[str] = field(default_factory=list[str])

    def open(self, url: str) -> Page:
        """Open a page."""
        page = self.context.new_page()
        page.set_default_timeout(TIMEOUT)
        origin = urlsplit(url)[:2]
        page.on("pageerror", lambda error: self.errors.append(f"thrown: {error}"))
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("request", lambda request: self._see(origin, request.url))
        page.goto(url)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(EXPECTED):
            self.errors.append(f"logged: {text}")

    def _see(self, origin: tuple[str, str], url: str) -> None:
        if urlsplit(url)[:2] != origin and not url.startswith(("data:", "blob:")):
            self.errors.append(f"asked another host: {url}")


@contextmanager
def visiting(browser: Browser, width: int = 768, **options: Any) -> Generator[Visitor]:
    """Give someone a browser during the block."""
    size = {"width": width, "height": WIDTHS[width]}
    settings: dict[str, Any] = {"viewport": size, "locale": "en-GB", **options}
    context = browser.new_context(**settings)
    visitor = Visitor(context)
    try:
        yield visitor
        assert context.cookies() == []
    finally:
        context.close()
    assert visitor.errors == []


@cache
def _axe() -> Any:
    return Axe()


def barriers(page: Page) -> list[str]:
    """Return what in the page's state of now breaks WCAG 2.2 AA, as axe-core finds it."""
    options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = _axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {node['html']} {node.get('failureSummary', '')}"
        for one in found
        for node in one["nodes"]
    ]


def at_each_width(page: Page) -> Generator[int]:
    """Give the page's window each width, the widest first; it stays a phone's.

    Only the styles of a page depend on its width: it need not be opened again.
    """
    for width in sorted(WIDTHS, reverse=True):
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        yield width


def overflows(page: Page) -> bool:
    """Return whether the page is wider than its window, so that one scrolls sideways."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return wide
