"""What each modality of a row did for an answer, and where the model looked in each: the answer to "why?"."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.explanation import in_notebook, plain, write_as
from attention_zoo.visualise.modality_views import View

if TYPE_CHECKING:
    from attention_zoo.answers import Answer

SUM_LIMIT = 1e-3  # of log-probabilities in float32, which prior and effects add up to


@dataclass(frozen=True, eq=False)
class ModalityExplanation:
    """One row of several modalities, its answer, what each modality did for it and where the model looked.

    prior + sum of effects = score

    Args:
        answer: what the model said.
        label: the label that is explained; of most explanations the answer's.
        score: log-probability of `label`, given all that the row has.
        prior: log-probability of `label` where everything is missing.
        effects: by modality of the model, in its order, what it adds to the log-probability; 0 where it is missing.
        views: by modality where the model looked; None where it is missing.
        gates: by modality the share that the fusion gave it; None where the fusion has no such gates.
        note: words about how the row was read; may be empty.

    Raises:
        ZooValueError: if modalities do not fit together, or effects do not add up.
    """

    answer: "Answer"
    label: str
    score: float
    prior: float
    effects: Mapping[str, float]
    views: Mapping[str, View | None]
    gates: Mapping[str, float] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for name, value in {"views": self.views, "gates": self.gates or self.effects}.items():
            if tuple(value) != tuple(self.effects):
                raise ZooValueError(f"{name} must be of {', '.join(self.effects)}, got {', '.join(value)}")
        total = self.prior + sum(self.effects.values())
        if not abs(total - self.score) <= SUM_LIMIT * max(1.0, abs(self.score)):
            raise ZooValueError(f"prior and effects must add up to the score {self.score:.6g}, got {total:.6g}")

    @property
    def shares(self) -> dict[str, float]:
        """The size of each effect as a share of all, 0..1; 0 each where there is no effect at all."""
        total = sum(abs(effect) for effect in self.effects.values())
        return {name: abs(effect) / total if total else 0.0 for name, effect in self.effects.items()}

    @property
    def probability(self) -> float:
        """Probability of the label that is explained."""
        return float(np.exp(self.score))

    def to_dict(self) -> dict:
        """Return everything as plain lists, numbers and strings, ready for JSON (numbers with 6 digits)."""
        told = {"answer": asdict(self.answer), "label": self.label, "score": self.score, "prior": self.prior}
        told |= {"effects": dict(self.effects), "shares": self.shares}
        told |= {"gates": None if self.gates is None else dict(self.gates), "note": self.note}
        views = {name: None if view is None else view.to_dict() for name, view in self.views.items()}
        return {**{name: plain(value) for name, value in told.items()}, "views": views}

    def save(self, path: str | os.PathLike) -> Path:
        """Write the explanation; the suffix says how.

        Args:
            path: `.png` or `.svg` (a bar for each modality, and a panel for each), `.html` (the same as one page that
                needs nothing else, with all numbers as tables) or `.json` (all numbers).

        Returns:
            The path written.

        Raises:
            ZooValueError: for another suffix.
            ZooFileError: if the file cannot be written; nothing is left behind.
        """
        return write_as(path, _makers(), self)

    def _repr_html_(self) -> str:
        """Show the picture in a notebook."""
        return in_notebook(_makers()[".png"](self), self.answer)


def _makers() -> dict[str, Callable[[ModalityExplanation], bytes]]:
    # Imported here, so that to hold numbers costs no drawing library.
    from attention_zoo.visualise import modality_page, modality_sheet
    from attention_zoo.visualise.sheet import paint_png, paint_svg

    return {
        ".png": lambda explanation: paint_png(modality_sheet.compose(explanation)),
        ".svg": lambda explanation: paint_svg(modality_sheet.compose(explanation)),
        ".html": lambda explanation: modality_page.page(explanation).encode("utf-8"),
        ".json": lambda explanation: json.dumps(explanation.to_dict()).encode("ascii"),
    }
