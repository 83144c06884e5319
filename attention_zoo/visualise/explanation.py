"""Where a classifier looked, and what moved its scores: the answer to "why?"."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.drawn import Drawn
from attention_zoo.visualise.segments import Segment, check_values, segments

if TYPE_CHECKING:
    from attention_zoo.answers import Answer
    from attention_zoo.text import Token

SUM_TOLERANCE = 0.02  # float16 maps of thousands of tokens miss 1 by about this much


@dataclass(frozen=True, eq=False)
class Explanation(Drawn):
    """One text, its answer, where the model looked and what each token did to the scores.

    Saved as a picture, it is the coloured text; as a page, with the attention maps.

    Args:
        text: what was classified.
        tokens: the text's own pieces, with `text`, `start` and `end` (characters) and `index`, in reading order.
        answer: what the model said.
        attention: maps by site, each `[head, query, key]` or `[head, key]`; more axes in front count as heads.
        weights: attention of the pooling layer, one number a token, not negative, 1 in all, padding removed.
        effects: by label, best first, how far the label's score (0..1) falls when a token is masked, one number a
            token; above 0 the token speaks for the label.

    Raises:
        ZooValueError: if a number is missing, too many or not finite, or `weights` are not shares of 1.
    """

    text: str
    tokens: Sequence["Token"]
    answer: "Answer"
    attention: dict[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0))
    effects: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.tokens)
        weights = check_values("weights", self.weights, count)
        if count and (weights.min() < 0 or abs(weights.sum() - 1) > SUM_TOLERANCE):
            raise ZooValueError(
                f"weights must be 0 or more and 1 in all (padding removed), "
                f"got least {weights.min():.4g}, sum {weights.sum():.4g}"
            )
        effects = {label: check_values(f"effects[{label!r}]", value, count) for label, value in self.effects.items()}
        maps = {site: as_maps(value, f"attention[{site!r}]") for site, value in self.attention.items()}
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "effects", effects)
        object.__setattr__(self, "attention", maps)
        segments(self.text, self.tokens)

    def segments(self) -> list[Segment]:
        """Return the text in pieces: its tokens and what lies between them."""
        return segments(self.text, self.tokens)

    def to_dict(self) -> dict:
        """Return everything as plain lists, numbers and strings, ready for JSON (numbers with 6 digits)."""
        return {
            "text": self.text,
            "tokens": [
                {"text": token.text, "start": int(token.start), "end": int(token.end), "index": int(token.index)}
                for token in self.tokens
            ],
            "answer": {name: plain(value) for name, value in asdict(self.answer).items()},
            "weights": plain(self.weights),
            "effects": {label: plain(value) for label, value in self.effects.items()},
            "attention": {site: plain(value) for site, value in self.attention.items()},
        }

    def _title(self) -> str:
        return why(self.answer)

    def _drawing(self) -> tuple[Callable, Callable]:
        from attention_zoo.visualise import html, strips

        return strips.compose, html.page


def why(answer: "Answer") -> str:
    """Return the question that an explanation of an answer answers."""
    from attention_zoo.visualise.strips import headline

    return "Why {}? {}".format(*headline(answer))


def as_maps(value: object, name: str = "maps") -> np.ndarray:
    """Return attention as `[head, query, key]`.

    Args:
        value: `[key]`, `[head, key]` (one query), `[head, query, key]`, or more axes in front, which count as heads.
        name: the argument, for the sentence.

    Raises:
        ZooValueError: if it is empty, or holds what is not finite or below 0.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.ndim == 0 or array.size == 0:
        raise ZooValueError(
            f"{name} must be numbers [head, query, key] or [head, key], got {array.dtype} {array.shape}"
        )
    array = array if array.dtype.itemsize >= 4 and array.dtype.kind == "f" else array.astype(np.float32)
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        raise ZooValueError(f"{name} must be finite and not below 0, got least {low:g}, largest {high:g}")
    if array.ndim < 3:
        return array.reshape(-1, 1, array.shape[-1])
    return array.reshape(-1, *array.shape[-2:])


def plain(value: object) -> object:
    """Return arrays, tuples and NumPy's numbers as what JSON knows, with 6 digits."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.6g}")
    return value.item() if isinstance(value, np.generic) else value
