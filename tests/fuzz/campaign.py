"""A long series of mutated files, and its figures: ``python -m tests.fuzz.campaign --files 10000 --record``."""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.fuzz import figures
from tests.fuzz.figures import KINDS
from tests.fuzz.isolation import Outcome, read_isolated, written
from tests.fuzz.mutations import Mutation, mutate
from tests.fuzz.readers import Files, Reader, readers


def drawn(rng: random.Random) -> list[Mutation]:
    """Draw one to three mutations.

    Parameters
    ----------
    rng : random.Random
        The generator.

    Returns
    -------
    mutations : list of Mutation
        Mostly one: a second one often hides what the first would have shown. Half of them are near the beginning or
        the end, where formats keep their headers.
    """
    count = rng.choice((1, 1, 1, 2, 3))
    places = (lambda x: x, lambda x: x, lambda x: x**8, lambda x: 1 - x**8)
    return [
        Mutation(rng.randrange(2**16), rng.choice(places)(rng.random()), rng.randrange(2**32)) for _ in range(count)
    ]


def mutated_files(reader: Reader, seed: int) -> Iterator[tuple[str, list[Mutation], Files]]:
    """Yield mutated files without end.

    Parameters
    ----------
    reader : Reader
        Their reader.
    seed : int
        The same seed gives the same files.

    Yields
    ------
    name : str
        The file that was mutated.
    mutations : list of Mutation
        The changes.
    files : dict of str to bytes
        All files.
    """
    rng = random.Random(f"{seed} {reader.name}")
    seeds = reader.seeds()
    while True:
        name, mutations = rng.choice(sorted(seeds)), drawn(rng)
        yield name, mutations, seeds | {name: mutate(seeds[name], mutations)}


def warm_up(reader: Reader) -> None:
    """Read the intact files in this process, so that imports are done before a process is forked."""
    with written(reader.seeds()) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not reader.refuses:
            reader.read(folder / reader.place)
    intact = read_isolated(reader, reader.seeds())
    if intact.kind != ("refused" if reader.refuses else "read"):
        raise SystemExit(f"{reader.name}: the intact files are not read: {intact}")


def campaign(chosen: tuple[Reader, ...], files: int, seconds: float, seed: int, console: Console) -> dict[str, Any]:
    """Read mutated files, one reader after the other, and print each fault.

    Parameters
    ----------
    chosen : tuple of Reader
        The readers.
    files : int
        The number of files of all readers.
    seconds : float
        After this time, fewer files are read; each reader has its share.
    seed : int
        The seed.
    console : rich.console.Console
        For the faults.

    Returns
    -------
    figures : dict
        The figures of each reader.
    """
    found = {}
    end = time.monotonic() + seconds
    for number, reader in enumerate(chosen):
        left = len(chosen) - number
        own_end = time.monotonic() + (end - time.monotonic()) / left
        warm_up(reader)
        share = files // len(chosen) + (number < files % len(chosen))
        counts: Counter[str] = Counter()
        longest = largest = 0.0
        for name, mutations, contents in mutated_files(reader, seed):
            if counts.total() >= share or (counts and time.monotonic() > own_end):
                break
            outcome = read_isolated(reader, contents)
            counts[outcome.kind] += 1
            longest, largest = max(longest, outcome.seconds), max(largest, outcome.megabytes)
            if outcome.kind not in ("read", "refused"):
                described(console, reader, name, mutations, outcome)
        found[reader.name] = {kind: counts[kind] for kind in KINDS}
        found[reader.name] |= {"seconds": round(longest, 3), "megabytes": round(largest, 1)}
    return found


def described(console: Console, reader: Reader, name: str, mutations: list[Mutation], outcome: Outcome) -> None:
    """Print a fault, and how to see it again."""
    text = (
        f"{outcome.kind}: {reader.name} ({name}): {outcome.detail} {outcome.seconds:.1f} s {outcome.megabytes:.0f} MB"
    )
    console.print(text, *map(repr, map(tuple, mutations)), sep="\n  ", highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Run a campaign, print its figures, and record them on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1e9, help="read fewer files if they take longer")
    parser.add_argument("--seed", type=int, help="default: drawn, and printed")
    parser.add_argument("--only", default="", help="beginnings of the names of readers, separated by commas")
    parser.add_argument("--record", action="store_true", help=f"write {figures.RECORDS['files']} (at a clean commit)")
    options = parser.parse_args()
    console = Console(width=150)
    workspace = figures.recordable_workspace() if options.record else None
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    console.print(f"seed {seed}", highlight=False)
    chosen = tuple(reader for reader in readers() if reader.name.startswith(tuple(options.only.split(","))))
    started = time.monotonic()
    found = campaign(chosen, options.files, options.seconds, seed, console)
    together = figures.total(found)
    table = Table("reader", *KINDS, "longest", "most memory")
    for name, row in (found | {"all": together}).items():
        table.add_row(
            name, *(f"{row[kind]:,}" for kind in KINDS), f"{row['seconds']:.2f} s", f"{row['megabytes']:.0f} MB"
        )
    console.print(table)
    console.print(f"{time.monotonic() - started:.0f} s, seed {seed}", highlight=False)
    if workspace:
        figures.record(workspace, "files", {"seed": seed, "readers": found})
    raise SystemExit(1 if together["untyped"] or together["slow"] or together["large"] else 0)


if __name__ == "__main__":
    main()
