"""Which past items moved a recommendation: the answer to "why?"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.drawn import Drawn, Forms
from attention_zoo.visualise.explanation import SUM_TOLERANCE, as_maps, plain
from attention_zoo.visualise.segments import check_values

Id = str | int


@dataclass(frozen=True, eq=False)
class HistoryExplanation(Drawn):
    """One history, the item that is explained, and what each past item did for it.

    Saved as a picture, it is the history coloured twice: by where the network looked, and by what the score loses
    without each item; as a page, with all numbers as a table; `.csv` is the table.

    Args:
        item: id of the item that is explained.
        score: of the network for it.
        rank: of the item among all, what was seen left out; 1 is the best.
        history: ids of the items that were read, oldest first.
        weights: how much the network looked at each, not negative, 1 in all.
        drops: how far the score falls when the history is without the item; above 0 the item speaks for it.
        effects: the share of the item's probability that is lost then, 1 at most; below 0 it grows.
        unknown: items of the history that the model does not know; they were skipped.
        attention: maps by site, each [head, query, key] over the history.

    Raises:
        ZooValueError: if a number is missing, too many or not finite, or `weights` are not shares of 1.
    """

    item: Id
    score: float
    rank: int
    history: Sequence[Id]
    weights: np.ndarray
    drops: np.ndarray
    effects: np.ndarray
    unknown: int = 0
    attention: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("weights", "drops", "effects"):
            object.__setattr__(self, name, check_values(name, getattr(self, name), len(self.history)))
        if self.weights.min() < 0 or abs(self.weights.sum() - 1) > SUM_TOLERANCE:
            raise ZooValueError(
                f"weights must be 0 or more and 1 in all, got least {self.weights.min():.4g}, "
                f"sum {self.weights.sum():.4g}"
            )
        maps = {site: as_maps(value, f"attention[{site!r}]") for site, value in self.attention.items()}
        object.__setattr__(self, "attention", maps)

    @property
    def table(self) -> list[dict]:
        """A row for each item of the history, oldest first: item, weight, drop, effect."""
        rows = zip(self.history, self.weights.tolist(), self.drops.tolist(), self.effects.tolist())
        return [dict(zip(("item", "weight", "drop", "effect"), row)) for row in rows]

    def to_dict(self) -> dict:
        """Return everything as plain lists, numbers and strings, ready for JSON (numbers with 6 digits)."""
        told = {"item": self.item, "score": self.score, "rank": self.rank, "unknown": self.unknown}
        told |= {"history": self.table, "attention": self.attention}
        return {name: plain(value) for name, value in told.items()}

    def _title(self) -> str:
        return f"Why {self.item}?"

    def _drawing(self) -> tuple[Callable, Callable]:
        from attention_zoo.visualise import history_sheet

        return history_sheet.compose, history_sheet.page

    def _forms(self) -> Forms:
        from attention_zoo.visualise import history_sheet

        return {**super()._forms(), ".csv": lambda: history_sheet.lines(self).encode("utf-8")}
