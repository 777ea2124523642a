"""One browser, and the site of the repository's own results, on loopback and as files."""

import os
import threading
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.looking import draw_charts

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
REQUIRED = os.environ.get("NNKERNELS_BROWSER_TESTS") == "required"


def pytest_collection_modifyitems(items):
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser():
    if missing := chromium.what_is_missing():
        (pytest.fail if REQUIRED else pytest.skip)(missing)
    with chromium.launched() as launched:
        yield launched


@pytest.fixture(scope="session")
def site(browser, make_shared_folder):
    """The folder of the site of the repository's own results."""
    from nnkernels.report.dashboard.site import publish_site

    return make_shared_folder("site", lambda folder: _build(publish_site, folder)) / "site"


def _build(publish_site, folder):
    from nnkernels.report.dashboard.collection import collect
    from nnkernels.report.page import RUN_PAGE, render
    from nnkernels.report.summary import summarise

    published = publish_site(ROOT, folder / "site")
    missing = [note for note in published.notes if "walkthrough" in note]
    assert not missing
    # Another command writes this page beside the others.
    page = render(summarise(collect(ROOT).machines[0].shown), None, "walkthrough.html")
    (folder / "site" / RUN_PAGE).write_text(page, "utf-8")


@pytest.fixture(scope="session")
def server(site):
    from nnkernels.report.dashboard.preview import SiteServer

    with SiteServer(site) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def addresses(site, server):
    """Where the site is: on loopback, and as files."""
    return {"http": server.url, "file": f"{site.as_uri()}/"}


class Opener:
    """Opens pages of the site, and remembers what they must not do."""

    def __init__(self, browser, addresses):
        self.browser, self.addresses = browser, addresses
        self.foreign, self.errors, self.contexts = [], [], []

    def __call__(self, page="index.html", at="http", width=1200, height=900, **settings):
        context = self.browser.new_context(viewport={"width": width, "height": height}, locale="en", **settings)
        self.contexts.append(context)
        context.set_default_timeout(30_000)
        context.route("**/*", self.guard)
        tab = context.new_page()
        tab.on("console", self.hear)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.goto(self.addresses[at] + page)
        return tab

    def hear(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def guard(self, route):
        url = route.request.url
        if url.startswith((*self.addresses.values(), "data:", "blob:")):
            route.continue_()
        else:
            self.foreign.append(url)
            route.abort()

    def close(self):
        for context in self.contexts:
            context.close()
        assert self.foreign == []
        assert self.errors == []


@pytest.fixture
def open_page(browser, addresses):
    """A function that opens a page. At the end, nothing foreign was asked for, and the console is free of warnings."""
    opener = Opener(browser, addresses)
    yield opener
    opener.close()


@pytest.fixture(scope="session")
def drawn_page(browser, addresses):
    """The dashboard with every chart drawn, for tests that only look: drawing takes longest."""
    opener = Opener(browser, addresses)
    page = opener()
    draw_charts(page)
    yield page
    opener.close()


@pytest.fixture
def drawn(drawn_page):
    """The dashboard with every chart drawn, as on a desk in daylight."""
    yield drawn_page
    drawn_page.emulate_media(media="null", color_scheme="light")
    drawn_page.set_viewport_size({"width": 1200, "height": 900})
