"""One browser, and the site of the repository's own results, on loopback and as files."""

import os
import threading
from pathlib import Path

import pytest

from tests.browser import chromium

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
REQUIRED = os.environ.get("NNKERNELS_BROWSER_TESTS") == "required"
WIDTHS = (320, 360, 768, 1440, 1920)


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
    published = publish_site(ROOT, folder / "site")
    missing = [note for note in published.notes if "walkthrough" in note]
    assert not missing


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


@pytest.fixture
def open_page(browser, addresses):
    """A function that opens a page of the site. At the end, nothing foreign was asked for, and no error was logged."""
    foreign, errors, contexts = [], [], []

    def guard(route):
        url = route.request.url
        if url.startswith((*addresses.values(), "data:", "blob:")):
            route.continue_()
        else:
            foreign.append(url)
            route.abort()

    def opened(page="index.html", at="http", width=1200, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en", **settings)
        context.set_default_timeout(20_000)
        context.route("**/*", guard)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(addresses[at] + page)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []
