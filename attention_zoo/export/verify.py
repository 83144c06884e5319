"""Compare an exported graph with the model it came from, number by number."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from attention_zoo.errors import ZooError, ZooValueError, need

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def compare(
    graph: str, wanted: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray], tolerance: float = 1e-4
) -> float:
    """Return the largest difference between the outputs of a model and of its exported graph.

    difference = |got - wanted| / max(1, |wanted|): absolute for numbers up to 1, relative for larger ones.
    Equal infinities differ by 0; NaN on one side only is an infinite difference.

    Args:
        graph: what was exported, for the sentence ("ONNX", "SavedModel").
        wanted: outputs of the source model by name.
        got: outputs of the exported graph by name.
        tolerance: largest difference allowed.

    Raises:
        ZooValueError: names the tensor, the worst index, both values and the difference.
    """
    if set(wanted) != set(got):
        raise ZooValueError(f"the {graph} graph must have the outputs {sorted(wanted)}, got {sorted(got)}")
    return max(_compare_one(graph, name, wanted[name], got[name], tolerance) for name in wanted)


@contextlib.contextmanager
def of_graph(name: str, count: int) -> Iterator[None]:
    """Put the name of the graph before the sentence of an error, where there are several graphs.

    Args:
        name: of the graph.
        count: graphs of the export.
    """
    try:
        yield
    except ZooError as error:
        if count == 1:
            raise
        raise type(error)(f"graph {name!r}: {error}") from error
    except Exception as error:  # of a model, or of what converts it
        if count == 1:
            raise
        raise ZooValueError(f"graph {name!r}: {first_line(error)}") from error


def run_onnx(path: Path, probes: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Run an ONNX file by onnxruntime on the CPU.

    Args:
        path: the file.
        probes: dicts of input arrays by the graph's input names.

    Returns:
        for each probe, the output arrays by name.

    Raises:
        ZooValueError: if onnxruntime cannot load or run the file.
        ZooImportError: if onnxruntime is not installed.
    """
    runtime = need("onnxruntime", "export")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_outputs()]
        read = [entry.name for entry in session.get_inputs()]  # without those that nothing depends on
        return [dict(zip(names, session.run(names, {name: probe[name] for name in read}))) for probe in probes]
    except Exception as error:  # onnxruntime raises its own kinds, each derived from Exception alone
        raise ZooValueError(f"onnxruntime cannot run the exported graph: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Return the kind and the telling line of an error, for one clear sentence."""
    lines = [COLOUR.sub("", line).strip() for line in str(error).splitlines()]
    # Keras puts the place first ("Exception encountered when calling GRU.call().") and the reason below it.
    telling = [line for line in lines if line and not line.startswith(("Exception encountered", "Graph execution"))]
    return f"{type(error).__name__}: {(telling or lines)[0][:300]}" if lines else type(error).__name__


def _compare_one(graph: str, name: str, wanted: np.ndarray, got: np.ndarray, tolerance: float) -> float:
    wanted, got = np.asarray(wanted), np.asarray(got)
    if wanted.shape != got.shape:
        raise ZooValueError(f"{name!r} of the {graph} graph must have the shape {wanted.shape}, got {got.shape}")
    if wanted.size == 0:
        return 0.0
    expected, found = wanted.astype("float64"), got.astype("float64")
    same = (expected == found) | (np.isnan(expected) & np.isnan(found))
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    apart = np.where(same, 0.0, np.nan_to_num(apart, nan=np.inf, posinf=np.inf))
    worst = np.unravel_index(np.argmax(apart), apart.shape)
    difference = float(apart[worst])
    if difference > tolerance:
        index = [int(i) for i in worst]
        raise ZooValueError(
            f"{name!r} of the {graph} graph differs from the model at {index} of {list(wanted.shape)}: "
            f"the model gives {wanted[worst]:.7g}, {graph} gives {got[worst]:.7g}, "
            f"difference {difference:.3g}, allowed {tolerance:g}"
        )
    return difference
