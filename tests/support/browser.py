"""A real browser on the pages of a real server. Whatever it complains about fails the test that it was used in."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Error, Page, ViewportSize, sync_playwright

from patience import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
SECONDS = 30_000
"""Milliseconds that anything may take on a busy machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's chromium, and close it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the machine's chromium, once a module: while it runs, nothing else in this process has an event loop."""
    if not CHROMIUM:
        pytest.skip("no chromium here: apt-get install chromium")
    with chromium() as browser:
        yield browser


class Complaints:
    """What pages complain about, or ask of other hosts than ``hosts``. ``expected`` are parts of what may be said."""

    def __init__(self, context: BrowserContext, hosts: frozenset[str]) -> None:
        self.told: list[str] = []
        self.expected: list[str] = []
        context.on("console", lambda message: self._add(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: self._add(str(error.error)))
        context.on("request", lambda request: self._look(request.url, hosts))

    def _add(self, text: str) -> None:
        self.told.append(text)

    def _look(self, url: str, hosts: frozenset[str]) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.netloc not in hosts:
            self._add(f"asked another host: {url}")

    def unexpected(self) -> list[str]:
        """Return what should not have been said."""
        return [text for text in self.told if not any(part in text for part in self.expected)]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page of a server in a browser of its own.

    ``scripts=False`` switches scripts off; ``before`` is given the page before it is opened; ``hosts`` are those that
    it may ask besides its own.
    """
    opened: list[tuple[BrowserContext, Complaints]] = []

    def begin(
        url: str,
        *,
        scripts: bool = True,
        phone: bool = False,
        before: Callable[[Page], None] = lambda _: None,
        hosts: tuple[str, ...] = (),
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            java_script_enabled=scripts, viewport=PHONE if phone else DESKTOP, has_touch=phone, **options
        )
        context.set_default_timeout(SECONDS)
        complaints = Complaints(context, frozenset((urlsplit(url).netloc, *hosts)))
        opened.append((context, complaints))
        page = context.new_page()
        page.complaints = complaints  # type: ignore[attr-defined]  # for the test, which is given the page
        before(page)
        page.goto(url, wait_until="domcontentloaded")
        return page

    yield begin
    told = [text for _, complaints in opened for text in complaints.unexpected()]
    for context, _ in opened:
        context.close()
    assert told == [], told


_SESSIONS: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()
"""A limit ends with the session that has set it."""


def throttle(page: Page, bytes_a_second: int, *, offline: bool = False) -> None:
    """Let a page send so many bytes a second, -1 for as many as it can, or nothing at all."""
    session = _SESSIONS.setdefault(page, page.context.new_cdp_session(page))
    conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
    session.send("Network.emulateNetworkConditions", conditions)


def drop(page: Page, selector: str, paths: list[Path]) -> None:
    """Drop files and folders of this machine onto what a selector finds, as somebody does with a mouse."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 9, "y": box["y"] + 9, "data": data})


def all_copied(page: Page) -> dict[str, str]:
    """Press every button that copies something to use elsewhere; return what each brought to the clipboard."""
    copied: dict[str, str] = {}
    for name in ("Address", "Markdown", "HTML", "srcset"):
        page.get_by_role("button", name=f"Copy {name}").click()
        page.get_by_role("button", name="Copied").wait_for()
        copied[name] = page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("button", name=f"Copy {name}").wait_for()
    return copied


def until(page: Page, expression: str, *, seconds: float = 20.0) -> None:
    """Wait until an expression is true in a page; asked from outside, since its policy lets no expressions in."""

    def is_true() -> bool:
        try:
            return bool(page.evaluate(expression))
        except Error:  # the page was left at this moment, for the next one
            return False

    eventually(is_true, seconds=seconds, what=expression)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page as it is."""
    # A strict policy lets no script in but the page's own: as the debugger it is let in.
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {one['help']} {[node['html'][:200] for node in one['nodes']]}" for one in found]
