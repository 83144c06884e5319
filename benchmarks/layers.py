"""Time our MultiHeadAttention against Keras's, a sliding window against full attention, and the import.

    KERAS_BACKEND=jax python benchmarks/layers.py

Prints ratios (over 1: ours is faster) and writes benchmarks/results/layers.json. Run it on an idle machine.
"""

import argparse
import gc
import json
import subprocess
import sys
import time

import harness

LENGTHS = (128, 512, 2048)
# A window of 128 keys, 64 to each side (Beltagy et al. 2020, section 3.1), in a text of 8,192 tokens.
WINDOW, LONG = 128, 8192


def layer_model(kind: str, length: int):
    """Make a model of one attention layer: "zoo", "keras" or "window".

    "... alone" leaves the projections out; "keras map" asks for the map, which no fused operation gives.
    """
    import keras

    from attention_zoo.core import Full, Parts, SlidingWindow, attend
    from attention_zoo.layers import MultiHeadAttention

    pattern = SlidingWindow(WINDOW // 2) if kind.startswith("window") else Full()

    class Alone(keras.layers.Layer):
        """Attention without projections: the inputs, cut into heads, are queries, keys and values."""

        def call(self, inputs, _):
            heads = keras.ops.reshape(inputs, (-1, length, 8, 32))
            parts = Parts.plain()._replace(pattern=pattern)
            return keras.ops.reshape(attend(heads, heads, heads, path="alone", parts=parts).output, (-1, length, 256))

        def compute_output_spec(self, inputs, _):
            return keras.KerasTensor(inputs.shape, inputs.dtype)

    if kind.endswith("alone"):
        made = Alone()
    else:
        of_keras = kind.startswith("keras")
        made = keras.layers.MultiHeadAttention(8, 32) if of_keras else MultiHeadAttention(8, 32, pattern=pattern)
    inputs = keras.Input((length, 256))
    if kind == "keras map":
        output, _ = made(inputs, inputs, return_attention_scores=True)
    else:
        output = made(inputs, inputs)
    model = keras.Model(inputs, output)
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
    inputs = batch(LONG, 1)
    layer_model(kind, 256).predict_on_batch(inputs[:, :256])
    gc.collect()
    harness.forget_peak()
    before = harness.memory("VmRSS")
    model.predict_on_batch(inputs)
    after = harness.memory("VmHWM")
    seconds = harness.compare({kind: lambda: model.predict_on_batch(inputs)}, seconds=5, least=3)[kind]
    return {"seconds": seconds, "peak_mib": (after - before) / 1024}


def window() -> list[dict]:
    """Compare the sliding window with full attention: whole layers (Keras's, Keras's with map, ours), and alone."""
    pairs = (("keras", "window"), ("keras map", "window"), ("zoo", "window"), ("zoo alone", "window alone"))
    kinds = {kind for pair in pairs for kind in pair}
    found = {kind: harness.in_child(__file__, "--peak", kind) for kind in sorted(kinds)}
    return [
        {
            "full attention": full,
            "full s": found[full]["seconds"],
            "window s": found[local]["seconds"],
            "times faster": found[full]["seconds"] / found[local]["seconds"],
            "full MiB": found[full]["peak_mib"],
            "window MiB": found[local]["peak_mib"],
            "memory share": found[local]["peak_mib"] / found[full]["peak_mib"],
        }
        for full, local in pairs
    ]


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
