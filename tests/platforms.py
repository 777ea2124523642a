"""Where and when the tests were seen to pass: ``python -m tests.platforms REPORT.xml`` records a run of pytest.

The report is what ``pytest --junitxml REPORT.xml`` wrote in this checkout, with this Python. The record is
``tests/platforms.json``; the table in CONTRIBUTING.md is generated from it.
"""

from __future__ import annotations

import json
import platform
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nnkernels.files import write_text
from nnkernels.report.blocks import NOT_RECORDED, Block

TESTS = Path(__file__).parent
RECORD, PAGE = TESTS / "platforms.json", TESTS.parent / "CONTRIBUTING.md"
BLOCK = Block("platforms", "python -m tests.platforms REPORT.xml")
PACKAGES = ("numpy", "numba", "tensorflow", "jax")


class ReportError(Exception):
    """A report of pytest cannot be recorded."""


def sighting(reports: list[Path]) -> dict[str, Any]:
    """Return the record of a run, possibly in several parts.

    Parameters
    ----------
    reports : list of Path
        Reports in JUnit's format.

    Returns
    -------
    record : dict
        Platform, versions, date, and how many tests passed and were skipped.

    Raises
    ------
    ReportError
        If a test failed or none passed.
    """
    suites = [suite for path in reports for suite in ET.parse(path).getroot().iter("testsuite")]
    counts = {
        key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    }
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    if counts["failures"] or counts["errors"] or passed <= 0:
        raise ReportError(f"{counts['failures']} failures, {counts['errors']} errors, {passed} passed: not recorded")
    run = {case.get("classname", "").split(".")[1] for suite in suites for case in suite.iter("testcase")}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": min(suite.get("timestamp", "")[:10] for suite in suites),
        "passed": passed,
        "skipped": counts["skipped"],
        "left_out": sorted({path.stem for path in TESTS.glob("test_*.py")} - run),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    for distribution in (name, f"{name}-cpu"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def with_sighting(records: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records with a new one in place of that of the same system and minor version of Python."""
    kept = [old for old in records if _place(old) != _place(new)]
    return sorted([*kept, new], key=_place)


def _place(record: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    return record["system"], tuple(int(part) for part in record["python"].split(".")[:2])


def table(records: list[dict[str, Any]]) -> str:
    """Return the table of CONTRIBUTING.md with its markers."""
    rows = ["| system | Python | seen | passed | skipped | files left out | with |", "|---|---|---|---:|---:|---|---|"]
    for record in records:
        left_out = ", ".join(name.removeprefix("test_") for name in record["left_out"]) or "none"
        versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
        rows.append(
            f"| {record['system']} | {record['python']} | {record['date']} | {record['passed']:,} | "
            f"{record['skipped']:,} | {left_out} | {versions} |"
        )
    return BLOCK.around("\n".join(rows) if records else NOT_RECORDED)


def main(reports: list[str]) -> None:
    """Record a run, and write the table."""
    records = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else []
    if reports:
        records = with_sighting(records, sighting([Path(report) for report in reports]))
        write_text(RECORD, json.dumps(records, indent=1) + "\n")
    BLOCK.update(PAGE, table(records))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ReportError, OSError, ET.ParseError) as error:
        sys.exit(f"error: {error}")
