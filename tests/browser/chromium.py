"""The browser of the tests and of the recorded picture and times."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

# A page that is drawn where every run of the tests draws it: no GPU, no scaling, and nothing that phones home.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--force-device-scale-factor=1",
    # No name is looked up, and no other host is reached.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def executable() -> str | None:
    """Return the path of Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def what_is_missing() -> str:
    """Return what the tests lack; empty if they can run."""
    missing = [name for name in ("playwright", "axe_playwright_python", "pypdf") if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed; install nnkernels[browser]"
    return "" if executable() else "no Chromium on the PATH; on Debian: apt-get install chromium"


@contextmanager
def launched() -> Iterator[Any]:
    """Yield a headless browser."""
    from playwright.sync_api import sync_playwright

    # Playwright starts Node.js, which warns of its own deprecations on the standard error stream.
    os.environ.setdefault("NODE_OPTIONS", "--no-deprecation")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(_ARGUMENTS))
        yield browser
        browser.close()
