"""A bundle: exported graphs, preprocessor, card and checksums, all that a server needs to answer without Keras."""

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooValueError
from attention_zoo.export.bridge import check_formats, export_graphs
from attention_zoo.export.place import check_free, publish
from attention_zoo.export.request import FORMATS, MODEL, Graph, Report
from attention_zoo.files import write_json
from attention_zoo.presets.card import sha256

FORMAT = 1  # of bundle.json; raised when an older bundle could no longer be read

README = """# {name}

Files: {files}. `bundle.json` describes inputs and outputs and holds the SHA-256 of every file.
Input {usage}.
Output {returns}.
"""
RUNTIME = """
With attention_zoo and onnxruntime, without Keras: `python -m attention_zoo.runtime . "{example}"`, or in Python
`attention_zoo.runtime.load(".").{verb}(["{example}"])`.
"""
ALONE = """\
With onnxruntime alone: `onnxruntime.InferenceSession("model.onnx").run(["output"], {{"{inputs}": array}})[0]`.
"""
SAVED = """
With TensorFlow: `tf.saved_model.load("savedmodel").signatures["{signature}"]({arguments}){chosen}`.
"""


def bundle(
    task: Any,
    folder: str | os.PathLike,
    formats: Sequence[str] = FORMATS,
    attention: bool | str = False,
    *,
    tolerance: float = 1e-4,
    modules: Sequence[str] = (),
    overwrite: bool = False,
    timeout: float = 600.0,
) -> Report:
    """Export a task with all that it takes to answer raw input: graphs, preprocessor, card, README, checksums.

    Args:
        task: a `models.task.Task`: has `graphs()`, `settings()`, `returns`, `verb`, `.config`, `.card` (or None) and
            `.preprocessor` (with `usage` and `example`).
        folder: destination; it must not exist, or be empty.
        formats: any of "savedmodel" and "onnx"; `attention_zoo.runtime` needs "onnx". Of each graph those are written
            that are its own too.
        attention: True also returns every attention map as a named output, "statistics" its statistics; only where
            there is one graph.
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
    settings = {"format": FORMAT, **task.settings(), "config": task.config.to_dict()}
    graphs = _chosen(task, formats)
    with tempfile.TemporaryDirectory(prefix="attention_zoo_bundle_") as temporary:
        work = Path(temporary) / "bundle"
        report = export_graphs(graphs, work, attention=attention, tolerance=tolerance, modules=modules, timeout=timeout)
        task.preprocessor.save(work / "preprocessor")
        if task.card is not None:
            # Size and checksums of a card are those of the preset's files, which do not lie here.
            card = dataclasses.asdict(task.card)
            write_json(work / "card.json", {k: v for k, v in card.items() if k not in ("files", "bytes")})
        (work / "README.md").write_text(_readme(task, work, destination.absolute().name, report), "utf-8")
        write_json(work / "bundle.json", {**settings, **_contents(report), "files": _checksums(work)})
        publish(work, destination, overwrite=overwrite)
    return dataclasses.replace(report, folder=destination)


def _chosen(task: Any, formats: Sequence[str]) -> dict[str, Graph]:
    """Return the graphs of a task that are written in one of the formats at least."""
    check_formats(formats)
    graphs = {
        name: dataclasses.replace(graph, formats=tuple(made for made in formats if made in graph.formats))
        for name, graph in task.graphs().items()
    }
    graphs = {name: graph for name, graph in graphs.items() if graph.formats}
    if not graphs:
        raise ZooValueError(f"no graph of a {task.settings()['family']} is written as {', '.join(formats)}")
    return graphs


def _readme(task: Any, work: Path, name: str, report: Report) -> str:
    name = name if task.card is None else task.card.name
    files = ", ".join(sorted(entry.name for entry in work.iterdir()))
    preprocessor = task.preprocessor
    text = README.format(name=name, files=files, usage=preprocessor.usage, returns=task.returns)
    alone = list(report.graphs) == [MODEL]
    if "onnx" in report.differences:
        text += RUNTIME.format(example=preprocessor.example, verb=task.verb)
        text += ALONE.format(inputs=report.inputs[0]["name"]) if alone else ""
    for graph, made in report.graphs.items():
        if "savedmodel" in made.differences:
            arguments = ", ".join(f"{entry['name']}=array" for entry in made.inputs)
            signature, chosen = ("serving_default", '["output"]') if alone else (graph, "")
            text += SAVED.format(signature=signature, arguments=arguments, chosen=chosen)
    return text


def _contents(report: Report) -> dict[str, Any]:
    """Return what the description says of the graphs: for one its files, for several a table of each."""
    files = {name: _files(name, graph.differences) for name, graph in report.graphs.items()}
    if list(files) == [MODEL]:
        told = {"inputs": list(report.inputs), "outputs": list(report.outputs)}
        return {"graphs": files[MODEL], **told, "differences": report.differences}
    graphs = {name: {**files[name], **dataclasses.asdict(graph)} for name, graph in report.graphs.items()}
    return {"graphs": graphs, "differences": report.differences}


def _files(name: str, formats: Any) -> dict[str, str]:
    """Return by format where a graph lies; the signature in a SavedModel has the graph's name."""
    places = {"onnx": f"{name}.onnx", "savedmodel": "savedmodel"}
    return {made: places[made] for made in formats}


def _checksums(work: Path) -> dict[str, str]:
    paths = sorted(path for path in work.rglob("*") if path.is_file())
    return {path.relative_to(work).as_posix(): sha256(path) for path in paths}
