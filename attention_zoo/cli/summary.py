"""What a model costs and gives, on one line a backend: parameters, operations, accuracy, inputs a second."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from attention_zoo.backends import installed
from attention_zoo.errors import ZooError, ZooFileError

SUMMARY = "model_summary.csv"
FIELDS = ("model", "runs on", "parameters", "megabytes", "MFLOPs", "accuracy", "split", "inputs a second", "difference")
BATCH, SECONDS = 128, 3.0
# Runs in a process of its own: a process has one backend.
PROGRAM = """
import json, sys, numpy, attention_zoo
from attention_zoo.cli.summary import speed
task = attention_zoo.load(sys.argv[1])
inputs = list(numpy.load(sys.argv[2]))
found = speed(lambda: task.logits(inputs, 128), len(inputs))
print(json.dumps({"speed": found, "logits": task.logits(inputs).tolist()}))
"""


def speed(run: Any, count: int) -> float:
    """Return how many inputs a second a function answers, the best of a few seconds' calls after a warm-up.

    Args:
        run: answers all inputs.
        count: how many these are.
    """
    run()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return count / best


def write_summary(task: Any, folder: Path, inputs: Any, accuracy: float | None, split: str) -> Path:
    """Write `model_summary.csv`: a line for each installed backend, and one for ONNX.

    Args:
        task: a trained classifier that was saved in `folder / "model"`.
        folder: where to write.
        inputs: arrays of one shape, or texts: what is answered to take the time.
        accuracy: of the task on `split`.
        split: name of the split.

    Returns:
        The file.

    Raises:
        ZooFileError: if it cannot be written, or a backend fails.
    """
    import numpy as np

    rows = []
    known = {"model": task.card.name, "parameters": task.model.count_params(), "accuracy": accuracy, "split": split}
    known["megabytes"] = round(task.card.bytes / 1e6, 2)
    with tempfile.TemporaryDirectory() as work:
        asked = Path(work) / "inputs.npy"
        np.save(asked, np.asarray(inputs))
        wanted = task.logits(inputs)
        known["MFLOPs"], onnx = _exported(task, Path(work) / "bundle", inputs, wanted)
        for backend in installed():
            rows.append({**known, "runs on": backend, **_on(backend, folder / "model", asked, wanted)})
    if onnx is not None:
        rows.append({**known, "runs on": "onnx", **onnx})
    path = folder / SUMMARY
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise ZooFileError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _on(backend: str, model: Path, asked: Path, wanted: Any) -> dict[str, float]:
    """Answer the inputs on one backend: speed, and how far logits differ."""
    import numpy as np

    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(model), str(asked)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ZooFileError(f"{model} could not be run on {backend}: {done.stderr.strip().splitlines()[-1:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    difference = float(np.abs(np.array(found["logits"]) - wanted).max())
    return {"inputs a second": round(found["speed"], 1), "difference": difference}


def _exported(task: Any, folder: Path, inputs: Any, wanted: Any) -> tuple[float | None, dict[str, float] | None]:
    """Export to ONNX: operations of one input, speed, and how far logits differ; None where nothing can be exported."""
    import numpy as np

    from attention_zoo import runtime
    from attention_zoo.export.flops import count_flops

    try:
        task.export(folder, format="onnx")
    except ZooError as error:
        print(f"no ONNX in the summary: {error}", file=sys.stderr)
        return None, None
    runner = runtime.load(folder)
    logits = np.concatenate(
        [runner.run(runner.preprocessor(inputs[at : at + BATCH]))["output"] for at in range(0, len(inputs), BATCH)]
    )
    found = speed(lambda: runner.predict(inputs, batch_size=BATCH), len(inputs))
    flops = round(count_flops(folder / "model.onnx") / 1e6, 2)
    return flops, {"inputs a second": round(found, 1), "difference": float(np.abs(logits - wanted).max())}
