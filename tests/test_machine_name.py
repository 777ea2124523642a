"""The stable name of a machine in the results: its processor, after a prefix that the environment may set."""

import platform

import pytest

from nnkernels.errors import ConfigurationError
from nnkernels.measure.records import provenance


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    monkeypatch.delenv(provenance.MACHINE_PREFIX, raising=False)
    monkeypatch.setattr(provenance, "cpu_name", lambda: "AMD EPYC(TM) 7763 64-Core Processor @ 2.45GHz")
    monkeypatch.setattr(provenance, "microarchitecture", lambda: "znver3")
    monkeypatch.setattr(provenance, "available_cpus", lambda: 4)
    monkeypatch.setattr(platform, "node", lambda: "Builder7.example.org")


def test_name_is_derived_from_the_processor():
    assert provenance.machine_name() == "amd-epyc-7763-64-core-processor-znver3-4-cpus"


def test_prefix_stands_before_it(monkeypatch):
    monkeypatch.setenv(provenance.MACHINE_PREFIX, "github-hosted")
    assert provenance.machine_name() == "github-hosted-amd-epyc-7763-64-core-processor-znver3-4-cpus"


def test_empty_prefix_is_none(monkeypatch):
    monkeypatch.setenv(provenance.MACHINE_PREFIX, "")
    assert provenance.machine_name().startswith("amd-")


@pytest.mark.parametrize(
    "prefix", ["GitHub", "a b", "-a", "a-", "a--b", "a/b", "..", "a.b", "a_b", "ä", "a\n", "x" * 33, " "]
)
def test_prefix_that_is_no_simple_word_is_an_error(prefix, monkeypatch):
    monkeypatch.setenv(provenance.MACHINE_PREFIX, prefix)
    with pytest.raises(ConfigurationError, match=r"NNKERNELS_MACHINE_PREFIX=.*at most 32 lower-case letters"):
        provenance.machine_name()


@pytest.mark.parametrize("prefix", ["builder7", "my-builder7", "builder7-b"])
def test_prefix_with_the_host_name_is_an_error_that_does_not_repeat_it(prefix, monkeypatch):
    monkeypatch.setenv(provenance.MACHINE_PREFIX, prefix)
    with pytest.raises(ConfigurationError, match="the name of this host") as raised:
        provenance.machine_name()
    assert "builder7" not in str(raised.value)


def test_prefix_that_only_begins_like_the_host_is_permitted(monkeypatch):
    monkeypatch.setenv(provenance.MACHINE_PREFIX, "builder")
    assert provenance.machine_name().startswith("builder-amd-")
