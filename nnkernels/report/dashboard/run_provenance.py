"""The recorded provenance of a run as texts for people."""

from __future__ import annotations

from typing import Any

from nnkernels.report.runs import Run


def provenance(run: Run) -> dict[str, str]:
    """Return the provenance of a run.

    Parameters
    ----------
    run : Run
        The run; runs that are pooled with it are not described.

    Returns
    -------
    facts : dict of str to str
        By name. What was not recorded says so.
    """
    found = run.record.provenance
    data = found.get("dataset", {})
    environment = found.get("environment", {})
    return {
        "machine": run.record.machine,
        "CPU": f"{found.get('cpu', '-')}, {found.get('microarchitecture', '-')}, {found.get('architecture', '-')}, "
        f"{found.get('cpus', '-')} CPUs",
        "threads": f"{', '.join(run.record.threads)}; {found.get('pinning', 'pinning not recorded')}",
        "system": f"{found.get('os', '-')}, {found.get('implementation', '')} {found.get('python', '-')}",
        "packages": ", ".join(f"{name} {version}" for name, version in found.get("packages", {}).items()) or "-",
        "BLAS": "; ".join(_blas(one) for one in found.get("blas", [])) or "-",
        "machine code": str(found.get("machine_code", "not recorded")),
        "path of fused": str(found.get("fused_path", "lists")),  # the only one when it was not recorded
        "settings removed": _settings(environment, "neutralised"),
        "settings kept": _settings(environment, "kept"),
        "Keras": "; ".join(
            f"{one.get('backend', '?')}, floatx {one.get('floatx', '?')}" for one in found.get("keras", [])
        )
        or "not recorded",
        "data": f"{data.get('name', '-')}, {data.get('training_images', 0):,} training and "
        f"{data.get('test_images', 0):,} test images, sha256 {data.get('sha256', '-')}",
    }


def _blas(one: dict[str, Any]) -> str:
    texts = [str(one.get(name, "?")) for name in ("internal_api", "version", "architecture", "threading_layer")]
    return f"{texts[0]} {texts[1]} ({texts[2]}, {texts[3]})"


def _settings(environment: dict[str, Any], which: str) -> str:
    if which not in environment:
        return "not recorded"
    return ", ".join(f"{name}={value}" for name, value in environment[which].items()) or "none"
