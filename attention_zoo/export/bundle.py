"""A bundle: exported graphs, preprocessor, card and checksums, all that a server needs to answer without Keras."""

import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.export.bridge import FORMATS, Report, export_model
from attention_zoo.export.place import check_free, publish
from attention_zoo.presets.card import sha256, write_json

FORMAT = 1  # of bundle.json; raised when an older runtime could no longer read it
SETTINGS = ("family", "multi_label", "thresholds", "temperature")
PROBE_TOKENS, PROBE_SENTENCES = 45, 5  # odd, so that no size is a multiple of anything; less where the model takes less

README = """# {name}

Files: {files}. `bundle.json` describes inputs and outputs and holds the SHA-256 of every file.
Input `token_ids`: int32 {axes}, from `preprocessor/tokenizer.json`, padded with 0. Output `output`: logits
[batch, {labels} labels].
"""
HOW = {
    "onnx": """
With attention_zoo (numpy, tokenizers and onnxruntime, no Keras): `python -m attention_zoo.runtime . "a text"`, or in
Python `attention_zoo.runtime.load(".").predict(["a text"])`.
With onnxruntime alone: `onnxruntime.InferenceSession("model.onnx").run(["output"], {"token_ids": ids})[0]`.
""",
    "savedmodel": """
With TensorFlow: `tf.saved_model.load("savedmodel").signatures["serving_default"](token_ids=ids)["output"]`.
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
        task: has `.model`, `.preprocessor`, `.labels`, `.card` (or None) and `.config`, whose `to_dict()` holds
            family, multi_label, thresholds and temperature.
        folder: destination; it must not exist, or be empty.
        formats: any of "savedmodel" and "onnx"; `attention_zoo.runtime` needs "onnx".
        attention: also return every attention map as a named output.
        probes: input arrays for the comparison, see `export_model`; None takes `text_probes(task.preprocessor)`.
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
    probes = text_probes(task.preprocessor) if probes is None else probes
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


def text_probes(preprocessor: Any) -> list[dict[str, np.ndarray]]:
    """Return two probes of different batch and length: token numbers from the whole vocabulary (seed 0), padded.

    Args:
        preprocessor: has `layout`, `max_length`, `max_sentences` and `vocabulary_size`, see `TextPreprocessor`.

    Raises:
        ZooValueError: if it keeps one token or one sentence at most, so that no second length exists.
    """
    sizes = [min(preprocessor.max_length, PROBE_TOKENS)]
    if preprocessor.layout == "sentences":
        sizes.insert(0, min(preprocessor.max_sentences, PROBE_SENTENCES))
    if min(sizes) < 2:
        raise ZooValueError(f"the preprocessor must keep at least 2 tokens (and sentences) to be exported, got {sizes}")
    generator = np.random.default_rng(0)
    probes = []
    for batch, part in ((2, 2), (3, 1)):
        shape = [batch, *(size // part for size in sizes)]
        ids = generator.integers(1, preprocessor.vocabulary_size, shape, dtype=np.int32)
        ids[-1, ..., shape[-1] // 2 + 1 :] = 0
        if len(shape) == 3:
            ids[-1, shape[1] // 2 + 1 :] = 0
        probes.append({"token_ids": ids})
    return probes


def _readme(task: Any, work: Path, name: str, report: Report) -> str:
    name = name if task.card is None else task.card.name
    files = ", ".join(sorted(entry.name for entry in work.iterdir()))
    axes = "[batch, sentences, tokens]" if task.preprocessor.layout == "sentences" else "[batch, tokens]"
    head = README.format(name=name, files=files, axes=axes, labels=len(task.labels))
    return head + "".join(HOW[made] for made in HOW if made in report.differences)


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
