"""From texts to the parts that a model can read at once, and from the parts' translations to those of the texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attention_zoo.search import Decoding


@dataclass(frozen=True)
class Translation:
    """The translation of one text.

    Args:
        text: the best translation; "" of a text that holds nothing.
        score: log-probability of `text`, divided by the penalty of its length; the mean over the parts of a long text.
        others: further translations with their scores, best first; as many as `nbest` asked for, without the best.
    """

    text: str
    score: float
    others: tuple[tuple[str, float], ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the translation as a line of JSON tells it, beside the text that it is of."""
        told = {"translation": self.text, "score": self.score}
        return {**told, "others": [list(other) for other in self.others]} if self.others else told


def decoding(usual: Mapping[str, Any], asked: Mapping[str, Any]) -> Decoding:
    """Return the settings of a search.

    Args:
        usual: fields of `Decoding` where nothing else is asked for.
        asked: fields that a user gave; None where he gave nothing. Sampling without a beam takes one of 1.

    Raises:
        ZooValueError: if a name is unknown, or a value cannot work.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    if given.get("sample"):
        given.setdefault("beam", 1)
    return Decoding.from_config({**usual, **given})


def split(preprocessor: Any, texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Split texts into parts that can be read at once.

    Args:
        preprocessor: has `split(text)`, which returns the parts in order.
        texts: strings.

    Returns:
        the parts that hold something, and for each the number of its text.
    """
    parts, owners = [], []
    for number, text in enumerate(texts):
        for part in preprocessor.split(text):
            if part.strip():
                parts.append(part)
                owners.append(number)
    return parts, owners


def join(
    found: Sequence[Sequence[tuple[str, float]]], owners: Sequence[int], count: int, nbest: int
) -> list[Translation]:
    """Join the translations of parts to those of texts, by blanks: the best of each, the second best of each ...

    Args:
        found: for each part its translations with their scores, best first.
        owners: for each part the number of its text.
        count: texts.
        nbest: translations of each text.
    """
    rows: list[list[Sequence[tuple[str, float]]]] = [[] for _ in range(count)]
    for one, owner in zip(found, owners):
        rows[owner].append(one)
    return [_joined(row, nbest) for row in rows]


def _joined(parts: Sequence[Sequence[tuple[str, float]]], nbest: int) -> Translation:
    if not parts:
        return Translation("", 0.0, (("", 0.0),) * (nbest - 1))
    ranked = []
    for rank in range(nbest):
        chosen = [part[rank] for part in parts]
        score = sum(score for _, score in chosen) / len(chosen)
        ranked.append((" ".join(text for text, _ in chosen if text), score))
    return Translation(*ranked[0], tuple(ranked[1:]))
