"""The CPU features that kernels may use, compared with the code that LLVM itself generates."""

import json
import os
import platform
import re

import llvmlite.binding
import pytest

from nnkernels.cpu_features import compiled_features, enabled
from tests.processes import python

HOST = {name for name, present in llvmlite.binding.get_host_cpu_features().items() if present}
AVX512_VNNI = {"avx512f", "avx512bw", "avx512vl", "avx512vnni"}

# LLVM adds sixteen floats in registers named zmm if it may use AVX-512, eight integers in ymm if it may use AVX2.
ADDITIONS = """
target triple = "x86_64-unknown-linux-gnu"
define <16 x float> @floats(<16 x float> %a, <16 x float> %b) { %c = fadd <16 x float> %a, %b
 ret <16 x float> %c }
define <8 x i32> @integers(<8 x i32> %a, <8 x i32> %b) { %c = add <8 x i32> %a, %b
 ret <8 x i32> %c }
"""


def assembly(flags):
    llvmlite.binding.initialize_all_targets()
    llvmlite.binding.initialize_all_asmprinters()
    module = llvmlite.binding.parse_assembly(ADDITIONS)
    target = llvmlite.binding.Target.from_triple("x86_64-unknown-linux-gnu")
    code = target.create_target_machine(cpu="x86-64", features=flags).emit_assembly(module)
    return code.split("integers:")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="LLVM may only know this machine's features")
@pytest.mark.parametrize(
    "flags",
    [
        "",
        "+avx512f",
        "+avx512vnni",
        "+avx512vnni,+avx512bw,-avx512f",
        "-avx512f,+avx512vnni",
        "+avx512vnni,-avx2",
        "+avx512vnni,-fma",
        "+avx512vnni,-sse4.1",
        "+avx2,+avx512vl,-avx512vnni",
        "+avx2,-avx512f",
        "+avx2,-avx",
        "-avx,+f16c",
        "-avx512bw,+avx512bw",
    ],
)
def test_enabled_features_are_those_that_llvm_compiles_for(flags):
    floats, integers = assembly(flags)
    assert ("avx512f" in enabled(flags)) == ("zmm" in floats)
    assert ("avx2" in enabled(flags)) == bool(re.search("vpaddd.*ymm", integers))


def test_later_flags_override_earlier_ones():
    assert enabled("+adx,-adx,+aes") == {"aes"}
    assert "avx512vnni" not in enabled("+avx512vnni,-avx512f,+avx512f")


def test_features_are_those_of_this_cpu():
    assert compiled_features() <= HOST


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, AVX512_VNNI & HOST),
        ({"NUMBA_ENABLE_AVX": "0"}, set()),
        ({"NUMBA_CPU_NAME": "generic"}, set()),
        ({"NUMBA_CPU_NAME": "haswell"}, AVX512_VNNI & HOST),  # Numba still passes the features of this CPU
        ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}, set()),
        ({"NUMBA_CPU_FEATURES": "+avx512vnni"}, {"avx512f", "avx512vnni"} & HOST),
    ],
)
def test_settings_of_numba_restrict_the_features(settings, expected):
    program = """
import json
from nnkernels.cpu_features import compiled_features
print(json.dumps(sorted(compiled_features())))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_CPU", "NUMBA_EN"))}
    found = set(json.loads(python("-c", program, environment={**environment, **settings}).stdout))
    assert found & AVX512_VNNI == expected
