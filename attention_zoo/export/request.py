"""What an export is asked for, and what it says in the end."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FORMATS = ("savedmodel", "onnx")
MODEL = "model"  # name of the graph where there is only one


@dataclass(frozen=True)
class Graph:
    """One graph of an export."""

    model: Any  # a built `keras.Model`; its outputs are a tensor, or a flat list or dict of tensors
    probes: Sequence[Mapping[str, np.ndarray]]  # at least two inputs, of different batch and length
    formats: Sequence[str] = FORMATS  # in which it is written
    watched: bool = False  # whether its attention is told where that is asked for and there are several graphs


@dataclass(frozen=True)
class ExportRequest:
    """One model to export; the fields are the arguments of `export_model`."""

    model: Any
    folder: str | os.PathLike
    probes: Sequence[Mapping[str, np.ndarray]]
    formats: Sequence[str] = FORMATS
    attention: bool | str = False
    tolerance: float = 1e-4
    modules: Sequence[str] = ()
    overwrite: bool = False

    @property
    def graphs(self) -> dict[str, Graph]:
        """The model as the only graph."""
        return {MODEL: Graph(self.model, self.probes, self.formats)}


@dataclass(frozen=True)
class GraphsRequest:
    """Graphs to export into one folder; the fields are the arguments of `export_graphs`."""

    graphs: Mapping[str, Graph]
    folder: str | os.PathLike
    attention: bool | str = False
    tolerance: float = 1e-4
    modules: Sequence[str] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class GraphReport:
    """What was written of one graph."""

    differences: dict[str, float]  # format -> largest difference over all outputs and probes, see `verify.compare`
    inputs: tuple[dict[str, Any], ...] = ()  # {"name", "shape", "dtype"}; None is a dynamic axis
    outputs: tuple[dict[str, Any], ...] = ()  # the same for outputs


@dataclass(frozen=True)
class Report:
    """What an export wrote and how near it is to the models."""

    folder: Path  # where the graphs lie: `savedmodel/`, and `model.onnx` or an `.onnx` file for each graph
    differences: dict[str, float]  # format -> largest difference over all graphs
    seconds: float  # wall clock of the whole export; shared by requests that went through one child
    inputs: tuple[dict[str, Any], ...] = field(default=())  # of the first graph
    outputs: tuple[dict[str, Any], ...] = field(default=())  # of the first graph
    graphs: dict[str, GraphReport] = field(default_factory=dict)  # by name
