"""Run one attention layer on this process's backend; `doctor` starts this in a child process."""

import json
import time

import keras
import numpy as np

from attention_zoo.layers import MultiHeadAttention


def smoke() -> dict[str, object]:
    """Return the seconds of a first attention and the device that it ran on.

    Raises:
        ArithmeticError: if its output is not finite.
    """
    start = time.perf_counter()
    inputs = np.random.default_rng(0).normal(size=(2, 8, 16)).astype("float32")
    tensor = MultiHeadAttention(num_heads=2, key_dim=8)(inputs, inputs)
    output = keras.ops.convert_to_numpy(tensor)
    if output.shape != inputs.shape or not np.isfinite(output).all():
        raise ArithmeticError(f"the output of an attention of shape {output.shape} is not finite")
    # "cpu", "cuda:0", or "/job:localhost/.../device:CPU:0", of which the end is enough.
    device = str(tensor.device).rsplit("device:", 1)[-1].lower()
    return {"seconds": round(time.perf_counter() - start, 2), "device": device}


if __name__ == "__main__":
    print(json.dumps(smoke()))
