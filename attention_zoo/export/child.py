"""The child process of an export: loads saved models on TensorFlow and writes their graphs.

Started as `python -m attention_zoo.export.child FOLDER` by `attention_zoo.export.bridge`, never by hand. FOLDER holds
`request.json`: {"modules": [...], "jobs": [{"model", "folder", "graphs": [{"name", "structure", "inputs", "probes",
"formats"}]}]}. After each job `result.json` is written anew: one {"outputs": {graph: [...]}} or {"error": "..."} for
each job done so far.
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
from attention_zoo.export.request import MODEL
from attention_zoo.export.signature import call
from attention_zoo.export.verify import first_line, of_graph

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


def _export(job: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Write the graphs of one job and return name, shape and dtype of each output, by graph."""
    import tensorflow as tf

    whole, graphs = _load(job["model"]), job["graphs"]
    count = len(graphs)
    models = {entry["name"]: whole if count == 1 else whole.parts[entry["name"]] for entry in graphs}
    for entry in graphs:
        # A subclassed model is built by its first call, and only a built one can be exported.
        with of_graph(entry["name"], count):
            call(models[entry["name"]], entry, [tf.constant(array) for array in _probe(entry["probes"][0], entry)])
    folder, outputs = Path(job["folder"]), {}
    saved = [entry for entry in graphs if "savedmodel" in entry["formats"]]
    if saved:
        outputs = _saved(models, saved, folder / "savedmodel")
    for entry in graphs:
        if "onnx" in entry["formats"]:
            with of_graph(entry["name"], count):
                outputs[entry["name"]] = _write_onnx(models[entry["name"]], entry, folder)
    return {name: _described(found) for name, found in outputs.items()}


def _described(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": list(outputs[name].shape), "dtype": outputs[name].dtype.name}
        for name in sorted(outputs)
    ]


def _serving(model: Any, entry: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """Return a function from tensors to named tensors, and what tensors it takes."""
    import tensorflow as tf

    def serve(*tensors: Any) -> dict[str, Any]:
        return call(model, entry, tensors)

    return serve, [tf.TensorSpec(told["shape"], told["dtype"], name=told["name"]) for told in entry["inputs"]]


def _write_onnx(model: Any, entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    import tensorflow as tf

    from attention_zoo.export.to_onnx import write_onnx

    serve, specs = _serving(model, entry)
    concrete = tf.function(serve, autograph=False).get_concrete_function(*specs)
    write_onnx(concrete, [told["name"] for told in entry["inputs"]], folder / f"{entry['name']}.onnx")
    return concrete.structured_outputs


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


def _saved(models: Mapping[str, Any], graphs: list[Mapping[str, Any]], folder: Path) -> dict[str, dict[str, Any]]:
    """Write one SavedModel with a signature for each graph, answer the probes, return the outputs by graph."""
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    for entry in graphs:
        # For the model itself Keras would list its variables, and TensorFlow store each of them a second time. What the
        # signatures read is stored anyway; what is tracked here is searched for lookup tables.
        holder = tf.Module()
        holder.model = models[entry["name"]]
        archive.track(holder)
        serve, specs = _serving(models[entry["name"]], entry)
        archive.add_endpoint(_signature(entry), serve, input_signature=specs)
    archive.write_out(str(folder), verbose=False)
    loaded = tf.saved_model.load(str(folder))
    return {entry["name"]: _answer_probes(loaded.signatures[_signature(entry)], entry) for entry in graphs}


def _signature(entry: Mapping[str, Any]) -> str:
    """Return the name of a graph's signature; that of a model that is alone is Keras's own."""
    return "serve" if entry["name"] == MODEL else entry["name"]


def _answer_probes(answer: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Run a signature as it lies on disk over each probe, save its numbers beside the probe, return its outputs."""
    import tensorflow as tf

    for path in entry["probes"]:
        tensors = {told["name"]: tf.constant(array) for told, array in zip(entry["inputs"], _probe(path, entry))}
        np.savez(path + ".answers.npz", **{name: value.numpy() for name, value in answer(**tensors).items()})
    return answer.structured_outputs


def _probe(path: str, entry: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the arrays of one probe in the order of the inputs."""
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[told["name"]] for told in entry["inputs"]]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
