"""Find the best 10 of 1,000,000 items for one query and for 256: by blocks, all at once, and by faiss; time and memory.

    python benchmarks/retrieval.py [--items 1000000] [--width 64] [--ways blocks "faiss flat"] [--again]

Each way and batch runs in a process of its own. Items and queries are drawn from a normal distribution (seed 0), the
hardest case for an approximate index: no item is near another. Times are medians of a search. "peak MiB" is what the
search held at most beyond what the process held before it (the table of items, 244 MiB at a million, or the index);
"table MiB" and "index MiB" are those. "found" is the share of the exact best 10 that a way finds. Rows that are in
`benchmarks/results/retrieval.json` already are not measured again without `--again`, so that what was stopped goes on.
"all at once" holds users x items, as a plain product does. faiss wants the extra `retrieval`; "faiss hnsw", which takes
many minutes to build, is only measured when it is named.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import harness
import numpy as np

from attention_zoo.recsys import Blocks, FaissIndex

ITEMS, WIDTH, K, BATCHES = 1_000_000, 64, 10, (1, 256)
KEYS = ("way", "items", "width", "batch")
SECTION = "searches"
DRAWN = 1 << 17  # items drawn at a time, so that making a table holds little more than the table
SECONDS, LEAST = 10.0, 5  # of a measurement, and rounds of it


class Whole:
    """Score all items for all queries in one product, then choose."""

    def __init__(self, table: np.ndarray):
        self.table = table

    def top_k(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers and scores, best first."""
        scores = queries @ self.table.T
        scores[:, 0] = -np.inf
        chosen = np.argpartition(-scores, k, axis=1)[:, :k]
        found = np.take_along_axis(scores, chosen, axis=1)
        order = np.argsort(-found, axis=1)
        return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(found, order, axis=1)


WAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "blocks": Blocks,
    "all at once": Whole,
    "faiss flat": lambda table: FaissIndex(table, "flat"),
    "faiss hnsw": lambda table: FaissIndex(table, "hnsw"),
}


def drawn(items: int, width: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the table of items and the queries, float32."""
    generator = np.random.default_rng(0)
    queries = generator.normal(size=(batch, width)).astype(np.float32)
    table = np.zeros((items + 1, width), np.float32)
    for start in range(1, items + 1, DRAWN):
        stop = min(start + DRAWN, items + 1)
        table[start:stop] = generator.normal(size=(stop - start, width))
    return table, queries


def measure(way: str, items: int, width: int, batch: int) -> dict[str, Any]:
    """Search in this process; return a row."""
    table, queries = drawn(items, width, batch)
    before, start = harness.memory("VmRSS"), time.perf_counter()
    index = WAYS[way](table)
    seconds, held = time.perf_counter() - start, harness.memory("VmRSS")
    harness.forget_peak()
    numbers, _ = index.top_k(queries, K)
    peak = harness.memory("VmHWM") - held
    median = harness.compare({way: lambda: index.top_k(queries, K)}, SECONDS, LEAST)[way]
    exact, _ = (numbers, None) if way == "blocks" else Blocks(table).top_k(queries, K)
    found = np.mean([len(np.intersect1d(one, other)) / K for one, other in zip(numbers, exact)])
    return {
        "way": way,
        "items": items,
        "width": width,
        "batch": batch,
        "milliseconds": round(1000 * median, 2),
        "queries a second": round(batch / median, 1),
        "peak MiB": round(max(peak, 0) / 1024, 1),
        "table MiB": round(table.nbytes / 2**20, 1),
        "index MiB": round(max(held - before, 0) / 1024, 1),
        "seconds to build": round(seconds, 2),
        "found": round(float(found), 4),
    }


def known() -> list[dict]:
    """Return the rows that are there."""
    path = harness.RESULTS / "retrieval.json"
    return json.loads(path.read_text(encoding="utf-8"))[SECTION]["rows"] if path.exists() else []


def main() -> None:
    """Measure what is not there yet, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--width", type=int, default=WIDTH, help="numbers of a vector")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS)[:3])
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], options.items, options.width, int(options.one[1]))))
        return
    rows = known()
    for batch in BATCHES:
        for way in options.ways:
            wanted = (way, options.items, options.width, batch)
            there = [row for row in rows if tuple(row[key] for key in KEYS) == wanted]
            if there and not options.again:
                continue
            size = ("--items", str(options.items), "--width", str(options.width))
            row = harness.in_child(__file__, *size, "--one", way, str(batch))
            rows = [row for row in rows if row not in there] + [row]
            harness.record("retrieval", SECTION, rows)
            print(f"{way}, batch {batch}: {row['milliseconds']:.1f} ms, peak {row['peak MiB']:.0f} MiB", flush=True)
    print(harness.table(rows))


if __name__ == "__main__":
    main()
