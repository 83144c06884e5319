"""Load a bundle and answer with it."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.answers import Answer, decide
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooFileError, ZooValueError, need, unknown
from attention_zoo.files import read_json
from attention_zoo.presets.card import inside, sha256

FORMAT = 1
PREFIX = "attention."
# What makes a family's arrays, imported when a bundle of it is loaded.
PREPROCESSORS = {
    "text_classifier": "attention_zoo.text:TextPreprocessor",
    "image_classifier": "attention_zoo.vision:ImagePreprocessor",
}
KEYS = ("family", "labels", "multi_label", "thresholds", "temperature", "graphs", "inputs", "outputs", "files")


class Runner:
    """Answer with an exported model; made by `load`.

    Attributes:
        labels: names of the labels, in the order of the logits.
        preprocessor: the bundle's; of texts, `preprocessor.tokens(text)` are the tokens of the maps.
        description: the contents of `bundle.json`.
    """

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, session: Any) -> None:
        self.description = dict(description)
        self.labels = tuple(description["labels"])
        self.preprocessor = preprocessor
        self._session = session
        self._outputs = [entry.name for entry in session.get_outputs()]

    def predict(self, inputs: Any, all_scores: bool = False, *, batch_size: int = 32) -> list[Answer]:
        """Classify inputs.

        Inputs of like size are run together, so that little is spent on padding; answers come in the inputs' order.

        Args:
            inputs: one or many of what the model reads: texts (strings, or UTF-8 bytes), or images (paths, bytes, PIL
                images, arrays).
            all_scores: True also gives each label's probability.
            batch_size: inputs run at once, at least 1.

        Returns:
            one `Answer` for each input.

        Raises:
            ZooValueError: if there is no input, one is empty or damaged, or `batch_size` is below 1.
            ZooTypeError: if an input is nothing that the model reads.
        """
        batch_size = whole_number("batch_size", batch_size)
        inputs = self.preprocessor.items(inputs)
        order = sorted(range(len(inputs)), key=lambda index: self.preprocessor.size(inputs[index]))
        logits = np.empty((len(inputs), len(self.labels)), np.float32)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            logits[chosen] = self.run(self.preprocessor([inputs[index] for index in chosen]), ["output"])["output"]
        return decide(
            logits,
            self.labels,
            multi_label=self.description["multi_label"],
            thresholds=self.description["thresholds"],
            temperature=self.description["temperature"],
            all_scores=all_scores,
        )

    def attention(self, one: Any) -> dict[str, np.ndarray]:
        """Return the attention maps of one input.

        Args:
            one: a text, or an image.

        Returns:
            by site, the map without its batch axis: [head, query, key] or [hop, key] over tokens, padding included (its
            weights are 0; the position of a token is the `index` of `preprocessor.tokens(text)`), or over the places
            of an image; or the weights of a gate.

        Raises:
            ZooValueError: if the bundle was exported without attention, or the input is empty, damaged or several.
            ZooTypeError: if it is nothing that the model reads.
        """
        names = [name for name in self._outputs if name.startswith(PREFIX)]
        if not names:
            raise ZooValueError("this bundle was exported without attention maps; export it with attention=True")
        inputs = self.preprocessor.items(one)
        if len(inputs) != 1:
            raise ZooValueError(f"attention wants one input, got {len(inputs)}")
        maps = self.run(self.preprocessor(inputs), names)
        return {name.removeprefix(PREFIX): array[0] for name, array in maps.items()}

    def run(self, inputs: Mapping[str, np.ndarray], outputs: list[str] | None = None) -> dict[str, np.ndarray]:
        """Run the graph on arrays; what is not asked for is not computed.

        Args:
            inputs: arrays by input name.
            outputs: names of the outputs wanted; None gives all.

        Returns:
            arrays by output name.
        """
        outputs = self._outputs if outputs is None else outputs
        return dict(zip(outputs, self._session.run(outputs, dict(inputs))))


def load(folder: str | os.PathLike, *, threads: int | None = None) -> Runner:
    """Load a bundle and check each of its files against its SHA-256.

    Args:
        folder: what `task.export(folder)` wrote, with the format "onnx".
        threads: CPU threads of onnxruntime; None lets it choose.

    Raises:
        ZooFileError: if the folder is no bundle, or one of its files is missing or damaged.
        ZooValueError: if it holds no ONNX graph, was written by a newer version, or `threads` is below 1.
        ZooImportError: if onnxruntime is not installed.
    """
    folder = Path(folder)
    if not (folder / "bundle.json").is_file():
        raise ZooFileError(f"{str(folder)!r} is no bundle: it has no bundle.json")
    description = read_json(folder / "bundle.json")
    _check(folder, description)
    preprocessor = preprocessor_class(description["family"]).load(folder / "preprocessor")
    return Runner(description, preprocessor, _session(inside(folder, description["graphs"]["onnx"]), threads))


def preprocessor_class(family: str) -> Any:
    """Return the class that makes a family's arrays out of raw inputs; it needs no Keras.

    Args:
        family: its name.

    Raises:
        ZooValueError: if no family has this name.
    """
    if family not in PREPROCESSORS:
        raise unknown("family", family, PREPROCESSORS)
    module, name = PREPROCESSORS[family].split(":")
    return getattr(importlib.import_module(module), name)


def _check(folder: Path, description: Mapping[str, Any]) -> None:
    if description.get("format") != FORMAT:
        raise ZooValueError(f"the bundle's format must be {FORMAT}, got {description.get('format')!r}; export it again")
    missing = [key for key in KEYS if key not in description]
    if missing or not isinstance(description["files"], dict) or not isinstance(description["graphs"], dict):
        raise ZooFileError(f"{folder / 'bundle.json'} is damaged: {(missing or ['files'])[0]!r} is missing or no table")
    if "onnx" not in description["graphs"]:
        raise ZooValueError(f"the bundle {str(folder)!r} holds no ONNX graph; export it with formats=['onnx']")
    if description["graphs"]["onnx"] not in description["files"]:
        raise ZooFileError(f"{folder / 'bundle.json'} is damaged: its ONNX graph has no checksum")
    for name, digest in description["files"].items():
        path = inside(folder, name)
        if not path.is_file():
            raise ZooFileError(f"the bundle is damaged: {str(path)!r} is missing")
        if sha256(path) != digest:
            raise ZooFileError(f"the bundle is damaged: the SHA-256 of {str(path)!r} is not the one in bundle.json")


def _session(path: Path, threads: int | None) -> Any:
    runtime = need("onnxruntime", "serve")  # brings it without TensorFlow, which only exporting needs
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = whole_number("threads", threads)
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
