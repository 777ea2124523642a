"""The table of platforms shows what was recorded, and only runs without failures are recorded."""

import json
import platform

import pytest

from tests import platforms

REPORT = """<testsuites>
<testsuite errors="0" failures="{failures}" skipped="2" tests="12" timestamp="2026-11-29T08:00:00">
<testcase classname="tests.test_data" name="a"/><testcase classname="tests.test_platforms" name="b"/>
</testsuite></testsuites>"""


def report(tmp_path, failures=0):
    path = tmp_path / f"{failures}.xml"
    path.write_text(REPORT.format(failures=failures))
    return path


def test_run_is_recorded_with_what_was_left_out(tmp_path):
    record = platforms.sighting([report(tmp_path), report(tmp_path)])
    assert (record["passed"], record["skipped"], record["date"]) == (20, 4, "2026-11-29")
    assert record["python"] == platform.python_version()
    assert "test_estimator" in record["left_out"]
    assert not {"test_data", "test_platforms"} & set(record["left_out"])


def test_run_with_failures_is_not_recorded(tmp_path):
    with pytest.raises(platforms.ReportError, match=r"1 failures.*not recorded"):
        platforms.sighting([report(tmp_path, failures=1)])


def test_newer_run_replaces_that_of_the_same_python():
    def run(python, date):
        return {"system": "Linux x86_64", "python": python, "date": date}

    records = [run("3.9.1", "a"), run("3.13.0", "b")]
    assert platforms.with_sighting(records, run("3.13.2", "c")) == [run("3.9.1", "a"), run("3.13.2", "c")]


def test_table_of_platforms_is_current():
    records = json.loads(platforms.RECORD.read_text("utf-8")) if platforms.RECORD.exists() else []
    assert platforms.BLOCK.split(platforms.PAGE.read_text("utf-8"), "CONTRIBUTING.md")[1] == platforms.table(records)
