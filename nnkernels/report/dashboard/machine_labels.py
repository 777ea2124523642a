"""Names of machines for people, such as ``AMD Zen 3, 2 CPUs``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

# LLVM's names of processors, as the records have them, and the names under which people know them.
MICROARCHITECTURES = {
    "znver1": "Zen",
    "znver2": "Zen 2",
    "znver3": "Zen 3",
    "znver4": "Zen 4",
    "znver5": "Zen 5",
    "haswell": "Haswell",
    "broadwell": "Broadwell",
    "skylake": "Skylake",
    "skylake-avx512": "Skylake-SP",
    "cascadelake": "Cascade Lake",
    "cooperlake": "Cooper Lake",
    "icelake-client": "Ice Lake",
    "icelake-server": "Ice Lake-SP",
    "tigerlake": "Tiger Lake",
    "rocketlake": "Rocket Lake",
    "alderlake": "Alder Lake",
    "raptorlake": "Raptor Lake",
    "meteorlake": "Meteor Lake",
    "sapphirerapids": "Sapphire Rapids",
    "emeraldrapids": "Emerald Rapids",
    "graniterapids": "Granite Rapids",
    "sierraforest": "Sierra Forest",
    "neoverse-n1": "Neoverse N1",
    "neoverse-n2": "Neoverse N2",
    "neoverse-v1": "Neoverse V1",
    "neoverse-v2": "Neoverse V2",
    "apple-m1": "M1",
    "apple-m2": "M2",
    "apple-m3": "M3",
    "apple-m4": "M4",
}
VENDORS = {"amd": "AMD", "intel": "Intel", "apple": "Apple", "neoverse": "Arm", "ampere": "Ampere"}


def machine_labels(provenances: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a name for each machine.

    Parameters
    ----------
    provenances : mapping of str to mapping
        The provenance of a run of each machine, by the machine's id.

    Returns
    -------
    labels : dict of str to str
        By the machine's id. If several machines would have the same name, theirs contain the processor's own name, and
        if that is the same as well, the id.
    """
    short = {machine: machine_label(found) for machine, found in provenances.items()}
    long = {machine: machine_label(found, with_cpu=True) for machine, found in provenances.items()}
    short_count, long_count = Counter(short.values()), Counter(long.values())
    return {
        machine: (
            short[machine]
            if short_count[short[machine]] == 1
            else long[machine]
            if long_count[long[machine]] == 1
            else f"{short[machine]} ({machine})"
        )
        for machine in provenances
    }


def machine_label(provenance: Mapping[str, Any], with_cpu: bool = False) -> str:
    """Return a name for a machine.

    Parameters
    ----------
    provenance : mapping of str to object
        The provenance of one of its runs, of which the fields ``cpu``, ``microarchitecture`` and ``cpus`` are used.
    with_cpu : bool, default: False
        Whether to add the processor's own name.

    Returns
    -------
    label : str
        Vendor, microarchitecture and number of CPUs. An unknown microarchitecture has LLVM's name, and the vendor is
        left out if it is unknown.
    """
    recorded = str(provenance["microarchitecture"])
    words = re.findall(r"[a-z]+", f"{provenance['cpu']} {recorded}".lower())
    vendor = next((name for word, name in VENDORS.items() if word in words), "")
    name = f"{vendor} {MICROARCHITECTURES.get(recorded, recorded)}".strip()
    if with_cpu:
        cpu = re.sub(r"\((r|tm)\)", "", str(provenance["cpu"]), flags=re.IGNORECASE)
        name += f" ({' '.join(cpu.split())})"
    return f"{name}, {provenance['cpus']} CPU{'' if provenance['cpus'] == 1 else 's'}"
