"""Take a model out of Keras: SavedModel and ONNX, checked number by number before they are written."""

from attention_zoo.export.bridge import ExportRequest, Report, export_many, export_model
from attention_zoo.export.bundle import bundle

__all__ = ["ExportRequest", "Report", "bundle", "export_many", "export_model"]
