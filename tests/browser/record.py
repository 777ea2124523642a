"""Record the picture of the dashboard for the README, and how long the page takes: ``python -m tests.browser.record``.

The times depend on the machine, so they are recorded in ``results/figures/dashboard.json`` and asserted nowhere.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from nnkernels.files import write_json
from nnkernels.report.dashboard.site import publish_site
from tests.browser import chromium
from tests.many_runs import write_runs

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "results" / "figures"
LOADS = 5
# Milliseconds from the start of the navigation. Interactive: every script of the page has run.
_TIMES = """() => ({
    first_contentful_paint_ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
    interactive_ms: performance.getEntriesByType("navigation")[0].loadEventEnd,
})"""


def measure(browser, root: Path, folder: Path, further_pages: bool) -> dict[str, float]:
    """Build a site, load it several times, and return its times and sizes."""
    started = time.perf_counter()
    page = publish_site(root, folder, further_pages=further_pages).page
    built = time.perf_counter() - started
    loads = []
    for _ in range(LOADS):
        tab = browser.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
        loads.append(tab.evaluate(_TIMES))
        tab.close()
    times = {name: round(median(load[name] or 0.0 for load in loads), 1) for name in loads[0]}
    sizes = {"page_bytes": page.stat().st_size}
    sizes["site_bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"build_seconds": round(built, 2), **times, **sizes}


def take_picture(browser, page: Path) -> None:
    """Save the first screen, 1200 pixels wide."""
    tab = browser.new_page(viewport={"width": 1200, "height": 820}, color_scheme="light", reduced_motion="reduce")
    tab.goto(page.as_uri())
    tab.wait_for_selector("#chart-answer.is-live")
    # The age of the results would make the picture another one every day.
    tab.eval_on_selector_all(
        "time", "(all) => all.forEach((one) => one.childNodes.length > 1 && one.lastChild.remove())"
    )
    tab.screenshot(path=FIGURES / "dashboard.png")
    tab.close()


def main() -> None:
    """Record the picture and the times."""
    with tempfile.TemporaryDirectory(prefix="nnkernels-record-") as temporary, chromium.launched() as browser:
        own, many = Path(temporary) / "own", Path(temporary) / "many"
        recorded = {"own results": measure(browser, ROOT, own, further_pages=True)}
        take_picture(browser, own / "index.html")
        (many / "checkout").mkdir(parents=True)
        write_runs(many / "checkout", 200)
        recorded["200 made-up runs"] = measure(browser, many / "checkout", many / "site", further_pages=False)
    write_json(FIGURES / "dashboard.json", {"version": 1, **recorded})


if __name__ == "__main__":
    main()
