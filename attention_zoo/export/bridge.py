"""Export from any backend by one route: a child process on TensorFlow, verified in this one.

The model is saved as `.keras`, a child process with `KERAS_BACKEND=tensorflow` writes SavedModel and ONNX with dynamic
batch and length, and the numbers of both are compared here with those of the model on its own backend. Exporting
in-process fails in places on JAX and PyTorch (names lost, lengths baked in), so there is no second route.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooError, ZooImportError, ZooTypeError, ZooValueError, unknown
from attention_zoo.export.place import check_free, publish
from attention_zoo.export.precision import save_in_float32
from attention_zoo.export.signature import describe, run_model
from attention_zoo.export.verify import compare, first_line, run_onnx

FORMATS = ("savedmodel", "onnx")
PACKAGES = {"savedmodel": ("tensorflow",), "onnx": ("tensorflow", "tf2onnx", "onnx", "onnxruntime")}
TITLES = {"savedmodel": "SavedModel", "onnx": "ONNX"}


@dataclass(frozen=True)
class ExportRequest:
    """One model to export; the fields are the arguments of `export_model`."""

    model: Any
    folder: str | os.PathLike
    probes: Sequence[Mapping[str, np.ndarray]]
    formats: Sequence[str] = FORMATS
    attention: bool = False
    tolerance: float = 1e-4
    modules: Sequence[str] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class Report:
    """What an export wrote and how near it is to the model."""

    folder: Path  # where the graphs lie: `savedmodel/`, `model.onnx`
    differences: dict[str, float]  # format -> largest difference over all outputs and probes, see `verify.compare`
    seconds: float  # wall clock of the whole export; shared by requests that went through one child
    inputs: tuple[dict[str, Any], ...] = field(default=())  # {"name", "shape", "dtype"}; None is a dynamic axis
    outputs: tuple[dict[str, Any], ...] = field(default=())  # the same for outputs


def export_model(
    model: Any,
    folder: str | os.PathLike,
    *,
    probes: Sequence[Mapping[str, np.ndarray]],
    formats: Sequence[str] = FORMATS,
    attention: bool = False,
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
        attention: also return every attention map as a named output ("attention.<site>").
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
    request = ExportRequest(model, folder, probes, formats, attention, tolerance, modules, overwrite)
    outcome = export_many([request], timeout=timeout)[0]
    if isinstance(outcome, ZooError):
        raise outcome
    return outcome


def export_many(requests: Iterable[ExportRequest], *, timeout: float = 600.0) -> list[Report | ZooError]:
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


def _check(requests: list[ExportRequest]) -> None:
    for request in requests:
        if isinstance(request.formats, str) or not request.formats:
            raise ZooTypeError(f"formats must be a list of names such as {list(FORMATS)}, got {request.formats!r}")
        for name in request.formats:
            if name not in FORMATS:
                raise unknown("export format", name, FORMATS)
        if not request.tolerance > 0:
            raise ZooValueError(f"tolerance must be above 0, got {request.tolerance!r}")
        check_packages(request.formats)
        check_free(Path(request.folder), overwrite=request.overwrite)
    folders = [str(Path(request.folder).resolve()) for request in requests]
    if len(set(folders)) < len(folders):
        raise ZooValueError("each request must have a folder of its own, got one folder twice")


def _prepare(request: ExportRequest, work: Path) -> dict[str, Any] | ZooError:
    """Save the model and its own answers to the probes; return the child's job."""
    import keras

    try:
        if not isinstance(request.model, keras.Model):
            raise ZooTypeError(f"model must be a keras.Model, got {type(request.model).__name__}")
        work.mkdir()
        model = _with_maps(request.model) if request.attention else request.model
        modules = _modules(model, request.modules)
        signature = describe(model, request.probes)
        saved = work / "model.keras"
        wanted = [run_model(model, signature, probe) for probe in request.probes]  # this also builds a wrapper
        twin = save_in_float32(model, saved)
        if twin is not model:
            wanted = [run_model(twin, signature, probe) for probe in request.probes]
        paths = []
        for index, probe in enumerate(request.probes):
            paths.append(str(work / f"probe_{index}.npz"))
            named = {e["name"]: np.asarray(probe[e["key"]], e["dtype"]) for e in signature["inputs"]}
            np.savez(paths[-1], **named)
        out = work / "out"
        out.mkdir()
        job = {"model": str(saved), "probes": paths, "formats": list(request.formats), "folder": str(out)}
        return {**job, **signature, "modules": modules, "wanted": wanted}
    except ZooError as error:
        return error
    except Exception as error:  # a model may fail in any way on its probes or while it is saved
        failure = ZooValueError(f"the model cannot be run on its probes and saved: {first_line(error)}")
        failure.__cause__ = error
        return failure


def _with_maps(model: Any) -> Any:
    from attention_zoo.calibrate.capture import capture

    return capture(model)


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


def _finish(request: ExportRequest, job: dict[str, Any], result: dict[str, Any], started: float) -> Report | ZooError:
    """Verify what the child wrote and move it to the destination."""
    try:
        if "error" in result:
            raise ZooValueError(result["error"])
        differences = {name: _difference(name, job, request.tolerance) for name in job["formats"]}
        publish(Path(job["folder"]), Path(request.folder), overwrite=request.overwrite)
    except ZooError as error:
        return error
    inputs = tuple({key: entry[key] for key in ("name", "shape", "dtype")} for entry in job["inputs"])
    seconds = time.perf_counter() - started
    return Report(Path(request.folder), differences, seconds, inputs, tuple(result["outputs"]))


def _difference(name: str, job: dict[str, Any], tolerance: float) -> float:
    """Compare one exported format with the model over all probes."""
    if name == "onnx":
        got = run_onnx(Path(job["folder"]) / "model.onnx", [_read(path) for path in job["probes"]])
    else:
        got = [_read(path + ".answers.npz") for path in job["probes"]]
    return max(compare(TITLES[name], wanted, found, tolerance) for wanted, found in zip(job["wanted"], got))


def _read(path: str) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
