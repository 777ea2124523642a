"""Quietness of the machine, as shown by `nnkernels env`, read from the files of a made-up system."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from nnkernels.measure.records.quietness import Quietness, advice, measure_quietness, verdict

QUIET = Quietness(4, ("performance",), False, False, False, 0.01, 0.0, 0.02)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n", "utf-8")
    return root


def test_settings_and_load_are_read_from_system_files(tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu"
    found = measure_quietness(
        write(
            tmp_path,
            {
                f"{cpu}/cpu0/cpufreq/scaling_governor": "powersave",
                f"{cpu}/cpu1/cpufreq/scaling_governor": "performance",
                f"{cpu}/intel_pstate/no_turbo": "0",
                f"{cpu}/smt/active": "1",
                "proc/cpuinfo": "flags\t: fpu hypervisor sse",
                "proc/stat": "cpu  10 0 10 100 0 0 0 5 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1",
            },
        ),
        seconds=0.01,
    )
    assert found.governors == ("performance", "powersave")
    assert (found.turbo, found.smt, found.virtual) == (True, True, True)
    assert (found.other_load, found.steal) == (0.0, 0.0)  # the made-up counters do not change
    assert found.cpus >= 1
    assert math.isfinite(found.spread)


def test_boost_is_read_without_intel_driver(tmp_path: Path) -> None:
    assert measure_quietness(write(tmp_path, {"sys/devices/system/cpu/cpufreq/boost": "0"}), seconds=0).turbo is False


def test_missing_system_files_give_unknown_values(tmp_path: Path) -> None:
    found = measure_quietness(write(tmp_path, {"proc/stat": "nonsense"}), seconds=0)
    assert (found.governors, found.turbo, found.smt, found.virtual) == ((), None, None, None)
    assert (found.other_load, found.steal) == (None, None)
    assert "steal time: unknown" in verdict(found)


def test_a_quiet_machine_is_typical_and_needs_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkernels.measure.records.quietness.cgroup_quota", lambda: None)
    assert QUIET.typical
    assert advice(QUIET) == []
    assert verdict(QUIET).startswith("typical")


@pytest.mark.parametrize(
    ("change", "typical", "says"),
    [
        ({"other_load": 0.8}, False, "0.80 CPUs busy"),
        ({"steal": 0.03}, False, "3.0% of the CPU time"),
        ({"spread": 0.2, "virtual": True}, False, "virtual machine"),
        ({"governors": ("powersave",)}, True, "powersave"),
        ({"turbo": True}, True, "turbo"),
        ({"smt": True}, True, "SMT"),
        ({"cpus": 1}, True, "only one CPU"),
    ],
)
def test_each_disturbance_gets_advice(
    change: dict[str, object], typical: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnkernels.measure.records.quietness.cgroup_quota", lambda: None)
    found = replace(QUIET, **change)  # type: ignore[arg-type]
    assert found.typical == typical
    assert len(advice(found)) == 1
    assert says in advice(found)[0]
    assert verdict(found).startswith("typical" if typical else "not typical")


def test_cgroup_quota_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkernels.measure.records.quietness.cgroup_quota", lambda: 1.5)
    assert "quota" in advice(QUIET)[0]
