"""Load a bundle: description, preprocessor, graphs."""

import abc
import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooFileError, ZooValueError, need, unknown
from attention_zoo.files import read_json
from attention_zoo.presets.card import inside, sha256

FORMAT = 1
MODEL = "model"  # name of the graph of a bundle that has only one
# What makes a family's arrays, imported when a bundle of it is loaded.
PREPROCESSORS = {
    "text_classifier": "attention_zoo.text:TextPreprocessor",
    "image_classifier": "attention_zoo.vision:ImagePreprocessor",
    "translator": "attention_zoo.text.translation:TranslationPreprocessor",
    "speech_recognizer": "attention_zoo.audio:SpeechPreprocessor",
    "emotion_recognizer": "attention_zoo.multimodal:MultimodalPreprocessor",
    "recommender": "attention_zoo.recsys:HistoryPreprocessor",
}
# What answers by a family's graphs.
RUNNERS = {
    "text_classifier": "attention_zoo.runtime.classifying:ClassifierRunner",
    "image_classifier": "attention_zoo.runtime.classifying:ClassifierRunner",
    "translator": "attention_zoo.runtime.translating:TranslatorRunner",
    "speech_recognizer": "attention_zoo.runtime.recognizing:SpeechRunner",
    "emotion_recognizer": "attention_zoo.runtime.emotions:EmotionRunner",
    "recommender": "attention_zoo.runtime.recommending:RecommenderRunner",
}


class Runner(abc.ABC):
    """Base of what answers with exported graphs; made by `load`.

    Attributes:
        description: the contents of `bundle.json`.
        preprocessor: the bundle's.
        keys: entries of the description that this kind of runner needs.
        needs: names of the graphs that it needs.
        options: keywords that `records` takes.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = (MODEL,)
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, sessions: Mapping[str, Any]) -> None:
        self.description = dict(description)
        self.preprocessor = preprocessor
        self._sessions = dict(sessions)
        self._inputs = {name: [entry.name for entry in one.get_inputs()] for name, one in sessions.items()}
        self._outputs = {name: [entry.name for entry in one.get_outputs()] for name, one in sessions.items()}

    @property
    def graphs(self) -> tuple[str, ...]:
        """Names of the graphs that can be run."""
        return tuple(self._sessions)

    @property
    def outputs(self) -> dict[str, tuple[str, ...]]:
        """Names of the outputs of each graph."""
        return {name: tuple(known) for name, known in self._outputs.items()}

    @abc.abstractmethod
    def records(self, inputs: Sequence[str], **options: Any) -> Iterable[dict[str, Any]]:
        """Answer inputs, one dict each, as the command line prints them.

        Args:
            inputs: texts, or paths; where a model reads several things together, also rows written in JSON.
            **options: of `options`.
        """

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None, *, graph: str | None = None
    ) -> dict[str, np.ndarray]:
        """Run a graph on arrays.

        Args:
            inputs: arrays by input name.
            outputs: names of the outputs wanted; None gives all.
            graph: its name; None is the only one.

        Returns:
            arrays by output name.

        Raises:
            ZooValueError: if the graph, an input or an output is unknown, or an input is missing.
        """
        graph = self._name(graph)
        known = self._outputs[graph]
        outputs = known if outputs is None else list(outputs)
        for name in outputs:
            if name not in known:
                raise unknown(f"output of the graph {graph!r}", name, known)
        arrays = {name: inputs[name] for name in self._inputs[graph] if name in inputs}
        if len(arrays) < len(self._inputs[graph]):
            missing = next(name for name in self._inputs[graph] if name not in inputs)
            raise ZooValueError(f"the graph {graph!r} wants the input {missing!r}, got {', '.join(sorted(inputs))}")
        return dict(zip(outputs, self._sessions[graph].run(outputs, arrays)))

    def _name(self, graph: str | None) -> str:
        if graph is None and len(self._sessions) == 1:
            return next(iter(self._sessions))
        if graph is None:
            raise ZooValueError(f"graph must be given where there are several: {', '.join(self._sessions)}")
        if graph not in self._sessions:
            raise unknown("graph", graph, self._sessions)
        return graph


def is_bundle(folder: str | os.PathLike) -> bool:
    """Say whether a folder is an exported model."""
    return (Path(folder) / "bundle.json").is_file()


def load(folder: str | os.PathLike, *, threads: int | None = None) -> Any:
    """Load a bundle and check each of its files against its SHA-256.

    Args:
        folder: what `task.export(folder)` wrote, with the format "onnx".
        threads: CPU threads of onnxruntime; None lets it choose.

    Returns:
        The runner of its family: a `ClassifierRunner`, a `TranslatorRunner` ....

    Raises:
        ZooFileError: if the folder is no bundle, or one of its files is missing or damaged.
        ZooValueError: if it lacks an ONNX graph, its family is unknown, it was written by a newer version, or `threads`
            is below 1.
        ZooImportError: if onnxruntime is not installed.
    """
    folder = Path(folder)
    if not is_bundle(folder):
        raise ZooFileError(f"{str(folder)!r} is no bundle: it has no bundle.json")
    description = read_json(folder / "bundle.json")
    if description.get("format") != FORMAT:
        raise ZooValueError(f"the bundle's format must be {FORMAT}, got {description.get('format')!r}; export it again")
    _check_tables(folder, description, ("family", "graphs", "files"))
    kind = runner_class(description["family"])
    _check_tables(folder, description, kind.keys)
    graphs = _graphs(folder, description, kind)
    _check_files(folder, description, graphs)
    preprocessor = preprocessor_class(description["family"]).load(folder / "preprocessor")
    sessions = {name: _session(inside(folder, file), threads) for name, file in graphs.items()}
    return kind(description, preprocessor, sessions)


def preprocessor_class(family: str) -> Any:
    """Return the class that makes a family's arrays out of raw inputs; it needs no Keras.

    Args:
        family: its name.

    Raises:
        ZooValueError: if no family has this name.
    """
    return _imported(PREPROCESSORS, family)


def runner_class(family: str) -> type[Runner]:
    """Return the class that answers by a family's graphs.

    Args:
        family: its name.

    Raises:
        ZooValueError: if no family has this name.
    """
    return _imported(RUNNERS, family)


def answer_options(family: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an answer that a command line was given, if the family has them.

    Args:
        family: its name.
        given: keywords with their values, None where nothing was given.

    Raises:
        ZooValueError: if the family has no such option.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in runner_class(family).options:
            raise ZooValueError(f"--{name.replace('_', '-')} is no option of the family {family!r}")
    return given


def _imported(table: Mapping[str, str], family: str) -> Any:
    if family not in table:
        raise unknown("family", family, table)
    module, name = table[family].split(":")
    return getattr(importlib.import_module(module), name)


def _check_tables(folder: Path, description: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in keys:
        if key not in description or (key in ("files", "graphs") and not isinstance(description[key], dict)):
            raise ZooFileError(f"{folder / 'bundle.json'} is damaged: {key!r} is missing or no table")


def _graphs(folder: Path, description: Mapping[str, Any], kind: type[Runner]) -> dict[str, str]:
    """Return the ONNX file of each graph.

    A bundle of one graph says which file each format is; one of several has such a table for each graph.
    """
    told = description["graphs"]
    tables = told if any(isinstance(entry, dict) for entry in told.values()) else {MODEL: told}
    files = {name: table["onnx"] for name, table in tables.items() if isinstance(table, dict) and "onnx" in table}
    if not files:
        raise ZooValueError(f"the bundle {str(folder)!r} holds no ONNX graph; export it with formats=['onnx']")
    for name in kind.needs:
        if name not in files:
            raise ZooFileError(f"the bundle {str(folder)!r} is damaged: it lacks the ONNX graph {name!r}")
    return files


def _check_files(folder: Path, description: Mapping[str, Any], graphs: Mapping[str, str]) -> None:
    for file in graphs.values():
        if file not in description["files"]:
            raise ZooFileError(f"{folder / 'bundle.json'} is damaged: its ONNX graph {file!r} has no checksum")
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
