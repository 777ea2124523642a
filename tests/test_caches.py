"""Cache sizes are read from descriptions of other machines, or assumed if unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from nnkernels.measure.roofline import caches
from nnkernels.measure.roofline.caches import ASSUMED, Cache, Caches, read_caches


def write_cache_description(root: Path, cpu: int, index: int, **values: str) -> None:
    folder = root / f"cpu{cpu}" / "cache" / f"index{index}"
    folder.mkdir(parents=True)
    for name, value in values.items():
        (folder / name).write_text(value + "\n")


def test_read_caches_parses_linux_description(tmp_path: Path) -> None:
    for cpu in range(4):
        pair = "0,2" if cpu % 2 == 0 else "1,3"
        write_cache_description(tmp_path, cpu, 0, level="1", type="Data", size="48K", shared_cpu_list=pair)
        write_cache_description(tmp_path, cpu, 1, level="1", type="Instruction", size="32K", shared_cpu_list=pair)
        write_cache_description(tmp_path, cpu, 2, level="2", type="Unified", size="2048K", shared_cpu_list=pair)
        half = "0-1" if cpu < 2 else "2-3"
        write_cache_description(tmp_path, cpu, 3, level="3", type="Unified", size="16M", shared_cpu_list=half)
    (tmp_path / "cpufreq").mkdir()
    assert read_caches(tmp_path) == Caches(Cache(48 * 2**10, 2), Cache(2 * 2**20, 2), 32 * 2**20)


def test_missing_or_invalid_cache_sizes_are_assumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "sys", SimpleNamespace(platform="unknown"))
    assert read_caches(tmp_path / "nothing") == ASSUMED
    write_cache_description(tmp_path, 0, 0, level="1", type="Data", size="64K", shared_cpu_list="0")
    write_cache_description(tmp_path, 0, 1, level="2", type="Unified", size="nonsense", shared_cpu_list="0")
    write_cache_description(tmp_path, 0, 2, level="2", type="Unified", size="", shared_cpu_list="0")
    assert read_caches(tmp_path) == replace(ASSUMED, l1=Cache(64 * 2**10))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (
            {
                "hw.perflevel0.l1dcachesize": 131072,
                "hw.l1dcachesize": 65536,
                "hw.perflevel0.l2cachesize": 12582912,
                "hw.l2cachesize": 4194304,
                "hw.perflevel0.cpusperl2": 4,
            },
            Caches(Cache(131072), Cache(12582912, 4), ASSUMED.last_level_bytes, known=False),
        ),
        (
            {"hw.l1dcachesize": 32768, "hw.l2cachesize": 262144, "hw.l3cachesize": 6291456},
            Caches(Cache(32768), Cache(262144), 6291456),
        ),
        ({}, ASSUMED),
    ],
)
def test_read_caches_parses_macos_sysctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: dict[str, int], expected: Caches
) -> None:
    monkeypatch.setattr(caches, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(caches, "_sysctl", lambda name: numbers.get(name, 0))
    assert read_caches(tmp_path) == expected


def test_sysctl_of_unknown_name_returns_zero() -> None:
    assert caches._sysctl("nnkernels.no.such.number") == 0
