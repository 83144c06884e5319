"""Time our MultiHeadAttention against Keras's, a sliding window against full attention, and the import.

    KERAS_BACKEND=jax python benchmarks/layers.py

Prints ratios (over 1: ours is faster) and writes benchmarks/results/layers.json. Run it on an idle machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import harness

LENGTHS = (128, 512, 2048)
# A window of 128 keys, 64 to each side (Beltagy et al. 2020, section 3.1), in a text of 8,192 tokens.
WINDOW, LONG = 128, 8192


def layer_model(kind: str, length: int):
    """Make a model of one attention layer: "zoo", "keras" or "window"."""
    import keras

    from attention_zoo.layers import MultiHeadAttention

    pattern = {"name": "sliding_window", "reach": WINDOW // 2} if kind == "window" else None
    made = keras.layers.MultiHeadAttention(8, 32) if kind == "keras" else MultiHeadAttention(8, 32, pattern=pattern)
    inputs = keras.Input((length, 256))
    model = keras.Model(inputs, made(inputs, inputs))
    model.compile("sgd", "mse")
    return model


def batch(length: int, size: int = 2):
    """Make inputs [size, length, 256]."""
    import numpy as np

    return np.random.default_rng(0).normal(size=(size, length, 256)).astype("float32")


def against_keras() -> list[dict]:
    """Time forward, and forward with backward, at several lengths."""
    return [at_length(length) for length in LENGTHS]


def at_length(length: int) -> dict:
    """Time both layers at one length."""
    inputs = batch(length)
    models = {kind: layer_model(kind, length) for kind in ("keras", "zoo")}
    forward = harness.compare({k: (lambda m=m: m.predict_on_batch(inputs)) for k, m in models.items()})
    both = harness.compare({k: (lambda m=m: m.train_on_batch(inputs, inputs)) for k, m in models.items()})
    return {
        "length": length,
        "keras forward ms": 1000 * forward["keras"],
        "forward ratio": forward["keras"] / forward["zoo"],
        "keras both ms": 1000 * both["keras"],
        "both ratio": both["keras"] / both["zoo"],
    }


def peak(kind: str) -> dict:
    """In a process of its own: seconds of one forward pass at the long length, and what it added to the peak memory."""
    model = layer_model(kind, LONG)
    layer = model.layers[-1]
    inputs = batch(LONG, 1)
    layer(inputs[:, :256], inputs[:, :256])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.predict_on_batch(inputs)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = harness.compare({kind: lambda: model.predict_on_batch(inputs)}, seconds=5, least=3)[kind]
    return {"seconds": seconds, "peak_mib": (after - before) / 1024}


def window() -> list[dict]:
    """Compare the sliding window with full attention, Keras's and ours."""
    found = {kind: harness.in_child(__file__, "--peak", kind) for kind in ("keras", "zoo", "window")}
    rows = []
    for full in ("keras", "zoo"):
        rows.append(
            {
                "full attention": full,
                "full s": found[full]["seconds"],
                "window s": found["window"]["seconds"],
                "times faster": found[full]["seconds"] / found["window"]["seconds"],
                "full MiB": found[full]["peak_mib"],
                "window MiB": found["window"]["peak_mib"],
                "memory share": found["window"]["peak_mib"] / found[full]["peak_mib"],
            }
        )
    return rows


def imports() -> dict:
    """Time `import attention_zoo` with `list_models()` in fresh processes, less Python's own start."""
    code = "import attention_zoo, sys; attention_zoo.list_models(); print('keras' in sys.modules)"
    taken = {"zoo": [], "python": []}
    for _ in range(5):
        for name, source in (("zoo", code), ("python", "pass")):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
            taken[name].append(time.perf_counter() - start)
            if name == "zoo":
                keras_loaded = done.stdout.strip() == "True"
    return {"import and list s": min(taken["zoo"]) - min(taken["python"]), "keras loaded": keras_loaded}


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peak", help="measure one kind and print JSON: zoo, keras or window")
    options = parser.parse_args()
    if options.peak:
        print(json.dumps(peak(options.peak)))
        return
    import keras

    name = keras.backend.backend()
    rows, windows, start = against_keras(), window(), imports()
    for part in (rows, windows, [start]):
        print(harness.table(part), "\n")
    harness.record("layers", name, [*rows, *windows, start])


if __name__ == "__main__":
    main()
