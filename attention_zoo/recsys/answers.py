"""What a recommender answers."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Suggestion:
    """One recommended item.

    Args:
        item: its id, as the user wrote it.
        score: larger is better. Of a network: its logit; of popular items: the item's share of all choices, 0..1.
        rank: 1 is the best.
    """

    item: str | int
    score: float
    rank: int


@dataclass(frozen=True)
class Recommendation:
    """What is recommended after one history.

    Args:
        suggestions: best first; fewer than asked for where fewer are allowed and not yet seen.
        cold: True where the history has no known item: the suggestions are then the most popular items.
        unknown: items of the history that the model does not know; they were skipped.
    """

    suggestions: tuple[Suggestion, ...]
    cold: bool = False
    unknown: int = 0

    @property
    def items(self) -> tuple[str | int, ...]:
        """Ids of the suggestions, best first."""
        return tuple(each.item for each in self.suggestions)

    @property
    def text(self) -> str:
        """The best item as text; "" where nothing is left to recommend."""
        return str(self.suggestions[0].item) if self.suggestions else ""

    @property
    def score(self) -> float:
        """Score of the best item; 0 where there is none."""
        return self.suggestions[0].score if self.suggestions else 0.0

    @property
    def others(self) -> tuple[tuple[str, float], ...]:
        """All but the best, as text with their scores."""
        return tuple((str(each.item), each.score) for each in self.suggestions[1:])

    def record(self) -> dict[str, Any]:
        """Return the recommendation as a line of JSON tells it, beside the history that it is for."""
        told = [{"item": each.item, "score": each.score, "rank": each.rank} for each in self.suggestions]
        return {"recommended": told, "cold": self.cold, "unknown": self.unknown}
