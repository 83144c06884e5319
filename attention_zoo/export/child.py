"""The child process of an export: loads saved models on TensorFlow and writes their graphs.

Started as `python -m attention_zoo.export.child FOLDER` by `attention_zoo.export.bridge`, never by hand. FOLDER holds
`request.json`: {"modules": [...], "jobs": [{"model", "structure", "inputs", "probes", "formats", "folder"}]}. After
each job `result.json` is written anew: one {"outputs": [...]} or {"error": "..."} for each job done so far.
"""

import importlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooError, ZooValueError
from attention_zoo.export.signature import call
from attention_zoo.export.verify import first_line

# Importing these registers every layer that a saved model of the zoo can hold.
REGISTERING = ("attention_zoo.layers", "attention_zoo.blocks", "attention_zoo.calibrate")


def main(folder: Path) -> None:
    """Do every job of `folder/request.json`; a job that fails leaves its sentence and the next one goes on."""
    request = json.loads((folder / "request.json").read_text("utf-8"))
    results: list[dict[str, Any]] = []
    problem = _import_modules([*REGISTERING, *request["modules"]])
    for job in request["jobs"]:
        try:
            if problem:
                raise ZooValueError(problem)
            results.append({"outputs": _export(job)})
        except ZooError as error:
            results.append({"error": str(error)})
        except Exception as error:  # whatever TensorFlow or tf2onnx raises must reach the parent as a sentence
            results.append({"error": f"TensorFlow could not export the model: {first_line(error)}"})
        partial = folder / "result.json.partial"
        partial.write_text(json.dumps(results), "utf-8")
        os.replace(partial, folder / "result.json")


def _import_modules(names: list[str]) -> str | None:
    """Import what registers the model's classes; return a sentence when one cannot be imported."""
    for name in dict.fromkeys(names):
        try:
            importlib.import_module(name)
        except Exception as error:  # a user's module may raise anything at import
            return f"the module {name!r}, which holds layers of the model, cannot be imported: {first_line(error)}"
    return None


def _export(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write the graphs of one job and return name, shape and dtype of each output."""
    import tensorflow as tf

    model = _load(job["model"])
    specs = [tf.TensorSpec(entry["shape"], entry["dtype"], name=entry["name"]) for entry in job["inputs"]]

    def serve(*tensors: Any) -> dict[str, Any]:
        return call(model, job, tensors)

    # A subclassed model is built by its first call, and only a built one can be exported.
    call(model, job, [tf.constant(array) for array in _probe(job["probes"][0], job)])
    folder, outputs = Path(job["folder"]), {}
    if "savedmodel" in job["formats"]:
        _write_savedmodel(model, serve, specs, folder / "savedmodel")
        outputs = _answer_probes(folder / "savedmodel", job)
    if "onnx" in job["formats"]:
        from attention_zoo.export.to_onnx import write_onnx

        concrete = tf.function(serve, autograph=False).get_concrete_function(*specs)
        outputs = concrete.structured_outputs
        write_onnx(concrete, [entry["name"] for entry in job["inputs"]], folder / "model.onnx")
    return [
        {"name": name, "shape": list(outputs[name].shape), "dtype": outputs[name].dtype.name}
        for name in sorted(outputs)
    ]


def _load(path: str) -> Any:
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # keras raises ValueError, TypeError and others here
        lost = re.search(r"Could not locate (?:class|function) '([^']+)'", str(error))
        if lost:
            raise ZooValueError(
                f"the model uses {lost.group(1)!r}, which the export cannot find: register it by "
                "keras.saving.register_keras_serializable in a module and pass modules=['that_module']"
            ) from error
        if "safe_mode" in str(error) or "Lambda" in str(error):
            raise ZooValueError(
                "the model holds a Lambda layer, whose code cannot be saved safely: write it as a keras.Layer class"
            ) from error
        raise ZooValueError(f"the saved model cannot be loaded on TensorFlow: {first_line(error)}") from error


def _write_savedmodel(model: Any, serve: Any, specs: list[Any], folder: Path) -> None:
    import keras

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=specs)
    archive.write_out(str(folder), verbose=False)


def _answer_probes(folder: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    """Run the SavedModel as it lies on disk over each probe, save its numbers beside the probe, return its outputs."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures["serving_default"]
    for path in job["probes"]:
        tensors = {entry["name"]: tf.constant(array) for entry, array in zip(job["inputs"], _probe(path, job))}
        np.savez(path + ".answers.npz", **{name: value.numpy() for name, value in answer(**tensors).items()})
    return answer.structured_outputs


def _probe(path: str, job: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the arrays of one probe in the order of the inputs."""
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[entry["name"]] for entry in job["inputs"]]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
