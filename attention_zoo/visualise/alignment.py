"""Where a translator looked while it wrote each word: source and target side by side."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.alignment_words import Axis, WordMatrix, column_names, over_words, words_of
from attention_zoo.visualise.drawn import Drawn, Forms
from attention_zoo.visualise.explanation import SUM_TOLERANCE, as_maps, plain

if TYPE_CHECKING:
    from attention_zoo.text import Token

SIDES = ("source", "target", "written")


class Link(NamedTuple):
    """A written word and one that it looked at.

    Attributes:
        row: position of the written word in `words().rows`.
        column: position of the other in `words().columns`.
        target: the written word.
        source: the word read, or the stretch of an `Axis`.
        weight: share of the written word's attention, 0..1.
    """

    row: int
    column: int
    target: str
    source: str
    weight: float


@dataclass(frozen=True, eq=False)
class Alignment(Drawn):
    """One source, what was written from it, and where each written piece looked.

    Saved as a picture, it is the matrix over words; as a page, words light up those that they belong to, and the maps
    of every head follow.

    Args:
        source: the text that was read; a name, or nothing, where `columns` is an `Axis`.
        columns: the source's pieces, with `text`, `start` and `end` (characters), in reading order; or an `Axis` where
            they are no words. A piece whose start is its end is a mark, such as `[EOS]`.
        target: the text that was written.
        rows: the target's pieces, in the order in which they were written; the last may be a mark.
        weights: [rows, columns], not negative; a row is 1 in all, padding removed, or less where an attention looks
            nowhere, as a monotonic one does after the end of its walk.
        score: of the target, as its search counts; None where nothing says so.
        attention: maps by site, each `[head, query, key]`; more axes in front count as heads.
        sides: by site of `attention`, what its queries and its keys are: "source", "target" (pieces as they are
            written), "written" (pieces that a decoder has written before: `[BOS]`, then the target's but for the last)
            or "" (positions only). A site left out is told by its size: target x source, source x source or target x
            written; where source and target are equally long it has positions only.

    Raises:
        ZooValueError: if a number is missing, too many or not finite, weights are not shares of 1, a piece lies
            outside its text, or a side does not fit its map.
    """

    source: str
    columns: Sequence["Token"] | Axis
    target: str
    rows: Sequence["Token"]
    weights: np.ndarray
    score: float | None = None
    attention: dict[str, np.ndarray] = field(default_factory=dict)
    sides: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("columns", "rows"):
            if not isinstance(getattr(self, name), Axis):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "weights", _shares(self.weights, (len(self.rows), len(self.columns))))
        if self.score is not None:
            if not np.isfinite(self.score):
                raise ZooValueError(f"score must be finite, got {self.score!r}")
            object.__setattr__(self, "score", float(self.score))
        maps = {site: as_maps(value, f"attention[{site!r}]") for site, value in self.attention.items()}
        object.__setattr__(self, "attention", maps)
        for site in self.sides:
            if site not in maps:
                raise ZooValueError(f"sides must be of sites in attention, got {site!r}")
        object.__setattr__(self, "sides", {site: self._side(site) for site in maps})
        self.words()

    def _side(self, site: str) -> tuple[str, str]:
        """Return what the queries and the keys of a site are."""
        sizes = {"": None, "source": len(self.columns), "target": len(self.rows), "written": len(self.rows)}
        found = self.attention[site].shape[1:]
        given = self.sides.get(site)
        if given is not None:
            given = tuple(given)
            if len(given) != 2 or any(name and sizes.get(name) != count for name, count in zip(given, found)):
                raise ZooValueError(
                    f"sides[{site!r}] must be two of {', '.join(SIDES)} or '' that fit {found[0]} x {found[1]} (source "
                    f"{sizes['source']}, target {sizes['target']} pieces), got {given!r}"
                )
            return given
        if sizes["source"] == sizes["target"]:
            return "", ""
        both = [next((name for name in SIDES[:2] if sizes[name] == count), "") for count in found]
        return (both[0], "written") if both == ["target", "target"] else (both[0], both[1])

    def words(self) -> WordMatrix:
        """Return the matrix over words: columns of a word's pieces are added, rows of a word's pieces averaged.

        Returns:
            Words that were written, words (or the `Axis`) that were read, and weights, float32. What makes a word is
            said in `alignment_words.words_of`.
        """
        columns = self.columns
        if not isinstance(columns, Axis):
            columns = words_of(self.source, columns, "columns")
        return over_words(self.weights, words_of(self.target, self.rows, "rows"), columns)

    def links(self, threshold: float | None = None) -> list[Link]:
        """Return which written word belongs to which word of the source.

        Args:
            threshold: the least weight of a pair, above 0, at most 1; None takes for each written word the one that it
                looked at most.

        Returns:
            Pairs in the order of the target, the heaviest of a word first. Marks are in none: a word that looked at the
            end mark most has no pair, unless a threshold lets others in.

        Raises:
            ZooValueError: if threshold is out of range.
        """
        if threshold is not None and not 0 < threshold <= 1:
            raise ZooValueError(f"threshold must be above 0 and at most 1 (share), got {threshold!r}")
        matrix = self.words()
        names = column_names(matrix.columns)
        marks = [word.mark for word in (() if isinstance(matrix.columns, Axis) else matrix.columns)]
        found = []
        for row, (word, weights) in enumerate(zip(matrix.rows, matrix.weights)):
            if word.mark or not names or weights.max() <= 0:
                continue
            order = np.argsort(-weights, kind="stable")
            chosen = order[:1] if threshold is None else order[weights[order] >= threshold]
            found += [
                Link(row, int(column), word.text, names[column], float(weights[column]))
                for column in chosen
                if not (marks and marks[column])
            ]
        return found

    def to_dict(self) -> dict:
        """Return everything as plain lists, numbers and strings, ready for JSON (numbers with 6 digits)."""
        matrix = self.words()
        words = {"rows": _texts(matrix.rows), "columns": None, "weights": plain(matrix.weights)}
        if not isinstance(self.columns, Axis):
            words["columns"] = _texts(matrix.columns)
        return {
            "source": self.source,
            "columns": plain(asdict(self.columns)) if isinstance(self.columns, Axis) else _tokens(self.columns),
            "target": self.target,
            "rows": _tokens(self.rows),
            "weights": plain(self.weights),
            "score": plain(self.score),
            "words": words,
            "attention": plain(self.attention),
            "sides": {site: list(sides) for site, sides in self.sides.items()},
        }

    def _title(self) -> str:
        return f"Alignment of {self.source!r} and {self.target!r}"

    def _drawing(self) -> tuple[Callable, Callable]:
        from attention_zoo.visualise import alignment_page, alignment_sheet

        return alignment_sheet.compose, alignment_page.page

    def _forms(self) -> Forms:
        from attention_zoo.visualise import alignment_sheet

        # Its words stand on end, which no sheet can.
        turned = {".png": lambda: alignment_sheet.png(self), ".svg": lambda: alignment_sheet.svg(self)}
        return {**super()._forms(), **turned}


def _shares(value: object, shape: tuple[int, int]) -> np.ndarray:
    """Return weights as float32 [rows, columns], each row 1 in all or less."""
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ZooValueError(f"weights must be {shape[0]} x {shape[1]} numbers, got {value!r:.80}") from error
    if array.size == 0 and 0 in shape:
        return np.zeros(shape, np.float32)
    if array.shape != shape:
        raise ZooValueError(
            f"weights must have a row for each of the {shape[0]} target pieces and a column for each of the {shape[1]} "
            f"source pieces, got shape {array.shape}"
        )
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        row, column = wrong[0]
        raise ZooValueError(f"weights must be finite, got {array[row, column]} at row {row}, column {column}")
    sums = array.sum(axis=1)
    row = int(sums.argmax())
    if array.min() < 0 or sums[row] > 1 + SUM_TOLERANCE:
        raise ZooValueError(
            f"weights must be 0 or more and each row at most 1 in all, got least {array.min():.4g}, "
            f"row {row} with sum {sums[row]:.4g}"
        )
    return array


def _tokens(tokens: Sequence["Token"]) -> list[dict]:
    return [
        {"text": token.text, "start": int(token.start), "end": int(token.end), "index": int(token.index)}
        for token in tokens
    ]


def _texts(words: Sequence) -> list[dict]:
    return [{"text": word.text, "start": word.start, "end": word.end, "tokens": list(word.tokens)} for word in words]
