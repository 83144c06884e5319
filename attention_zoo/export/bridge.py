"""Export from any backend by one route: a child process on TensorFlow, verified in this one.

The model is saved as `.keras`, a child process with `KERAS_BACKEND=tensorflow` writes SavedModel and ONNX with dynamic
batch and length, and the numbers of both are compared here with those of the model on its own backend. Exporting
in-process fails in places on JAX and PyTorch (names lost, lengths baked in), so there is no second route.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooError, ZooImportError, ZooTypeError, ZooValueError, unknown
from attention_zoo.export.place import check_free, publish
from attention_zoo.export.precision import save_in_float32
from attention_zoo.export.request import FORMATS, ExportRequest, Graph, GraphReport, GraphsRequest, Report
from attention_zoo.export.signature import describe, run_model
from attention_zoo.export.verify import compare, first_line, of_graph, run_onnx

PACKAGES = {"savedmodel": ("tensorflow",), "onnx": ("tensorflow", "tf2onnx", "onnx", "onnxruntime")}
TITLES = {"savedmodel": "SavedModel", "onnx": "ONNX"}
GRAPH_NAME = re.compile(r"[a-z][a-z0-9_]*")


def export_model(
    model: Any,
    folder: str | os.PathLike,
    *,
    probes: Sequence[Mapping[str, np.ndarray]],
    formats: Sequence[str] = FORMATS,
    attention: bool | str = False,
    tolerance: float = 1e-4,
    modules: Sequence[str] = (),
    overwrite: bool = False,
    timeout: float = 600.0,
) -> Report:
    """Export a Keras model to SavedModel and ONNX, and compare both with the model before anything is kept.

    The graphs compute in float32, also where the model's dtype policy is half precision: then they are compared with
    the model's float32 twin.

    Args:
        model: a built `keras.Model` on any backend; its outputs are a tensor, or a flat list or dict of tensors.
        folder: destination; `savedmodel/` and `model.onnx` are written into it. It must not exist, or be empty.
        probes: at least two dicts of input arrays by name, of different batch and of different size in each axis that
            the model leaves open. The exported graphs must answer them as the model does.
        formats: any of "savedmodel" and "onnx".
        attention: True also returns every attention map as a named output ("attention.<site>"), "statistics" its
            statistics ("statistics.<site>").
        tolerance: largest difference allowed, absolute for numbers up to 1 and relative above.
        modules: modules to import in the child, for registered classes and functions that are no layers; those of
            the model's layers are found without.
        overwrite: replace an earlier export that lies in `folder`.
        timeout: seconds that the child may take.

    Returns:
        the report: differences by format, seconds, inputs and outputs.

    Raises:
        ZooImportError: if TensorFlow, tf2onnx, onnx or onnxruntime is missing.
        ZooFileError: if the destination cannot be written or holds something else.
        ZooValueError: if an argument is wrong, the model cannot be exported, or the numbers differ; the destination is
            then as it was before.

    Cost: starting TensorFlow (5-10 s on 2 cores) and tracing the model once for each format.
    """
    return _one(ExportRequest(model, folder, probes, formats, attention, tolerance, modules, overwrite), timeout)


def export_graphs(
    graphs: Mapping[str, Graph],
    folder: str | os.PathLike,
    *,
    attention: bool | str = False,
    tolerance: float = 1e-4,
    modules: Sequence[str] = (),
    overwrite: bool = False,
    timeout: float = 600.0,
) -> Report:
    """Export graphs that belong together into one folder; none is kept unless all answer as their models do.

    Args:
        graphs: by name, a word of small letters. Each becomes `<name>.onnx`, and a signature of that name in
            `savedmodel/`, of which the first is also `serving_default`; a graph that is alone and named "model" has
            Keras's own signature "serve". Layers that several models share are stored once in the SavedModel.
        folder: destination, see `export_model`.
        attention: True also returns every attention map as a named output, "statistics" its statistics; of a graph
            that is alone, and of those that are to be `watched`.
        tolerance: largest difference allowed, see `export_model`.
        modules: modules to import in the child, see `export_model`.
        overwrite: replace an earlier export that lies in `folder`.
        timeout: seconds that the child may take.

    Returns:
        the report; an error names the graph.

    Raises:
        ZooError: as `export_model`.

    Cost: as `export_model`, for each graph.
    """
    return _one(GraphsRequest(graphs, folder, attention, tolerance, modules, overwrite), timeout)


def _one(request: ExportRequest | GraphsRequest, timeout: float) -> Report:
    outcome = export_many([request], timeout=timeout)[0]
    if isinstance(outcome, ZooError):
        raise outcome
    return outcome


def export_many(
    requests: Iterable[ExportRequest | GraphsRequest], *, timeout: float = 600.0
) -> list[Report | ZooError]:
    """Export many models through one child process: TensorFlow is started once.

    Args:
        requests: what to export; the destinations must differ.
        timeout: seconds that the child may take for all of them.

    Returns:
        for each request its report, or the error that `export_model` would raise; one failure stops no other export.

    Raises:
        ZooError: if a request is wrong in itself (unknown format, destination taken, package missing), before any
            work is done.
    """
    started = time.perf_counter()
    requests = list(requests)
    _check(requests)
    with tempfile.TemporaryDirectory(prefix="attention_zoo_export_") as temporary:
        work = Path(temporary)
        prepared = [_prepare(request, work / str(index)) for index, request in enumerate(requests)]
        jobs = [job for job in prepared if not isinstance(job, ZooError)]
        modules = sorted({module for job in jobs for module in job["modules"]})
        results = iter(_run_child(work, jobs, modules, timeout) if jobs else [])
        outcomes: list[Report | ZooError] = []
        for request, job in zip(requests, prepared):
            outcome = job if isinstance(job, ZooError) else _finish(request, job, next(results), started)
            outcomes.append(outcome)
    return outcomes


def check_packages(formats: Iterable[str]) -> None:
    """Raise a ZooImportError that holds the pip command if a package that `formats` need is not installed."""
    wanted = dict.fromkeys(package for name in formats for package in PACKAGES[name])
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        raise ZooImportError(
            f"export needs {', '.join(missing)}, not installed here; run: pip install 'attention-zoo[export]'"
        )


def _check(requests: list[ExportRequest | GraphsRequest]) -> None:
    for request in requests:
        _check_graphs(request)
        if not request.tolerance > 0:
            raise ZooValueError(f"tolerance must be above 0, got {request.tolerance!r}")
        check_packages({name for graph in request.graphs.values() for name in graph.formats})
        check_free(Path(request.folder), overwrite=request.overwrite)
    folders = [str(Path(request.folder).resolve()) for request in requests]
    if len(set(folders)) < len(folders):
        raise ZooValueError("each request must have a folder of its own, got one folder twice")


def _check_graphs(request: ExportRequest | GraphsRequest) -> None:
    if not request.graphs:
        raise ZooValueError("graphs must hold at least one graph, got none")
    for name, graph in request.graphs.items():
        if not GRAPH_NAME.fullmatch(name):
            raise ZooValueError(f"the name of a graph must be a word of small letters, got {name!r}")
        check_formats(graph.formats)
    if request.attention not in WATCHING:
        raise unknown("attention", request.attention, [name for name in WATCHING if isinstance(name, str)])
    if request.attention and not any(_is_watched(graph, request) for graph in request.graphs.values()):
        raise ZooValueError(
            f"attention={request.attention!r} wants one graph, or one that is to be watched, got "
            f"{', '.join(request.graphs)}"
        )


def _is_watched(graph: Graph, request: ExportRequest | GraphsRequest) -> bool:
    return graph.watched or len(request.graphs) == 1


def check_formats(formats: Sequence[str]) -> None:
    """Check that these are formats.

    Raises:
        ZooTypeError, ZooValueError: if it is no list, or a name is unknown.
    """
    if isinstance(formats, str) or not formats:
        raise ZooTypeError(f"formats must be a list of names such as {list(FORMATS)}, got {formats!r}")
    for name in formats:
        if name not in FORMATS:
            raise unknown("export format", name, FORMATS)


def _prepare(request: ExportRequest | GraphsRequest, work: Path) -> dict[str, Any] | ZooError:
    """Save the models and their own answers to the probes; return the child's job."""
    try:
        models = {name: _watched(name, graph.model, request) for name, graph in request.graphs.items()}
        work.mkdir()
        whole = _whole(models)
        modules = _modules(whole, request.modules)
        told = [_told(name, models[name], graph, work, len(models)) for name, graph in request.graphs.items()]
        wanted = _answers(models, request, told)  # this also builds a wrapper, which can only then be saved
        twin = save_in_float32(whole, work / "model.keras")
        if twin is not whole:
            wanted = _answers(twin.parts if len(models) > 1 else {told[0]["name"]: twin}, request, told)
        out = work / "out"
        out.mkdir()
        job = {"model": str(work / "model.keras"), "graphs": told, "folder": str(out)}
        return {**job, "modules": modules, "wanted": wanted}
    except ZooError as error:
        return error
    except Exception as error:  # a model may fail in any way on its probes or while it is saved
        failure = ZooValueError(f"the model cannot be run on its probes and saved: {first_line(error)}")
        failure.__cause__ = error
        return failure


def _watched(name: str, model: Any, request: ExportRequest | GraphsRequest) -> Any:
    """Return the model that is exported."""
    import keras

    with of_graph(name, len(request.graphs)):
        if not isinstance(model, keras.Model):
            raise ZooTypeError(f"model must be a keras.Model, got {type(model).__name__}")
    return WATCHING[request.attention if _is_watched(request.graphs[name], request) else False](model)


def _whole(models: Mapping[str, Any]) -> Any:
    """Return one model that holds all."""
    if len(models) == 1:
        return next(iter(models.values()))
    from attention_zoo.export.together import Together

    return Together(models)


def _told(name: str, model: Any, graph: Graph, work: Path, count: int) -> dict[str, Any]:
    """Write the probes of a graph and return what the child must know of it."""
    with of_graph(name, count):
        signature = describe(model, graph.probes, identifiers="savedmodel" in graph.formats)
    paths = []
    for index, probe in enumerate(graph.probes):
        paths.append(str(work / f"{name}_{index}.npz"))
        np.savez(paths[-1], **{e["name"]: np.asarray(probe[e["key"]], e["dtype"]) for e in signature["inputs"]})
    return {"name": name, "probes": paths, "formats": list(graph.formats), **signature}


def _answers(
    models: Mapping[str, Any], request: ExportRequest | GraphsRequest, told: list[dict[str, Any]]
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Run each model on its probes."""
    found = {}
    for entry in told:
        name = entry["name"]
        with of_graph(name, len(told)):
            found[name] = [run_model(models[name], entry, probe) for probe in request.graphs[name].probes]
    return found


def _with_maps(model: Any) -> Any:
    from attention_zoo.calibrate.capture import capture

    return capture(model)


def _with_statistics(model: Any) -> Any:
    from attention_zoo.calibrate.probe import probe

    return probe(model)


WATCHING = {False: lambda model: model, True: _with_maps, "maps": _with_maps, "statistics": _with_statistics}


def _modules(model: Any, named: Sequence[str]) -> list[str]:
    """Return the modules that the child must import so that the classes of the model's layers are registered."""
    found = set(named)
    for layer in [model, *model._flatten_layers()]:
        module = type(layer).__module__
        if module == "__main__":
            raise ZooValueError(
                f"{type(layer).__name__} is defined in the script or notebook that runs now, which the export cannot "
                "import: move the class into a module of its own"
            )
        if module.split(".")[0] != "keras":
            found.add(module)
    return sorted(found)


def _run_child(work: Path, jobs: list[dict[str, Any]], modules: list[str], timeout: float) -> list[dict[str, Any]]:
    """Start the child, wait, and return one result for each job."""
    told = [{key: value for key, value in job.items() if key not in ("wanted", "modules")} for job in jobs]
    (work / "request.json").write_text(json.dumps({"modules": modules, "jobs": told}), "utf-8")
    command = [sys.executable, "-m", "attention_zoo.export.child", str(work)]
    problem = "ended before its work was done"
    with open(work / "log.txt", "wb") as log:
        try:
            subprocess.run(command, stdout=log, stderr=log, env=_environment(), timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            problem = f"was stopped after {timeout:g} seconds (timeout)"
    result = work / "result.json"
    results = json.loads(result.read_text("utf-8")) if result.exists() else []
    last = (work / "log.txt").read_text("utf-8", errors="replace").strip().splitlines()[-5:]
    sentence = f"the export process {problem}; its last lines: {' | '.join(last) or '(none)'}"
    return results + [{"error": sentence}] * (len(jobs) - len(results))


def _environment() -> dict[str, str]:
    """Return the child's environment: TensorFlow on the CPU, quiet, with this process's import path."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    # Exact kernels and no GPU: the graph that is checked should be the graph as written.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    return {**os.environ, **quiet, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": path}


def _finish(
    request: ExportRequest | GraphsRequest, job: dict[str, Any], result: dict[str, Any], started: float
) -> Report | ZooError:
    """Verify what the child wrote and move it to the destination."""
    try:
        if "error" in result:
            raise ZooValueError(result["error"])
        graphs = {entry["name"]: _verified(entry, job, result, request.tolerance) for entry in job["graphs"]}
        publish(Path(job["folder"]), Path(request.folder), overwrite=request.overwrite)
    except ZooError as error:
        return error
    seconds = time.perf_counter() - started
    differences: dict[str, float] = {}
    for graph in graphs.values():
        for name, difference in graph.differences.items():
            differences[name] = max(difference, differences.get(name, 0.0))
    first = next(iter(graphs.values()))
    return Report(Path(request.folder), differences, seconds, first.inputs, first.outputs, graphs)


def _verified(entry: dict[str, Any], job: dict[str, Any], result: dict[str, Any], tolerance: float) -> GraphReport:
    """Compare one graph with its model, in each of its formats."""
    name = entry["name"]
    with of_graph(name, len(job["graphs"])):
        differences = {made: _difference(made, entry, job, tolerance) for made in entry["formats"]}
    inputs = tuple({key: told[key] for key in ("name", "shape", "dtype")} for told in entry["inputs"])
    return GraphReport(differences, inputs, tuple(result["outputs"][name]))


def _difference(made: str, entry: dict[str, Any], job: dict[str, Any], tolerance: float) -> float:
    """Compare one format of a graph with its model over all probes."""
    if made == "onnx":
        got = run_onnx(Path(job["folder"]) / f"{entry['name']}.onnx", [_read(path) for path in entry["probes"]])
    else:
        got = [_read(path + ".answers.npz") for path in entry["probes"]]
    pairs = zip(job["wanted"][entry["name"]], got)
    return max(compare(TITLES[made], wanted, found, tolerance) for wanted, found in pairs)


def _read(path: str) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
