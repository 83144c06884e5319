"""Peak memory of attention while nobody looks, while a probe looks, and while every map is kept, by length.

    python benchmarks/probe_memory.py           # this backend; each length in a process of its own

One layer of 8 heads of 32 channels, batch 1, `predict_on_batch`. Prints what the process grew by over its size before
the first call, in MiB, and writes `benchmarks/results/probe_memory.json`.
"""

import json
import os
import resource
import subprocess
import sys

import harness

LENGTHS = (1024, 2048, 4096, 8192)
WAYS = ("plain", "probe", "capture")


def measure(way: str, length: int) -> float:
    """Return by how many MiB this process grows."""
    import keras
    import numpy as np

    from attention_zoo.calibrate import capture, probe
    from attention_zoo.layers import MultiHeadAttention

    inputs = keras.Input((length, 256))
    model = keras.Model(inputs, MultiHeadAttention(8, 32)(inputs))
    model = {"plain": lambda one: one, "probe": probe, "capture": capture}[way](model)
    arrays = np.random.default_rng(0).normal(size=(1, length, 256)).astype("float32")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.predict_on_batch(arrays)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Measure all, or one in a process of its own."""
    if len(sys.argv) > 1:
        print(measure(sys.argv[1], int(sys.argv[2])))
        return
    import keras

    path = harness.RESULTS / "probe_memory.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    rows = []
    for length in LENGTHS:
        row = {"length": length}
        for way in WAYS:
            command = [sys.executable, __file__, way, str(length)]
            told = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True).stdout
            row[way] = round(float(told.split()[-1]), 1)
        rows.append(row)
        print(row, flush=True)
    found[keras.backend.backend()] = {**harness.machine(), "rows": rows}
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
