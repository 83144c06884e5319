"""Pictures of attention and of training: `Explanation`, heat maps, one-file HTML pages, curves, the terminal."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attention_zoo.visualise.curves import confusion_matrix, roc_curve, training_curves
    from attention_zoo.visualise.explanation import Explanation
    from attention_zoo.visualise.heatmap import map_grid, token_strip
    from attention_zoo.visualise.html import page
    from attention_zoo.visualise.terminal import render

_HOMES = {
    "Explanation": "explanation",
    "confusion_matrix": "curves",
    "map_grid": "heatmap",
    "page": "html",
    "render": "terminal",
    "roc_curve": "curves",
    "token_strip": "heatmap",
    "training_curves": "curves",
}
__all__ = [
    "Explanation",
    "confusion_matrix",
    "map_grid",
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
