"""Pictures of attention and training: explanations, alignments, heat maps, overlays, HTML pages, curves, terminal."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attention_zoo.visualise.alignment import Alignment, Link
    from attention_zoo.visualise.alignment_words import Axis, Word, WordMatrix
    from attention_zoo.visualise.curves import confusion_matrix, roc_curve, training_curves
    from attention_zoo.visualise.explanation import Explanation
    from attention_zoo.visualise.heatmap import map_grid, token_strip
    from attention_zoo.visualise.history_explanation import HistoryExplanation
    from attention_zoo.visualise.html import page
    from attention_zoo.visualise.image_explanation import ImageExplanation
    from attention_zoo.visualise.modality_explanation import ModalityExplanation
    from attention_zoo.visualise.modality_views import FramesView, SoundView, VectorsView, WordsView
    from attention_zoo.visualise.overlay import Panel, heat_overlay, overlay_sheet
    from attention_zoo.visualise.rollout import attention_rollout, grid_of
    from attention_zoo.visualise.terminal import render

_HOMES = {
    "Alignment": "alignment",
    "Axis": "alignment_words",
    "Explanation": "explanation",
    "FramesView": "modality_views",
    "HistoryExplanation": "history_explanation",
    "ImageExplanation": "image_explanation",
    "Link": "alignment",
    "ModalityExplanation": "modality_explanation",
    "Panel": "overlay",
    "SoundView": "modality_views",
    "VectorsView": "modality_views",
    "Word": "alignment_words",
    "WordMatrix": "alignment_words",
    "WordsView": "modality_views",
    "attention_rollout": "rollout",
    "confusion_matrix": "curves",
    "grid_of": "rollout",
    "heat_overlay": "overlay",
    "map_grid": "heatmap",
    "overlay_sheet": "overlay",
    "page": "html",
    "render": "terminal",
    "roc_curve": "curves",
    "token_strip": "heatmap",
    "training_curves": "curves",
}
__all__ = [
    "Alignment",
    "Axis",
    "Explanation",
    "FramesView",
    "HistoryExplanation",
    "ImageExplanation",
    "Link",
    "ModalityExplanation",
    "Panel",
    "SoundView",
    "VectorsView",
    "Word",
    "WordMatrix",
    "WordsView",
    "attention_rollout",
    "confusion_matrix",
    "grid_of",
    "heat_overlay",
    "map_grid",
    "overlay_sheet",
    "page",
    "render",
    "roc_curve",
    "token_strip",
    "training_curves",
]


def __getattr__(name: str) -> object:
    """Load a name when it is first asked for: numbers cost no drawing library."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
