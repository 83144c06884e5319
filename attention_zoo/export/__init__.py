"""Take a model out of Keras: SavedModel and ONNX, checked number by number before they are written."""

from attention_zoo.export.bridge import export_graphs, export_many, export_model
from attention_zoo.export.bundle import bundle
from attention_zoo.export.request import ExportRequest, Graph, GraphReport, GraphsRequest, Report

__all__ = [
    "ExportRequest", "Graph", "GraphReport", "GraphsRequest", "Report",
    "bundle", "export_graphs", "export_many", "export_model",
]  # fmt: skip
