"""How quiet this machine is, according to the system and to a short busy loop, and how it could be made quieter."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnkernels.measure.timing.threads import available_cpus, cgroup_quota

ROOT = Path("/")

# A machine within these limits is like those on which the bounds of a check were chosen.
SPREAD_LIMIT = 0.05
STEAL_LIMIT = 0.01
OTHER_LOAD_LIMIT = 0.1

SPIN_SECONDS = 1.0
LOOP = range(20_000)  # takes a few tenths of a millisecond


@dataclass(frozen=True)
class Quietness:
    """Properties of the machine that affect the noise of timings. Unknown ones are None or empty.

    Attributes
    ----------
    cpus : int
        Number of CPUs that this process may use at the same time.
    governors : tuple of str
        Distinct frequency governors of the CPUs.
    turbo : bool or None
        Whether frequencies may exceed the nominal one.
    smt : bool or None
        Whether two hardware threads share a core.
    virtual : bool or None
        Whether this is a virtual machine.
    other_load : float or None
        Mean number of CPUs that other processes kept busy during the loop.
    steal : float or None
        Fraction of the CPU time that the host gave to other guests.
    spread : float
        90th percentile of the durations of the loop's turns divided by their median, minus 1.
    """

    cpus: int
    governors: tuple[str, ...]
    turbo: bool | None
    smt: bool | None
    virtual: bool | None
    other_load: float | None
    steal: float | None
    spread: float

    @property
    def typical(self) -> bool:
        """Whether spread, other load and steal time are within the limits."""
        return (
            self.spread <= SPREAD_LIMIT
            and (self.steal or 0.0) <= STEAL_LIMIT
            and (self.other_load or 0.0) <= OTHER_LOAD_LIMIT
        )


def measure_quietness(root: Path = ROOT, seconds: float = SPIN_SECONDS) -> Quietness:
    """Run a busy loop, and read what the system reports about it.

    Parameters
    ----------
    root : Path
        Root of the file system.
    seconds : float
        Duration of the loop.

    Returns
    -------
    found : Quietness
        The properties of the machine.
    """
    cpu = root / "sys" / "devices" / "system" / "cpu"
    before, own, started = _cpu_ticks(root), time.process_time(), time.perf_counter()
    spread = _spin(seconds)
    elapsed, own, after = time.perf_counter() - started, time.process_time() - own, _cpu_ticks(root)
    other_load = steal = None
    if before and after:
        passed = np.subtract(after, before) / os.sysconf("SC_CLK_TCK")
        user, nice, system, _idle, _wait, irq, softirq, stolen = passed[:8]
        other_load = float(max(0.0, (user + nice + system + irq + softirq - own) / elapsed))
        steal = float(stolen / max(passed[:8].sum(), 1e-9))
    return Quietness(
        available_cpus(),
        tuple(sorted({_text(path) for path in cpu.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""})),
        _turbo(cpu),
        {"1": True, "0": False}.get(_text(cpu / "smt" / "active")),
        (" hypervisor" in flags) if (flags := _text(root / "proc" / "cpuinfo")) else None,
        other_load,
        steal,
        spread,
    )


def advice(found: Quietness) -> list[str]:
    """Return suggestions to make the machine quieter.

    Parameters
    ----------
    found : Quietness
        The properties of the machine.

    Returns
    -------
    suggestions : list of str
        The most effective first; may be empty.
    """
    suggestions = []
    if found.other_load is not None and found.other_load > OTHER_LOAD_LIMIT:
        suggestions.append(f"other programs keep {found.other_load:.2f} CPUs busy: stop them or measure later")
    if found.steal is not None and found.steal > STEAL_LIMIT:
        suggestions.append(f"steal time is {found.steal:.1%} of the CPU time: measure later, or on a dedicated host")
    if slow := [name for name in found.governors if name != "performance"]:
        suggestions.append(f"the frequency governor is {', '.join(slow)}: run `cpupower frequency-set -g performance`")
    if found.turbo:
        suggestions.append("turbo is enabled, so the frequency varies with the temperature: disable it")
    if found.smt:
        suggestions.append(
            "SMT is enabled, so two threads share a core: disable it (/sys/devices/system/cpu/smt/control)"
        )
    if found.cpus < 2:
        suggestions.append("there is only one CPU, shared with the system itself: measure on two or more")
    if cgroup_quota() is not None:
        suggestions.append("a cgroup quota suspends processes when it is used up: measure without a quota")
    if found.virtual and found.spread > SPREAD_LIMIT:
        suggestions.append("this is a virtual machine, and other guests may disturb it: measure on a dedicated host")
    return suggestions


def verdict(found: Quietness) -> str:
    """Return a sentence that says whether the machine is typical, with values and limits.

    Parameters
    ----------
    found : Quietness
        The properties of the machine.

    Returns
    -------
    sentence : str
        Starts with ``typical`` or ``not typical``.
    """
    steal = "unknown" if found.steal is None else f"{found.steal:.1%}"
    load = "unknown" if found.other_load is None else f"{found.other_load:.2f}"
    return (
        f"{'typical' if found.typical else 'not typical'}: in a busy loop, the 90th percentile of the times is "
        f"{found.spread:.1%} above the median (limit {SPREAD_LIMIT:.0%}); steal time: {steal} (limit "
        f"{STEAL_LIMIT:.0%}); CPUs used by other programs: {load} (limit {OTHER_LOAD_LIMIT:g})"
    )


def _spin(seconds: float) -> float:
    turns: list[float] = []
    deadline = time.perf_counter() + seconds
    while not turns or time.perf_counter() < deadline:
        started = time.perf_counter()
        for _ in LOOP:
            pass
        turns.append(time.perf_counter() - started)
    return float(np.quantile(turns, 0.9) / np.median(turns) - 1)


def _cpu_ticks(root: Path) -> list[int]:
    """Return the ticks of all CPUs: user, nice, system, idle, wait, irq, softirq, steal. Empty if unknown."""
    fields = _text(root / "proc" / "stat").partition("\n")[0].split()
    return [int(field) for field in fields[1:9]] if fields[:1] == ["cpu"] and len(fields) >= 9 else []


def _turbo(cpu: Path) -> bool | None:
    off = {"0": True, "1": False}.get(_text(cpu / "intel_pstate" / "no_turbo"))
    return {"1": True, "0": False}.get(_text(cpu / "cpufreq" / "boost")) if off is None else off


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
