"""Find the fastest way to compute plain attention here, and write it to attention_zoo/core/paths.json.

    KERAS_BACKEND=jax python benchmarks/paths.py [--write]

Times the ways that `attention_zoo.core.paths` knows, forward, and forward with backward, by length. For each length
the way with the smallest sum of both counts; `--write` puts it into the table that the layers read. Run it on an idle
machine.
"""

import argparse
import json
import sys
from pathlib import Path

import harness
import keras
import numpy as np

from attention_zoo.core import paths
from attention_zoo.layers import MultiHeadAttention

LENGTHS = (64, 256, 512, 1024, 2048)
WAYS = ("fused", "matmul", "chunked")


def one_layer(length: int, way: str) -> tuple:
    """Make calls that run one attention layer this way: forward, and forward with backward."""
    paths.choose = lambda keys: way
    inputs = keras.Input((length, 256))
    model = keras.Model(inputs, MultiHeadAttention(8, 32)(inputs))
    model.compile("sgd", "mse")
    batch = np.random.default_rng(0).normal(size=(2, length, 256)).astype("float32")

    def forward() -> object:
        paths.choose = lambda keys: way
        return model.predict_on_batch(batch)

    def backward() -> object:
        paths.choose = lambda keys: way
        return model.train_on_batch(batch, batch)

    return forward, backward


def measure(length: int) -> dict:
    """Time all ways at one length; milliseconds."""
    calls = {way: one_layer(length, way) for way in WAYS}
    forward = harness.compare({way: pair[0] for way, pair in calls.items()})
    backward = harness.compare({way: pair[1] for way, pair in calls.items()})
    row: dict = {"length": length}
    for way in WAYS:
        row[f"{way} forward ms"] = 1000 * forward[way]
        row[f"{way} both ms"] = 1000 * backward[way]
    row["best"] = min(WAYS, key=lambda way: forward[way] + backward[way])
    return row


def write(rows: list[dict]) -> None:
    """Put the best way by length into the layers' table."""
    path = Path(sys.modules["attention_zoo.core.paths"].__file__).with_name("paths.json")
    table = json.loads(path.read_text(encoding="utf-8"))
    steps: list[dict] = []
    for row in rows:
        if not steps or steps[-1]["way"] != row["best"]:
            steps.append({"from": row["length"] if steps else 0, "way": row["best"]})
    table["paths"][f"{keras.backend.backend()}/{paths._device()}"] = steps
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the result into the layers' table")
    options = parser.parse_args()
    rows = [measure(length) for length in LENGTHS]
    print(harness.table(rows))
    harness.record("paths", keras.backend.backend(), rows)
    if options.write:
        write(rows)


if __name__ == "__main__":
    main()
