"""Mutations of files: of their bytes, and inside valid containers, whose checksums and lengths are written anew.

A mutation is a few numbers, so that a random generator, Hypothesis and atheris can all draw it, and it can be printed
and repeated.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple


class Mutation(NamedTuple):
    """One change of a file.

    Attributes
    ----------
    kind : int
        Chooses what is changed.
    where : float
        From 0 to 1: chooses the place.
    value : int
        0 to 2**32 - 1: chooses the new content.
    """

    kind: int
    where: float
    value: int


# Numbers at which formats and their readers tend to break.
NUMBERS = (0, 1, -1, 2, 7, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 10**30)
VALUES: tuple[Any, ...] = (
    None, True, "", "x", "x" * 10_000, "../outside", "\x00", [], {}, [[[[[[]]]]]], [1, "2"], 0.5, -0.0, 1e308, "NaN",
    float("nan"), float("inf"), 10**400, *NUMBERS,
)  # fmt: skip


def mutate(content: bytes, mutations: list[Mutation]) -> bytes:
    """Apply mutations to a file.

    Parameters
    ----------
    content : bytes
        The file.
    mutations : list of Mutation
        The changes, in order.

    Returns
    -------
    mutated : bytes
        The changed file.
    """
    from tests.fuzz.containers import container

    for mutation in mutations:
        inside = container(content)
        # Half of the changes go into the container, if it is one.
        if inside is not None and mutation.kind % 2:
            try:
                content = inside(content, mutation._replace(kind=mutation.kind // 2))
                continue
            except Exception:  # an earlier change has destroyed it; each format has its own errors
                pass
        content = changed_bytes(content, mutation)
    return content


def place(count: int, where: float) -> int:
    """Return an index below ``count``."""
    return min(int(where * count), count - 1) if count else 0


def number_of(mutation: Mutation) -> int:
    """Return a number that fits into 64 bits."""
    return max(min(NUMBERS[mutation.value % len(NUMBERS)], 2**63 - 1), -(2**63))


def value_of(mutation: Mutation) -> Any:
    """Return a value for JSON."""
    return VALUES[mutation.value % len(VALUES)]


def changed_bytes(content: bytes, mutation: Mutation) -> bytes:
    """Change, insert, delete, repeat or cut bytes."""
    kind, where, value = mutation
    at = place(len(content), where)
    new = struct.pack("<q" if value & 16 else ">q", number_of(mutation))
    length = (1, 2, 4, 8)[value % 4]
    changed = (
        lambda: content[:at] + bytes([content[at] ^ (1 << value % 8)]) + content[at + 1 :] if content else b"\x00",
        lambda: content[:at] + value.to_bytes(4, "little")[: min(length, 4)] + content[at + min(length, 4) :],
        lambda: content[:at] + new[:length] + content[at + length :],
        lambda: content[:at],
        lambda: content[:at] + content[at + 1 + value % 64 :],
        lambda: content[:at] + content[at : at + 1 + value % 64] * (1 + value % 5) + content[at:],
        lambda: content + content[: value % 4096],
        lambda: content[:at] + bytes(value % 1024) + content[at:],
    )
    return changed[kind % len(changed)]()
