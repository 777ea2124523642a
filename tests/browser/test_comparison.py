"""The comparison in a browser: choices and the address change the numbers, which are those of the raw samples."""

import re
from urllib.parse import parse_qs

import pytest

from nnkernels.report.dashboard.collection import collect
from nnkernels.report.ratios import PairedRatios
from tests.browser.conftest import ROOT
from tests.browser.looking import table_rows

TABLE = "#compare-table"


@pytest.fixture(scope="module")
def machines():
    return {machine.machine: machine for machine in collect(ROOT).everything}


def number(text):
    return float(re.sub(r"[^\d.]", "", text))


def ratios_shown(page, reference):
    cells = {row["name"]: row[f"x {reference}"] for row in table_rows(page, TABLE)}
    return {name: number(text) for name, text in cells.items() if text != "-"}


def choose(page, **choices):
    for name, value in choices.items():
        page.select_option(f"#compare-form [name={name}]", value)


def settled(page, reference):
    """Wait until the table compares with a reference."""
    page.wait_for_function(
        "(name) => [...document.querySelectorAll('#compare-table thead th')].some((one) => one.textContent === name)",
        arg=f"x {reference}",
    )


def computed(run, work, view, reference):
    """Return the ratios of a run from its samples, by contender."""
    ratios = PairedRatios(*(one.interleaved for one in run.each))
    found = {}
    for name in ratios.contenders(work):
        if view == "faster":
            setting = ratios.faster_setting(work, name)
            against = (
                setting and ratios.faster_setting(work, reference) and ratios.against(work, (name, setting), reference)
            )
            estimate = against.estimate if against else None
        else:
            labels = ratios.labels(work)
            both = (name, view) in labels and (reference, view) in labels
            estimate = ratios.at(work, (name, view), (reference, view)) if both else None
        if estimate:
            found[name] = estimate.value
    return found


def assert_same(shown, expected):
    assert shown
    assert shown.keys() == expected.keys()
    for name, value in shown.items():
        assert value == pytest.approx(expected[name], rel=6e-3), name  # three digits are shown


def test_reference_work_and_threads_show_the_ratios_of_the_samples(open_page, machines):
    page = open_page()
    run = next(iter(machines.values())).shown
    settled(page, "numpy")
    assert_same(ratios_shown(page, "numpy"), computed(run, "epoch", "faster", "numpy"))
    choose(page, ref="keras-graph-xla")
    settled(page, "keras-graph-xla")
    assert_same(ratios_shown(page, "keras-graph-xla"), computed(run, "epoch", "faster", "keras-graph-xla"))
    choose(page, threads="1")
    page.wait_for_function("location.hash.includes('threads=1')")
    assert_same(ratios_shown(page, "keras-graph-xla"), computed(run, "epoch", "1", "keras-graph-xla"))
    works = page.eval_on_selector_all("[name=work] option", "(all) => all.map((one) => one.value)")
    choose(page, ref="numpy", work=works[-1])
    page.wait_for_function("location.hash.includes('work=')")
    settled(page, "numpy")
    assert_same(ratios_shown(page, "numpy"), computed(run, works[-1], "1", "numpy"))


def test_each_machine_shows_its_own_run(open_page, machines):
    page = open_page()
    assert len(machines) >= 3
    for value in page.eval_on_selector_all("[name=machine] option", "(all) => all.map((one) => one.value)"):
        choose(page, machine=value)
        page.wait_for_timeout(50)
        reference = page.input_value("[name=ref]")
        settled(page, reference)
        work = page.input_value("[name=work]")
        assert_same(ratios_shown(page, reference), computed(machines[value].shown, work, "faster", reference))


@pytest.mark.parametrize("at", ["http", "file"])
def test_older_run_is_loaded_on_demand(at, open_page, machines):
    page = open_page(at=at)
    loaded = "(all) => all.map((one) => one.src).filter((src) => src.includes('comparisons/')).length"
    assert page.eval_on_selector_all("script[src]", loaded) == 0
    machine = next(iter(machines.values()))
    run = machine.runs[-1]
    choose(page, run=run.record.run_id)
    page.wait_for_function("(id) => location.hash.includes(id)", arg=run.record.run_id)
    assert_same(ratios_shown(page, "numpy"), computed(run, "epoch", "faster", "numpy"))
    assert page.eval_on_selector_all("script[src]", loaded) == 1


def test_address_keeps_the_choice_over_reload_and_back(open_page):
    page = open_page()
    settled(page, "numpy")
    choose(page, ref="fused")
    settled(page, "fused")
    choose(page, threads="1")
    page.wait_for_function("location.hash.includes('threads=1')")
    query = parse_qs(page.evaluate("location.hash").partition("?")[2])
    assert query == {"ref": ["fused"], "threads": ["1"]}
    before = table_rows(page, TABLE)
    page.reload()
    settled(page, "fused")
    page.wait_for_function("document.querySelector('[name=threads]').value === '1'")
    assert table_rows(page, TABLE) == before
    page.go_back()
    page.wait_for_function("document.querySelector('[name=threads]').value === 'faster'")
    settled(page, "fused")
    page.go_back()
    settled(page, "numpy")
    assert page.input_value("[name=ref]") == "numpy"


@pytest.mark.parametrize("query", ["ref=nothing", "machine=%3Cscript%3E&work=x&threads=7", "&&=&", "run=../../secret"])
def test_nonsense_in_the_address_shows_the_default(query, open_page):
    expected = table_rows(open_page(), TABLE)
    page = open_page(f"index.html#compare?{query}")
    settled(page, "numpy")
    assert table_rows(page, TABLE) == expected


def test_chart_has_a_mark_for_each_row_with_a_number(open_page):
    page = open_page()
    choose(page, ref="keras-fit")
    settled(page, "keras-fit")
    page.wait_for_selector("#chart-compare.is-live")
    rows = [row for row in table_rows(page, TABLE) if row["x keras-fit"] != "-"]
    symbols = page.locator("#chart-compare .live g.mark-symbol path")
    assert symbols.count() == len(rows)
    texts = page.locator("#chart-compare .live g.mark-text text").all_text_contents()
    assert [row["x keras-fit"] for row in rows if row["x keras-fit"] not in texts] == []


def test_seconds_are_sorted_and_have_units(open_page):
    page = open_page()
    choose(page, show="seconds")
    page.wait_for_function("location.hash.includes('show=seconds')")
    times = [row["time per epoch"] for row in table_rows(page, TABLE) if row["time per epoch"] != "-"]
    factors = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
    seconds = [float(value.replace(",", "")) * factors[unit] for value, unit in (time.split() for time in times)]
    assert len(seconds) > 5
    assert seconds == sorted(seconds)
