"""A long series of mutated files, and its figures: ``python -m tests.fuzz.campaign --files 10000 --record``."""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from nnkernels.files import write_json
from nnkernels.measure.asv_driver.workspace import open_workspace
from tests.fuzz.isolation import Outcome, read_isolated
from tests.fuzz.mutations import Mutation, mutate
from tests.fuzz.readers import Reader, readers

RECORD = Path("results", "fuzz.json")
KINDS = ("read", "refused", "untyped", "slow", "large", "crashed")


def drawn(rng: random.Random) -> list[Mutation]:
    """Draw one to three mutations.

    Parameters
    ----------
    rng : random.Random
        The generator.

    Returns
    -------
    mutations : list of Mutation
        Mostly one: a second one often hides what the first would have shown.
    """
    count = rng.choice((1, 1, 1, 2, 3))
    return [Mutation(rng.randrange(2**16), rng.random(), rng.randrange(2**32)) for _ in range(count)]


def run(files: int, seed: int, chosen: list[Reader]) -> Iterator[tuple[str, str, list[Mutation], Outcome]]:
    """Read mutated files, the readers in turn.

    Parameters
    ----------
    files : int
        Their number.
    seed : int
        The same seed gives the same files.
    chosen : list of Reader
        The readers.

    Yields
    ------
    reader, file : str
        The reader, and the name of the mutated file.
    mutations : list of Mutation
        The changes.
    outcome : Outcome
        What happened.
    """
    rng = random.Random(seed)
    seeds = {reader.name: reader.seeds() for reader in chosen}
    for reader in chosen:  # whatever the readers import is imported once, before the first fork
        intact = read_isolated(reader.read, seeds[reader.name], reader.place)
        if intact.kind != "read":
            raise SystemExit(f"{reader.name}: the intact files are not read: {intact}")
    for number in range(files):
        reader = chosen[number % len(chosen)]
        name = rng.choice(sorted(seeds[reader.name]))
        mutations = drawn(rng)
        contents = seeds[reader.name] | {name: mutate(seeds[reader.name][name], mutations)}
        yield reader.name, name, mutations, read_isolated(reader.read, contents, reader.place)


def main() -> None:
    """Run a campaign, print its figures, and record them on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers, separated by commas")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD} (at a clean commit)")
    options = parser.parse_args()
    workspace = open_workspace() if options.record else None
    if workspace and workspace.unrecorded:
        raise SystemExit(f"not recorded: {workspace.unrecorded}")
    chosen = [reader for reader in readers() if not options.only or reader.name in options.only.split(",")]
    warm_up(chosen)
    started, counts = time.monotonic(), {reader.name: Counter() for reader in chosen}
    seconds: dict[str, float] = {}
    megabytes: dict[str, float] = {}
    console = Console()
    for name, file, mutations, outcome in track(
        run(options.files, options.seed, chosen), "mutated files", options.files, console=Console(stderr=True)
    ):
        counts[name][outcome.kind] += 1
        seconds[name] = max(seconds.get(name, 0.0), outcome.seconds)
        megabytes[name] = max(megabytes.get(name, 0.0), outcome.megabytes)
        if outcome.kind not in ("read", "refused"):
            console.print(f"{name} ({file}): {outcome}\n  {mutations}", highlight=False, markup=False)
    table = Table("reader", "files", *KINDS, "longest", "most memory")
    for name, count in counts.items():
        figures = [f"{count[kind]:,}" for kind in KINDS]
        longest, most = seconds.get(name, 0.0), megabytes.get(name, 0.0)
        table.add_row(name, f"{count.total():,}", *figures, f"{longest:.2f} s", f"{most:.0f} MB")
    console.print(table)
    console.print(f"{time.monotonic() - started:.0f} s")
    if workspace:
        figures = {
            name: {kind: count[kind] for kind in KINDS} | {"seconds": seconds[name], "megabytes": megabytes[name]}
            for name, count in counts.items()
        }
        record = {"version": 1, "commit": workspace.commit, "seed": options.seed, "files": options.files}
        write_json(workspace.root / RECORD, record | {"readers": figures})
    faults = sum(count[kind] for count in counts.values() for kind in ("untyped", "slow", "large"))
    raise SystemExit(1 if faults else 0)


def warm_up(chosen: list[Reader]) -> None:
    """Read the intact files in this process, so that imports are done before a process is forked.

    Parameters
    ----------
    chosen : list of Reader
        The readers.
    """
    import tempfile

    for reader in chosen:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in reader.seeds().items():
                Path(folder, name).write_bytes(content)
            reader.read(reader.place(Path(folder)))


if __name__ == "__main__":
    main()
