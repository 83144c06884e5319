"""What each modality of a row did for an answer, and where the model looked in each: the answer to "why?"."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.drawn import Drawn
from attention_zoo.visualise.explanation import plain, why
from attention_zoo.visualise.modality_views import View

if TYPE_CHECKING:
    from attention_zoo.answers import Answer

SUM_LIMIT = 1e-3  # of log-probabilities in float32, which prior and effects add up to


@dataclass(frozen=True, eq=False)
class ModalityExplanation(Drawn):
    """One row of several modalities, its answer, what each modality did for it and where the model looked.

    prior + sum of effects = score

    Saved as a picture, it is a bar and a panel for each modality; as a page, with all numbers as tables.

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

    def _title(self) -> str:
        return why(self.answer)

    def _drawing(self) -> tuple[Callable, Callable]:
        from attention_zoo.visualise import modality_page, modality_sheet

        return modality_sheet.compose, modality_page.page
