"""A bundle: exported graphs, preprocessor, card and checksums, all that a server needs to answer without Keras."""

import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError
from attention_zoo.export.bridge import FORMATS, Report, export_model
from attention_zoo.export.place import check_free, publish
from attention_zoo.files import write_json
from attention_zoo.presets.card import sha256

FORMAT = 1  # of bundle.json; raised when an older runtime could no longer read it
SETTINGS = ("family", "multi_label", "thresholds", "temperature")

README = """# {name}

Files: {files}. `bundle.json` describes inputs and outputs and holds the SHA-256 of every file.
Input {usage}.
Output `output`: logits, float32 [batch, {labels} labels].
"""
HOW = {
    "onnx": """
With attention_zoo and onnxruntime, without Keras: `python -m attention_zoo.runtime . "{example}"`, or in Python
`attention_zoo.runtime.load(".").predict(["{example}"])`.
With onnxruntime alone: `onnxruntime.InferenceSession("model.onnx").run(["output"], {{"{input}": array}})[0]`.
""",
    "savedmodel": """
With TensorFlow: `tf.saved_model.load("savedmodel").signatures["serving_default"]({input}=array)["output"]`.
""",
}


def bundle(
    task: Any,
    folder: str | os.PathLike,
    formats: Sequence[str] = FORMATS,
    attention: bool = False,
    *,
    probes: Sequence[Mapping[str, np.ndarray]] | None = None,
    tolerance: float = 1e-4,
    modules: Sequence[str] = (),
    overwrite: bool = False,
    timeout: float = 600.0,
) -> Report:
    """Export a task with all that it takes to answer raw input: graphs, preprocessor, card, README, checksums.

    Args:
        task: has `.model`, `.preprocessor` (with `probes()`, `usage` and `example`), `.labels`, `.card` (or None) and
            `.config`, whose `to_dict()` holds family, multi_label, thresholds and temperature.
        folder: destination; it must not exist, or be empty.
        formats: any of "savedmodel" and "onnx"; `attention_zoo.runtime` needs "onnx".
        attention: also return every attention map as a named output.
        probes: input arrays for the comparison, see `export_model`; None takes `task.preprocessor.probes()`.
        tolerance: largest difference allowed, see `export_model`.
        modules: modules that register the user's own parts, see `export_model`.
        overwrite: replace an earlier bundle that lies in `folder`.
        timeout: seconds that the child process may take.

    Returns:
        the report of the export.

    Raises:
        ZooError: as `export_model`; the destination is then as it was before.
    """
    destination = Path(folder)
    check_free(destination, overwrite=overwrite)
    settings = _settings(task)
    probes = task.preprocessor.probes() if probes is None else probes
    with tempfile.TemporaryDirectory(prefix="attention_zoo_bundle_") as temporary:
        work = Path(temporary) / "bundle"
        report = export_model(
            task.model,
            work,
            probes=probes,
            formats=formats,
            attention=attention,
            tolerance=tolerance,
            modules=modules,
            timeout=timeout,
        )
        task.preprocessor.save(work / "preprocessor")
        if task.card is not None:
            # Size and checksums of a card are those of the preset's files, which do not lie here.
            card = dataclasses.asdict(task.card)
            write_json(work / "card.json", {k: v for k, v in card.items() if k not in ("files", "bytes")})
        (work / "README.md").write_text(_readme(task, work, destination.absolute().name, report), "utf-8")
        write_json(work / "bundle.json", {**settings, **_contents(report), "files": _checksums(work)})
        publish(work, destination, overwrite=overwrite)
    return dataclasses.replace(report, folder=destination)


def _readme(task: Any, work: Path, name: str, report: Report) -> str:
    name = name if task.card is None else task.card.name
    files = ", ".join(sorted(entry.name for entry in work.iterdir()))
    preprocessor = task.preprocessor
    told = {"example": preprocessor.example, "input": report.inputs[0]["name"]}
    head = README.format(name=name, files=files, usage=preprocessor.usage, labels=len(task.labels))
    return head + "".join(HOW[made].format(**told) for made in HOW if made in report.differences)


def _settings(task: Any) -> dict[str, Any]:
    config = task.config.to_dict()
    for name in SETTINGS:
        if name not in config:
            raise ZooTypeError(f"task.config.to_dict() must hold {name!r}, got {sorted(config)}")
    chosen = {name: config[name] for name in SETTINGS}
    return {"format": FORMAT, **chosen, "labels": list(task.labels), "config": config}


def _contents(report: Report) -> dict[str, Any]:
    graphs = {"onnx": "model.onnx", "savedmodel": "savedmodel"}
    return {
        "graphs": {name: graphs[name] for name in report.differences},
        "inputs": list(report.inputs),
        "outputs": list(report.outputs),
        "differences": report.differences,
    }


def _checksums(work: Path) -> dict[str, str]:
    paths = sorted(path for path in work.rglob("*") if path.is_file())
    return {path.relative_to(work).as_posix(): sha256(path) for path in paths}
